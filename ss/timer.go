package ss

import (
	"time"
)

// The timer of a stream.

// TimeoutFromPolicy, passed to StartTimeout, means the policy's timeout_ms.
const TimeoutFromPolicy time.Duration = 0

// StartTimeout delivers TIMEOUT once, after d, and replaces an earlier timeout. With TimeoutFromPolicy and no
// timeout_ms in the policy it does nothing. The end of a transaction or connection cancels it.
func (h *Handle) StartTimeout(d time.Duration) {
	if d == TimeoutFromPolicy {
		d = h.streamType.pol.Timeout
	}
	if d <= 0 || h.astray("StartTimeout") || h.flags&(destroyed|wantDestroy) != 0 {
		return
	}
	if h.timer == nil {
		h.timer = &streamTimer{h: h}
	}
	// Not the turn's time, which is stale between turns.
	l := h.rt.loop
	l.Arm(&h.timer.Timer, l.System().Now()+d, h.timer)
}

// CancelTimeout stops the timeout of StartTimeout.
func (h *Handle) CancelTimeout() {
	if h.timer != nil && !h.astray("CancelTimeout") {
		h.rt.loop.Disarm(&h.timer.Timer)
	}
}

// Expired implements loop.Expirer.
func (t *streamTimer) Expired(time.Duration) { t.h.tell(Timeout, Notice{}) }

// Label implements loop.Expirer.
func (t *streamTimer) Label() string { return t.h.Label() }
