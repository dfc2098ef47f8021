package wsi

import (
	"syscall"
	"time"

	"github.com/millrace/millrace/roles"
)

// goneInOrder is how long a paused Upper may take to resume when the connection is over and the peer had ended in order:
// keepalive notices a peer that has answered and left, and a Unix socket reports a peer that has closed it. It is longer
// than most pauses.
const goneInOrder = 10 * time.Minute

// peerGone ends a connection that is over in both directions, whatever its Upper waits for, once what had come was
// offered; it returns the input that is left. An Upper that has paused, or keeps bodies for streams that have
// (roles.HoldBody), is given time to resume, anew when it has and took something; so is a connection that memory has
// stopped. It is goneInOrder for what the Upper has not seen if the peer ended in order, and Timeouts.Linger otherwise,
// since a reset may cost bytes anyway. What a paused Upper was to be offered is taken from the system now, as far as a
// connection may hold it, so that an end with nothing before it is known at once.
func (w *Wsi) peerGone(now time.Duration, in []byte, heard bool) []byte {
	if w.flags&paused != 0 {
		for w.flags&(rdReady|closing) == rdReady && len(in) < min(blockedMax, w.net.cfg.ParkedMax) {
			in = w.read(in)
		}
	} else if w.flags&(rdReady|ended) == 0 {
		w.flags &^= gone // a read found the connection whole
		return in
	}
	kept := w.holding.kinds[roles.HoldBody] > 0
	unread := w.flags&rdReady != 0
	waits := kept || w.flags&stalledRx != 0 || w.flags&paused != 0 && (len(in) > 0 || unread)
	inOrder := w.cause == nil && (w.flags&(ended|hangUpTold) != 0 || w.flags&failed == 0)
	grace := w.times.Linger
	if inOrder && (kept || unread || w.flags&offered == 0) {
		grace = goneInOrder
	}
	switch {
	case w.flags&closing != 0:
	case !waits, grace <= 0:
		w.endGone(false)
	case w.flags&unheard == 0 || heard:
		w.flags |= unheard
		w.clock = now + grace
	}
	return in
}

// endGone closes a connection that is over. lost says that something came which the Upper has not taken in time.
func (w *Wsi) endGone(lost bool) {
	cause := w.blamed()
	if cause == nil {
		e, op := w.net.sys.SocketError(w.src.FD()), "read"
		if e == 0 && (w.out != nil || w.flags&wantWrite != 0) {
			e = syscall.EPIPE // the peer has closed in order, and will not take this
		}
		if e == syscall.EPIPE { // also what the system calls a reset after the peer's end
			op = "write"
		}
		switch {
		case e != 0:
			cause = &Error{Op: op, Wsi: w.Label(), Err: e}
		case lost: // or it would pass for an end after all of it
			cause = &Error{Op: "keep", Wsi: w.Label(), Err: ErrTimeout}
		}
	}
	w.net.Counters.Resets++
	w.Close(roles.Immediate, cause)
}
