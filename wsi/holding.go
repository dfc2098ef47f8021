package wsi

import (
	"time"

	"github.com/millrace/millrace/internal/list"
	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

// holding is what one connection holds beyond the turn, in buffers of its own and by the layers above it. It
// exists only while there is something, or while the connection waits for memory, so that an idle connection
// does not pay for it. Net.stalling lists the holdings with bytes that can make progress in the order of since, the
// longest stalled first. Those with lasting bytes alone are in another list, Net.lasting, so that the search for the
// longest stalled does not walk over them.
type holding struct {
	list.Links[holding]
	in  *buffer // input that upper left
	out *buffer // output that the socket refused

	w  *Wsi
	of *holdings // the list that it is in

	kinds   [roles.Kinds]int32 // bytes of each kind
	moving  int                // bytes that go when the peer, or the program, makes progress
	lasting int                // bytes of kinds that last as long as the connection
	gone    int                // bytes that went since the connection last moved in its list
	since   time.Duration      // when progress was last made, or the first byte was held
}

// holdings is a list of holdings in the order of since.
type holdings = list.List[holding, *holding]

const (
	// progress is the fraction of a connection's bytes that must be released to count as progress, one eighth: a peer
	// that takes a byte now and then makes none.
	progress = 8
	// holdingsFree bounds the holdings that are kept for the next connection.
	holdingsFree = 64
)

// share is how much of the ceiling all holders of a kind may use together, in percent: the newcomer that asks
// MayHold is refused, and where it cannot be the one that has stalled longest with much of the kind makes way. Kinds
// without a share stop at LevelStopReading by flow control.
var share = [roles.Kinds]int64{
	roles.HoldInflater:  25, // 300 messages at the default ceiling; see ws.Deflate
	roles.HoldHandshake: 25,
	roles.HoldHead:      25,
	roles.HoldPart:      25,
	roles.HoldStream:    50,
	roles.HoldSession:   75, // 7,000 clients, or servers of TLS 1.2, at the default ceiling
}

// connShare is the part of the ceiling that a connection may hold of the kinds without a share and still be read from
// LevelStopReading on: enough for a record or a head that has not come complete. One 1,024th, at most 64 KiB.
const connShare = 1024

// hold returns the connection's holding, made if there is none.
func (w *Wsi) hold() *holding {
	if w.holding.w == w {
		return w.holding
	}
	n := w.net
	var h *holding
	if k := len(n.spare); k > 0 {
		h, n.spare = n.spare[k-1], n.spare[:k-1]
	} else {
		h = new(holding)
	}
	h.w, w.holding = w, h
	h.restart()
	return h
}

// restart sets since to now and moves h to the end of its list.
func (h *holding) restart() {
	n := h.w.net
	h.since, h.gone = n.loop.Now(), 0
	if h.of != nil {
		h.of.Remove(h)
	}
	h.of = &n.stalling
	if h.moving == 0 {
		h.of = &n.lasting
	}
	h.of.PushBack(h)
}

// moved notes that n bytes of what is held went.
func (h *holding) moved(n int) {
	if h.gone += n; h.gone >= h.moving/progress {
		h.restart()
	}
}

// tidy gives h back if there is nothing to it.
func (h *holding) tidy() {
	w := h.w
	if h.moving|h.lasting != 0 || w.flags&stalledRx != 0 {
		return
	}
	n := w.net
	w.holding = &n.none
	h.of.Remove(h)
	*h = holding{}
	if len(n.spare) < holdingsFree {
		n.spare = append(n.spare, h)
	}
}

// Hold implements roles.Lower.
func (w *Wsi) Hold(k roles.Kind, delta int) {
	if delta == 0 {
		return
	}
	n, h := w.net, w.hold()
	n.account.Hold(uint8(k), delta)
	h.kinds[k] += int32(delta)
	if k.Lasting() {
		h.lasting += delta
	} else {
		was := h.moving
		h.moving += delta
		switch {
		case delta < 0:
			h.moved(-delta)
		case was == 0:
			h.restart()
		}
	}
	if delta > 0 {
		if s := share[k]; s > 0 && n.account.Ceiling() > 0 && !k.Lasting() && n.account.UsedBy(uint8(k))*100 > n.account.Ceiling()*s {
			// more than MayHold allows: some layers cannot ask
			n.exceeded |= 1 << k
			n.loop.Defer(&n.closeTask, n)
		}
		if n.account.Level() >= loop.LevelStopReading {
			n.pressed()
		}
		return
	}
	if w.flags&stalledRx != 0 && !n.starves(h.unshared()) {
		n.unstall(h)
		return
	}
	h.tidy()
}

// MayHold implements roles.Lower.
func (w *Wsi) MayHold(k roles.Kind, size int) bool {
	a := w.net.account
	s := share[k]
	switch {
	case a.Ceiling() <= 0:
		return true
	case s == 0:
		return a.Level() < loop.LevelStopReading
	case a.UsedBy(uint8(k)) <= 0:
		return true // one of each there can be, however low the ceiling
	}
	return a.Level() < loop.LevelCloseWorst && (a.UsedBy(uint8(k))+int64(size))*100 <= a.Ceiling()*s
}

// unshared is how much h holds of the kinds without a share. The others are bounded by their share, and some of them, such as
// a handshake, end only when the connection is read.
func (h *holding) unshared() (n int) {
	for k, s := range share {
		if s == 0 {
			n += int(h.kinds[k])
		}
	}
	return n
}

// starves reports whether a connection that holds so much, see unshared, must not be read at the present level.
func (n *Net) starves(held int) bool {
	return held > 0 && n.account.Level() >= loop.LevelStopReading &&
		int64(held) >= min(n.account.Ceiling()/connShare, blockedMax)
}

// stall stops reading the connection until there is memory.
func (w *Wsi) stall() {
	w.hold()
	w.flags |= stalledRx
}

// unstall resumes reading the connection of h.
func (n *Net) unstall(h *holding) {
	w := h.w
	w.flags &^= stalledRx
	w.kick()
	h.tidy()
}

// HeldBy is how many bytes the connection holds of a kind, those of the layers above it included.
func (w *Wsi) HeldBy(k roles.Kind) int {
	if w.holding == nil {
		return 0
	}
	return int(w.holding.kinds[k])
}

// Held is how many bytes of memory the connection holds: unused input and refused output, and what the layers
// above it keep on the peer's behalf.
func (w *Wsi) Held() int {
	if w.holding == nil {
		return 0
	}
	return w.holding.moving + w.holding.lasting
}

// StalledSince is when the connection last made progress with what it holds, on the loop's clock. ok is false
// when it holds nothing that could make progress.
func (w *Wsi) StalledSince() (at time.Duration, ok bool) {
	if w.holding == nil || w.holding.moving == 0 {
		return 0, false
	}
	return w.holding.since, true
}
