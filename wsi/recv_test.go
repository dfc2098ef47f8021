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

func plain(t testing.TB) *world {
	return newWorld(t, 1, sim.Options{}, loop.Config{}, Config{})
}

// In steady state a request costs one wait, one read and one write on each side, and no memory is kept between two
// requests.
func TestSystemCallsPerRequest(t *testing.T) {
	wd := plain(t)
	a := wd.listen()
	a.script = func(f *fake) {
		f.onRx = func(b []byte) int { f.send(string(b)); return len(b) }
	}
	client := wd.other(loop.Config{}, Config{})
	f := client.dial(Target{Host: "10.0.0.2", Port: 80}, DialOptions{})
	f.onRx = func(b []byte) int { return len(b) }
	wd.until(func() bool { return f.open })
	const rounds = 50
	round := func() {
		had := len(f.got)
		f.send("ping")
		wd.until(func() bool { return len(f.got) == had+4 })
		if h := client.net.Held() + wd.net.Held(); h != 0 {
			t.Fatalf("held between requests: got %d bytes, want 0", h)
		}
	}
	round()
	before := [2]sim.Calls{wd.a.Calls(), wd.b.Calls()}
	for range rounds {
		round()
	}
	for i, h := range []*sim.Host{wd.a, wd.b} {
		now := h.Calls()
		got := fmt.Sprintf("reads %d, writes %d, empty reads %d, blocked writes %d, other %d", now.Reads-before[i].Reads,
			now.Writes-before[i].Writes, now.ReadsEmpty-before[i].ReadsEmpty, now.WritesBlocked-before[i].WritesBlocked,
			now.Other-before[i].Other)
		want := fmt.Sprintf("reads %d, writes %d, empty reads 0, blocked writes 0, other 0", rounds, rounds)
		if got != want {
			t.Errorf("%s: calls for %d requests: got %s; want %s", h.Name(), rounds, got, want)
		}
	}
	if got := wd.b.Calls().Waits - before[1].Waits; got != rounds {
		t.Errorf("waits of the server for %d requests: got %d, want %d", rounds, got, rounds)
	}
}

