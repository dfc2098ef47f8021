package sim

import (
	"net/netip"
	"syscall"
	"testing"

	"github.com/millrace/millrace/loop"
)

var (
	ipA = netip.MustParseAddr("10.0.0.1")
	ipB = netip.MustParseAddr("10.0.0.2")
)

// at is a TCP address.
func at(ip netip.Addr, port uint16) loop.Addr { return loop.Addr{IP: netip.AddrPortFrom(ip, port)} }

// pair is two hosts and a connection between them: c on a, s on b, listener l on b.
type pair struct {
	t       *testing.T
	n       *Network
	a, b    *Host
	l, c, s loop.FD
}

// hosts makes a and b, with a listener on b.
func hosts(t *testing.T, seed uint64, o Options) *pair {
	t.Helper()
	n := New(seed, o)
	p := &pair{t: t, n: n, a: n.Host("a", ipA), b: n.Host("b", ipB), c: loop.NoFD, s: loop.NoFD}
	var err error
	if p.l, _, err = p.b.Listen(at(ipB, 80), loop.ListenOptions{}); err != nil {
		t.Fatal(err)
	}
	return p
}

// join makes hosts and connects them; faults of connects must be off.
func join(t *testing.T, seed uint64, o Options) *pair {
	t.Helper()
	p := hosts(t, seed, o)
	p.connect()
	return p
}

func (p *pair) connect() {
	p.t.Helper()
	var e syscall.Errno
	if p.c, e = p.a.Connect(at(ipB, 80), loop.SocketOptions{}); e != syscall.EINPROGRESS {
		p.t.Fatalf("connect: got %v, want EINPROGRESS", e)
	}
	p.n.Advance(connectTimeout)
	if e := p.a.SocketError(p.c); e != 0 {
		p.t.Fatalf("connect: outcome: got %v, want success", e)
	}
	if p.s, e = p.b.Accept(p.l); e != 0 {
		p.t.Fatalf("accept: got %v, want success\n%s", e, p.n.Dump())
	}
}

// read reads once on h and compares the result.
func read(t *testing.T, h *Host, fd loop.FD, want string, wantE syscall.Errno) {
	t.Helper()
	var buf [1 << 12]byte
	k, e := h.Read(fd, buf[:])
	if string(buf[:k]) != want || e != wantE {
		t.Errorf("%s: read: got %q (%v), want %q (%v)", h.Name(), buf[:k], e, want, wantE)
	}
}

// write writes all of text with one call.
func write(t *testing.T, h *Host, fd loop.FD, text string) {
	t.Helper()
	if k, e := h.Write(fd, []byte(text)); k != len(text) || e != 0 {
		t.Errorf("%s: write %q: got %d (%v), want %d", h.Name(), text, k, e, len(text))
	}
}

// ready polls and returns a map from descriptor to readiness.
func ready(t *testing.T, h *Host) map[loop.FD]loop.Ready {
	t.Helper()
	var ev [16]loop.Event
	k, err := h.Wait(ev[:], 0)
	if err != nil {
		t.Fatal(err)
	}
	m := make(map[loop.FD]loop.Ready)
	for _, e := range ev[:k] {
		m[e.Token.FD()] |= e.Ready
	}
	return m
}

func add(t *testing.T, h *Host, fd loop.FD) {
	t.Helper()
	if err := h.Add(fd, loop.MakeToken(fd, 1)); err != nil {
		t.Fatal(err)
	}
}

// wantClosed fails unless every descriptor is closed and no flow is active.
func wantClosed(t *testing.T, n *Network) {
	t.Helper()
	for _, h := range n.hosts {
		if list := h.Open(); len(list) > 0 {
			t.Errorf("%s: open at the end: got %q, want nothing", h.name, list)
		}
		if len(h.conns) > 0 {
			t.Errorf("%s: ephemeral ports in use at the end: got %v, want none", h.name, h.conns)
		}
	}
	for _, l := range n.links {
		if l != nil && len(l.flows) > 0 {
			t.Errorf("flows active at the end: got %d, want none: %v", len(l.flows), l.flows[0].from)
		}
	}
}
