package wsi

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
)

// sendLent sends a frame of head, payload and tail as a protocol does, and then overwrites the lent memory. It
// returns false if the connection accepts nothing.
func sendLent(w *Wsi, head string, b []byte, tail string) bool {
	if !w.Cork() {
		return false
	}
	most := w.Lendable(len(head) + len(tail))
	if most < len(b) {
		w.Uncork()
		return false
	}
	w.Commit(copy(w.Room(len(head)), head))
	w.Lend(b)
	w.Commit(copy(w.Room(len(tail)), tail))
	w.Uncork()
	for i := range b {
		b[i] = '!'
	}
	return true
}

// A connection sends in its own callbacks, in those of another, in timers and between turns, by copying and by
// lending, on sockets that accept any part: the peer gets all bytes in the order of sending.
func TestSendFromAnywhere(t *testing.T) {
	for seed := range uint64(60) {
		wd := newWorld(t, seed, sim.Options{SndBuf: 3000 << (seed % 7), RcvBuf: 2000 << (seed % 5), ShortWrite: 0.3}, loop.Config{}, Config{})
		a := wd.listen()
		p, f := wd.connect(a)
		q, other := wd.connect(a)
		rnd := wd.n.Rand()
		var want, got strings.Builder
		payload := []byte(numbered(lendMost))
		send := func() {
			switch rnd.IntN(4) {
			case 0: // copied
				if f.w.Cork() {
					if room := f.w.Room(100); room != nil {
						n := copy(room, payload[:rnd.IntN(200)])
						f.w.Commit(n)
						want.Write(payload[:n])
					}
					f.w.Uncork()
				}
			case 1, 2: // lent in a frame
				b := append([]byte(nil), payload[:rnd.IntN(lendMost)+1]...)
				text := "<" + string(b) + ">"
				if sendLent(f.w, "<", b, ">") {
					want.WriteString(text)
				}
			case 3: // as much as is accepted
				b := append(append([]byte(nil), payload...), payload[:rnd.IntN(lendMost)]...)
				if f.w.Cork() {
					n := 0
					if f.w.Lendable(0) > 0 {
						n = f.w.Lend(b)
					}
					f.w.Uncork()
					want.Write(b[:n])
				}
			}
			if held := f.w.HeldBy(roles.HoldOutput); held > 4*outSize {
				t.Fatalf("seed %d: %d bytes of refused output are stored, want at most %d", seed, held, 4*outSize)
			}
		}
		f.onRx = func(b []byte) int { send(); send(); return len(b) }
		f.onWritable = func() { send() }
		other.onRx = func(b []byte) int {
			mine := other.w.Room(100)
			send()
			other.w.Commit(copy(mine, "mine"))
			send()
			return len(b)
		}
		read := func() {
			text, e := p.read()
			if got.WriteString(text); e != syscall.EAGAIN {
				t.Fatalf("seed %d: peer: got %v, want EAGAIN", seed, e)
			}
		}
		others := 0
		for range 40 {
			switch rnd.IntN(4) {
			case 0:
				p.write("x")
			case 1:
				others++
				q.write("y")
			case 2:
				f.w.WantWrite()
			case 3:
				send()
				send()
			}
			if rnd.IntN(3) == 0 {
				wd.settle()
			}
			if rnd.IntN(3) == 0 {
				read()
			}
		}
		send = func() {}
		for i := 0; i < 5 || got.Len() < want.Len(); i++ {
			wd.pass(time.Millisecond)
			read()
			if i > 10_000 {
				t.Fatalf("seed %d: peer: got %d of %d bytes, and no more come", seed, got.Len(), want.Len())
			}
		}
		if got.String() != want.String() {
			t.Fatalf("seed %d: the received bytes differ from the sent ones", seed)
		}
		wd.settle()
		if text, _ := q.read(); others > 0 && (text == "" || strings.Trim(text, "mine") != "") {
			t.Errorf("seed %d: the other connection's peer: got %q, want some \"mine\"", seed, text)
		}
		if held := f.w.Held(); held != 0 {
			t.Errorf("seed %d: stored after all has arrived: got %d bytes, want 0", seed, held)
		}
		f.w.Close(roles.Immediate, nil)
		other.w.Close(roles.Immediate, nil)
		wd.settle()
		wd.wantEmpty(1)
	}
}