func TestReceive(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, wd *world, p *peer, f *fake)
	}{
		{"all of it", func(t *testing.T, wd *world, p *peer, f *fake) {
			p.write("hello")
			wd.settle()
			f.wantLog(`rx "hello"`)
		}},
		{"unused bytes are offered again with more bytes after them", func(t *testing.T, wd *world, p *peer, f *fake) {
			f.onRx = func(b []byte) int { return strings.LastIndexByte(string(b), '\n') + 1 }
			p.write("one\ntw")
			wd.settle()
			if f.w.Held() == 0 {
				t.Error("held with unused bytes: got 0, want a buffer")
			}
			p.write("o\nthree\n")
			wd.settle()
			if string(f.got) != "one\ntwo\nthree\n" {
				t.Errorf("used: got %q in calls %q, want every line once", f.got, f.log)
			}
			if h := f.w.Held(); h != 0 {
				t.Errorf("held when all is used: got %d, want 0", h)
			}
		}},
		{"byte by byte", func(t *testing.T, wd *world, p *peer, f *fake) {
			f.onRx = func(b []byte) int { return min(1, len(b)) }
			p.write("abc")
			wd.settle()
			f.wantLog(`rx "abc"`, `rx "bc"`, `rx "c"`)
		}},
		{"a unit that grows through every buffer", func(t *testing.T, wd *world, p *peer, f *fake) {
			unit := strings.Repeat("0123456789", 20_000)
			f.onRx = func(b []byte) int {
				if len(b) < len(unit) {
					return 0
				}
				return len(unit)
			}
			for rest := unit; len(rest) > 0; {
				k := min(len(rest), 777)
				p.write(rest[:k])
				rest = rest[k:]
				wd.settle()
			}
			p.write("tail")
			f.onRx = nil
			wd.settle()
			if string(f.got) != unit+"tail" {
				t.Errorf("used: got %d bytes, want the %d that were sent", len(f.got), len(unit)+4)
			}
		}},
		{"few unused bytes move out of the large buffer", func(t *testing.T, wd *world, p *peer, f *fake) {
			f.onRx = func(b []byte) int {
				if len(b) < 100_000 {
					return 0
				}
				return len(b) - 10
			}
			p.write(strings.Repeat("x", 60_000))
			wd.settle()
			p.write(strings.Repeat("x", 60_000))
			wd.settle()
			if h := f.w.Held(); h != classes[0] {
				t.Errorf("held for 10 bytes: got %d, want %d", h, classes[0])
			}
		}},
		{"the end is reported after the bytes", func(t *testing.T, wd *world, p *peer, f *fake) {
			p.write("last")
			p.h.CloseWrite(p.fd)
			wd.settle()
			f.wantLog(`rx "last"`, "end 0")
		}},
		{"the end reports the unused bytes", func(t *testing.T, wd *world, p *peer, f *fake) {
			f.onRx = func([]byte) int { return 0 }
			p.write("half")
			p.h.CloseWrite(p.fd)
			wd.settle()
			if !f.ended || f.unused != 4 {
				t.Errorf("unused at the end: got %d (%v), want 4; calls %q", f.unused, f.ended, f.log)
			}
		}},
		{"a reset is an error that names the peer", func(t *testing.T, wd *world, p *peer, f *fake) {
			p.h.Abort(p.fd)
			wd.settle()
			f.wantClosed(syscall.ECONNRESET)
			if text := f.cause.Error(); !strings.HasPrefix(text, "wsi: read: accepted 0 (") {
				t.Errorf("cause: got %q, want the operation and the connection", text)
			}
			if wd.net.Counters.Resets != 1 {
				t.Errorf("resets counted: got %d, want 1", wd.net.Counters.Resets)
			}
		}},
		{"pause delays bytes and the end until resume", func(t *testing.T, wd *world, p *peer, f *fake) {
			f.onRx = func(b []byte) int { f.w.Pause(); return 2 }
			p.write("abcdef")
			wd.settle()
			f.wantLog(`rx "abcdef"`)
			p.write("ghi")
			p.close()
			wd.pass(time.Second)
			f.wantLog()
			f.onRx = nil
			f.w.Resume()
			f.wantLog()
			wd.settle()
			f.wantLog(`rx "cdef"`, `rx "ghi"`, "end 0")
		}},
		{"pausing without bytes stops the peer by flow control", func(t *testing.T, wd *world, p *peer, f *fake) {
			f.w.Pause()
			block := []byte(strings.Repeat("x", 1<<16))
			for {
				if _, e := p.h.Write(p.fd, block); e == syscall.EAGAIN {
					break
				}
				wd.settle()
			}
			f.wantLog()
			if h := f.w.Held(); h != 0 {
				t.Errorf("held while paused: got %d bytes, want 0", h)
			}
			reads := wd.b.Calls().Reads
			wd.pass(time.Minute)
			if got := wd.b.Calls().Reads - reads; got != 0 {
				t.Errorf("reads while paused: got %d, want 0", got)
			}
			f.w.Resume()
			wd.settle()
			if len(f.got) < 1<<16 {
				t.Errorf("after resume: got %d bytes, want all that waited", len(f.got))
			}
		}},
		{"pause and resume inside Rx", func(t *testing.T, wd *world, p *peer, f *fake) {
			f.onRx = func(b []byte) int { f.w.Pause(); f.w.Resume(); return 1 }
			p.write("abc")
			wd.settle()
			if string(f.got) != "abc" {
				t.Errorf("used: got %q, want %q", f.got, "abc")
			}
		}},
		{"paused and reset: reported after resume", func(t *testing.T, wd *world, p *peer, f *fake) {
			p.write("ab")
			wd.settle()
			f.w.Pause()
			p.write("cd")
			p.h.Abort(p.fd)
			wd.pass(time.Second)
			f.wantLog(`rx "ab"`)
			f.w.Resume()
			wd.settle()
			if string(f.got) != "abcd" {
				t.Errorf("used: got %q, want %q: what arrived before the reset", f.got, "abcd")
			}
			f.wantClosed(syscall.ECONNRESET)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wd := plain(t)
			p, f := wd.connect(wd.listen())
			c.run(t, wd, p, f)
			f.w.Close(roles.Immediate, nil)
			wd.settle()
			wd.wantEmpty(1)
		})
	}
}

