package tls_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// halfOpen is a peer that starts a handshake and does not finish it.
type halfOpen struct {
	w    wsi.Wsi
	now  []byte // sent at once
	drip []byte // sent afterwards, one step per second
	step int
	next time.Duration
	open *int
}

func (p *halfOpen) Opened(now time.Duration) {
	p.w.Established()
	p.next = now + time.Second
	p.w.WantWrite()
}

func (p *halfOpen) Writable(time.Duration) {
	if room := p.w.Room(max(len(p.now), 1)); room != nil {
		p.w.Commit(copy(room, p.now))
		p.now = nil
	}
}

func (p *halfOpen) Rx(_ time.Duration, b []byte) int { return len(b) }
func (p *halfOpen) RxEnd(time.Duration, int)         { p.w.Close(roles.Immediate, nil) }
func (p *halfOpen) Woken(time.Duration)              {}
func (p *halfOpen) Closed(error)                     { *p.open-- }

func (p *halfOpen) Deadline() time.Duration {
	if len(p.drip) > 0 {
		return p.next
	}
	return 0
}

func (p *halfOpen) Timeout(now time.Duration) {
	n := min(p.step, len(p.drip))
	p.now, p.drip = p.drip[:n], p.drip[n:]
	p.next = now + time.Second
	p.w.WantWrite()
}

// hello makes a ClientHello of n bytes in a record, with only the extensions that the version needs.
func hello(version uint16, n int) []byte {
	var ext []byte
	add := func(id uint16, data ...byte) {
		ext = binary.BigEndian.AppendUint16(ext, id)
		ext = binary.BigEndian.AppendUint16(ext, uint16(len(data)))
		ext = append(ext, data...)
	}
	add(10, 0, 2, 0, 29) // supported_groups: X25519
	add(13, 0, 2, 4, 3)  // signature_algorithms: ecdsa_secp256r1_sha256
	if version == 0x0304 {
		add(43, 2, 3, 4)
		add(51, append([]byte{0, 36, 0, 29, 0, 32}, append(make([]byte, 31), 9)...)...)
	}
	body := append([]byte{3, 3}, make([]byte, 32+1)...)
	body = append(body, 0, 4, 0x13, 1, 0xc0, 0x2b, 1, 0)
	add(21, make([]byte, n-5-4-len(body)-2-len(ext)-4)...) // padding
	body = binary.BigEndian.AppendUint16(body, uint16(len(ext)))
	body = append(body, ext...)
	b := []byte{22, 3, 1, byte((len(body) + 4) >> 8), byte(len(body) + 4), 1, 0, byte(len(body) >> 8), byte(len(body))}
	return append(b, body...)
}

// inPieces splits the handshake message of a record into records of one byte each.
func inPieces(rec []byte) (out []byte) {
	for _, c := range rec[5:] {
		out = append(out, 22, 3, 1, 0, 1, c)
	}
	return out
}

// floods are the behaviours of a half-open peer, all with a hello of 269 bytes.
var floods = []func(p *halfOpen){
	func(p *halfOpen) { p.now = hello(0x0304, 269) },
	func(p *halfOpen) { p.now = hello(0x0303, 269) },
	func(p *halfOpen) { // sends the answer to a TLS 1.2 server in small steps
		p.now, p.drip, p.step = hello(0x0303, 269), append([]byte{22, 3, 3, 0, 37}, make([]byte, 37)...), 1
	},
	func(p *halfOpen) { // sends the hello in small steps
		b := hello(0x0304, 269)
		p.now, p.drip, p.step = b[:1], b[1:], 1
	},
	func(p *halfOpen) { // sends the hello in small steps, one record per byte
		b := inPieces(hello(0x0304, 269))
		p.now, p.drip, p.step = b[:6], b[6:], 6
	},
}

// greeter is a client that completes the handshake, or the server's end of any connection.
type greeter struct {
	w     wsi.Wsi
	s     tls.Session
	began time.Duration
	took  time.Duration
	cause error
	open  bool
	over  bool
}

func (g *greeter) Opened(now time.Duration) {
	g.w.Established()
	g.open, g.took = true, now-g.began
	if g.began > 0 {
		g.s.Close(roles.Graceful, nil)
	}
}

func (g *greeter) Rx(_ time.Duration, b []byte) int { return len(b) }
func (g *greeter) RxEnd(time.Duration, int)         { g.s.Close(roles.Graceful, nil) }
func (g *greeter) Writable(time.Duration)           {}
func (g *greeter) Deadline() time.Duration          { return 0 }
func (g *greeter) Timeout(time.Duration)            {}
func (g *greeter) Woken(time.Duration)              {}
func (g *greeter) Closed(cause error)               { g.over, g.cause = true, cause }

