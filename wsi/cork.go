package wsi

import "github.com/millrace/millrace/roles"

// Cork implements roles.Lower. Outside of the connection's turn the output is collected in the shared arena, or in a
// second one if another connection is using it.
func (w *Wsi) Cork() bool {
	n := w.net
	if w.flags&(wrReady|outBroken|finAsked|closing|unopened) != wrReady || w.phase != phaseOpening && w.phase != phaseOpen {
		return false
	}
	if n.out.owner == w {
		return true
	}
	n.corkedAt = w.bytesOut
	if w.out != nil {
		w.flushRefused(n.sys.Now())
		if w.out != nil || w.flags&(wrReady|outBroken) != wrReady {
			w.uncorked()
			return false
		}
	}
	if n.out.owner != nil {
		n.out, n.aside = n.aside, n.out
		if n.out.buf == nil {
			n.out.buf = make([]byte, outSize)
		}
	}
	n.out.owner = w
	w.flags |= corked
	return true
}

// Uncork implements roles.Lower.
func (w *Wsi) Uncork() {
	n := w.net
	if w.flags&corked == 0 {
		if n.out.owner == w && n.out.lends > 0 {
			w.flush()
		}
		return
	}
	w.flush()
	w.flags &^= corked
	n.out.owner = nil
	if n.aside.owner != nil {
		n.out, n.aside = n.aside, n.out
	}
	w.uncorked()
}

// uncorked updates the deadlines of a connection that wrote outside of its turn. The loop's time may be outdated,
// since there may be no turn.
func (w *Wsi) uncorked() {
	if w.phase == phaseOpen && w.bytesOut != w.net.corkedAt {
		w.activityOrDeadline = w.net.sys.Now()
	}
	w.rearm()
}

// Lendable implements roles.Lower.
func (w *Wsi) Lendable(n int) int {
	a := &w.net.out
	most := w.net.lendMost()
	if a.owner == w && (a.lends == maxLent || a.lends > 0 && most-a.lentSize < roles.LendMin) {
		w.flush()
	}
	if a.owner != w || w.flags&(finAsked|closing) != 0 || !w.roomFor(n) {
		return 0
	}
	return most - a.lentSize
}

// Lend implements roles.Lower.
func (w *Wsi) Lend(b []byte) int {
	a := &w.net.out
	if a.owner != w || w.flags&(wrReady|outBroken) != wrReady {
		return 0
	}
	n := len(b)
	if n+a.lentSize > w.net.lendMost() || a.lends == maxLent {
		n = w.writeLent(b)
	} else if n > 0 {
		a.lent[a.lends] = lent{b, a.n}
		a.lends++
		a.lentSize += n
	}
	a.total += uint64(n)
	return n
}
