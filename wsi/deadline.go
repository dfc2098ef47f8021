package wsi

import "time"

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
