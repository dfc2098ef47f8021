package wsi

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
)

// numbered returns text of the given size in which every position is distinguishable.
func numbered(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.String()[:size]
}

// All output of one service is written in one call: the answers in Rx and the output of Writable.
func TestOneWritePerService(t *testing.T) {
	wd := plain(t)
	p, f := wd.connect(wd.listen())
	f.onRx = func(b []byte) int {
		used := strings.IndexByte(string(b), '\n') + 1
		f.w.Commit(copy(f.w.Room(100), "re: "+string(b[:used])))
		f.w.WantWrite()
		return used
	}
	f.onWritable = func() { f.w.Commit(copy(f.w.Room(100), ".")) }
	before := wd.b.Calls().Writes
	p.write("one\ntwo\nthree\n")
	wd.settle()
	p.want("re: one\n.re: two\n.re: three\n.", syscall.EAGAIN)
	if got := wd.b.Calls().Writes - before; got != 1 {
		t.Errorf("writes for three answers to one read: got %d, want 1", got)
	}
}

func TestRoom(t *testing.T) {
	wd := plain(t)
	a := wd.listen()
	p, f := wd.connect(a)
	_, other := wd.connect(a)
	if f.w.Room(1) != nil {
		t.Error("room outside of service: got some, want nil")
	}
	f.onRx = func(b []byte) int {
		if other.w.Room(1) != nil {
			t.Error("room of another connection: got some, want nil")
		}
		if room := f.w.Room(roles.MaxRoom); len(room) < roles.MaxRoom {
			t.Errorf("room: got %d bytes, want at least %d", len(room), roles.MaxRoom)
		}
		f.w.Commit(0)
		for range 5 { // more than the arena holds, so some of it is written meanwhile
			f.w.Commit(copy(f.w.Room(roles.MaxRoom), strings.Repeat("z", roles.MaxRoom)))
		}
		f.w.Close(roles.Graceful, nil)
		if f.w.Room(1) != nil {
			t.Error("room after Close: got some, want nil")
		}
		return len(b)
	}
	p.write("x")
	wd.settle()
	if got, e := p.read(); len(got) != 5*roles.MaxRoom || e != 0 {
		t.Errorf("peer: got %d bytes (%v), want %d and the end", len(got), e, 5*roles.MaxRoom)
	}
}

// Committing more than the space, or without space, is an error of the protocol that must not affect another
// connection's bytes.
func TestCommitMisuse(t *testing.T) {
	for _, c := range []struct {
		name string
		n    func(room []byte) int
	}{
		{"more than room", func(room []byte) int { return len(room) + 1 }},
		{"negative", func([]byte) int { return -1 }},
	} {
		wd := plain(t)
		p, f := wd.connect(wd.listen())
		f.onRx = func(b []byte) int { f.w.Commit(c.n(f.w.Room(1))); return len(b) }
		p.write("x")
		if got := wd.panics(); !strings.Contains(got, "wsi: commit") {
			t.Errorf("%s: got panic %q, want one of commit", c.name, got)
		}
	}
	wd := plain(t)
	a := wd.listen()
	p, f := wd.connect(a)
	_, other := wd.connect(a)
	f.onRx = func(b []byte) int { other.w.Commit(1); return len(b) }
	p.write("x")
	if got := wd.panics(); !strings.Contains(got, "wsi: commit") {
		t.Errorf("of another connection: got panic %q, want one of commit", got)
	}
}

