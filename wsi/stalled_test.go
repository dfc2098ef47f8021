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

// stalled is a connection whose peer has not read, since this instant.
func stalled(t *testing.T, o sim.Options, times Timeouts, size int) (*world, *peer, *fake) {
	wd := newWorld(t, 1, o, loop.Config{}, Config{Timeouts: times})
	p, f := wd.connect(wd.listen())
	f.send(numbered(size))
	wd.settle()
	if f.w.out == nil {
		t.Fatal("the socket took everything, want a part refused")
	}
	return wd, p, f
}

var smallBuffers = sim.Options{SndBuf: 1000, RcvBuf: 1000}

// A peer that does not read is reset after Timeouts.Write, and what was held for it is given back.
func TestWriteDeadlinePeerThatDoesNotRead(t *testing.T) {
	wd, p, f := stalled(t, smallBuffers, Timeouts{}, 100_000)
	wd.wantTimeout(f, 60*time.Second, "write")
	if got := wd.net.Counters.WriteTimedOut; got != 1 {
		t.Errorf("WriteTimedOut: got %d, want 1", got)
	}
	if _, e := p.read(); e != syscall.ECONNRESET {
		t.Errorf("the peer then reads: got %v, want ECONNRESET", e)
	}
	p.close()
	wd.settle()
	wd.wantEmpty(1)
}

// It runs from the refusal and not from an earlier write, also before the protocol stands; negative is never.
func TestWriteDeadlineBegins(t *testing.T) {
	wd := newWorld(t, 1, smallBuffers, loop.Config{}, Config{Timeouts: Timeouts{Write: 10 * time.Second, Establish: -1}})
	a := wd.listen()
	a.script = func(f *fake) { f.unestablished = true }
	_, f := wd.connect(a)
	f.send("taken at once")
	wd.pass(time.Hour)
	f.wantOpen()
	f.send(numbered(10_000))
	wd.settle()
	wd.wantTimeout(f, 10*time.Second, "write")

	wd, _, f = stalled(t, smallBuffers, Timeouts{Write: -1}, 100_000)
	wd.pass(24 * time.Hour)
	f.wantOpen()
}

// A peer that takes a byte now and then makes no progress; one that takes WriteLeast in each period does, and so does
// one that takes all there is.
func TestWriteDeadlineLeastRate(t *testing.T) {
	for _, c := range []struct {
		name string
		take int // every ten seconds
		size int // of what is to be sent
		gone time.Duration
	}{
		{"one byte", 1, 100_000, time.Minute},
		{"less than the least", WriteLeast / 8, 100_000, time.Minute},
		{"more than the least", WriteLeast / 4, 100_000, 0},
		{"little, but all of it", 100, 2150, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			wd, p, f := stalled(t, sim.Options{SndBuf: 1000, RcvBuf: 1000}, Timeouts{}, c.size)
			buf := make([]byte, c.take)
			for d := time.Duration(0); d < 5*time.Minute; d += 10 * time.Second {
				if f.closed > 0 {
					if c.gone == 0 || d < c.gone || d > c.gone+10*time.Second {
						t.Fatalf("closed after %v with %v, want %v (0: never)", d, f.cause, c.gone)
					}
					return
				}
				wd.a.Read(p.fd, buf)
				wd.pass(10 * time.Second)
			}
			if c.gone > 0 {
				t.Fatalf("still open after five minutes, want closed after %v", c.gone)
			}
		})
	}
}

// A system with large buffers announces room late. A slow peer that takes enough is not mistaken for one that does
// not read.
func TestWriteDeadlineBehindLargeBuffers(t *testing.T) {
	wd, p, f := stalled(t, sim.Options{SndBuf: 4 << 20, RcvBuf: 64 << 10}, Timeouts{}, 5<<20)
	buf := make([]byte, 32<<10)
	for range 10 {
		wd.a.Read(p.fd, buf) // one third of the send buffer is free after some forty minutes
		wd.pass(55 * time.Second)
		f.wantOpen()
	}
	wd.pass(2 * time.Minute)
	f.wantClosed(ErrTimeout)
}

// A connection that was closed drains at the least rate too.
func TestWriteDeadlineWhileDraining(t *testing.T) {
	wd, p, f := stalled(t, smallBuffers, Timeouts{}, 60_000)
	f.w.Close(roles.Graceful, nil)
	buf := make([]byte, 1)
	passed := time.Duration(0)
	for ; !f.w.IsClosed() && passed < time.Hour; passed += 4 * time.Second {
		for range 501 { // half the window, so that the sender hears of it: 1,000 bytes in two rounds
			wd.a.Read(p.fd, buf)
		}
		wd.pass(4 * time.Second)
	}
	if !f.w.IsClosed() || passed < 70*time.Second {
		t.Fatalf("a peer that takes enough: given back after %v, want all of it taken first", passed)
	}
	wd, p, f = stalled(t, smallBuffers, Timeouts{Linger: 30 * time.Second}, 60_000)
	f.w.Close(roles.Graceful, nil)
	passed = 0
	for ; !f.w.IsClosed() && passed < time.Hour; passed += 20 * time.Second {
		for range 501 {
			wd.a.Read(p.fd, buf)
		}
		wd.pass(20 * time.Second)
	}
	if passed > 2*time.Minute {
		t.Fatalf("a peer that takes 25 bytes a second: given back after %v, want a minute", passed)
	}
	if c := wd.net.Counters; c.TimedOut != 1 || c.WriteTimedOut != 1 {
		t.Errorf("counted %d timeouts, %d of them of Write; want 1, 1", c.TimedOut, c.WriteTimedOut)
	}
}

// The cause says what was attempted, on whom, and why it ended.
func TestWriteDeadlineError(t *testing.T) {
	wd, _, f := stalled(t, smallBuffers, Timeouts{}, 100_000)
	wd.pass(time.Minute)
	f.wantClosed(ErrTimeout)
	if got := f.cause.Error(); !strings.Contains(got, "write") || !strings.Contains(got, ipA.String()) {
		t.Errorf("cause: got %q, want \"write\" and the address %s", got, ipA)
	}
}