// ticker calls f at regular intervals.
type ticker struct {
	loop  *loop.Loop
	timer loop.Timer
	every time.Duration
	f     func(now time.Duration) (more bool)
}

func (t *ticker) Expired(now time.Duration) {
	if t.f(now) {
		t.loop.Arm(&t.timer, t.timer.At()+t.every, t)
	}
}

// Label implements loop.Expirer.
func (t *ticker) Label() string { return "ticker" }

// flood runs half-open handshakes, rate per second from the given number of addresses, and a normal one each 100 ms.
// It returns the durations of the normal ones, in order.
func flood(t *testing.T, rate, addresses int, six bool, span time.Duration) (took []time.Duration, c tls.Counters) {
	t.Helper()
	cryptotest.SetGlobalRandom(t, 1)
	var o sim.Options
	o.Latency = 10 * time.Millisecond
	net := sim.New(uint64(rate+addresses), o)
	server, client := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	to := server
	serverAddrs, hostile := []netip.Addr{server}, make([]netip.Addr, 0, addresses)
	for i := range addresses {
		a := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		if six { // in few networks
			a = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 7: byte(i % 4), 14: byte(i >> 8), 15: byte(i)})
		}
		hostile = append(hostile, a)
	}
	if six {
		to = netip.MustParseAddr("2001:db8:ff::1")
		serverAddrs = append(serverAddrs, to)
	}
	srv := newNode(net.Host("server", serverAddrs...), 1<<20, tls.Config{Memory: 16 << 20})
	cli := newNode(net.Host("client", client), 1<<20, tls.Config{})
	bad := newNode(net.Host("hostile", hostile...), 1<<20, tls.Config{})
	vs, err := tls.NewServer(srv.sh, tls.ServerForTests())
	if err != nil {
		t.Fatal(err)
	}
	cc := tls.ClientForTests()
	cc.NoResume = true
	vc, err := tls.NewClient(cli.sh, cc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := srv.net.Listen(wsi.Bind{Port: 443}, loop.ListenOptions{}, nil, greeters{vs}); err != nil {
		t.Fatal(err)
	}
	clock := srv.loop.System()
	begin := clock.Now()
	var honest []*greeter
	open, sent := 0, 0
	visits := &ticker{loop: cli.loop, every: 100 * time.Millisecond, f: func(now time.Duration) bool {
		g := &greeter{began: now}
		honest = append(honest, g)
		g.s.InitClient(vc, &g.w)
		g.s.SetUpper(g)
		cli.net.Dial(&g.w, wsi.Target{Host: server.String(), Port: 443}, &g.s, wsi.DialOptions{})
		return now < begin+span
	}}
	attack := &ticker{loop: bad.loop, every: 100 * time.Millisecond, f: func(now time.Duration) bool {
		for range rate / 10 {
			p := &halfOpen{open: &open}
			floods[sent%len(floods)](p)
			at := hostile[sent%len(hostile)]
			open++
			sent++
			bad.net.Dial(&p.w, wsi.Target{Host: to.String(), Port: 443}, p,
				wsi.DialOptions{Socket: loop.SocketOptions{Interface: at.String()}})
		}
		return now < begin+span
	}}
	cli.loop.Arm(&visits.timer, begin+time.Second, visits)
	bad.loop.Arm(&attack.timer, begin+time.Millisecond, attack)
	done := func() bool {
		return clock.Now() > begin+span+time.Second && open == 0 && srv.net.Open() == 0
	}
	if err := net.Run(done, span+5*time.Minute, srv.loop, cli.loop, bad.loop); err != nil {
		t.Fatalf("%v; %d hostile connections open, %d at the server", err, open, srv.net.Open())
	}
	for i, g := range honest {
		if !g.open || g.cause != nil {
			t.Fatalf("honest handshake %d of %d: established %v, closed with %v; want all established", i, len(honest), g.open, g.cause)
		}
		took = append(took, g.took)
	}
	slices.Sort(took)
	if n := srv.sh.InFlight() + srv.sh.Waiting(); n != 0 || srv.loop.Account().Used() != 0 {
		t.Errorf("at the end: %d handshakes in flight or waiting, %d bytes charged; want none", n, srv.loop.Account().Used())
	}
	if peak := srv.loop.Account().Peak(); peak > 24<<20 {
		t.Errorf("bytes charged at most: got %d, want no more than the handshakes' 16 MiB and some input", peak)
	}
	return took, srv.sh.Counters
}

