package wsi

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
)

// Memory of the layers is charged to their connection by kind, and a connection without memory has no record.
func TestHoldingByKind(t *testing.T) {
	wd := plain(t)
	_, f := wd.connect(wd.listen())
	w, a := f.w, wd.loop.Account()
	if w.holding != &wd.net.none {
		t.Error("a connection without memory has a record, want none")
	}
	for _, s := range []struct {
		k         roles.Kind
		delta     int
		of, total int
	}{
		{roles.HoldBody, 1000, 1000, 1000}, {roles.HoldInflater, 55_000, 55_000, 56_000}, {roles.HoldSession, 7000, 7000, 63_000},
		{roles.HoldBody, -400, 600, 62_600}, {roles.HoldInflater, -55_000, 0, 7600}, {roles.HoldBody, -600, 0, 7000}, {roles.HoldSession, -7000, 0, 0},
	} {
		w.Hold(s.k, s.delta)
		if w.HeldBy(s.k) != s.of || w.Held() != s.total || a.UsedBy(uint8(s.k)) != int64(s.of) || a.Used() != int64(s.total) {
			t.Errorf("%v %+d: got %d of the kind and %d in all, on the account %d and %d; want %d and %d", s.k, s.delta,
				w.HeldBy(s.k), w.Held(), a.UsedBy(uint8(s.k)), a.Used(), s.of, s.total)
		}
		if _, ok := w.StalledSince(); ok != (s.total != 7000 && s.total != 0) {
			t.Errorf("%v %+d: can make progress: got %v, want %v: a session lasts", s.k, s.delta, ok, !ok)
		}
	}
	if w.holding != &wd.net.none || len(wd.net.spare) != 1 {
		t.Error("at the end the connection still has a record, want none")
	}
}

func TestHoldingAllocatesNothing(t *testing.T) {
	wd := plain(t)
	_, f := wd.connect(wd.listen())
	if n := testing.AllocsPerRun(1000, func() {
		f.w.Hold(roles.HoldBody, 1000)
		f.w.Hold(roles.HoldBody, -1000)
	}); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

// Each kind has a share. MayHold refuses more; if a layer does not ask, the connection that has stalled longest is
// closed. One of each kind is always allowed.
func TestHoldingShares(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{Memory: 100_000}, Config{})
	a := wd.listen()
	_, one := wd.connect(a)
	if !one.w.MayHold(roles.HoldInflater, 1<<30) {
		t.Error("the first inflater: got no, want yes at any size")
	}
	one.w.Hold(roles.HoldInflater, 20_000)
	for _, c := range []struct {
		k    roles.Kind
		n    int
		want bool
	}{{roles.HoldInflater, 5000, true}, {roles.HoldInflater, 5001, false}, {roles.HoldPart, 25_000, true}, {roles.HoldBody, 1 << 20, true}} {
		if got := one.w.MayHold(c.k, c.n); got != c.want {
			t.Errorf("%d bytes more of %v beside 20,000 inflaters of 100,000: got %v, want %v", c.n, c.k, got, c.want)
		}
	}
	one.w.Hold(roles.HoldInflater, 10_000)
	wd.settle()
	one.wantOpen()
	_, two := wd.connect(a)
	wd.pass(time.Second)
	two.w.Hold(roles.HoldInflater, 10_000)
	two.w.Hold(roles.HoldBody, 15_000)
	one.onClosed = func() { one.w.Hold(roles.HoldInflater, -30_000) }
	wd.settle()
	one.wantClosed(ErrMemory)
	two.wantOpen()
	if two.w.MayHold(roles.HoldBody, 1) != true {
		t.Error("a body below half of the ceiling: got no, want yes")
	}
	if two.w.Hold(roles.HoldBody, 30_000); two.w.MayHold(roles.HoldBody, 1) {
		t.Error("a body above half of the ceiling: got yes, want no window for it")
	}
	two.w.Hold(roles.HoldInflater, -10_000)
	two.w.Hold(roles.HoldBody, -45_000)
	two.w.Close(roles.Immediate, nil)
	wd.settle()
	wd.wantEmpty(1)
}