// One write contains earlier committed bytes, the frame's head, the payload and its tail.
func TestLendIsOneWrite(t *testing.T) {
	wd := plain(t)
	a := wd.listen()
	p, f := wd.connect(a)
	q, other := wd.connect(a)
	payload := []byte(strings.Repeat("p", 20_000))
	want := "<" + string(payload) + ">"
	count := func(name string, writes uint64, do func()) {
		t.Helper()
		before := wd.net.Counters.Writes
		do()
		if got := wd.net.Counters.Writes - before; got != writes {
			t.Errorf("%s: got %d writes, want %d", name, got, writes)
		}
	}
	count("between turns", 1, func() { sendLent(f.w, "<", bytes.Clone(payload), ">") })
	wd.settle()
	p.want(want, syscall.EAGAIN)
	f.onRx = func(b []byte) int {
		f.w.Commit(copy(f.w.Room(10), "re: "))
		count("inside Rx", 1, func() { sendLent(f.w, "<", bytes.Clone(payload), ">") })
		return len(b)
	}
	count("a turn with one Send", 1, func() { p.write("x"); wd.settle() })
	p.want("re: "+want, syscall.EAGAIN)
	other.onRx = func(b []byte) int {
		count("inside Rx of another", 1, func() { sendLent(f.w, "<", bytes.Clone(payload), ">") })
		return len(b)
	}
	q.write("x")
	wd.settle()
	p.want(want, syscall.EAGAIN)
}

// If the socket accepts a part of a long slice, the rest is not stored; the rest of a short slice is stored and
// charged.
func TestLendRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		size int
		held bool
	}{{"a long slice", 8 * lendMost, false}, {"a short slice", lendMost, true}} {
		wd := newWorld(t, 1, sim.Options{SndBuf: 10_000, RcvBuf: 10_000}, loop.Config{}, Config{})
		p, f := wd.connect(wd.listen())
		payload := numbered(c.size)
		f.w.Cork()
		n := f.w.Lend([]byte(payload))
		f.w.Uncork()
		held := f.w.HeldBy(roles.HoldOutput)
		if c.held && (n != c.size || held < c.size/2) || !c.held && (held != 0 || n == 0 || n > c.size/2) {
			t.Errorf("%s: Lend accepted %d of %d bytes and %d are stored", c.name, n, c.size, held)
		}
		if f.w.Cork() {
			t.Errorf("%s: Cork while the socket accepts nothing: got true, want false", c.name)
		}
		var got strings.Builder
		for range 100 {
			wd.pass(time.Millisecond)
			text, _ := p.read()
			got.WriteString(text)
		}
		if got.String() != payload[:n] {
			t.Errorf("%s: got %d bytes, want the %d that were accepted", c.name, got.Len(), n)
		}
	}
}

// While memory is short a connection lends at most MaxRoom at a time, as it commits.
func TestLendWhileMemoryIsShort(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{Memory: 1 << 20}, Config{})
	_, f := wd.connect(wd.listen())
	f.w.Hold(roles.HoldBody, 900<<10)
	if f.w.Cork() {
		if got := f.w.Lendable(0); got != roles.MaxRoom {
			t.Errorf("Lendable near the ceiling: got %d, want %d", got, roles.MaxRoom)
		}
		f.w.Uncork()
	}
	f.w.Hold(roles.HoldBody, -900<<10)
}

// A peer that reads nothing of the output sent outside of a turn is reset after Timeouts.Write.
func TestWriteTimeoutOfASend(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{SndBuf: 1000, RcvBuf: 1000}, loop.Config{}, Config{Timeouts: Timeouts{Write: 10 * time.Second}})
	_, f := wd.connect(wd.listen())
	wd.pass(time.Hour) // the loop's time is outdated now
	sendLent(f.w, "", []byte(numbered(lendMost)), "")
	wd.pass(9 * time.Second)
	if f.closed != 0 {
		t.Errorf("after 9 s: closed (%v), want still open", f.cause)
	}
	wd.pass(2 * time.Second)
	if f.closed != 1 || wd.net.Counters.WriteTimedOut != 1 {
		t.Errorf("after 11 s: closed %d times (%v), want once, timed out", f.closed, f.cause)
	}
}

func TestSendAllocates(t *testing.T) {
	wd := plain(t)
	p, f := wd.connect(wd.listen())
	payload := []byte(numbered(8 << 10))
	buf := make([]byte, 1<<16)
	n := testing.AllocsPerRun(50, func() {
		sendLent(f.w, "<", payload, ">")
		wd.settle()
		p.h.Read(p.fd, buf)
	})
	if n > 1 { // of the simulated network
		t.Errorf("allocations for a Send: got %v, want none of ours", n)
	}
}
