package sim

import (
	"bytes"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
)

// Keys depend only on the seed and the host.
func TestRand(t *testing.T) {
	draw := func(seed uint64, hosts int) []byte {
		n := New(seed, Options{})
		for range hosts {
			n.Host("h")
		}
		p := make([]byte, 32)
		n.hosts[hosts-1].Rand(p)
		return p
	}
	if a, b := draw(1, 1), draw(1, 1); !bytes.Equal(a, b) {
		t.Errorf("same seed, same host: got %x and %x", a, b)
	}
	if a, b := draw(1, 1), draw(2, 1); bytes.Equal(a, b) {
		t.Errorf("two seeds: got %x twice", a)
	}
	if a, b := draw(1, 1), draw(1, 2); bytes.Equal(a, b) {
		t.Errorf("two hosts: got %x twice", a)
	}
	n := New(3, Options{})
	if a, b := n.Rand().Uint64(), New(3, Options{}).Rand().Uint64(); a != b || n.Seed() != 3 {
		t.Errorf("the network's own source, seed %d: got %x and %x", n.Seed(), a, b)
	}
}

// Open describes leaked descriptors.
func TestOpen(t *testing.T) {
	p := join(t, 1, Options{})
	write(t, p.a, p.c, "four")
	p.b.CloseWrite(p.s)
	want := []string{
		"fd 3: 10.0.0.2:80 listening, 0 to accept",
		"fd 4: 10.0.0.2:80 to 10.0.0.1:45614 open, 4 B to read, 0 B not delivered, we ended",
	}
	if got := p.b.Open(); !slices.Equal(got, want) {
		t.Errorf("open: got %q, want %q", got, want)
	}
	p.b.Abort(p.s)
	p.a.Connect(at(netip.MustParseAddr("10.9.9.9"), 9), loop.SocketOptions{})
	got := p.a.Open()
	if len(got) != 2 || got[0] != "fd 3: 10.0.0.1:45614 to 10.0.0.2:80 closed, 0 B to read, 0 B not delivered, "+
		"peer ended, we ended, broken pipe" || got[1] != "fd 4: 10.0.0.1:45615 to 10.9.9.9:9 connecting" {
		t.Errorf("open: got %q", got)
	}
}

// Every call on a closed descriptor returns an error, and a listener is not a connection.
func TestBadDescriptors(t *testing.T) {
	p := hosts(t, 1, Options{})
	h := p.b
	var buf [1]byte
	for _, c := range []struct {
		fd                              loop.FD
		read, write, accept, shut, pend syscall.Errno
	}{
		{99, syscall.EBADF, syscall.EBADF, syscall.EBADF, syscall.EBADF, syscall.EBADF},
		{loop.NoFD, syscall.EBADF, syscall.EBADF, syscall.EBADF, syscall.EBADF, syscall.EBADF},
		{p.l, syscall.ENOTCONN, syscall.ENOTCONN, syscall.EAGAIN, syscall.ENOTCONN, 0},
	} {
		_, r := h.Read(c.fd, buf[:])
		_, w := h.Write(c.fd, buf[:])
		_, a := h.Accept(c.fd)
		s, e := h.CloseWrite(c.fd), h.SocketError(c.fd)
		if r != c.read || w != c.write || a != c.accept || s != c.shut || e != c.pend {
			t.Errorf("descriptor %d: got %v, %v, %v, %v, %v, want %v, %v, %v, %v, %v",
				c.fd, r, w, a, s, e, c.read, c.write, c.accept, c.shut, c.pend)
		}
	}
	h.Close(99)
	h.Abort(loop.NoFD)
	h.Remove(99)
	if h.Reset(p.l) || h.Sever(p.l) || h.Reset(99) || h.Sever(99) {
		t.Error("faults on a descriptor that is no connection: got true")
	}
	if err := h.SetOptions(99, loop.SocketOptions{}); errnoOf(err) != syscall.EBADF {
		t.Errorf("set options: got %v, want EBADF", err)
	}
}

// Options that were set can be read, and buffer sizes take effect.
func TestSocketOptions(t *testing.T) {
	p := join(t, 1, Options{Link: Link{Latency: time.Millisecond}})
	o := loop.SocketOptions{TOS: 0x10, Priority: 3, SndBuf: 1000}
	if err := p.a.SetOptions(p.c, o); err != nil {
		t.Fatal(err)
	}
	if got, ok := p.a.SocketOptions(p.c); !ok || got != o {
		t.Errorf("options: got %+v, want %+v", got, o)
	}
	if k, e := p.a.Write(p.c, make([]byte, 5000)); k != 1000 || e != 0 {
		t.Errorf("write with a send buffer of 1000: got %d (%v), want 1000", k, e)
	}
}

func TestNames(t *testing.T) {
	p := join(t, 1, Options{})
	cl, _ := p.a.LocalAddr(p.c)
	cp, ok1 := p.a.PeerAddr(p.c)
	sl, _ := p.b.LocalAddr(p.s)
	sp, ok2 := p.b.PeerAddr(p.s)
	if !ok1 || !ok2 || cl != sp || cp != sl || cp != at(ipB, 80) {
		t.Errorf("names: got client %v to %v, server %v to %v", cl, cp, sl, sp)
	}
	p.a.Reset(p.c)
	if a, ok := p.a.PeerAddr(p.c); !ok || a != cp {
		t.Errorf("peer of a broken connection: got %v, %v, want %v", a, ok, cp)
	}
	if _, ok := p.a.LocalAddr(99); ok {
		t.Error("local address of a closed descriptor: got one")
	}
}

// A hundred hosts reach each other.
func TestManyHosts(t *testing.T) {
	n := New(1, Options{})
	var hs []*Host
	for i := range 100 {
		h := n.Host("h", netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}))
		if _, _, err := h.Listen(at(netip.Addr{}, 80), loop.ListenOptions{}); err != nil {
			t.Fatal(err)
		}
		hs = append(hs, h)
	}
	for i, h := range hs {
		fd, _ := h.Connect(at(hs[(i*7+3)%100].addrs[0], 80), loop.SocketOptions{})
		write(t, h, fd, "x")
	}
	if hs[0].Network() != n || hs[0].PollFD() != loop.NoFD {
		t.Error("host: got another network or a descriptor to poll")
	}
}
