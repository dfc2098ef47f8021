package wsi

import (
	"time"

	"github.com/millrace/millrace/roles"
)

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
