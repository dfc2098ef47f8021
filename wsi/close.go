package wsi

import (
	"syscall"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

// Close implements roles.Lower. All its effects happen at the end of the turn, or of the next turn if Close is called
// inside an Upper's Closed.
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
	w.mode = mode
	if w.dial != nil {
		w.dial.Halt()
	}
	w.setCause(cause)
	w.queueClose()
}

func (w *Wsi) queueClose() {
	n := w.net
	n.closing = append(n.closing, w)
	n.loop.Defer(&n.closeTask, n)
}

// RunTask implements loop.Runner: it ends the connections that were closed in this turn, and those that use too much
// memory.
func (n *Net) RunTask(now time.Duration) {
	if n.exceeded != 0 {
		n.evictShares()
	}
	if n.account.Level() == loop.LevelCloseWorst {
		n.evict()
	}
	list := n.closing
	n.closing = n.closingNext[:0]
	for i, w := range list {
		list[i] = nil
		w.finish(now)
	}
	n.closingNext = list[:0]
}

// Label names the present work of RunTask for reports.
func (n *Net) Label() string {
	if n.ending != nil {
		return "the end of " + n.ending.Label()
	}
	return "the ends of connections"
}

// finish calls Closed, and closes the descriptor or starts to drain it.
func (w *Wsi) finish(now time.Duration) {
	if w.phase == phaseClosed {
		return
	}
	if w.flags&closedTold == 0 {
		w.flags |= closedTold
		u, connected := w.upper, w.phase > phaseDialling
		if !connected {
			w.net.Counters.ConnectFailed++
		}
		w.net.ending = w
		u.Closed(w.closeCause())
		w.net.ending = nil
	}
	if w.mode != roles.Graceful || w.phase < phaseOpening || w.flags&outBroken != 0 {
		w.release(w.mode == roles.Reset)
		return
	}
	if w.phase < phaseDraining {
		w.move(phaseDraining)
		w.bytesIn = 0 // from here on it counts the discarded bytes
		w.linger(now)
		if w.drain(now) {
			w.kick()
		}
	}
}

// linger restarts the time limit of the peer.
func (w *Wsi) linger(now time.Duration) {
	w.activityOrDeadline = 0
	if w.timeouts.Linger > 0 {
		w.activityOrDeadline = now + w.timeouts.Linger
	}
	w.rearm()
}

// lingered reports whether the time for the last bytes and the end of a closed connection has run out. Before that it
// tries one more write: the kernel reports Writable only when a good part of its buffer is free, which on a slow line
// can take longer than the time limit.
func (w *Wsi) lingered(now time.Duration) bool {
	if w.out != nil {
		w.flags |= wrReady
		if w.drain(now) {
			w.kick()
		}
	}
	d := w.writeDeadline()
	return w.phase != phaseClosed && (w.activityOrDeadline != 0 && w.activityOrDeadline <= now || d != 0 && d <= now)
}

// drain sends the remaining output, ends our direction, and reads until the peer ends its direction; then it closes
// the descriptor. It returns true to continue in the next turn.
func (w *Wsi) drain(now time.Duration) (again bool) {
	n := w.net
	w.freeInput()
	if w.out != nil && w.flags&wrReady != 0 {
		had := w.bytesOut
		w.flushRefused(now)
		if w.bytesOut != had {
			w.linger(now)
		}
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
		w.move(phaseLingering) // its time runs from the last byte accepted, or from Close
	}
	for budget := n.loop.Share(); w.flags&(rdReady|ended) == rdReady; {
		if budget <= 0 {
			return true
		}
		k, e := n.sys.Read(w.src.FD(), n.in)
		switch {
		case e == syscall.EAGAIN:
			n.Counters.EmptyReads++
			w.flags &^= rdReady
		case e != 0:
			n.Counters.Reads++
			w.release(false)
			return false
		case k == 0:
			n.Counters.Reads++
			w.flags |= ended
			if w.out == nil { // otherwise the peer may still be reading
				w.release(false)
			}
			return false
		default:
			n.Counters.Reads++
			budget -= k
			if w.bytesIn += uint64(k); w.bytesIn > lingerMax {
				n.Counters.Flooded++
				w.release(false)
				return false
			}
			if k < len(n.in) && w.flags&hungUp == 0 {
				w.flags &^= rdReady
			}
		}
	}
	return false
}

// release frees all resources of the connection.
func (w *Wsi) release(abort bool) {
	n := w.net
	n.loop.Disarm(&w.timer)
	if w.dial != nil {
		if w.dial.Cancel() {
			n.Counters.Closed++
		}
		w.dial = nil
	}
	if w.src.Watched() {
		fd := w.src.FD()
		n.loop.Unwatch(&w.src)
		n.leave(fd)
		if abort {
			n.sys.Abort(fd)
		} else {
			n.sys.Close(fd)
		}
		n.open--
		n.Counters.Closed++
	}
	w.freeInput()
	if w.out != nil {
		n.freeBuffer(w.out)
		w.out = nil
	}
	w.flags &^= stalledRx
	if w.holding.w == w {
		w.holding.tidy()
	}
	w.move(phaseClosed)
	w.upper = nil
	n.wakeListeners()
	n.detach()
}
