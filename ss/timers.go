package ss

import (
	"time"

	"github.com/millrace/millrace/loop"
)

// Timer calls a function of the program after some time, once or periodically. It is not the stream's own timer
// (Handle.StartTimeout): neither the end of a transaction nor that of a connection stops it. Its methods and its
// function run on the loop's goroutine.
type Timer struct {
	clock  *loop.Loop
	node   loop.Timer
	f      func()
	period time.Duration // 0: once
	handle *Handle       // nil: the runtime's
	owner  *Runtime
	atEnd  Cleanup
	stop   func() // Stop, bound once
}

// After calls f once, after d. The end of the runtime (Close) stops the timer.
func (r *Runtime) After(d time.Duration, f func()) *Timer { return startTimer(r, nil, d, 0, f) }

// Every calls f each d. Calls that the loop was too late for are skipped, as with time.Ticker. The end of the runtime
// (Close) stops the timer. It panics unless d is positive.
func (r *Runtime) Every(d time.Duration, f func()) *Timer { return startTimer(r, nil, d, period(d), f) }

// After calls f once, after d. The end of the stream stops the timer.
func (h *Handle) After(d time.Duration, f func()) *Timer {
	return startTimer(h.Runtime(), h, d, 0, f)
}

// Every calls f each d. Calls that the loop was too late for are skipped, as with time.Ticker. The end of the stream
// stops the timer. It panics unless d is positive.
func (h *Handle) Every(d time.Duration, f func()) *Timer {
	return startTimer(h.Runtime(), h, d, period(d), f)
}

func period(d time.Duration) time.Duration {
	if d <= 0 {
		panic("ss: Every: the period must be positive")
	}
	return d
}

func startTimer(r *Runtime, h *Handle, d, period time.Duration, f func()) *Timer {
	t := &Timer{clock: r.Loop(), owner: r, handle: h, period: period, f: f}
	t.stop = func() { t.Stop() }
	t.start(d)
	return t
}

// start arms t, unless its stream or runtime has ended.
func (t *Timer) start(d time.Duration) {
	// Not the turn's time, which is stale between turns.
	t.clock.Arm(&t.node, t.clock.System().Now()+max(d, 0), (*timerExpirer)(t))
	if t.handle != nil {
		t.handle.AddCleanup(&t.atEnd, t.stop)
	} else {
		t.owner.AddCleanup(&t.atEnd, t.stop)
	}
}

// Stop stops t. It reports whether t was running.
func (t *Timer) Stop() bool {
	was := t.node.Armed()
	t.clock.Disarm(&t.node)
	t.atEnd.Remove()
	return was
}

// Reset restarts t, whether it is running or not: its function is called after d, and then each d if the timer was
// made by Every. It reports whether t was running, and does not allocate. On a timer whose stream or runtime has
// ended it does nothing.
func (t *Timer) Reset(d time.Duration) bool {
	if t.period > 0 {
		t.period = period(d)
	}
	was := t.node.Armed()
	t.start(d)
	return was
}

// Running reports whether f will be called.
func (t *Timer) Running() bool { return t.node.Armed() }

// timerExpirer is a Timer as a loop.Expirer.
type timerExpirer Timer

// Expired implements loop.Expirer.
func (t *timerExpirer) Expired(now time.Duration) {
	if t.period > 0 {
		at := t.node.At() + t.period
		if at <= now {
			at += (now - at) / t.period * t.period
			if at <= now {
				at += t.period
			}
		}
		t.clock.Arm(&t.node, at, t)
	} else {
		t.atEnd.Remove()
	}
	t.f()
}

// Label implements loop.Expirer.
func (t *timerExpirer) Label() string {
	if t.handle != nil {
		return "a timer of " + t.handle.Label()
	}
	return "a timer of the program"
}
