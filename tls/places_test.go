package tls

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	stdtls "crypto/tls"
)

// helloFrom returns the server's end of a connection from peer that has received a ClientHello.
func helloFrom(t *testing.T, v *Server, peer string) *rig {
	t.Helper()
	r := newRig(t)
	if ip, err := netip.ParseAddr(peer); err == nil { // otherwise it is a Unix socket
		r.low.Peer = netip.AddrPortFrom(ip, 1)
	}
	r.s.InitServer(v, r.low)
	r.s.SetUpper(r.p)
	t.Cleanup(r.end)
	r.low.Open(r.s)
	r.low.Feed(clientHello(t))
	return r
}

// holds reports whether r's handshake has a place.
func (r *rig) holds() bool { return r.s.hs != nil && r.s.hs.stop != nil }

func TestSourcesOfHandshakes(t *testing.T) {
	p := &places{}
	for _, c := range []struct{ a, b string }{
		{"192.0.2.1", "::ffff:192.0.2.1"},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9"},
		{"fe80::1%eth0", "fe80::2%eth1"},
	} {
		if p.at(netip.MustParseAddr(c.a)) != p.at(netip.MustParseAddr(c.b)) {
			t.Errorf("%s and %s: got two sources, want one", c.a, c.b)
		}
	}
	for _, c := range []struct{ a, b string }{{"192.0.2.1", "192.0.2.2"}, {"2001:db8:1:2::1", "2001:db8:1:3::1"}} {
		if p.at(netip.MustParseAddr(c.a)) == p.at(netip.MustParseAddr(c.b)) {
			t.Errorf("%s and %s: got one source, want two", c.a, c.b)
		}
	}
}

// While few places are free, one address has at most its share, and its further handshakes wait. Other addresses, and
// peers without one, have the rest.
func TestNoAddressKeepsMoreThanItsShareOfPlaces(t *testing.T) {
	now := time.Second
	sh := newShared(t, func(c *Config) { c.MaxHandshakes, c.Now = 8, func() time.Duration { return now } })
	v := newServer(t, sh, nil)
	var greedy []*rig
	for range 6 {
		greedy = append(greedy, helloFrom(t, v, "192.0.2.1"))
	}
	if sh.InFlight() != 4 || sh.Waiting() != 2 || sh.Counters.HeldBack != 2 {
		t.Fatalf("six from one address for 8 places: got %d in flight, %d waiting, %d held back; want 4, 2, 2", sh.InFlight(), sh.Waiting(), sh.Counters.HeldBack)
	}
	for i, peer := range []string{"192.0.2.2", "2001:db8::1", "/run/a", "/run/a"} {
		if !helloFrom(t, v, peer).holds() {
			t.Errorf("new handshake %d, from %s, has no place though half of them are free", i, peer)
		}
	}
	greedy[4].low.Break(nil)
	greedy[5].low.Break(nil)
	// No place is free. A handshake from a new address gets the place of the oldest one of the address with the most
	// places, when that has used its time.
	late := helloFrom(t, v, "192.0.2.3")
	if late.holds() {
		t.Error("a new handshake has a place at once although no peer has waited")
	}
	now += 400 * time.Millisecond
	sh.Timeout(now)
	if !late.holds() && !late.s.hs.granted {
		t.Error("after 400 ms of waiting on both sides the new handshake has no place")
	}
	greedy[0].low.Service()
	greedy[0].wantClosed(ErrDisplaced)
	if n := sh.Counters; n.Displaced != 1 || n.OverShare != 1 {
		t.Errorf("counted %d displaced, %d over their share; want 1, 1", n.Displaced, n.OverShare)
	}
}

// A peer whose answer is not read yet keeps its place: the loop is busy, not the peer.
func TestAnsweredHandshakesKeepTheirPlaces(t *testing.T) {
	now := time.Second
	sh := newShared(t, func(c *Config) { c.MaxHandshakes, c.Now = 2, func() time.Duration { return now } })
	v := newServer(t, sh, nil)
	answered := helloFrom(t, v, "192.0.2.1")
	answered.low.Due = true
	now += time.Millisecond
	silent := helloFrom(t, v, "192.0.2.2")
	late := helloFrom(t, v, "192.0.2.3")
	now += 600 * time.Millisecond
	sh.Timeout(now)
	answered.low.Service()
	if answered.p.closed > 0 {
		t.Fatal("the handshake with an unread answer was ended instead of the one with a silent peer")
	}
	silent.low.Service()
	silent.wantClosed(ErrDisplaced)
	late.low.Service()
	next := helloFrom(t, v, "192.0.2.4")
	now += 300 * time.Millisecond
	sh.Timeout(now)
	late.low.Service()
	late.wantClosed(ErrDisplaced)
	// The time is limited.
	next.low.Service()
	next.low.Due = true
	helloFrom(t, v, "192.0.2.5")
	now += 1500 * time.Millisecond
	sh.Timeout(now)
	answered.low.Service()
	answered.wantClosed(ErrDisplaced)
}

