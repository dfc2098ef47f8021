package loop

import (
	"math/rand/v2"
	"testing"
	"time"
)

// quiet is an Expirer that counts.
type quiet struct {
	Timer
	n int
}

func (q *quiet) Expired(time.Duration) { q.n++ }
func (q *quiet) Label() string         { return "quiet" }

func TestAMillionTimersAllocateNothing(t *testing.T) {
	const n = 1_000_000
	if testing.Short() {
		t.Skip("a million timers")
	}
	f := &fakeSystem{now: 1}
	l := New(f, Config{Slow: -1})
	timers := make([]quiet, n)
	for i := range timers {
		l.Arm(&timers[i].Timer, time.Hour+time.Duration(i*7919%n), &timers[i])
	}
	i := 0
	if got := testing.AllocsPerRun(n/2, func() {
		q := &timers[i%n]
		switch i % 3 {
		case 0:
			l.Arm(&q.Timer, 3*time.Hour, q)
		case 1:
			l.Arm(&q.Timer, time.Minute+time.Duration(i), q)
		case 2:
			l.Disarm(&q.Timer)
			l.Arm(&q.Timer, 2*time.Hour, q)
		}
		i++
	}); got != 0 {
		t.Errorf("re-arming among a million: got %v allocations per operation, want 0", got)
	}
	f.now = 4 * time.Hour
	for range 3*n/timerSteps + 10 {
		if err := l.turn(0); err != nil {
			t.Fatal(err)
		}
	}
	for i := range timers {
		if timers[i].n != 1 {
			t.Fatalf("timer %d went off %d times, want once", i, timers[i].n)
		}
	}
	if l.stats.Timers != 0 || len(l.timers.pages) > timerPageKeep {
		t.Errorf("at the end: got %d timers armed in %d pages, want 0 in %d at most", l.stats.Timers, len(l.timers.pages), timerPageKeep)
	}
}

func TestManyDueTimersAreSpreadOverTurns(t *testing.T) {
	f := &fakeSystem{now: 1}
	l := New(f, Config{})
	timers := make([]quiet, 5*timerSteps/2)
	for i := range timers {
		l.Arm(&timers[i].Timer, ms(1), &timers[i])
	}
	f.now = ms(2)
	for turn, want := range []int{timerSteps, 2 * timerSteps, len(timers)} {
		if err := l.turn(0); err != nil {
			t.Fatal(err)
		}
		went := 0
		for i := range timers {
			went += timers[i].n
		}
		if went != want {
			t.Errorf("after turn %d: %d timers went off, want %d", turn+1, went, want)
		}
		if left := len(timers) - went; left > 0 && l.Timeout() != 0 {
			t.Errorf("with %d due timers left: got a timeout of %v, want 0", left, l.Timeout())
		}
	}
}

// A sleeping loop whose deadline was moved later does not wake up for the old deadline.
func TestStaleDeadlineDoesNotWake(t *testing.T) {
	f := &fakeSystem{now: 1}
	l := New(f, Config{})
	a := &quiet{}
	l.Arm(&a.Timer, ms(10), a)
	l.Arm(&a.Timer, ms(50), a)
	if got, want := l.Timeout(), ms(50)-1; got != want {
		t.Errorf("Timeout: got %v, want %v", got, want)
	}
}

func TestTimersRandomlyThroughTurns(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	f := &fakeSystem{now: 1}
	l := New(f, Config{})
	var last time.Duration
	var all [500]funcs
	for i := range all {
		a := &all[i]
		a.name = sprint(i)
		a.expired = func() {
			if a.At() > l.Now() || a.At() < last && last != 0 {
				t.Fatalf("timer for %v went off at %v, after one for %v", a.At(), l.Now(), last)
			}
			last = a.At()
			if rng.IntN(3) > 0 {
				l.Arm(&a.Timer, l.Now()+1+time.Duration(rng.IntN(1000)), a)
			}
			other := &all[rng.IntN(len(all))]
			switch rng.IntN(3) {
			case 0:
				l.Disarm(&other.Timer)
			case 1:
				l.Arm(&other.Timer, l.Now()+1+time.Duration(rng.IntN(1000)), other)
			}
		}
		l.Arm(&a.Timer, time.Duration(rng.IntN(1000)), a)
	}
	for range 20_000 {
		timeout := l.Timeout()
		if timeout == Forever {
			break
		}
		if err := l.turn(timeout); err != nil {
			t.Fatal(err)
		}
	}
}