// At the ceiling the connection with the longest stall is closed, among those with at least half of the average,
// whatever the kind of their memory. Releasing a little now and then is no progress.
func TestEvictionByStall(t *testing.T) {
	for _, c := range []struct {
		name string
		give func(i int, f *fake) // once per second
		want int                  // index of the closed connection
	}{
		{"the first of equals", func(int, *fake) {}, 1},
		{"the first makes progress", func(i int, f *fake) {
			if i == 1 {
				f.w.Hold(roles.HoldBody, -9000)
				f.w.Hold(roles.HoldBody, 9000)
			}
		}, 2},
		{"the first releases a byte", func(i int, f *fake) {
			if i == 1 {
				f.w.Hold(roles.HoldBody, -1)
				f.w.Hold(roles.HoldBody, 1)
			}
		}, 1},
		{"more comes for the last", func(i int, f *fake) {
			if i == 2 {
				f.w.Hold(roles.HoldBody, 100)
			}
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			wd := newWorld(t, 1, sim.Options{}, loop.Config{Memory: 100_000}, Config{})
			a := wd.listen()
			var fs []*fake
			for i := range 3 {
				_, f := wd.connect(a)
				f.onClosed = func() { f.w.Hold(roles.HoldBody, -f.w.HeldBy(roles.HoldBody)) }
				f.w.Hold(roles.HoldBody, []int{1000, 45_000, 45_000}[i]) // the first has little memory, for the longest time
				fs = append(fs, f)
				wd.pass(100 * time.Millisecond)
			}
			for range 3 {
				for i, f := range fs {
					c.give(i, f)
				}
				wd.pass(100 * time.Millisecond)
			}
			wd.loop.Account().Charge(9_000)
			fs[0].w.Hold(roles.HoldHead, 1)
			wd.turn()
			for i, f := range fs {
				if (f.closed > 0) != (i == c.want) {
					t.Errorf("connection %d: closed %v, want only %d closed", i, f.closed > 0, c.want)
				}
			}
			fs[0].w.Hold(roles.HoldHead, -1)
			wd.loop.Account().Release(9_000)
		})
	}
}

// Above three quarters, connections that have stalled for a second are closed, and above half those that have stalled
// for ten, until the level ends; no others.
func TestStalledAreClosed(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{Memory: 100_000}, Config{})
	a := wd.listen()
	var fs []*fake
	for range 3 {
		_, f := wd.connect(a)
		f.onClosed = func() { f.w.Hold(roles.HoldTunnel, -f.w.HeldBy(roles.HoldTunnel)) }
		f.w.Hold(roles.HoldTunnel, 26_000)
		fs = append(fs, f)
	}
	wd.pass(900 * time.Millisecond)
	for _, f := range fs {
		f.wantOpen()
	}
	fs[0].w.Hold(roles.HoldTunnel, -10_000)
	fs[0].w.Hold(roles.HoldTunnel, 10_000)
	wd.pass(101*time.Millisecond + pressureStep)
	fs[1].wantClosed(ErrMemory)
	fs[0].wantOpen()
	fs[2].wantOpen()
	wd.pass(stallStopReading - 2*time.Second)
	fs[0].wantOpen()
	fs[2].wantOpen()
	if v := wd.loop.Account().Level(); v != loop.LevelStopReading {
		t.Errorf("after one second: got level %v, want stop reading", v)
	}
	wd.pass(time.Second)
	fs[2].wantClosed(ErrMemory)
	wd.pass(time.Minute)
	fs[0].wantOpen()
	if v := wd.loop.Account().Level(); v != loop.LevelNormal || wd.loop.Stats().Timers != 0 {
		t.Errorf("at the end: got level %v and %d timers, want normal and none", v, wd.loop.Stats().Timers)
	}
}

// Above three quarters of the ceiling connections are accepted if a connection could be closed for them, and wait
// otherwise.
func TestAcceptingContinuesWhileSomeAreEvictable(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{Memory: 100_000}, Config{})
	a := wd.listen()
	_, f := wd.connect(a)
	f.w.Hold(roles.HoldBody, 80_000)
	wd.connect(a)
	f.w.Hold(roles.HoldBody, -80_000)
	wd.loop.Account().Charge(80_000)
	wd.knock()
	wd.pass(10 * time.Millisecond)
	if len(a.all) != 2 {
		t.Errorf("accepted while no connection has the charged memory: got %d, want 2", len(a.all))
	}
	wd.loop.Account().Release(80_000)
	wd.settle()
	if len(a.all) != 3 {
		t.Errorf("accepted with memory available: got %d, want 3", len(a.all))
	}
}