// Waiting handshakes are served source by source.
func TestWaitingHandshakesAreServedBySource(t *testing.T) {
	sh := newShared(t, func(c *Config) { c.MaxHandshakes = 1 })
	v := newServer(t, sh, nil)
	holder := helloFrom(t, v, "192.0.2.9")
	rigs := map[string]*rig{}
	for _, name := range []string{"1 a", "1 b", "1 c", "2 a", "3 a"} {
		rigs[name] = helloFrom(t, v, fmt.Sprintf("192.0.2.%c", name[0]))
	}
	for _, name := range []string{"1 a", "2 a", "3 a", "1 b", "1 c"} {
		holder.low.Break(nil)
		holder = rigs[name]
		if holder.low.Service(); !holder.holds() {
			t.Fatalf("%s is next in line but has no place", name)
		}
	}
}

// The wait of a peer is the time of its turn: a peer that sends a message in small records has waited since its turn
// started, a peer that has answered has not.
func TestSmallRecordsDoNotKeepAPlace(t *testing.T) {
	now := time.Second
	sh := newShared(t, func(c *Config) { c.MaxHandshakes, c.Now = 2, func() time.Duration { return now } })
	v := newServer(t, sh, func(c *ServerConfig) { c.Groups = []stdtls.CurveID{stdtls.CurveP384} })
	hello := clientHello(t)
	slow := newRig(t)
	slow.s.InitServer(v, slow.low)
	slow.s.SetUpper(slow.p)
	t.Cleanup(slow.end)
	slow.low.Open(slow.s)
	piece := func(i int) { slow.low.Feed([]byte{22, 3, 1, 0, 1, hello[5+i]}) }
	piece(0)
	now += time.Millisecond
	// This client is asked for another key share, and answers later.
	honest := server(t, v, &stdtls.Config{})
	honest.low.Feed(hello)
	for i := range 600 {
		now += time.Millisecond
		piece(i + 1)
		if slow.p.closed > 0 {
			break
		}
		if i == 300 {
			helloFrom(t, v, "192.0.2.1")
		}
		sh.Timeout(now)
	}
	slow.low.Service()
	slow.wantClosed(ErrDisplaced)
	if honest.p.closed > 0 {
		t.Errorf("the handshake with the shorter wait was ended: %v", honest.p.cause)
	}
}

func TestClientMustAnswerTheFlight(t *testing.T) {
	for _, v := range versions {
		sh := newShared(t, func(c *Config) { c.Reply = 2 * time.Second })
		r := server(t, newServer(t, sh, nil), &stdtls.Config{MaxVersion: v.v})
		r.low.Sleep(time.Second)
		r.low.Feed(clientHello(t))
		r.low.Sleep(1900 * time.Millisecond)
		if r.p.closed > 0 {
			t.Fatalf("%s: closed too early: %q", v.name, r.p.log)
		}
		r.low.Sleep(200 * time.Millisecond)
		r.wantClosed(ErrTimeout)
		if sh.Counters.NoReply != 1 {
			t.Errorf("%s: counted %d without a reply, want 1", v.name, sh.Counters.NoReply)
		}
	}
	// Before our flight, and for a client, only the time of the whole handshake is limited.
	sh := newShared(t, func(c *Config) { c.Reply = time.Second })
	r := client(t, newClient(t, sh, nil), &stdtls.Config{})
	r.low.Sleep(9 * time.Second)
	if r.p.closed > 0 {
		t.Errorf("a client gave up before 10 s: %v", r.p.cause)
	}
}

func TestHandshakesAreBoundByMemory(t *testing.T) {
	for _, c := range []struct {
		conf Config
		want int
	}{
		{Config{}, maxHandshakes},
		{Config{MaxHandshakes: 5}, 5},
		{Config{Memory: 16 << 20}, 16 << 20 / handshakeCost},
		{Config{Memory: 1 << 10}, minHandshakes},
		{Config{MaxHandshakes: 5, Memory: 1 << 10}, 5},
		{Config{Memory: -1}, maxHandshakes},
	} {
		if got := New(c.conf).Places(); got != c.want {
			t.Errorf("MaxHandshakes %d, Memory %d: got %d places, want %d", c.conf.MaxHandshakes, c.conf.Memory, got, c.want)
		}
	}
}
