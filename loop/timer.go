package loop

import "time"

// Expirer receives the expiry of its timer.
type Expirer interface {
	// Expired is called once per Arm, not before the deadline. The timer is disarmed at that time and may be armed again
	// at once.
	Expired(now time.Duration)
	// Label names the expirer in reports. It is called only for a report.
	Label() string
}

// Timer is one deadline. It is embedded in the object that waits; the zero value is disarmed. It must not be copied
// or overwritten while it is armed.
type Timer struct {
	e   Expirer
	at  time.Duration
	seq uint64 // order of arming, among equal deadlines
	pos int32  // position in the heap, from 1; 0: disarmed
}

// Armed reports whether the timer is armed.
func (t *Timer) Armed() bool { return t.pos != 0 }

// At returns the deadline that was set last. It is valid while the timer is armed.
func (t *Timer) At() time.Duration { return t.at }

// Arm sets the deadline of t, on the clock of Now, whether t is armed or not. A time in the past counts as now. e is
// not called before Arm returns, and if Arm is called while timers are served, not in the same turn. Timers with
// equal deadlines expire in the order in which they were set. Moving a deadline later costs a few stores; every other
// change costs O(log n).
func (l *Loop) Arm(t *Timer, at time.Duration, e Expirer) {
	later := t.pos != 0 && at >= t.at
	if t.pos == 0 {
		l.stats.Timers++
	}
	t.e, t.at = e, at
	if later {
		l.timers.note(t) // no access to the heap entry, which is cold memory for an idle connection
		return
	}
	l.timers.arm(t, max(at, l.now))
}

// Disarm stops t. It has no effect on a timer that is not armed.
func (l *Loop) Disarm(t *Timer) {
	if t.pos != 0 {
		l.timers.remove(t)
		t.e = nil
		l.stats.Timers--
	}
}

// timerSteps limits how many timers are examined in one turn: when a hundred thousand idle connections time out
// together, active connections are served in between.
const timerSteps = 1024

// runTimers calls the expirers of due timers, in order. If the limit leaves some, the next wait returns at once.
func (l *Loop) runTimers() {
	h := &l.timers
	limit := h.seq // timers armed from here on expire in the next turn
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
		l.checkSlow()
	}
	l.active.expirer = nil
}