// A connection that is not read because of its memory is read again when that is less, at any level.
func TestStallEndsWithTheMemory(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{Memory: 48 << 10}, Config{})
	a := wd.listen()
	p, f := wd.connect(a)
	wd.loop.Account().Charge(30_000)
	f.w.Hold(roles.HoldBody, 1000)
	p.write("hello")
	wd.settle()
	if len(f.got) != 0 || f.w.flags&stalledRx == 0 {
		t.Fatalf("a connection above its share was read: %q", f.got)
	}
	f.w.Hold(roles.HoldBody, -980)
	wd.settle()
	if string(f.got) != "hello" || f.w.flags&stalledRx != 0 {
		t.Errorf("below its share: got %q, want hello: 20 bytes are less than a thousandth of the ceiling", f.got)
	}
	f.w.Hold(roles.HoldBody, -20)
	wd.loop.Account().Release(30_000)
}

// Each of several Nets on a loop handles its level, and a closed one detaches from it after its last connection.
func TestNetsShareALoop(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{Memory: 48 << 10}, Config{})
	second := &node{t: t, sys: wd.sys, loop: wd.loop, net: New(wd.loop, Config{})}
	b := second.listenAt(Bind{Port: 81}, nil)
	connect := func(a *acceptor, port uint16) (*peer, *fake) {
		p, had := wd.knockAt(port), len(a.all)
		wd.pass(time.Millisecond)
		return p, a.all[had]
	}
	a := wd.listen()
	stalled := func(a *acceptor, port uint16) (*peer, *fake) {
		p, f := connect(a, port)
		f.onRx = func([]byte) int { return 0 }
		p.write(strings.Repeat("x", 100))
		wd.settle()
		wd.loop.Account().Charge(30_000)
		p.write("more")
		wd.settle()
		if f.w.flags&stalledRx == 0 {
			t.Fatalf("port %d: a connection is read at level %v", port, wd.loop.Account().Level())
		}
		f.onRx = nil
		return p, f
	}
	for _, c := range []struct {
		a    *acceptor
		port uint16
	}{{a, 80}, {b, 81}} {
		_, f := stalled(c.a, c.port)
		wd.loop.Account().Release(30_000)
		wd.settle()
		if len(f.got) != 104 {
			t.Errorf("port %d: read with memory available again: got %d bytes, want 104", c.port, len(f.got))
		}
		f.w.Close(roles.Immediate, nil)
		wd.settle()
	}
	p, f := stalled(b, 81)
	b.l.Close()
	second.net.Close()
	wd.settle()
	wd.loop.Account().Release(30_000)
	wd.settle()
	if len(f.got) != 104 {
		t.Errorf("a closed Net's last connection: read %d bytes with memory available again, want 104", len(f.got))
	}
	f.w.Close(roles.Immediate, nil)
	wd.settle()
	p.want("", 0)
	heard := 0
	second.net.watch.Stop() // it has stopped already
	wd.loop.Account().Watch(func(loop.Level) { heard++ })
	wd.loop.Account().Charge(30_000)
	wd.settle()
	wd.loop.Account().Release(30_000)
	wd.settle()
	if heard != 2 || !second.net.closed {
		t.Errorf("changes of the level: got %d, want 2", heard)
	}
	wd.wantEmpty(1)
}

// A connection that is not read because memory is short is read again also if the level ends in the turn in which it
// started.
func TestStallEndsWithinATurn(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{Memory: 48 << 10}, Config{})
	a := wd.listen()
	first, f1 := wd.connect(a)
	p, f := wd.connect(a)
	last, f3 := wd.connect(a)
	f.w.Hold(roles.HoldBody, 1000)
	was := false
	f1.onRx = func(b []byte) int { wd.loop.Account().Charge(30_000); return len(b) }
	f3.onRx = func(b []byte) int {
		was = f.w.flags&stalledRx != 0
		wd.loop.Account().Release(30_000)
		return len(b)
	}
	first.write("1")
	p.write("hello")
	last.write("3")
	wd.pass(time.Second)
	if !was {
		t.Fatal("the connection was read at the level stop reading, want it stopped: the test has no effect")
	}
	if string(f.got) != "hello" {
		t.Errorf("after the turn, at level %v: received %q, want hello", wd.loop.Account().Level(), f.got)
	}
	f.w.Hold(roles.HoldBody, -1000)
}

