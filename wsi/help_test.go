package wsi

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
)

var (
	ipA  = netip.MustParseAddr("10.0.0.1")
	ipA6 = netip.MustParseAddr("fd00::1")
	ipB  = netip.MustParseAddr("10.0.0.2")
	ipB6 = netip.MustParseAddr("fd00::2")
)

// node is a loop and its Net.
type node struct {
	t    testing.TB
	sys  loop.System
	loop *loop.Loop
	net  *Net
}

func newNode(t testing.TB, sys loop.System, lc loop.Config, c Config) *node {
	l := loop.New(sys, lc)
	return &node{t: t, sys: sys, loop: l, net: New(l, c)}
}

// turn runs one turn that does not wait.
func (n *node) turn() {
	n.t.Helper()
	if err := n.loop.Service(); err != nil {
		n.t.Fatalf("turn: %v", err)
	}
}

// settle runs turns until there is no work at this instant.
func (n *node) settle() {
	n.t.Helper()
	for range 10_000 {
		was := n.loop.Stats().Events
		n.turn()
		if n.loop.Stats().Events == was && n.loop.Timeout() != 0 {
			return
		}
	}
	n.t.Fatal("the loop is not idle after 10,000 turns")
}

// listen listens at port 80 of every address and stores the accepted connections.
func (n *node) listen() *acceptor {
	n.t.Helper()
	return n.listenAt(Bind{Port: 80}, nil)
}

func (n *node) listenAt(b Bind, times *Timeouts) *acceptor {
	n.t.Helper()
	a := &acceptor{t: n.t}
	var err error
	if a.l, err = n.net.Listen(b, loop.ListenOptions{}, times, a); err != nil {
		n.t.Fatal(err)
	}
	return a
}

// dial dials and returns the fake on the connection.
func (n *node) dial(t Target, o DialOptions) *fake {
	f := newFake(n.t, "dialled")
	n.net.Dial(f.w, t, f, o)
	return f
}

// wantEmpty fails unless all resources were freed, except the descriptors of so many listeners.
func (n *node) wantEmpty(listeners int) {
	n.t.Helper()
	if k := n.net.Open(); k != 0 {
		n.t.Errorf("connections open at the end: got %d, want 0", k)
	}
	if k := n.net.Held(); k != 0 {
		n.t.Errorf("bytes held at the end: got %d, want 0", k)
	}
	if k := n.loop.Account().Used(); k != 0 {
		n.t.Errorf("bytes charged at the end: got %d, want 0", k)
	}
	if k := n.loop.Stats().Timers; k != 0 {
		n.t.Errorf("timers armed at the end: got %d, want 0", k)
	}
	if k := n.loop.Stats().Sources; k != listeners {
		n.t.Errorf("descriptors watched at the end: got %d, want %d", k, listeners)
	}
	if h, ok := n.sys.(*sim.Host); ok && len(h.Open()) != listeners {
		n.t.Errorf("descriptors open at the end: got %q, want %d listeners", h.Open(), listeners)
	}
}

// acceptor stores a fake per connection.
type acceptor struct {
	t      testing.TB
	l      *Listener
	all    []*fake
	refuse bool
	script func(f *fake) // prepares each fake
}

func (a *acceptor) Accept(*Listener) (*Wsi, roles.Upper) {
	if a.refuse {
		return nil, nil
	}
	f := newFake(a.t, fmt.Sprintf("accepted %d", len(a.all)))
	if a.script != nil {
		a.script(f)
	}
	a.all = append(a.all, f)
	return f.w, f
}

// world has a server under test on host b, and a host a with or without a loop.
type world struct {
	*node   // on b
	n       *sim.Network
	a, b    *sim.Host
	drivers []sim.Driver
}

func newWorld(t testing.TB, seed uint64, o sim.Options, lc loop.Config, c Config) *world {
	n := sim.New(seed, o)
	wd := &world{n: n, a: n.Host("a", ipA, ipA6), b: n.Host("b", ipB, ipB6)}
	wd.node = newNode(t, wd.b, lc, c)
	wd.drivers = []sim.Driver{wd.loop}
	return wd
}

// other makes a node on a that pass and until also drive.
func (wd *world) other(lc loop.Config, c Config) *node {
	n := newNode(wd.t, wd.a, lc, c)
	wd.drivers = append(wd.drivers, n.loop)
	return n
}

// pass advances the time by d and runs the loops' turns.
func (wd *world) pass(d time.Duration) {
	wd.t.Helper()
	end := wd.n.Now() + d
	err := wd.n.Run(func() bool { return false }, d, wd.drivers...)
	switch {
	case errors.Is(err, sim.ErrDeadlock):
		wd.n.Advance(end - wd.n.Now())
	case !errors.Is(err, sim.ErrLimit):
		wd.t.Fatalf("after %v: %v", d, err)
	}
}

// until runs the loops until the condition is true.
func (wd *world) until(cond func() bool) {
	wd.t.Helper()
	if err := wd.n.Run(cond, time.Hour, wd.drivers...); err != nil {
		wd.t.Fatal(err)
	}
}

// peer is a bare socket on a.
type peer struct {
	t  testing.TB
	h  *sim.Host
	fd loop.FD
}

// knock starts to connect a bare socket to port 80 of b.
func (wd *world) knock() *peer {
	wd.t.Helper()
	return wd.knockAt(80)
}

func (wd *world) knockAt(port uint16) *peer {
	wd.t.Helper()
	fd, e := wd.a.Connect(loop.Addr{IP: netip.AddrPortFrom(ipB, port)}, loop.SocketOptions{})
	if e != syscall.EINPROGRESS {
		wd.t.Fatalf("connect: got %v, want EINPROGRESS", e)
	}
	return &peer{wd.t, wd.a, fd}
}

// connect connects a bare socket to port 80 of b and returns it with the accepted fake.
func (wd *world) connect(a *acceptor) (*peer, *fake) {
	wd.t.Helper()
	p, had := wd.knock(), len(a.all)
	wd.pass(time.Millisecond)
	if len(a.all) != had+1 {
		wd.t.Fatalf("accepted: got %d, want 1", len(a.all)-had)
	}
	f := a.all[had]
	f.wantOpen()
	f.log = f.log[:0]
	return p, f
}

func (p *peer) write(text string) {
	p.t.Helper()
	for len(text) > 0 {
		k, e := p.h.Write(p.fd, []byte(text))
		if e != 0 {
			p.t.Fatalf("peer: write: %v with %d bytes left", e, len(text))
		}
		text = text[k:]
	}
}

// read reads everything, and returns how it ends: EAGAIN, 0 for an orderly end, or the error.
func (p *peer) read() (text string, e syscall.Errno) {
	buf := make([]byte, 1<<16)
	var all []byte
	for {
		k, e := p.h.Read(p.fd, buf)
		if k == 0 || e != 0 {
			return string(all), e
		}
		all = append(all, buf[:k]...)
	}
}

func (p *peer) want(text string, e syscall.Errno) {
	p.t.Helper()
	if got, ge := p.read(); got != text || ge != e {
		p.t.Errorf("peer: read: got %s (%v), want %s (%v)", short([]byte(got)), ge, short([]byte(text)), e)
	}
}

func (p *peer) close() { p.h.Close(p.fd) }