// Output that the socket refuses is stored, within a limit, and nothing overtakes it, however the bytes are produced
// and the peer reads.
func TestBacklog(t *testing.T) {
	for seed := range uint64(50) {
		wd := newWorld(t, seed, sim.Options{SndBuf: 3000, RcvBuf: 2000, ShortWrite: 0.3}, loop.Config{}, Config{})
		p, f := wd.connect(wd.listen())
		rest := numbered(300_000)
		want := rest
		peak := 0
		f.onWritable = func() {
			for range 1 + wd.n.Rand().IntN(6) {
				room := f.w.Room(1 + wd.n.Rand().IntN(roles.MaxRoom))
				if room == nil {
					break
				}
				n := copy(room[:wd.n.Rand().IntN(len(room)+1)], rest)
				f.w.Commit(n)
				rest = rest[n:]
			}
			if len(rest) > 0 {
				f.w.WantWrite()
			}
			peak = max(peak, f.w.Held())
		}
		f.w.WantWrite()
		var got strings.Builder
		for i := 0; got.Len() < len(want); i++ {
			wd.settle()
			text, e := p.read()
			if got.WriteString(text); e != syscall.EAGAIN || i > 100_000 {
				t.Fatalf("seed %d: peer: got %d bytes, then %v", seed, got.Len(), e)
			}
			peak = max(peak, f.w.Held())
		}
		if got.String() != want {
			t.Fatalf("seed %d: the received bytes differ from the sent ones", seed)
		}
		if peak == 0 || peak > 2*outSize {
			t.Errorf("seed %d: most held: got %d bytes, want some, at most %d", seed, peak, 2*outSize)
		}
		f.w.Close(roles.Immediate, nil)
		wd.settle()
		wd.wantEmpty(1)
	}
}

// While the peer does not read, a connection that wants to write uses no CPU time.
func TestBlockedWriterSleeps(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{SndBuf: 1000, RcvBuf: 1000}, loop.Config{}, Config{Timeouts: Timeouts{Write: -1}})
	_, f := wd.connect(wd.listen())
	f.send(numbered(100_000))
	wd.settle()
	turns, calls := wd.loop.Stats().Turns, wd.b.Calls()
	f.w.WantWrite()
	wd.pass(time.Hour)
	if got := wd.loop.Stats().Turns - turns; got > 3 {
		t.Errorf("turns in an hour of waiting: got %d, want next to none", got)
	}
	if got := wd.b.Calls(); got.Writes != calls.Writes || got.Reads != calls.Reads {
		t.Errorf("calls in an hour of waiting: got %d writes, %d reads, want none", got.Writes-calls.Writes, got.Reads-calls.Reads)
	}
}

// An Upper that asks for Writable and then has nothing to send is called once per turn, and others are served.
func TestEmptyWritable(t *testing.T) {
	wd := plain(t)
	a := wd.listen()
	_, f := wd.connect(a)
	p, other := wd.connect(a)
	asked := 0
	f.onWritable = func() { asked++; f.w.WantWrite() }
	f.w.WantWrite()
	for range 10 {
		wd.turn()
	}
	if asked != 10 {
		t.Errorf("asked in 10 turns: got %d times, want 10", asked)
	}
	p.write("hello")
	wd.turn()
	if string(other.got) != "hello" {
		t.Errorf("the other meanwhile: got %q, want hello", other.got)
	}
	f.onWritable = nil
	wd.settle()
}

// A server answers and closes without reading all our output: the write fails, but the answer is read before the end
// is reported.
func TestAnswerBehindAFailedWrite(t *testing.T) {
	for _, c := range []struct {
		name   string
		reset  bool // the peer goes with a reset
		paused bool
	}{
		{"end in order", false, false}, {"reset", true, false},
		{"end in order, paused", false, true}, {"reset, paused", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			wd := plain(t)
			p, f := wd.connect(wd.listen())
			if c.paused {
				f.w.Pause()
			}
			p.write("413 too large")
			if c.reset {
				p.h.Abort(p.fd)
			} else {
				p.close()
			}
			f.send("some of the body")
			if !c.reset {
				// The first write is accepted, and answered by a reset.
				wd.turn()
				f.send("more of the body")
			}
			wd.pass(time.Second)
			if c.paused {
				if f.closed != 0 || len(f.got) != 0 {
					t.Fatalf("while paused: got %q", f.log)
				}
				f.w.Resume()
				wd.pass(time.Second)
			}
			if string(f.got) != "413 too large" {
				t.Errorf("answer: got %q, want 413 too large; calls %q", f.got, f.log)
			}
			if c.reset {
				if f.ended {
					t.Errorf("a reset was reported as an orderly end: %q", f.log)
				}
				f.wantClosed(syscall.ECONNRESET)
			} else {
				if !f.ended {
					t.Errorf("the orderly end was not reported: %q", f.log)
				}
				f.wantClosed(syscall.EPIPE)
			}
			wd.settle()
			wd.wantEmpty(1)
		})
	}
}

