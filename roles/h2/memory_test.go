package h2

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// windowsOf adds up the windows in out, a text, of a stream, or of the connection for 0.
func windowsOf(out string, id int) (all int) {
	for line := range strings.Lines(out) {
		var k, n int
		if c, _ := fmt.Sscanf(line, "window %d %d", &k, &n); c == 2 && k == id {
			all += n
		}
	}
	return all
}

// While memory is short, windows are returned only for bodies that handlers have taken. The windows for kept bodies
// are returned when there is memory again.
func TestWindowsAreWithheldWhileMemoryIsShort(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Limits.Window, cfg.Limits.ConnWindow = 64<<10, 128<<10
	v := ready(t, cfg)
	v.setup = func(n int, r *recorder) {
		r.head.Status, r.quiet = 0, true
		if n == 1 {
			r.onHead = func(x http.Exchange, _ *http.Message) { x.Pause() }
		}
	}
	v.feed(t, postReq(1), postReq(3))
	send := func(id uint32, n int) string { return v.feed(t, data(id, 0, strings.Repeat("x", n))) }
	if got := windowsOf(send(1, 16384)+send(1, 16384)+send(3, 16384)+send(3, 16384), 0); got != 64<<10 {
		t.Errorf("with memory: got a window of %d, want 65536 for kept and taken bodies", got)
	}
	v.l.Short = true
	if got := windowsOf(send(1, 16384)+send(1, 16384), 0); got != 0 {
		t.Errorf("for kept bodies without memory: got a window of %d, want none", got)
	}
	out := ""
	for range 4 {
		out += send(3, 16384)
	}
	if got := windowsOf(out, 0); got != 64<<10 {
		t.Errorf("for taken bodies without memory: got a window of %d, want 65536", got)
	}
	if got := v.sh.Counters.Withheld; got != 1 || len(v.sh.withheld) != 1 {
		t.Errorf("withheld: counted %d, %d in the list; want 1 and 1", got, len(v.sh.withheld))
	}
	v.sh.Relieve()
	v.l.Service()
	if got := v.out(t); got != "" {
		t.Errorf("relieved while memory is still short: got %q, want nothing", got)
	}
	v.l.Short = false
	v.sh.Relieve()
	v.l.Service()
	// 32 KiB are kept, and the window is returned in halves.
	v.feed(t, data(3, 0, strings.Repeat("x", 16384)))
	got := windowsOf(send(3, 16384), 0)
	if credit := int(v.s.credit); got+credit != 64<<10 || len(v.sh.withheld) != 0 {
		t.Errorf("with memory again: got a window of %d and a credit of %d, %d withheld; want 65536 in all", got, credit, len(v.sh.withheld))
	}
	if n := v.l.Held[roles.HoldBody]; n != 64<<10 {
		t.Errorf("charged: got %d, want 65536", n)
	}
	v.made[0].x.Resume()
	v.l.Sleep(0)
	v.out(t)
	if v.s.recvWin+v.s.credit != int64(cfg.Limits.ConnWindow) || v.l.All() != 0 {
		t.Errorf("after all is read: got a window of %d and a credit of %d, %d bytes charged; want all of the window, and none", v.s.recvWin, v.s.credit, v.l.All())
	}
	v.over(t)
}

// A connection that ends while its windows are withheld leaves the list, in any order.
func TestWithheldConnectionsAreForgotten(t *testing.T) {
	sh := NewShared(DefaultConfig())
	var all []*served
	for range 3 {
		v := readyOn(t, sh)
		v.setup = func(_ int, r *recorder) {
			r.head.Status = 0
			r.onHead = func(x http.Exchange, _ *http.Message) { x.Pause() }
		}
		v.l.Short = true
		v.feed(t, postReq(1), data(1, 0, "x"))
		all = append(all, v)
	}
	for i, n := range []int{1, 0, 2} {
		all[n].over(t)
		if len(sh.withheld) != 2-i {
			t.Errorf("after the end of %d: %d wait, want %d", n, len(sh.withheld), 2-i)
		}
		for i, c := range sh.withheld {
			if c.withheld != int32(i+1) {
				t.Errorf("index %d: a connection with index %d", i+1, c.withheld)
			}
		}
	}
}

// An owner that needs more than half of its window before it uses any byte gets it when there is memory again.
func TestTunnelWindowIsWithheldWhileMemoryIsShort(t *testing.T) {
	far := &pipe{least: 10_000}
	short := func(on bool) { far.low.(*tunnel).c.low.(*rolestest.Lower).Short = on }
	far.on = func(call string) {
		if call == "opened" {
			short(true)
		}
	}
	p := newTunnel(t, DefaultConfig(), windows(100, 65535), &pipe{out: text(10_000)}, far)
	if len(far.in) != 0 || len(p.pair.s.sh.withheld) != 1 {
		t.Fatalf("without memory: got %d octets, %d connections wait; want none, and 1", len(far.in), len(p.pair.s.sh.withheld))
	}
	short(false)
	p.pair.s.sh.Relieve()
	p.pump()
	if string(far.in) != string(text(10_000)) {
		t.Errorf("with memory again: got %d octets, want 10000", len(far.in))
	}
	p.end(t)
}

// Streams beyond the first few are charged, and refused when there is no memory for them.
func TestManyStreamsAreCharged(t *testing.T) {
	v := ready(t, DefaultConfig())
	v.setup = func(_ int, r *recorder) { r.head.Status = 0 }
	for i := range unchargedStreams {
		v.feed(t, postReq(id(i)))
	}
	if v.kept != 0 {
		t.Errorf("%d streams: got %d bytes charged, want none", unchargedStreams, v.kept)
	}
	v.feed(t, postReq(id(unchargedStreams)), postReq(id(unchargedStreams+1)))
	if v.kept != 2*streamCost {
		t.Errorf("two more: got %d bytes charged, want %d", v.kept, 2*streamCost)
	}
	v.l.Short = true
	if got := verdict(v.feed(t, postReq(id(unchargedStreams+2)))); got != fmt.Sprintf("reset %d REFUSED_STREAM", id(unchargedStreams+2)) {
		t.Errorf("another without memory: got %q, want it refused", got)
	}
	v.made[0].x.Reset(nil)
	v.made[unchargedStreams].x.Reset(nil)
	v.l.Service()
	v.l.Sleep(0)
	if v.kept != streamCost {
		t.Errorf("after the end of an early and a late stream: got %d bytes charged, want %d", v.kept, streamCost)
	}
	v.over(t)
}

// Buffer sizes double, and a buffer that is outgrown or dropped serves again.
func TestBuffers(t *testing.T) {
	var p buffers
	for _, c := range []struct{ n, want int }{{0, 512}, {1, 512}, {512, 512}, {513, 1024}, {256 << 10, 256 << 10}, {256<<10 + 1, 256<<10 + 1}} {
		if b := p.get(c.n); cap(b) != c.want || len(b) != 0 {
			t.Errorf("for %d bytes: got a capacity of %d, want %d", c.n, cap(b), c.want)
		}
	}
	b := p.get(1000)
	p.put(b[:10])
	p.put(make([]byte, 0, 1000)) // not from the pool
	if again := p.get(600); &again[:1][0] != &b[:1][0] || len(again) != 0 || p.size != 0 {
		t.Errorf("got another buffer, %d bytes long, %d in the pool; want the same, empty, and none", len(again), p.size)
	}
	for range 1000 {
		p.put(make([]byte, 0, 4096))
	}
	if p.size > maxSpare || p.size < maxSpare/2 {
		t.Errorf("%d bytes in the pool, want at most %d", p.size, maxSpare)
	}
}
