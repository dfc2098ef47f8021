package loop

import "time"

// Expirer is told that its timer has run out.
type Expirer interface {
	// Expired is called once per Arm, not before its deadline. The timer is disarmed then and may be
	// armed again at once.
	Expired(now time.Duration)
	// Label names the expirer in reports. It is called only when there is one to make.
	Label() string
}

// Timer is one deadline. It is embedded in the object that waits; the zero value is disarmed. It is
// neither copied nor overwritten while it is armed.
type Timer struct {
	e   Expirer
	at  time.Duration
	seq uint64 // order of arming, among equal deadlines
	pos int32  // place in the heap, from 1; 0: disarmed
}

// Armed says whether the timer is running.
func (t *Timer) Armed() bool { return t.pos != 0 }

// At returns the deadline last set. It means something while the timer is armed.
func (t *Timer) At() time.Duration { return t.at }

// Arm sets t to go off at the given time, on the clock of Now, whether it was armed or not. A time that
// has passed counts as now; e is not called before Arm returns, and when Arm is called while timers
// are served, not in the same turn. Timers with equal deadlines go off in the order in which they were
// set. Moving a deadline later costs a few stores; anything else O(log n).
func (l *Loop) Arm(t *Timer, at time.Duration, e Expirer) {
	later := t.pos != 0 && at >= t.at
	if t.pos == 0 {
		l.stats.Timers++
	}
	t.e, t.at = e, at
	if later {
		l.timers.note(t) // the entry of an idle connection is cold memory: not even looked at
		return
	}
	l.timers.arm(t, max(at, l.now))
}

// Disarm stops t. Stopping a timer that is not armed does nothing.
func (l *Loop) Disarm(t *Timer) {
	if t.pos != 0 {
		l.timers.remove(t)
		t.e = nil
		l.stats.Timers--
	}
}

// timerSteps bounds how many timers are looked at in one turn: when a hundred thousand idle
// connections time out at once, the busy ones still get their turn in between.
const timerSteps = 1024

// runTimers calls those that are due, in order. What is left when the bound is reached makes the next
// wait return at once.
func (l *Loop) runTimers() {
	h := &l.timers
	limit := h.seq // armed while this runs: next turn
	for range timerSteps {
		t, ok := h.due(l.now, limit)
		if !ok {
			break
		}
		if t == nil {
			continue
		}
		e := t.e
		t.e = nil
		l.stats.Timers--
		l.active.kind, l.active.expirer = activeExpirer, e
		e.Expired(l.now)
		l.lap()
	}
	l.active.expirer = nil
}
