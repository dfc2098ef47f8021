package ss_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
)

const timerPolicy = `{"s": [{"t": {"endpoint": "10.0.0.2", "port": 7, "protocol": "raw"}}]}`

// calls records when a function was called, on the world's clock.
type calls struct {
	w     *world
	since time.Duration
	at    []string
}

func newCalls(w *world) *calls { return &calls{w: w, since: w.Net.Now()} }

func (c *calls) f(name string) func() {
	return func() {
		c.at = append(c.at, fmt.Sprintf("%s@%v", name, (c.w.Net.Now()-c.since).Round(time.Millisecond)))
	}
}

func (c *calls) want(t *testing.T, want string) {
	t.Helper()
	if got := strings.Join(c.at, " "); got != want {
		t.Errorf("timers called\n  got  %s\n  want %s", got, want)
	}
}

func TestAfterAndEvery(t *testing.T) {
	w := newWorld(t, timerPolicy, plan{})
	c := newCalls(w)
	rt := w.Client.Runtime
	h := w.Create("t", newScript())
	h.After(3*time.Second, c.f("stream"))
	once := rt.After(2*time.Second, c.f("runtime"))
	tick := h.Every(2*time.Second, c.f("tick"))
	cancelled := rt.After(time.Second, c.f("cancelled"))
	if !cancelled.Stop() || cancelled.Stop() {
		t.Error("Stop: want true while the timer runs and false after that")
	}
	w.Advance(5500 * time.Millisecond)
	c.want(t, "runtime@2s tick@2s stream@3s tick@4s")

	c.at = nil
	if once.Running() || once.Reset(time.Second) || !once.Running() {
		t.Error("Reset of a timer that has fired: want it not running before and running after")
	}
	if !tick.Reset(3 * time.Second) {
		t.Error("Reset of a running timer: got false, want true")
	}
	w.Advance(7 * time.Second)
	c.want(t, "runtime@6.5s tick@8.5s tick@11.5s")
}

// A periodic timer may be stopped by its own function; one with delay 0 is called at most once in each turn.
func TestTimerStopsItself(t *testing.T) {
	w := newWorld(t, timerPolicy, plan{})
	n := 0
	var tick *ss.Timer
	tick = w.Client.Runtime.Every(time.Second, func() {
		if n++; n == 3 {
			tick.Stop()
		}
	})
	again := 0
	var once *ss.Timer
	once = w.Client.Runtime.After(0, func() {
		if again++; again < 5 {
			once.Reset(0)
		}
	})
	w.Advance(10 * time.Second)
	if n != 3 || again != 5 {
		t.Errorf("calls: got %d of Every and %d of After(0), want 3 and 5", n, again)
	}
}

// A loop that was busy for longer than the period calls the function once, and keeps the period.
func TestEveryLeavesOutWhatIsLate(t *testing.T) {
	w := newWorld(t, timerPolicy, plan{})
	c := newCalls(w)
	w.Client.Runtime.Every(time.Second, c.f("tick"))
	w.Advance(1500 * time.Millisecond)
	w.Net.Advance(3 * time.Second)
	w.Advance(1600 * time.Millisecond)
	c.want(t, "tick@1s tick@4.5s tick@5s tick@6s")
}

// The end of a stream stops its timers, the end of the runtime stops all; afterwards none starts.
func TestTimersEndWithTheirOwner(t *testing.T) {
	w := newWorld(t, timerPolicy, plan{})
	c := newCalls(w)
	h := w.Create("t", newScript())
	once, tick := h.After(time.Second, c.f("once")), h.Every(time.Second, c.f("tick"))
	of := w.Client.Runtime.Every(time.Second, c.f("runtime"))
	h.Destroy()
	w.Settle()
	if once.Running() || tick.Running() || !of.Running() {
		t.Errorf("after Destroy: running: once %v, tick %v, the runtime's %v; want false, false, true", once.Running(), tick.Running(), of.Running())
	}
	if once.Reset(time.Second); once.Running() || h.After(time.Second, c.f("late")).Running() {
		t.Error("a timer of a destroyed stream runs")
	}
	w.Client.Runtime.Close()
	if of.Reset(time.Second); of.Running() || w.Client.Runtime.After(time.Second, c.f("late")).Running() {
		t.Error("a timer of a closed runtime runs")
	}
	w.Advance(5 * time.Second)
	c.want(t, "")
}

func TestEveryNeedsAPeriod(t *testing.T) {
	w := newWorld(t, timerPolicy, plan{})
	defer func() {
		if recover() == nil {
			t.Error("Every(0) did not panic")
		}
	}()
	w.Client.Runtime.Every(0, func() {})
}

func TestTimersAllocateNothingAgain(t *testing.T) {
	w := newWorld(t, timerPolicy, plan{})
	h := w.Create("t", newScript())
	a, b := h.After(time.Second, func() {}), w.Client.Runtime.Every(time.Second, func() {})
	if n := testing.AllocsPerRun(100, func() {
		a.Reset(time.Second)
		b.Stop()
		b.Reset(time.Second)
		w.Net.Advance(1500 * time.Millisecond)
		if err := w.Client.Loop.Service(); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("Reset, Stop and expiry: got %v allocations, want 0", n)
	}
}
