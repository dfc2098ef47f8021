package sim

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
)

// TestListenConflicts: which listeners may share a port.
func TestListenConflicts(t *testing.T) {
	any4, any6 := netip.IPv4Unspecified(), netip.IPv6Unspecified()
	none := netip.Addr{}
	only := loop.ListenOptions{V6Only: true}
	share := loop.ListenOptions{ReusePort: true}
	for _, c := range []struct {
		name string
		a, b netip.Addr
		oa   loop.ListenOptions
		ob   loop.ListenOptions
		want syscall.Errno
	}{
		{name: "same address", a: ipA, b: ipA, want: syscall.EADDRINUSE},
		{name: "other address", a: ipA, b: loopback4},
		{name: "wildcard and one", a: none, b: ipA, want: syscall.EADDRINUSE},
		{name: "one and v4 wildcard", a: ipA, b: any4, want: syscall.EADDRINUSE},
		{name: "v4 and dual wildcard", a: any4, b: any6, want: syscall.EADDRINUSE},
		{name: "v4 and v6-only wildcard", a: any4, b: any6, ob: only},
		{name: "v6-only wildcard and v4", a: any6, b: ipA, oa: only},
		{name: "shared", a: ipA, b: ipA, oa: share, ob: share},
		{name: "only one shares the port", a: ipA, b: ipA, oa: share, want: syscall.EADDRINUSE},
		{name: "address of another host", a: ipA, b: ipB, want: syscall.EADDRNOTAVAIL},
	} {
		h := New(1, Options{}).Host("h", ipA)
		if _, _, err := h.Listen(at(c.a, 80), c.oa); err != nil {
			t.Fatalf("%s: first: %v", c.name, err)
		}
		_, _, err := h.Listen(at(c.b, 80), c.ob)
		if got := errnoOf(err); got != c.want {
			t.Errorf("%s: second: got %v, want %v", c.name, err, c.want)
		}
	}
}

func errnoOf(err error) (e syscall.Errno) {
	errors.As(err, &e)
	return e
}

// The most specific listener gets the connection; after it has closed, the next one.
func TestListenerPrecision(t *testing.T) {
	n := New(1, Options{})
	h := n.Host("h", ipA)
	all, got, err := h.Listen(at(netip.Addr{}, 0), loop.ListenOptions{ReusePort: true})
	if err != nil || got.IP.Port() == 0 {
		t.Fatalf("listen: got %v, %v, want a port", got, err)
	}
	one, _, err := h.Listen(at(ipA, got.IP.Port()), loop.ListenOptions{ReusePort: true})
	if err != nil {
		t.Fatal(err)
	}
	try := func(to netip.Addr, want loop.FD) {
		t.Helper()
		h.Connect(at(to, got.IP.Port()), loop.SocketOptions{})
		if _, e := h.Accept(want); e != 0 {
			t.Errorf("connect to %v: accept: got %v, want success\n%s", to, e, n.Dump())
		}
	}
	try(ipA, one)
	try(loopback4, all)
	try(loopback6, all)
	h.Close(one)
	try(ipA, all)
}

func TestReusePortSpreads(t *testing.T) {
	n := New(1, Options{})
	h := n.Host("h", ipA)
	var ls [3]loop.FD
	for i := range ls {
		ls[i], _, _ = h.Listen(at(ipA, 80), loop.ListenOptions{ReusePort: true})
	}
	for range 300 {
		h.Connect(at(ipA, 80), loop.SocketOptions{})
	}
	for i, l := range ls {
		count := 0
		for ; ; count++ {
			if _, e := h.Accept(l); e != 0 {
				break
			}
		}
		if count < 60 || count > 140 {
			t.Errorf("listener %d of 3: got %d of 300 connections, want about 100", i, count)
		}
	}
}

// Accept without a free descriptor fails, and the connection waits.
func TestAcceptExhausted(t *testing.T) {
	p := hosts(t, 1, Options{MaxDescriptors: 1})
	c, e := p.a.Connect(at(ipB, 80), loop.SocketOptions{})
	if e != syscall.EINPROGRESS {
		t.Fatal(e)
	}
	if _, e := p.b.Accept(p.l); e != syscall.EMFILE {
		t.Errorf("accept: got %v, want EMFILE", e)
	}
	p.n.SetOptions(Options{})
	s, e := p.b.Accept(p.l)
	if e != 0 {
		t.Fatalf("accept with a free descriptor: got %v, want success", e)
	}
	write(t, p.a, c, "still here")
	read(t, p.b, s, "still here", 0)
}

// Closing a listener resets connections that were not accepted.
func TestCloseListener(t *testing.T) {
	p := hosts(t, 1, Options{})
	c, _ := p.a.Connect(at(ipB, 80), loop.SocketOptions{})
	p.b.Close(p.l)
	read(t, p.a, c, "", syscall.ECONNRESET)
	p.a.Close(c)
	wantClosed(t, p.n)
	if _, _, err := p.b.Listen(at(ipB, 80), loop.ListenOptions{}); err != nil {
		t.Errorf("listen again: %v", err)
	}
}

// A listener that closes during a handshake resets the connection at its end.
func TestCloseListenerDuringHandshake(t *testing.T) {
	p := hosts(t, 1, Options{Link: Link{Latency: 10 * time.Millisecond}})
	c, _ := p.a.Connect(at(ipB, 80), loop.SocketOptions{})
	p.n.Advance(15 * time.Millisecond)
	p.b.Close(p.l)
	p.n.Advance(time.Second)
	read(t, p.a, c, "", syscall.ECONNRESET)
	p.a.Close(c)
	wantClosed(t, p.n)
}

func TestUnixBacklog(t *testing.T) {
	h := New(1, Options{}).Host("h")
	addr := loop.Addr{Network: loop.Unix, Path: "/x"}
	l, _, _ := h.Listen(addr, loop.ListenOptions{Backlog: 1})
	for i, want := range []syscall.Errno{0, 0, syscall.EAGAIN} {
		fd, e := h.Connect(addr, loop.SocketOptions{})
		if e != want {
			t.Errorf("connect %d: got %v, want %v", i, e, want)
		}
		if e == 0 {
			defer read(t, h, fd, "", syscall.ECONNRESET)
		}
	}
	h.Close(l)
}
