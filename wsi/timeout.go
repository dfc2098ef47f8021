package wsi

import (
	"time"

	"github.com/millrace/millrace/roles"
)

// deadline returns when the present phase ends regardless of progress; 0 for never.
func (w *Wsi) deadline() time.Duration {
	if w.phase == phaseOpen {
		return 0
	}
	return w.activityOrDeadline
}

// idleDeadline returns when Timeouts.Idle runs out, 0 for never.
func (w *Wsi) idleDeadline() time.Duration {
	if w.phase != phaseOpen || w.timeouts.Idle <= 0 {
		return 0
	}
	return w.activityOrDeadline + w.timeouts.Idle
}

// writeDeadline returns when Timeouts.Write runs out, 0 for never.
func (w *Wsi) writeDeadline() time.Duration {
	if w.out == nil || w.timeouts.Write <= 0 {
		return 0
	}
	return w.out.since + w.timeouts.Write
}

// writeTimedOut reports whether Timeouts.Write has run out, after one more attempt to write: see lingered.
func (w *Wsi) writeTimedOut(now time.Duration) bool {
	if d := w.writeDeadline(); d == 0 || d > now {
		return false
	}
	had := w.bytesOut
	w.flags |= wrReady
	w.flushRefused(now)
	if w.phase == phaseOpen && w.bytesOut != had {
		w.activityOrDeadline = now
	}
	d := w.writeDeadline()
	return d != 0 && d <= now
}

// rearm sets the timer to the earliest of the deadlines. A dial has a timer of its own.
func (w *Wsi) rearm() {
	if w.phase < phaseOpening || w.phase == phaseClosed {
		return
	}
	at := w.deadline()
	if d := w.idleDeadline(); d != 0 && (at == 0 || d < at) {
		at = d
	}
	if d := w.writeDeadline(); d != 0 && (at == 0 || d < at) {
		at = d
	}
	if w.phase >= phaseOpening && w.phase <= phaseUnread {
		if d := w.upper.Deadline(); d != 0 && (at == 0 || d < at) {
			at = d
		}
	}
	switch {
	case at == 0:
		if w.timer.Armed() {
			w.net.loop.Disarm(&w.timer)
		}
	case !w.timer.Armed() || w.timer.At() != at:
		w.net.loop.Arm(&w.timer, at, w)
	}
}

// Expired implements loop.Expirer: the earliest deadline has passed.
func (w *Wsi) Expired(now time.Duration) {
	switch w.phase {
	case phaseNew, phaseDialling, phaseClosed:
		return
	case phaseDraining, phaseLingering:
		if w.lingered(now) {
			w.net.Counters.TimedOut++
			if d := w.writeDeadline(); d != 0 && d <= now {
				w.net.Counters.WriteTimedOut++
			}
			w.release(w.out != nil)
			return
		}
	default:
		if w.flags&closing != 0 {
			return
		}
		if d := w.deadline(); d != 0 && d <= now {
			if w.phase == phaseUnread {
				w.endGone(true)
				return
			}
			w.timedOut("establish", roles.Immediate)
			return
		}
		if w.writeTimedOut(now) {
			w.net.Counters.WriteTimedOut++
			w.timedOut("write", roles.Reset)
			return
		}
		if d := w.idleDeadline(); d != 0 && d <= now {
			w.timedOut("idle", roles.Graceful)
			return
		}
		d := w.upper.Deadline()
		if w.serve(now, d != 0 && d <= now) {
			w.kick()
		}
		return
	}
	w.rearm()
}

func (w *Wsi) timedOut(op string, mode roles.CloseMode) {
	w.net.Counters.TimedOut++
	w.Close(mode, &Error{Op: op, Wsi: w.Label(), Err: ErrTimeout})
}