// A connection stores at most MaxUnread bytes that its protocol does not use.
func TestMaxUnread(t *testing.T) {
	for _, most := range []int{1000, 40_000, 100_000, 300_000} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			wd := newWorld(t, 1, sim.Options{}, loop.Config{}, Config{MaxUnread: most})
			p, f := wd.connect(wd.listen())
			largest := 0
			f.onRx = func(b []byte) int { largest = max(largest, len(b)); return 0 }
			for f.closed == 0 {
				p.write(strings.Repeat("x", 900))
				wd.settle()
			}
			f.wantClosed(ErrParked)
			if largest != most {
				t.Errorf("most that was offered: got %d, want %d", largest, most)
			}
			if wd.net.Counters.InputOverflow != 1 {
				t.Errorf("counted: got %d, want 1", wd.net.Counters.InputOverflow)
			}
			wd.pass(time.Minute)
			wd.wantEmpty(1)
		})
	}
}

// A unit larger than the shared buffer moves to a buffer of the connection while it is read.
func TestUnitLargerThanTheSharedBuffer(t *testing.T) {
	wd := plain(t)
	p, f := wd.connect(wd.listen())
	f.onRx = func(b []byte) int {
		if len(b) < 100_000 {
			return 0
		}
		return len(b)
	}
	p.write(numbered(100_000))
	wd.turn()
	if string(f.got) != numbered(100_000) {
		t.Errorf("used: got %d bytes, want the 100,000 that were sent", len(f.got))
	}
}

// A paused connection keeps at most MaxUnread bytes of what it had read.
func TestMaxUnreadPaused(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{}, Config{MaxUnread: 1000})
	p, f := wd.connect(wd.listen())
	f.onRx = func([]byte) int { f.w.Pause(); return 0 }
	p.write(strings.Repeat("x", 100_000))
	wd.settle()
	f.wantOpen()
	if k := len(f.w.in.bytes()); k > 1000 {
		t.Errorf("kept while paused: got %d bytes, want at most 1000", k)
	}
}

// An Upper that waits to write stores a limited amount of input, and is not closed for it.
func TestBlockedReading(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{SndBuf: 1000, RcvBuf: 1000}, loop.Config{}, Config{})
	p, f := wd.connect(wd.listen())
	f.onRx = func([]byte) int { return 0 }
	f.send(strings.Repeat("y", 200_000)) // the peer does not read it for now
	wd.settle()
	for range 1000 {
		p.h.Write(p.fd, []byte(strings.Repeat("x", 500)))
		wd.settle()
	}
	f.wantOpen()
	if k := len(f.w.in.bytes()); k < blockedMax || k > 2*blockedMax {
		t.Errorf("stored while blocked: got %d bytes, want about %d", k, blockedMax)
	}
	f.onRx = nil
	for sum := 0; sum < 200_000; wd.settle() {
		text, e := p.read()
		if sum += len(text); e != syscall.EAGAIN {
			t.Fatalf("peer: got %v after %d bytes", e, sum)
		}
	}
	if len(f.got) < blockedMax {
		t.Errorf("used once it could write: got %d bytes, want at least %d", len(f.got), blockedMax)
	}
}

// A connection with much input uses only its share of a turn.
func TestReadingIsFair(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{SndBuf: 8 << 20, RcvBuf: 8 << 20}, loop.Config{Bytes: 64 << 10}, Config{})
	a := wd.listen()
	loud, fLoud := wd.connect(a)
	quiet, fQuiet := wd.connect(a)
	loud.write(strings.Repeat("x", 4<<20))
	quiet.write("me too")
	wd.turn()
	if string(fQuiet.got) != "me too" {
		t.Errorf("the quiet one in the first turn: got %q, want %q", fQuiet.got, "me too")
	}
	turns := 1
	for ; len(fLoud.got) < 4<<20; turns++ {
		had := len(fLoud.got)
		wd.turn()
		if k := len(fLoud.got) - had; k > 64<<10+inSize {
			t.Fatalf("moved in one turn: got %d bytes, want at most %d", k, 64<<10+inSize)
		}
	}
	if turns < 30 {
		t.Errorf("turns for 4 MiB: got %d, want many", turns)
	}
}
