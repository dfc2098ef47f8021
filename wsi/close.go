package wsi

import (
	"syscall"
	"time"

	"github.com/millrace/millrace/roles"
)

// Close implements roles.Lower. Everything that follows from it happens at the end of the turn.
func (w *Wsi) Close(mode roles.CloseMode, cause error) {
	if w.phase == phaseNew || w.phase == phaseClosed {
		return
	}
	if w.flags&closing != 0 {
		if w.mode == roles.Graceful && mode != roles.Graceful {
			w.mode = mode
			w.queueClose()
		}
		return
	}
	w.flags |= closing
	w.mode, w.cause = mode, cause
	w.queueClose()
}

func (w *Wsi) queueClose() {
	n := w.net
	n.closing = append(n.closing, w)
	n.loop.Defer(&n.closeTask, n)
}

// RunTask implements loop.Runner: it ends the connections that were asked to close in this turn.
func (n *Net) RunTask(now time.Duration) {
	list := n.closing
	n.closing = n.closingNext[:0]
	for i, w := range list {
		list[i] = nil
		w.finish(now)
	}
	n.closingNext = list[:0]
}

// finish tells the Upper, and gives the descriptor back or begins to drain it.
func (w *Wsi) finish(now time.Duration) {
	if w.phase == phaseClosed {
		return
	}
	if w.flags&closedTold == 0 {
		w.flags |= closedTold
		u, connected := w.upper, w.phase > phaseConnecting
		if !connected {
			w.net.Counters.ConnectFailed++
		}
		u.Closed(w.cause)
	}
	if w.mode != roles.Graceful || w.phase < phaseOpening || w.flags&outBroken != 0 {
		w.release(w.mode == roles.Reset)
		return
	}
	if w.phase < phaseDraining {
		w.phase = phaseDraining
		w.deadline = 0
		if w.times.Linger > 0 {
			w.deadline = now + w.times.Linger
		}
		if w.drain() {
			w.kick()
		}
		if w.phase != phaseClosed {
			w.rearm()
		}
	}
}

// drain sends what is left, ends our direction, and reads until the peer ends its own; then the
// descriptor is given back. It returns true if it wants to go on in the next turn.
func (w *Wsi) drain() (again bool) {
	n := w.net
	if w.in != nil {
		n.give(w.in)
		w.in = nil
	}
	if w.out != nil && w.flags&wrReady != 0 {
		w.flushHeld()
	}
	if w.out == nil && w.phase == phaseDraining {
		if w.flags&(ended|outBroken) != 0 {
			w.release(false)
			return false
		}
		if w.flags&finSent == 0 {
			n.sys.CloseWrite(w.src.FD())
			w.flags |= finSent
		}
		w.phase = phaseLingering
	}
	for budget := n.loop.Config().Bytes; w.flags&rdReady != 0; {
		if budget <= 0 {
			return true
		}
		k, e := n.sys.Read(w.src.FD(), n.in)
		switch {
		case e == syscall.EAGAIN:
			n.Counters.EmptyReads++
			w.flags &^= rdReady
		case e != 0 || k == 0:
			n.Counters.Reads++
			w.flags |= ended
			w.release(false)
			return false
		default:
			n.Counters.Reads++
			budget -= k
			if k < len(n.in) && w.flags&hungUp == 0 {
				w.flags &^= rdReady
			}
		}
	}
	return false
}

// release gives back everything that the connection holds.
func (w *Wsi) release(abort bool) {
	n := w.net
	n.loop.Disarm(&w.timer)
	if w.dial != nil {
		w.dial.cancel()
		w.dial = nil
	}
	if w.src.Watched() {
		fd := w.src.FD()
		n.loop.Unwatch(&w.src)
		if abort {
			n.sys.Abort(fd)
		} else {
			n.sys.Close(fd)
		}
		n.open--
		n.Counters.Closed++
	}
	if w.in != nil {
		n.give(w.in)
		w.in = nil
	}
	if w.out != nil {
		n.give(w.out)
		w.out = nil
	}
	w.phase = phaseClosed
	w.flags |= gone
	w.upper = nil
	n.wakeListeners()
}