// The growth of a connection's buffer is no progress: a peer that sends a unit in small pieces has stalled since the
// first.
func TestGrowthIsNoProgress(t *testing.T) {
	wd := plain(t)
	p, f := wd.connect(wd.listen())
	f.onRx = func([]byte) int { return 0 }
	p.write("x")
	wd.settle()
	since, _ := f.w.StalledSince()
	for i := range 8 {
		wd.pass(time.Second)
		p.write(strings.Repeat("x", 4000))
		wd.settle()
		if at, ok := f.w.StalledSince(); !ok || at != since {
			t.Fatalf("after %d further pieces, with %d bytes held: no progress since %v, want %v", i+1, f.w.Held(), at, since)
		}
	}
	f.w.Close(roles.Immediate, nil)
	wd.settle()
	wd.wantEmpty(1)
}

// The search for stalled connections does not visit those with only lasting bytes.
func TestSearchSkipsLastingBytes(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{Memory: 1 << 20}, Config{})
	a := wd.listen()
	var fs []*fake
	for range 20 {
		_, f := wd.connect(a)
		f.w.Hold(roles.HoldSession, 7000)
		fs = append(fs, f)
	}
	looked := wd.net.stalling.Len
	if n := looked(); n != 0 || wd.net.evictable() {
		t.Errorf("20 with only sessions: got %d to check, evictable %v; want none", n, wd.net.evictable())
	}
	fs[7].w.Hold(roles.HoldBody, 1)
	if n := looked(); n != 1 || !wd.net.evictable() {
		t.Errorf("one of them with a body: got %d to check, evictable %v; want only this one", n, wd.net.evictable())
	}
	fs[7].w.Hold(roles.HoldBody, -1)
	if n := looked(); n != 0 {
		t.Errorf("after the body was used: got %d to check, want none", n)
	}
	for _, f := range fs {
		f.w.Hold(roles.HoldSession, -7000)
		f.w.Close(roles.Immediate, nil)
	}
	wd.settle()
	wd.wantEmpty(1)
}

// Sessions, which last, do not prevent new connections, and are not closed while other connections can be: they have
// a share of their own.
func TestSessionsBesideOthers(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{Memory: 100_000}, Config{})
	a := wd.listen()
	_, session := wd.connect(a)
	session.w.Hold(roles.HoldSession, 70_000)
	_, other := wd.connect(a)
	other.w.Hold(roles.HoldBody, 8000)
	other.w.Hold(roles.HoldBody, -8000)
	wd.knock()
	wd.pass(10 * time.Millisecond)
	if v := wd.loop.Account().Level(); len(a.all) != 3 || v != loop.LevelStopAccepting {
		t.Errorf("at level %v, with only sessions: accepted %d, want 3", v, len(a.all))
	}
	other.onClosed = func() { other.w.Hold(roles.HoldBody, -other.w.HeldBy(roles.HoldBody)) }
	other.w.Hold(roles.HoldBody, 31_000)
	wd.settle()
	other.wantClosed(ErrMemory)
	session.wantOpen()
	session.onClosed = func() { session.w.Hold(roles.HoldSession, -70_000) }
	wd.loop.Account().Charge(31_000)
	wd.settle()
	session.wantClosed(ErrMemory) // no other connection has memory
	wd.loop.Account().Release(31_000)
}

// A handshake needs the peer's bytes to end, at any level. It has its share, and no flow control stops it.
func TestHandshakeIsReadWhileMemoryIsShort(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{Memory: 1 << 20}, Config{})
	p, f := wd.connect(wd.listen())
	f.w.Hold(roles.HoldHandshake, 27<<10)
	wd.loop.Account().Charge(600 << 10)
	wd.settle()
	p.write("finished")
	wd.settle()
	if string(f.got) != "finished" {
		t.Errorf("at level %v a connection with a handshake of 27 KiB received %q, want finished", wd.loop.Account().Level(), f.got)
	}
	f.w.Hold(roles.HoldHandshake, -27<<10)
	wd.loop.Account().Release(600 << 10)
}
