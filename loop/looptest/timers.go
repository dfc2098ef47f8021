package looptest

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/loop"
)

var timerScenarios = []scenario{
	{name: "expiry in order of deadline, then of arming", run: func(r *rig) {
		var tr trace
		l := r.newLoop(loop.Config{})
		at := l.Now() + 2*time.Millisecond
		arm := func(name string, at time.Duration) *alarm {
			a := &alarm{r: r, name: name, does: tr.say(name)}
			l.Arm(&a.Timer, at, a)
			return a
		}
		arm("3", at+1)
		first := arm("2b", at-1)
		arm("1", at-2)
		arm("2", at)
		l.Arm(&first.Timer, at, first) // moved later, so its order is after 2
		arm("2c", at)
		arm("4", at+2)
		r.until("all expired", func() bool { return l.Stats().Timers <= 1 })
		tr.want(r, "1 2 2b 2c 3 4")
	}},
	{name: "no early expiry, and no spinning", run: func(r *rig) {
		l := r.newLoop(loop.Config{})
		for _, d := range []time.Duration{time.Microsecond, 300 * time.Microsecond, 1_100_000, 3_700_000} {
			a := &alarm{r: r, name: fmt.Sprintf("alarm in %v", d)}
			before := l.Stats().Turns
			l.Arm(&a.Timer, r.sys.Now()+d, a)
			r.until("the alarm expired", func() bool { return a.rang == 1 })
			if turns := l.Stats().Turns - before; turns > 5 {
				r.Errorf("%s took %d turns, want 1 (5 with signals)", a.name, turns)
			}
		}
	}},
	{name: "a timer armed for now in its own callback expires in the next turn", run: func(r *rig) {
		var tr trace
		l := r.newLoop(loop.Config{AfterTurn: func() { tr.say("|")() }})
		a := &alarm{r: r, name: "alarm"}
		b := &alarm{r: r, name: "other", does: tr.say("b")}
		a.does = func() {
			tr.say("a")()
			if a.rang < 3 {
				l.Arm(&a.Timer, 0, a)
			}
		}
		l.Arm(&a.Timer, 0, a)
		l.Arm(&b.Timer, 0, b)
		r.turns(4)
		tr.want(r, "a b | a | a | |")
	}},
	{name: "a due timer is disarmed by another due timer", run: func(r *rig) {
		l := r.newLoop(loop.Config{})
		b := &alarm{r: r, name: "b"}
		a := &alarm{r: r, name: "a", does: func() {
			l.Disarm(&b.Timer)
			b.off = true
		}}
		l.Arm(&a.Timer, 0, a)
		l.Arm(&b.Timer, 0, b)
		r.turns(2)
		if a.rang != 1 || b.Armed() {
			r.Errorf("a rang %d times, b armed %v, want 1, false", a.rang, b.Armed())
		}
		l.Disarm(&b.Timer)
	}},
	{name: "a deadline moved later repeatedly", run: func(r *rig) {
		l := r.newLoop(loop.Config{})
		a := &alarm{r: r, name: "idle timeout"}
		for range 10 {
			l.Arm(&a.Timer, r.sys.Now()+5*time.Millisecond, a)
			b := &alarm{r: r, name: "request"}
			l.Arm(&b.Timer, r.sys.Now()+time.Millisecond/2, b)
			r.until("the request timer expired", func() bool { return b.rang == 1 })
		}
		early := a.rang // more than 0 on a machine that paused for 5 ms
		l.Arm(&a.Timer, r.sys.Now()+5*time.Millisecond, a)
		r.until("the timeout expired", func() bool { return a.rang == early+1 })
	}},
	{name: "a deadline moved earlier", run: func(r *rig) {
		l := r.newLoop(loop.Config{})
		a := &alarm{r: r, name: "alarm"}
		l.Arm(&a.Timer, l.Now()+time.Hour, a)
		l.Arm(&a.Timer, l.Now()+2*time.Hour, a)
		l.Arm(&a.Timer, l.Now()+time.Millisecond, a)
		r.until("the alarm expired", func() bool { return a.rang == 1 })
	}},
	{name: "Timeout", run: func(r *rig) {
		l := r.newLoop(loop.Config{})
		if got := l.Timeout(); got != loop.Forever {
			r.Errorf("with no timer armed: got %v, want Forever", got)
		}
		a := &alarm{r: r, name: "alarm"}
		l.Arm(&a.Timer, l.Now()+time.Hour, a)
		if got := l.Timeout(); got <= 0 || got > time.Hour {
			r.Errorf("with an hour to go: got %v", got)
		}
		c := &chore{r: r, name: "chore"}
		l.Defer(&c.Task, c)
		if got := l.Timeout(); got != 0 {
			r.Errorf("with a task queued: got %v, want 0", got)
		}
		if err := l.Service(); err != nil || c.runs != 1 {
			r.Errorf("Service: got %v, the task ran %d times, want once", err, c.runs)
		}
		l.Post(func() {})
		if got := l.Timeout(); got != 0 {
			r.Errorf("with a function posted: got %v, want 0", got)
		}
		l.Disarm(&a.Timer)
	}},
}
