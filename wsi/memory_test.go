package wsi

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
)

// hoarders connects n peers to fakes that use no input.
func hoarders(wd *world, a *acceptor, n int) (ps []*peer, fs []*fake) {
	for range n {
		p, f := wd.connect(a)
		f.onRx = func([]byte) int { return 0 }
		ps, fs = append(ps, p), append(fs, f)
	}
	return ps, fs
}

// Above half of the ceiling connections with stored bytes are not read; those without are. With memory available
// again all are.
func TestStopReading(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{Memory: 48 << 10}, Config{})
	a := wd.listen()
	ps, fs := hoarders(wd, a, 2)
	light, fLight := wd.connect(a)
	ps[0].write(strings.Repeat("x", 100))
	wd.settle()
	ps[1].write(strings.Repeat("x", 9<<10))
	wd.settle()
	if v := wd.loop.Account().Level(); v < loop.LevelStopReading {
		t.Fatalf("level: got %v, want stop reading; used %d", v, wd.loop.Account().Used())
	}
	ps[0].write("more")
	light.write("hello")
	turns := wd.loop.Stats().Turns
	wd.pass(stallStopReading - time.Second)
	if got := wd.loop.Stats().Turns - turns; got > 4 {
		t.Errorf("turns while not reading: got %d, want a few", got)
	}
	if k := len(fs[0].w.in.bytes()); k != 100 {
		t.Errorf("held by a stalled connection: got %d bytes, want 100", k)
	}
	if string(fLight.got) != "hello" {
		t.Errorf("a connection without stored bytes: got %q, want hello", fLight.got)
	}
	fs[0].onRx = nil
	fs[1].w.Close(roles.Immediate, nil)
	wd.settle()
	if got := string(fs[0].got); got != strings.Repeat("x", 100)+"more" {
		t.Errorf("read with memory available again: got %d bytes, want 104", len(got))
	}
	if len(ps) != 2 || wd.net.Held() != 0 {
		t.Errorf("held at the end: got %d, want 0", wd.net.Held())
	}
}

// A stalled connection that ends is removed from the list.
func TestStalledConnectionsAreRemoved(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{Memory: 2000}, Config{})
	a := wd.listen()
	wd.loop.Account().Charge(900)
	for range 20 {
		ps, fs := hoarders(wd, a, 1)
		ps[0].write("x")
		wd.settle()
		ps[0].write("y")
		wd.settle()
		if fs[0].w.flags&stalledRx == 0 {
			t.Fatalf("a connection reads at level %v", wd.loop.Account().Level())
		}
		fs[0].w.Close(roles.Immediate, nil)
		wd.settle()
	}
	if n := wd.net.stalling.Len(); n != 0 {
		t.Errorf("connections with memory at the end: got %d, want none", n)
	}
	wd.loop.Account().Release(900)
	wd.settle()
	wd.wantEmpty(1)
}

// At the ceiling the connections with the most memory are closed, as many as necessary, each once; and again when the
// ceiling is reached again.
func TestCloseWorst(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{Memory: 64 << 10}, Config{})
	a := wd.listen()
	for round := range 3 {
		small := make([]*fake, 3)
		for i := range small {
			ps, fs := hoarders(wd, a, 1)
			small[i] = fs[0]
			ps[0].write("x")
			wd.settle()
		}
		ps, large := hoarders(wd, a, 3)
		for _, p := range ps { // all in one turn, so that no level takes effect in between
			p.write(strings.Repeat("x", 30_000))
		}
		wd.pass(time.Second)
		left := 0
		for i, f := range large {
			if f.closed == 0 {
				left++
				continue
			}
			f.wantClosed(ErrMemory)
			if !strings.HasPrefix(f.cause.Error(), "wsi: keep: accepted ") {
				t.Errorf("cause: got %q", f.cause)
			}
			ps[i].want("", syscall.ECONNRESET)
		}
		if left != 1 {
			t.Errorf("round %d: large connections left: got %d, want 1 of 3", round, left)
		}
		for _, f := range small {
			f.wantOpen()
		}
		if got := wd.net.Counters.MemoryClosed; got != uint64(2*(round+1)) {
			t.Errorf("round %d: counted: got %d, want %d", round, got, 2*(round+1))
		}
		if k := wd.loop.Account().Used(); k >= wd.loop.Account().Ceiling() {
			t.Errorf("round %d: used: got %d, want below %d", round, k, wd.loop.Account().Ceiling())
		}
		for _, f := range a.all {
			f.w.Close(roles.Immediate, nil)
		}
		wd.pass(time.Second)
	}
	wd.wantEmpty(1)
}

// All memory of a connection counts, and a closed connection that drains may be reset too.
func TestCloseWorstCountsBothDirections(t *testing.T) {
	for _, closed := range []bool{false, true} {
		wd := newWorld(t, 1, sim.Options{SndBuf: 1000, RcvBuf: 1000}, loop.Config{Memory: 70 << 10}, Config{})
		a := wd.listen()
		_, fs := hoarders(wd, a, 2)
		worst, other := fs[0], fs[1]
		worst.onWritable = func() {
			worst.w.Commit(copy(worst.w.Room(1), strings.Repeat("z", 60_000))) // 64 KiB to store
			if closed {
				worst.w.Close(roles.Graceful, nil)
			}
		}
		other.onWritable = func() { other.w.Commit(copy(other.w.Room(1), strings.Repeat("z", 9_000))) }
		other.w.WantWrite()
		wd.settle()
		worst.w.WantWrite()
		wd.settle()
		if !worst.w.IsClosed() || other.closed != 0 {
			t.Errorf("closed already %v: got worst %s, other %s", closed, worst.w.phase, other.w.phase)
		}
		if !closed {
			worst.wantClosed(ErrMemory)
		}
	}
}

// After the worst connections are closed the level has ended, so that the next rise to the ceiling is handled,
// whatever charges the account.
func TestCloseWorstEndsTheLevel(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{Memory: 64 << 10}, Config{})
	a := wd.listen()
	var ps []*peer
	for range 31 {
		p, _ := hoarders(wd, a, 1)
		ps = append(ps, p...)
	}
	for _, p := range ps { // in one turn: 62 KiB in two buffers
		p.write(strings.Repeat("x", 1700))
	}
	wd.settle()
	for i := range 3 {
		wd.loop.Account().Charge(8 << 10)
		wd.settle()
		if v := wd.loop.Account().Level(); v == loop.LevelCloseWorst {
			t.Errorf("charge %d: level with %d used: got %v, want a lower level", i, wd.loop.Account().Used(), v)
		}
	}
	if got := wd.net.Counters.MemoryClosed; got < 10 || got > 20 {
		t.Errorf("closed: got %d of 31, want about half", got)
	}
}
