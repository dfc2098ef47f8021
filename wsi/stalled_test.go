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

// stalled returns a connection whose peer does not read from now on.
func stalled(t *testing.T, o sim.Options, times Timeouts, size int) (*world, *peer, *fake) {
	wd := newWorld(t, 1, o, loop.Config{}, Config{Timeouts: times})
	p, f := wd.connect(wd.listen())
	f.send(numbered(size))
	wd.settle()
	if f.w.out == nil {
		t.Fatal("the socket accepted everything, want a part refused")
	}
	return wd, p, f
}

var smallBuffers = sim.Options{SndBuf: 1000, RcvBuf: 1000}

// A peer that does not read is reset after Timeouts.Write, and its stored output is freed.
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

// The timeout starts at the refusal and not at an earlier write, also before the connection is established; negative
// means never.
func TestWriteDeadlineStart(t *testing.T) {
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

// A peer that reads single bytes makes no progress. A peer that reads WriteLeast bytes in each period does, and so
// does one that reads everything.
func TestWriteDeadlineLeastRate(t *testing.T) {
	for _, c := range []struct {
		name string
		take int // every ten seconds
		size int // of the output
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

// A system with large buffers reports Writable late. A slow peer that reads enough is not closed.
func TestWriteDeadlineWithLargeBuffers(t *testing.T) {
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

// A closed connection drains at the minimal rate too.
func TestWriteDeadlineWhileDraining(t *testing.T) {
	wd, p, f := stalled(t, smallBuffers, Timeouts{}, 60_000)
	f.w.Close(roles.Graceful, nil)
	buf := make([]byte, 1)
	passed := time.Duration(0)
	for ; !f.w.IsClosed() && passed < time.Hour; passed += 4 * time.Second {
		for range 501 { // half the window, so that the sender is notified: 1,000 bytes in two rounds
			wd.a.Read(p.fd, buf)
		}
		wd.pass(4 * time.Second)
	}
	if !f.w.IsClosed() || passed < 70*time.Second {
		t.Fatalf("a peer that reads enough: released after %v, want all of it read first", passed)
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
		t.Fatalf("a peer that reads 25 bytes a second: released after %v, want a minute", passed)
	}
	if c := wd.net.Counters; c.TimedOut != 1 || c.WriteTimedOut != 1 {
		t.Errorf("counted %d timeouts, %d of them of Write; want 1, 1", c.TimedOut, c.WriteTimedOut)
	}
}

// The cause contains the operation, the peer and the reason.
func TestWriteDeadlineError(t *testing.T) {
	wd, _, f := stalled(t, smallBuffers, Timeouts{}, 100_000)
	wd.pass(time.Minute)
	f.wantClosed(ErrTimeout)
	if got := f.cause.Error(); !strings.Contains(got, "write") || !strings.Contains(got, ipA.String()) {
		t.Errorf("cause: got %q, want \"write\" and the address %s", got, ipA)
	}
}
