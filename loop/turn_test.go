package loop

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"
)

// busy is a loop with n sources that are always ready.
func busy(tb testing.TB, n int, c Config) (*Loop, *int) {
	tb.Helper()
	f := &fakeSystem{now: 1}
	l := New(f, c)
	calls := new(int)
	tokens := make([]Token, n)
	for i := range n {
		h := &funcs{name: "busy", ready: func(Ready) bool { *calls++; return false }}
		if err := l.Watch(&h.Source, FD(i+3), h); err != nil {
			tb.Fatal(err)
		}
		tokens[i] = f.added[FD(i+3)]
	}
	f.script = func(ev []Event) int {
		for i, tok := range tokens {
			ev[i] = Event{tok, Readable | Writable}
		}
		return n
	}
	return l, calls
}

func TestATurnAllocatesNothing(t *testing.T) {
	l, calls := busy(t, 64, Config{})
	h := &funcs{task: func() {}}
	var a quiet
	posted := func() {}
	if got := testing.AllocsPerRun(1000, func() {
		l.Post(posted)
		l.Defer(&h.Task, h)
		l.Arm(&a.Timer, 0, &a)
		if err := l.turn(0); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("got %v allocations per turn, want 0", got)
	}
	if *calls != 64*1001 || a.n != 1001 {
		t.Errorf("got %d calls and %d timers, want %d and 1001", *calls, a.n, 64*1001)
	}
}

func TestTimeoutOfWait(t *testing.T) {
	f := &fakeSystem{now: 100, note: true}
	l := New(f, Config{})
	h := &funcs{ready: func(Ready) bool { return false }, task: func() {}, expired: func() {}}
	if err := l.Watch(&h.Source, 1, h); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		set  func()
		want time.Duration
	}{
		{"nothing", func() {}, Forever},
		{"a kick", func() { l.Kick(&h.Source) }, 0},
		{"a task", func() { l.Defer(&h.Task, h) }, 0},
		{"a post", func() { l.Post(func() {}) }, 0},
		{"a timer", func() { l.Arm(&h.Timer, f.now+7, h) }, 7},
		{"a timer in the past", func() { l.Arm(&h.Timer, f.now-7, h) }, 0},
		{"nothing left", func() {}, Forever},
	} {
		c.set()
		f.waits = nil
		if err := l.turn(l.Timeout()); err != nil {
			t.Fatal(err)
		}
		if len(f.waits) != 1 || f.waits[0] != c.want {
			t.Errorf("with %s: waited for %v, want [%v]", c.name, f.waits, c.want)
		}
	}
}

func TestSpinPollsBeforeSleeping(t *testing.T) {
	f := &fakeSystem{now: 1, note: true}
	l := New(f, Config{Spin: ms(1)})
	looks := 0
	f.script = func([]Event) int {
		looks++
		f.now += ms(1) / 4
		return 0
	}
	a := &quiet{}
	l.Arm(&a.Timer, ms(10)+1, a)
	if err := l.turn(l.Timeout()); err != nil {
		t.Fatal(err)
	}
	if got, want := sprint(f.waits), "[0s 0s 0s 0s 9ms]"; got != want {
		t.Errorf("waits: got %s, want %s", got, want)
	}
	f.waits, f.script = nil, nil // from here on the clock does not advance while the loop polls
	if err := l.turn(Forever); err != nil {
		t.Fatal(err)
	}
	if n := len(f.waits); n != spinStill+1 || f.waits[n-1] != Forever {
		t.Errorf("with a stopped clock: got %d waits, want %d polls and one wait without end", n, spinStill)
	}
}

// A poll may consume the wake-up of a post. The posted function must not wait for the next event.
func TestSpinDoesNotLoseAPost(t *testing.T) {
	f := &fakeSystem{now: 1, note: true}
	l := New(f, Config{Spin: ms(1)})
	ran := false
	f.script = func([]Event) int {
		if !ran {
			l.Post(func() { ran = true })
		}
		f.woken.Store(false)
		return 0
	}
	if err := l.turn(Forever); err != nil {
		t.Fatal(err)
	}
	if got := sprint(f.waits); !ran || got != "[0s]" {
		t.Errorf("ran %v after waits %s, want true after [0s]", ran, got)
	}
}

func TestABusyLoopYields(t *testing.T) {
	l, calls := busy(t, 1, Config{})
	other := make(chan struct{})
	go close(other)
	l.c.AfterTurn = func() {
		if *calls > 3*yieldTurns {
			l.Stop()
		}
		if l.busyTurns > yieldTurns {
			t.Fatalf("%d turns without a yield, want %d at most", l.busyTurns, yieldTurns)
		}
	}
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	<-other
}

func TestAFailingWaitEndsRun(t *testing.T) {
	f := &fakeSystem{now: 1, failed: syscall.EBADF}
	l := New(f, Config{})
	if err := l.Run(context.Background()); !errors.Is(err, syscall.EBADF) {
		t.Errorf("Run: got %v, want EBADF", err)
	}
}

// brittle panics when it is called and again when it is asked for its label.
type brittle struct{ Source }

func (b *brittle) Ready(time.Duration, Ready) bool { panic("boom") }
func (b *brittle) Label() string                   { panic("nameless") }

func TestAPanicInTheLabelPoisonsToo(t *testing.T) {
	l := New(&fakeSystem{now: 1}, Config{})
	b := &brittle{}
	if err := l.Watch(&b.Source, 1, b); err != nil {
		t.Fatal(err)
	}
	l.Kick(&b.Source)
	func() {
		defer func() { recover() }()
		l.Service()
	}()
	if err := l.Post(func() {}); !errors.Is(err, ErrPoisoned) {
		t.Errorf("Post: got %v, want ErrPoisoned", err)
	}
}

func BenchmarkTurn64(b *testing.B) {
	for _, c := range []struct {
		name string
		c    Config
	}{{"plain", Config{Slow: -1}}, {"watched", Config{}}} {
		b.Run(c.name, func(b *testing.B) {
			l, _ := busy(b, 64, c.c)
			b.ReportAllocs()
			for b.Loop() {
				if err := l.turn(0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