// greeters accepts connections.
type greeters struct{ srv *tls.Server }

func (l greeters) Accept(*wsi.Listener) (*wsi.Wsi, roles.Upper) {
	g := &greeter{}
	g.s.InitServer(l.srv, &g.w)
	g.s.SetUpper(g)
	return &g.w, &g.s
}

// Half-open handshakes of any kind and from any address do not delay normal ones. Without load a normal one takes two
// round trips of 20 ms: one to connect, one for the client's part of TLS 1.3.
func TestHalfOpenHandshakesDoNotDelayOthers(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	for _, c := range []struct {
		rate, addresses int
		six             bool
		span            time.Duration
	}{
		{60, 4, false, 2 * time.Minute},
		{60, 500, false, 2 * time.Minute},
		{600, 1, false, 20 * time.Second},
		{600, 4, false, 2 * time.Minute},
		{600, 500, false, 2 * time.Minute},
		{600, 400, true, 20 * time.Second},
	} {
		t.Run(fmt.Sprintf("%d a second from %d addresses, IPv6 %v", c.rate, c.addresses, c.six), func(t *testing.T) {
			if testing.Short() {
				c.span = 15 * time.Second
			}
			took, n := flood(t, c.rate, c.addresses, c.six, c.span)
			p50, p99, most := took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
			if p99 > 50*time.Millisecond || most > 200*time.Millisecond {
				t.Errorf("honest handshakes: got p50 %v, p99 %v, most %v; want p99 within 50 ms (40 ms undisturbed), none over 200 ms; %+v", p50, p99, most, n)
			}
			if c.rate == 600 && n.Displaced == 0 || n.NoReply == 0 {
				t.Errorf("counted %d displaced, %d without a reply; want some", n.Displaced, n.NoReply)
			}
			if few := c.addresses <= 4 || c.six; c.rate == 600 && few && n.OverShare == 0 {
				t.Error("counted none with more than its share, want some")
			}
		})
	}
	// A leaked coroutine remains; a cleanup goroutine of the runtime, which is counted while it runs, ends.
	for tries := 0; runtime.NumGoroutine() > goroutines && tries < 1000; tries++ {
		time.Sleep(time.Millisecond)
	}
	if now := runtime.NumGoroutine(); now > goroutines {
		t.Errorf("coroutines: got %d more than before, want none", now-goroutines)
	}
}

// More normal handshakes at once than there are places wait in order, and none is ended for another.
func TestManyHonestHandshakesDisplaceNone(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 2)
	var o sim.Options
	o.Latency = 50 * time.Millisecond
	net := sim.New(3, o)
	sip := netip.MustParseAddr("10.0.0.1")
	srv := newNode(net.Host("server", sip), 1<<20, tls.Config{MaxHandshakes: 64})
	cli := newNode(net.Host("client", netip.MustParseAddr("10.0.0.2")), 1<<20, tls.Config{MaxHandshakes: 1000})
	vs, err := tls.NewServer(srv.sh, tls.ServerForTests())
	if err != nil {
		t.Fatal(err)
	}
	vc, err := tls.NewClient(cli.sh, tls.ClientForTests())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := srv.net.Listen(wsi.Bind{Port: 443}, loop.ListenOptions{}, nil, greeters{vs}); err != nil {
		t.Fatal(err)
	}
	var all []*greeter
	for range 600 {
		g := &greeter{began: cli.loop.Now()}
		all = append(all, g)
		g.s.InitClient(vc, &g.w)
		g.s.SetUpper(g)
		cli.net.Dial(&g.w, wsi.Target{Host: sip.String(), Port: 443}, &g.s, wsi.DialOptions{})
	}
	over := func() bool {
		return !slices.ContainsFunc(all, func(g *greeter) bool { return !g.over }) && srv.net.Open() == 0
	}
	if err := net.Run(over, time.Minute, srv.loop, cli.loop); err != nil {
		t.Fatal(err)
	}
	for i, g := range all {
		if !g.open || g.cause != nil {
			t.Fatalf("handshake %d of %d: established %v, closed with %v", i, len(all), g.open, g.cause)
		}
	}
	if n := srv.sh.Counters; n.Waited == 0 || n.Displaced != 0 {
		t.Errorf("counted %d that waited, %d displaced; want some, none", n.Waited, n.Displaced)
	}
}
