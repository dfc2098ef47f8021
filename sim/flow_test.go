package sim

import (
	"bytes"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
)

// The ring keeps order while it grows and wraps.
func TestRing(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	f := &flow{n: New(1, Options{})}
	f.from, f.to = &sock{}, &sock{}
	var want []byte
	for range 10_000 {
		if len(want) > 3000 || len(want) > 0 && r.IntN(2) == 0 {
			got := make([]byte, r.IntN(len(want)+1))
			f.get(got)
			if !bytes.Equal(got, want[:len(got)]) {
				t.Fatalf("get %d at %d: got % x, want % x", len(got), f.read, got, want[:len(got)])
			}
			want = want[len(got):]
			f.onRead()
			continue
		}
		p := text(r, r.IntN(700))
		f.put(p)
		want = append(want, p...)
	}
}

// A slow reader closes the window. The writer's bytes wait in the send buffer, and are sent when it opens.
func TestWindow(t *testing.T) {
	p := join(t, 1, Options{RcvBuf: 1000, Link: Link{Latency: 10 * time.Millisecond}})
	write(t, p.a, p.c, string(make([]byte, 3000)))
	p.n.Advance(time.Second)
	s := p.b.at(p.s)
	for i, c := range []struct{ read, there int }{{400, 600}, {100, 1000}, {1000, 1000}, {1000, 500}, {500, 0}} {
		k, e := p.b.Read(p.s, make([]byte, c.read))
		if e != 0 || k != c.read {
			t.Fatalf("read %d: got %d (%v), want %d", i, k, e, c.read)
		}
		p.n.Advance(time.Second)
		if got := int(s.in.arrived - s.in.read); got != c.there {
			t.Errorf("after read %d: %d bytes at the reader, want %d", i, got, c.there)
		}
	}
}

// In the Unix domain there is one buffer, and reading frees space.
func TestUnixBackPressure(t *testing.T) {
	h := New(1, Options{SndBuf: 900}).Host("h")
	addr := loop.Addr{Network: loop.Unix, Path: "@x"}
	l, _, _ := h.Listen(addr, loop.ListenOptions{})
	c, _ := h.Connect(addr, loop.SocketOptions{})
	s, _ := h.Accept(l)
	add(t, h, c)
	ready(t, h)
	if k, e := h.Write(c, make([]byte, 1000)); k != 900 || e != 0 {
		t.Fatalf("write: got %d (%v), want 900", k, e)
	}
	wantWrite(t, h, c, syscall.EAGAIN)
	if r := ready(t, h)[c]; r != 0 {
		t.Errorf("full: got readiness %b, want none", r)
	}
	h.Read(s, make([]byte, 500))
	if r := ready(t, h)[c]; r != loop.Writable {
		t.Errorf("after a read: got readiness %b, want Writable", r)
	}
}
