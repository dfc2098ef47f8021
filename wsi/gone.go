package wsi

import (
	"syscall"
	"time"

	"github.com/millrace/millrace/roles"
)

// goneInOrder is how long a paused Upper may take to resume after the connection has ended and the peer had ended its
// direction in order (keepalive detects such a peer, and a Unix socket reports that the peer has closed). It is
// longer than most pauses.
const goneInOrder = 10 * time.Minute

// peerGone ends a connection that is broken in both directions, whatever its Upper waits for, after the received
// bytes were offered. in is the unused input, which it returns, with more if it reads. rxUsed reports whether Rx used some
// bytes in this turn.
//
// An Upper that has paused, or that stores bodies for paused streams (roles.HoldBody), gets time to resume, and
// more time after each resume that used bytes; so does a connection that is not read because memory is short. If the peer
// ended its direction in order, the time is goneInOrder for input that Rx has not seen; otherwise it is Timeouts.Linger,
// since a reset may lose bytes anyway. Input for a paused Upper is read from the system now, up to the connection's limit,
// so that an end without further bytes is known at once.
func (w *Wsi) peerGone(now time.Duration, in []byte, rxUsed bool) []byte {
	if w.flags&paused != 0 {
		for w.flags&(rdReady|closing) == rdReady && len(in) < min(blockedMax, w.net.cfg.MaxUnread) {
			in = w.read(in)
		}
	} else if w.flags&(rdReady|ended) == 0 {
		w.flags &^= gone // a read succeeded, so the connection is not broken
		if w.phase == phaseUnread {
			w.move(phaseOpen)
			w.activityOrDeadline = now
		}
		return in
	}
	kept := w.holding.kinds[roles.HoldBody] > 0
	unread := w.flags&rdReady != 0
	waits := kept || w.flags&stalledRx != 0 || w.flags&paused != 0 && (len(in) > 0 || unread)
	inOrder := w.cause == nil && (w.flags&(ended|hangUpTold) != 0 || w.flags&failed == 0)
	grace := w.timeouts.Linger
	if inOrder && (kept || unread || w.flags&offered == 0) {
		grace = goneInOrder
	}
	switch {
	case w.flags&closing != 0:
	case !waits, grace <= 0:
		w.endGone(false)
	case w.phase != phaseUnread || rxUsed:
		if w.phase != phaseUnread {
			w.move(phaseUnread)
		}
		w.activityOrDeadline = now + grace
	}
	return in
}

// endGone closes a broken connection. lost means that the Upper did not use some input in time.
func (w *Wsi) endGone(lost bool) {
	cause := w.closeCause()
	if cause == nil {
		e, op := w.net.sys.SocketError(w.src.FD()), "read"
		if e == 0 && (w.out != nil || w.flags&wantWrite != 0) {
			e = syscall.EPIPE // the peer has closed in order, and will not read the rest
		}
		if e == syscall.EPIPE { // the system also returns EPIPE for a reset after the peer's end
			op = "write"
		}
		switch {
		case e != 0:
			cause = &Error{Op: op, Wsi: w.Label(), Err: e}
		case lost: // otherwise this would look like an end after all input
			cause = &Error{Op: "keep", Wsi: w.Label(), Err: ErrTimeout}
		}
	}
	w.net.Counters.Resets++
	w.Close(roles.Immediate, cause)
}