// Bytes that were read before the write failed also wait during a pause.
func TestUnusedBytesAfterAFailedWrite(t *testing.T) {
	wd := plain(t)
	p, f := wd.connect(wd.listen())
	f.onRx = func([]byte) int { return 0 }
	f.onRxEnd = func(int) { f.w.Pause() }
	p.write("an answer")
	p.close()
	wd.settle()
	f.send("taken, and answered by a reset")
	wd.settle()
	f.send("refused")
	wd.pass(time.Second)
	f.wantOpen()
	f.onRx = nil
	f.w.Resume()
	wd.settle()
	if string(f.got) != "an answer" {
		t.Errorf("used after resume: got %q, want %q", f.got, "an answer")
	}
	f.wantClosed(syscall.EPIPE)
	wd.wantEmpty(1)
}

// A paused connection that waits to write gets Closed when it cannot write any more: otherwise it would wait without
// end.
func TestPausedWriterLearnsOfTheBreak(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{SndBuf: 1000, RcvBuf: 1000}, loop.Config{}, Config{})
	p, f := wd.connect(wd.listen())
	f.w.Pause()
	f.send(numbered(100_000))
	wd.settle()
	p.h.Abort(p.fd)
	wd.pass(time.Second)
	f.wantClosed(syscall.ECONNRESET)
	wd.wantEmpty(1)
}

// CloseWrite ends our direction after the stored output, and the other direction works.
func TestCloseWrite(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{SndBuf: 1000, RcvBuf: 1000}, loop.Config{}, Config{})
	p, f := wd.connect(wd.listen())
	f.onWritable = func() {
		f.w.Commit(copy(f.w.Room(10_000), numbered(10_000)))
		f.w.CloseWrite()
		f.w.CloseWrite()
	}
	f.w.WantWrite()
	var got string
	for range 100 {
		wd.settle()
		text, e := p.read()
		if got += text; e == 0 {
			break
		}
	}
	if got != numbered(10_000) {
		t.Errorf("peer: got %d bytes, want 10,000 and the end", len(got))
	}
	p.write("thanks")
	wd.settle()
	if string(f.got) != "thanks" {
		t.Errorf("after CloseWrite: got %q, want thanks", f.got)
	}
	f.w.CloseWrite()
	wd.settle()
	f.wantOpen()
	f.w.Close(roles.Graceful, nil)
	wd.settle()
	p.close()
	wd.settle()
	f.wantClosed(nil)
	wd.wantEmpty(1)
}

// TestCommitNeedsTheArena: a connection that commits while another one is served panics.
func TestCommitNeedsTheArena(t *testing.T) {
	wd := plain(t)
	a := wd.listen()
	p, f := wd.connect(a)
	_, other := wd.connect(a)
	f.onRx = func(b []byte) int {
		if f.w.Room(1) == nil || other.w.Room(1) != nil {
			t.Error("room: got none for the connection that is served, or some for another; want the opposite")
		}
		other.w.Commit(1)
		return len(b)
	}
	p.write("x")
	if got, want := wd.panics(), "wsi: commit: 1 bytes without room: the arena belongs to another connection, or to none; "; !strings.HasPrefix(got, want) {
		t.Errorf("got panic %q, want it to begin with %q", got, want)
	}
}
