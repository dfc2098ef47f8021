package loop

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// phase is the step of a turn. It determines whether a request can still be served in this turn.
type phase uint8

const (
	phaseIdle  phase = iota // between turns
	phaseEarly              // posted functions, timers
	phaseReady              // ready sources
	phaseLate               // tasks, AfterTurn
)

const (
	driverNone int32 = iota
	driverRun
	driverService
)

const (
	// yieldTurns is how many turns a busy loop runs before it lets the scheduler run other goroutines. A loop that
	// sleeps never needs it. On a locked thread one Gosched costs two thread switches if another goroutine waits; once
	// in a thousand turns that is negligible.
	yieldTurns = 1024
	// spinStill is how often the loop polls while the clock does not advance; a virtual clock never does.
	spinStill = 64
)

// Run runs turns until ctx is done or Stop is called, and then returns nil. It locks its OS thread. Other errors are
// ErrNested, ErrDriver, ErrClosed, ErrPoisoned, and the errors of the System's Wait. Run may be called again after it
// has returned.
func (l *Loop) Run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := l.enter(driverRun); err != nil {
		return err
	}
	defer l.turning.Store(false)
	defer l.thread.Store(0)
	if ctx.Err() != nil {
		return nil
	}
	var done atomic.Bool
	defer context.AfterFunc(ctx, func() {
		done.Store(true)
		l.alert()
	})()
	for !done.Load() && !(l.stop.Load() && l.stop.Swap(false)) {
		if err := l.turn(l.Timeout()); err != nil {
			return err
		}
		if l.busyTurns >= yieldTurns {
			l.busyTurns = 0
			runtime.Gosched()
		}
	}
	return nil
}

// Stop makes Run return at the end of its turn; if Run is not running, the next Run returns at once. Any goroutine
// and any callback may call it. It has no effect on Service.
func (l *Loop) Stop() {
	l.stop.Store(true)
	l.alert()
}

// Service runs one turn without waiting, for programs with an event loop of their own: call it when FD is readable or
// Timeout has passed. All calls must come from one goroutine whose thread-lock state never changes. The errors are
// those of Run; a call from a callback returns ErrNested.
func (l *Loop) Service() error {
	if err := l.enter(driverService); err != nil {
		return err
	}
	defer l.turning.Store(false)
	err := l.turn(0)
	// The inbox is not checked until the next Service, so Post has to make FD readable.
	l.asleep.Store(true)
	return err
}

// FD returns a descriptor that is readable when there is work for Service, or NoFD if the System has none. Callers
// may only poll it.
func (l *Loop) FD() FD { return l.sys.PollFD() }

// Timeout returns how long Service need not be called if FD does not become readable: 0 if work is queued, Forever if
// no timer is armed.
func (l *Loop) Timeout() time.Duration {
	if len(l.next.items) > 0 || !l.unestablished.empty() || len(l.tasks[l.filled].items) > 0 || l.inbox.full.Load() {
		return 0
	}
	at, ok := l.timers.soonest()
	if !ok {
		return Forever
	}
	now := l.end
	if l.driver.Load() != driverRun {
		now = l.sys.Now()
	}
	return max(0, at-now)
}

// enter starts one Run or Service, and prevents a second one.
func (l *Loop) enter(driver int32) error {
	if !l.turning.CompareAndSwap(false, true) {
		if d := l.driver.Load(); d != driverNone && d != driver {
			return ErrDriver
		}
		return ErrNested
	}
	var err error
	switch {
	case l.inbox.isClosed():
		err = ErrClosed
	case l.poison.Load() != nil:
		err = l.poison.Load()
	case !l.driver.CompareAndSwap(driverNone, driver) && l.driver.Load() != driver:
		err = ErrDriver
	}
	if err != nil {
		l.turning.Store(false)
		return err
	}
	if driver == driverRun {
		l.end = l.sys.Now()
	}
	l.drivenHere()
	return nil
}

// turn waits at most timeout and then serves what is ready.
func (l *Loop) turn(timeout time.Duration) error {
	n, err := l.fetch(timeout)
	if err != nil {
		return fmt.Errorf("loop: wait: %w", err)
	}
	l.now = l.sys.Now()
	l.checked = l.now
	l.turns++
	l.accepts, l.handshakes = l.c.Accepts, l.c.Handshakes
	l.cur, l.next = l.next, l.cur
	l.active.kind = activeLoop
	defer l.leave()

	l.phase = phaseEarly
	if l.inbox.full.Load() {
		l.runPosted()
	}
	l.runTimers()
	l.phase = phaseReady
	l.runReady(l.events[:n])
	l.phase = phaseLate
	l.runTasks()
	if l.c.AfterTurn != nil {
		l.active.kind = activeAfterTurn
		l.c.AfterTurn()
		l.checkSlow()
	}

	l.active = active{}
	l.end = l.checked
	if l.c.Slow <= 0 {
		l.end = l.sys.Now()
	}
	l.stats.turn(n, l.end-l.now)
	return nil
}

// leave runs at every end of a turn. A completed turn has no active callback; if there is one, a panic or a
// runtime.Goexit is unwinding the stack.
func (l *Loop) leave() {
	l.phase = phaseIdle
	if l.active.kind != activeNone {
		defer l.once.Do(func() { close(l.done) })
		// First store a fixed text: Label belongs to the object that has just panicked, and may panic too.
		l.poison.Store(&PoisonedError{Who: "a callback without a label"})
		l.poison.Store(&PoisonedError{Who: l.active.label()})
	}
}

// fetch fills events and returns their number.
func (l *Loop) fetch(timeout time.Duration) (int, error) {
	l.busyTurns++
	if timeout == 0 {
		if l.asleep.Load() {
			l.asleep.Store(false)
		}
		return l.sys.Wait(l.events, 0)
	}
	if l.c.Spin > 0 {
		n, spent, err := l.spin(timeout)
		if n > 0 || err != nil || l.inbox.full.Load() {
			return n, err
		}
		if timeout > 0 {
			timeout = max(0, timeout-spent)
		}
	}
	l.asleep.Store(true)
	if l.inbox.full.Load() { // set between the caller's check and asleep: no wake-up was sent
		timeout = 0
	} else {
		l.busyTurns = 0
	}
	n, err := l.sys.Wait(l.events, timeout)
	l.asleep.Store(false)
	return n, err
}

// spin polls for events until Config.Spin or the timeout has passed. A poll may consume a wake-up, so the inbox is
// checked after each.
func (l *Loop) spin(timeout time.Duration) (n int, spent time.Duration, err error) {
	start := l.sys.Now()
	last, still := start, 0
	limit := l.c.Spin
	if timeout > 0 {
		limit = min(limit, timeout)
	}
	for spent < limit && still < spinStill && !l.inbox.full.Load() {
		if n, err = l.sys.Wait(l.events, 0); n > 0 || err != nil {
			break
		}
		now := l.sys.Now()
		if spent = now - start; now == last {
			still++
		} else {
			last, still = now, 0
		}
	}
	return n, spent, err
}
