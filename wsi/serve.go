package wsi

import (
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

// This file serves one connection in one turn: Ready notes what the socket can do, serve and exchange call the Upper.

// Ready implements loop.Handler. All work on a connection starts here or in Expired.
func (w *Wsi) Ready(now time.Duration, r loop.Ready) (again bool) {
	if r&loop.Writable != 0 {
		w.flags |= wrReady
	}
	if r&(loop.Readable|loop.HangUp|loop.Broken) != 0 && w.flags&ended == 0 {
		w.flags |= rdReady
		if r&(loop.HangUp|loop.Broken) != 0 {
			w.flags |= hungUp
		}
	}
	if r&loop.Broken != 0 && w.phase >= phaseOpening && (r&loop.Failed != 0 || w.flags&finSent == 0) {
		w.flags |= gone // if Broken is only caused by two orderly ends, including ours, the input can still be read
		if r&loop.Failed != 0 {
			w.flags |= failed
		}
	}
	switch w.phase {
	case phaseDraining, phaseLingering:
		return w.drain(now)
	case phaseOpening, phaseOpen, phaseUnread:
	default:
		return false
	}
	return w.serve(now, false)
}

// serve transfers bytes until neither direction makes progress or the turn's share is used up, and then writes all
// the output at once.
func (w *Wsi) serve(now time.Duration, expired bool) (again bool) {
	w.net.out.owner = w
	w.flags |= serving
	if w.out != nil && w.flags&wrReady != 0 {
		w.flushRefused(now)
	}
	before := w.bytesIn + w.bytesOut
	if w.flags&(wantsWoken|closing|unopened) == wantsWoken {
		w.flags &^= wantsWoken
		w.upper.Woken(now)
		if expired { // Woken may have changed the deadline
			d := w.upper.Deadline()
			expired = d != 0 && d <= now
		}
	}
	if expired && w.flags&(closing|unopened) == 0 {
		w.upper.Timeout(now)
	}
	again = w.exchange(now)
	if w.flags&(wantsWoken|closing|unopened) == wantsWoken {
		again = true
	}
	w.flush()
	if w.flags&(finAsked|finSent|closing) == finAsked && w.out == nil {
		w.net.sys.CloseWrite(w.src.FD())
		w.flags |= finSent
	}
	w.flags &^= serving
	w.net.out.owner = nil
	if w.phase == phaseOpen && w.bytesIn+w.bytesOut != before {
		w.activityOrDeadline = now
	}
	if w.flags&closing == 0 {
		w.rearm()
	}
	return again
}

// exchange offers input, asks for output, and reads more, as long as there is progress. roles.Turn defines the order. The
// slice that Rx gets is in the shared buffer, or in w.in if an earlier turn left input: it is valid during the call, and
// park stores what is not used.
func (w *Wsi) exchange(now time.Duration) (again bool) {
	n := w.net
	readLeft, out := n.loop.Share(), roles.Turn{Left: n.loop.Share()}
	if n.account.Level() >= loop.LevelStopReading {
		// At most one MaxRoom, so that little output is stored if the socket refuses it.
		out.Left = min(out.Left, roles.MaxRoom)
	}
	var in []byte
	if w.in != nil {
		in = w.in.bytes()
	}
	stored, bytesBefore := len(in), w.bytesIn
	for w.flags&closing == 0 {
		if w.flags&unopened != 0 {
			w.flags &^= unopened
			out.Idle = false
			w.upper.Opened(now)
			continue
		}
		if n.short() {
			again = true
			break
		}
		moved := false
		if len(in) > 0 && w.flags&paused == 0 {
			used := w.upper.Rx(now, in)
			in = in[used:]
			moved = used > 0
			w.flags |= offered
		}
		if out.Due(w.flags&(wantWrite|closing|unopened) == wantWrite) && w.canProduce() {
			if out.Left <= 0 {
				again = true
				break
			}
			w.flags &^= wantWrite
			had := n.out.total
			w.upper.Writable(now)
			if out.Wrote(int(n.out.total-had), w.flags&wantWrite != 0) {
				moved = true
			} else {
				again = true
			}
		}
		if moved || w.flags&unopened != 0 {
			continue
		}
		if w.flags&(paused|closing) != 0 {
			break
		}
		if w.flags&rdReady == 0 {
			if w.flags&(ended|endTold) != ended {
				break
			}
			w.flags |= endTold
			w.upper.RxEnd(now, len(in))
			continue
		}
		if readLeft <= 0 {
			again = true
			break
		}
		if !w.mayRead(len(in)) {
			break
		}
		had := len(in)
		in = w.read(in)
		readLeft -= len(in) - had
	}
	if w.flags&(gone|closing) == gone && !again {
		rxUsed := stored+int(w.bytesIn-bytesBefore) > len(in)
		in = w.peerGone(now, in, rxUsed)
	}
	if w.flags&closing != 0 {
		in = nil
	}
	w.park(in)
	if w.flags&(hungUp|paused|outBroken|gone|hangUpTold|closing) == hungUp|paused {
		w.flags |= hangUpTold
		if u, ok := w.upper.(roles.HangUpWatcher); ok {
			u.HungUp(now)
		}
	}
	if w.flags&(outBroken|closing) == outBroken && w.mustEnd(again) {
		n.Counters.Resets++
		w.Close(roles.Immediate, w.closeCause())
	}
	return again
}

// mustEnd reports whether a connection whose socket accepts no more output must end now. again reports that this turn left
// work. The connection stays as long as the Upper can get the peer's last bytes, also if it has paused. But if the Upper
// wants to write and there is nothing more to read, it would wait without end.
func (w *Wsi) mustEnd(again bool) bool {
	if w.flags&wantWrite != 0 {
		return !again
	}
	return w.flags&(ended|paused) == ended
}
