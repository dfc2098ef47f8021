package wsi

import (
	"syscall"
	"time"

	"github.com/millrace/millrace/roles"
)

// goneInOrder is how long what came before an orderly end is kept for an Upper that has paused, once the connection is
// gone: keepalive finds that out of a peer which has answered and left. It is longer than most pauses, and nothing waits
// for ever.
const goneInOrder = 10 * time.Minute

// peerGone ends a connection that is over in both directions, whatever its Upper waits for, once what had come was
// offered; it returns the input that is left. An Upper that has paused, or keeps bodies for those above it that have
// (roles.HoldBody), is given time to resume, anew when it has and took something: goneInOrder for what it has not seen
// if the peer had ended its direction before, and Timeouts.Linger else, for a reset may cost bytes anyway. What it was
// to be offered then is taken from the system now, as far as a connection may hold it, so that an end with nothing
// before it is known at once.
func (w *Wsi) peerGone(now time.Duration, in []byte, heard bool) []byte {
	if w.flags&paused != 0 {
		for w.flags&(rdReady|closing) == rdReady && len(in) < blockedMax {
			in = w.read(in)
		}
	} else if w.flags&(rdReady|ended) == 0 {
		w.flags &^= gone // a read found the connection whole
		return in
	}
	kept := w.holding.kinds[roles.HoldBody] > 0
	waits := kept || w.flags&paused != 0 && (len(in) > 0 || w.flags&rdReady != 0)
	grace := w.times.Linger
	if w.flags&ended != 0 && w.cause == nil && (kept || w.flags&offered == 0) {
		grace = goneInOrder
	}
	switch {
	case w.flags&closing != 0:
	case !waits, grace <= 0:
		w.endGone()
	case w.flags&unheard == 0 || heard:
		w.flags |= unheard
		w.clock = now + grace
	}
	return in
}

// endGone closes a connection that is over.
func (w *Wsi) endGone() {
	cause := w.blamed()
	if cause == nil {
		e, op := w.net.sys.SocketError(w.src.FD()), "read"
		if e == 0 && (w.out != nil || w.flags&wantWrite != 0) {
			e = syscall.EPIPE // the peer has closed in order, and will not take this
		}
		if e == syscall.EPIPE { // also what the system calls a reset after the peer's end
			op = "write"
		}
		if e != 0 {
			cause = &Error{Op: op, Wsi: w.Label(), Err: e}
		}
	}
	w.net.Counters.Resets++
	w.Close(roles.Immediate, cause)
}
