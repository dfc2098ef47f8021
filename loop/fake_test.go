package loop

import (
	"fmt"
	"sync/atomic"
	"time"
)

// fakeSystem is a System that has only a clock and a poller. Waits advance virtual time; events come from a script.
type fakeSystem struct {
	System // nil: any other call panics
	now    time.Duration
	script func(ev []Event) int // nil: no events
	waits  []time.Duration      // timeouts of the waits, if recorded
	note   bool
	woken  atomic.Bool // other goroutines may call Wake
	added  map[FD]Token
	failed error // what Wait returns
}

func (f *fakeSystem) Now() time.Duration { return f.now }

func (f *fakeSystem) Add(fd FD, t Token) error {
	if f.added == nil {
		f.added = make(map[FD]Token)
	}
	f.added[fd] = t
	return nil
}

func (f *fakeSystem) Remove(fd FD) { delete(f.added, fd) }

func (f *fakeSystem) Wait(ev []Event, timeout time.Duration) (int, error) {
	if f.note {
		f.waits = append(f.waits, timeout)
	}
	n := 0
	if f.script != nil {
		n = f.script(ev)
	}
	if n == 0 && timeout > 0 && !f.woken.Load() {
		f.now += timeout
	}
	f.woken.Store(false)
	return n, f.failed
}

func (f *fakeSystem) Wake()           { f.woken.Store(true) }
func (f *fakeSystem) Shutdown() error { return nil }

// funcs lets a test use functions as handler, expirer and runner.
type funcs struct {
	Source
	Timer
	Task
	name    string
	ready   func(r Ready) bool
	expired func()
	task    func()
}

func (f *funcs) Label() string { return f.name }

func (f *funcs) Ready(_ time.Duration, r Ready) bool { return f.ready(r) }

func (f *funcs) Expired(time.Duration) { f.expired() }

func (f *funcs) RunTask(time.Duration) { f.task() }

// plain is a Runner without a label.
type plain func()

func (p plain) RunTask(time.Duration) { p() }

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func sprint(v any) string { return fmt.Sprintf("%v", v) }
