package sim

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
)

// outcome starts a connect from a to addr, waits for its event, and returns the error and the time it took.
func (p *pair) outcome(addr loop.Addr, o loop.SocketOptions) (syscall.Errno, time.Duration) {
	p.t.Helper()
	start := p.n.Now()
	fd, e := p.a.Connect(addr, o)
	if e != syscall.EINPROGRESS {
		return e, 0
	}
	defer p.a.Close(fd)
	add(p.t, p.a, fd)
	var ev [4]loop.Event
	k, err := p.a.Wait(ev[:], time.Hour)
	if err != nil || k != 1 || ev[0].Ready&loop.Writable == 0 {
		p.t.Fatalf("connect to %v: wait: got %d %v, %v, want Writable", addr, k, ev[:k], err)
	}
	e = p.a.SocketError(fd)
	if broken := ev[0].Ready&loop.Broken != 0; broken != (e != 0) {
		p.t.Errorf("connect to %v: got readiness %b with error %v", addr, ev[0].Ready, e)
	}
	return e, p.n.Now() - start
}

func TestConnectOutcomes(t *testing.T) {
	const ms = time.Millisecond
	slow := Link{Latency: 10 * ms}
	for _, c := range []struct {
		name   string
		o      Options
		to     loop.Addr
		before func(p *pair)
		want   syscall.Errno
		took   time.Duration
	}{
		{"at once", Options{}, at(ipB, 80), nil, 0, 0},
		{"after a round trip", Options{Link: slow}, at(ipB, 80), nil, 0, 20 * ms},
		{"no listener", Options{Link: slow}, at(ipB, 81), nil, syscall.ECONNREFUSED, 20 * ms},
		{"refused by fault", Options{Link: Link{Refuse: 1}}, at(ipB, 80), nil, syscall.ECONNREFUSED, 0},
		{"black hole", Options{Link: Link{BlackHole: 1}}, at(ipB, 80), nil, syscall.ETIMEDOUT, 127 * time.Second},
		{"black hole, short timeout of the kernel", Options{Link: Link{BlackHole: 1}, ConnectTimeout: time.Second},
			at(ipB, 80), nil, syscall.ETIMEDOUT, time.Second},
		{"no such machine", Options{}, at(netip.MustParseAddr("10.9.9.9"), 80), nil, syscall.EHOSTUNREACH, 3 * time.Second},
		{"no address of that family", Options{}, at(netip.MustParseAddr("2001:db8::1"), 80), nil, syscall.ENETUNREACH, 0},
		{"cut", Options{}, at(ipB, 80), func(p *pair) { p.n.Partition(p.a, p.b) }, syscall.ETIMEDOUT, 127 * time.Second},
		{"killed", Options{}, at(ipB, 80), func(p *pair) { p.n.Kill(p.b) }, syscall.ETIMEDOUT, 127 * time.Second},
		{"cut and healed: the third SYN gets through", Options{}, at(ipB, 80), func(p *pair) {
			p.n.Partition(p.a, p.b)
			p.n.At(2*time.Second, func() { p.n.Heal(p.a, p.b) })
		}, 0, 3 * time.Second},
		{"descriptors exhausted", Options{MaxDescriptors: 1}, at(ipB, 80), func(p *pair) {
			if _, _, err := p.a.Listen(at(ipA, 1), loop.ListenOptions{}); err != nil {
				p.t.Fatal(err)
			}
		}, syscall.EMFILE, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := hosts(t, 1, c.o)
			if c.before != nil {
				c.before(p)
			}
			e, took := p.outcome(c.to, loop.SocketOptions{})
			if e != c.want || took != c.took {
				t.Errorf("connect: got %v after %v, want %v after %v", e, took, c.want, c.took)
			}
		})
	}
}

