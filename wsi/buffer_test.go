package wsi

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
)

func TestBuffers(t *testing.T) {
	n := newNode(t, sim.New(1, sim.Options{}).Host("h"), loop.Config{}, Config{}).net
	w := &Wsi{net: n, holding: &n.none}
	for _, c := range []struct{ ask, want int }{
		{0, 512}, {512, 512}, {513, 2 << 10}, {32 << 10, 32 << 10}, {512 << 10, 512 << 10}, {512<<10 + 1, 512<<10 + 1},
	} {
		b := n.newBuffer(w, roles.HoldInput, c.ask)
		if cap(b.b) != c.want || len(b.b) != 0 || n.Held() != c.want || n.account.Used() != int64(c.want) {
			t.Errorf("for %d bytes: got capacity %d, held %d, charged %d, want %d", c.ask, cap(b.b), n.Held(),
				n.account.Used(), c.want)
		}
		n.freeBuffer(b)
		if n.Held() != 0 || n.account.Used() != 0 {
			t.Errorf("released: held %d, charged %d, want 0", n.Held(), n.account.Used())
		}
	}
	b := n.newBuffer(w, roles.HoldInput, 100)
	b.b = append(b.b, "old bytes"...)
	b.off = 4
	g := n.grown(b, 5000)
	if string(g.bytes()) != "bytes" || g.off != 0 || cap(g.b) != 8<<10 || n.Held() != 8<<10 {
		t.Errorf("grown: got %q at %d of %d, want %q at 0 of %d", g.bytes(), g.off, cap(g.b), "bytes", 8<<10)
	}
	if again := n.newBuffer(w, roles.HoldInput, 1); again != b || len(again.b) != 0 || again.off != 0 {
		t.Errorf("reused: got %p with %q, want %p, empty", again, again.b, b)
	}
}

// The bytes of unused buffers are limited.
func TestFreeBuffersAreBounded(t *testing.T) {
	n := newNode(t, sim.New(1, sim.Options{}).Host("h"), loop.Config{Memory: -1}, Config{}).net
	var all []*buffer
	for range 1000 {
		all = append(all, n.newBuffer(&Wsi{net: n, holding: &n.none}, roles.HoldInput, 2000))
	}
	for _, b := range all {
		n.freeBuffer(b)
	}
	sum := 0
	for _, list := range n.free {
		for _, b := range list {
			sum += cap(b.b)
		}
	}
	if sum != n.freeSize || sum > freeMax || sum < freeMax/2 {
		t.Errorf("kept: got %d bytes, accounted %d, want at most %d", sum, n.freeSize, freeMax)
	}
}

// Only a connection with unused bytes has a buffer.
func TestIdleConnectionsHoldNothing(t *testing.T) {
	wd := plain(t)
	a := wd.listen()
	for range 50 {
		p, f := wd.connect(a)
		p.write(strings.Repeat("x", 1000))
		f.send("answer")
		wd.settle()
		if h := f.w.Held(); h != 0 {
			t.Errorf("%s: held: got %d bytes, want 0", f.name, h)
		}
	}
	if wd.net.Held() != 0 || wd.loop.Account().Peak() != 0 {
		t.Errorf("held: got %d, peak %d, want 0", wd.net.Held(), wd.loop.Account().Peak())
	}
}