// A full backlog leaves SYNs unanswered. They are sent again after one second, two, four, and succeed when a
// connection was accepted.
func TestBacklog(t *testing.T) {
	p := hosts(t, 1, Options{})
	l, _, err := p.b.Listen(at(ipB, 90), loop.ListenOptions{Backlog: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 { // the kernel admits one more than the backlog
		if e, took := p.outcome(at(ipB, 90), loop.SocketOptions{}); e != 0 || took != 0 {
			t.Fatalf("connect %d: got %v after %v, want success at once", i, e, took)
		}
	}
	p.n.At(5*time.Second, func() { p.b.Accept(l) })
	if e, took := p.outcome(at(ipB, 90), loop.SocketOptions{}); e != 0 || took != 7*time.Second {
		t.Errorf("connect to a full backlog: got %v after %v, want success after 1+2+4 s", e, took)
	}
}

// An abandoned connect leaves nothing at the listener.
func TestConnectAbandoned(t *testing.T) {
	for _, wait := range []time.Duration{0, 5, 15, 25, 50} { // ms: SYN, SYN-ACK or ACK are under way
		p := hosts(t, 1, Options{Link: Link{Latency: 10 * time.Millisecond}})
		fd, _ := p.a.Connect(at(ipB, 80), loop.SocketOptions{})
		p.n.Advance(wait * time.Millisecond)
		p.a.Close(fd)
		p.n.Advance(2 * time.Minute)
		if s, e := p.b.Accept(p.l); e == 0 {
			read(t, p.b, s, "", 0)
			p.b.Close(s)
		}
		if l := p.b.at(p.l); l.pending != 0 || len(l.queue) != 0 {
			t.Errorf("closed after %d ms: got %d pending and %d queued at the listener, want none",
				wait, l.pending, len(l.queue))
		}
		p.b.Close(p.l)
		p.n.Advance(2 * time.Minute)
		wantClosed(t, p.n)
	}
}

func TestEphemeralPorts(t *testing.T) {
	p := hosts(t, 1, Options{})
	seen := make(map[netip.AddrPort]bool)
	for range 1000 {
		fd, e := p.a.Connect(at(ipB, 80), loop.SocketOptions{})
		if e != syscall.EINPROGRESS {
			t.Fatal(e)
		}
		a, ok := p.a.LocalAddr(fd)
		if !ok || a.IP.Addr() != ipA || a.IP.Port() < firstEphemeral || seen[a.IP] {
			t.Fatalf("local address: got %v (seen before: %v), want %v with a fresh ephemeral port", a, seen[a.IP], ipA)
		}
		seen[a.IP] = true
	}
}

// Interface binds by name or by address.
func TestSourceAddress(t *testing.T) {
	second := netip.MustParseAddr("10.0.0.9")
	n := New(1, Options{})
	h := n.Host("h", ipA, second)
	n.Host("b", ipB)
	for _, c := range []struct {
		bind string
		to   netip.Addr
		want netip.Addr
		e    syscall.Errno
	}{
		{"", ipB, ipA, syscall.EINPROGRESS},
		{"eth0", ipB, ipA, syscall.EINPROGRESS},
		{"10.0.0.9", ipB, second, syscall.EINPROGRESS},
		{"", loopback4, loopback4, syscall.EINPROGRESS},
		{"", netip.IPv4Unspecified(), loopback4, syscall.EINPROGRESS},
		{"", netip.MustParseAddr("::ffff:10.0.0.2"), ipA, syscall.EINPROGRESS},
		{"lo", loopback6, loopback6, syscall.EINPROGRESS},
		{"wlan0", ipB, netip.Addr{}, syscall.ENODEV},
		{"10.0.0.77", ipB, netip.Addr{}, syscall.EADDRNOTAVAIL},
	} {
		fd, e := h.Connect(at(c.to, 5), loop.SocketOptions{Interface: c.bind})
		a, _ := h.LocalAddr(fd)
		if e != c.e || a.IP.Addr() != c.want {
			t.Errorf("bound to %q, to %v: got %v from %v, want %v from %v", c.bind, c.to, e, a, c.e, c.want)
		}
	}
}

// A partition loses the answer to a SYN, for so long that the listener drops the half-open connection.
func TestConnectAcrossCut(t *testing.T) {
	p := hosts(t, 1, Options{Link: Link{Latency: 100 * time.Millisecond}})
	p.n.At(150*time.Millisecond, func() { p.n.Partition(p.a, p.b) })
	p.n.At(100*time.Second, func() { p.n.Heal(p.a, p.b) })
	p.n.SetOptions(Options{Link: Link{Latency: 100 * time.Millisecond}, ConnectTimeout: 1000 * time.Second})
	if e, took := p.outcome(at(ipB, 80), loop.SocketOptions{}); e != 0 || took != 127200*time.Millisecond {
		t.Errorf("connect: got %v after %v, want success after the eighth SYN's round trip", e, took)
	}
}

// A host that reboots during a connect gets the SYN again.
func TestConnectAcrossReboot(t *testing.T) {
	p := hosts(t, 1, Options{Link: Link{Latency: 100 * time.Millisecond}})
	p.n.At(150*time.Millisecond, func() { p.n.Kill(p.b) }) // the answer is in flight, and lost
	p.n.At(500*time.Millisecond, func() {
		again := p.n.Host("again", ipB)
		if _, _, err := again.Listen(at(ipB, 80), loop.ListenOptions{}); err != nil {
			t.Error(err)
		}
	})
	if e, took := p.outcome(at(ipB, 80), loop.SocketOptions{}); e != 0 || took != 1200*time.Millisecond {
		t.Errorf("connect: got %v after %v, want success after the second SYN's round trip", e, took)
	}
}
