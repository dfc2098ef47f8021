package wsi

import (
	"time"

	"github.com/millrace/millrace/internal/list"
	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

// holding is the memory of one connection that lasts longer than the turn: its buffers, and the memory of the layers
// above it. It exists only while there is such memory, or while the connection waits for memory, so that an idle
// connection has none. Net.stalling lists the holdings with bytes that can make progress, in the order of since, so
// the first has stalled longest. Holdings with only lasting bytes are in another list, Net.lasting, so that the
// search for stalled connections does not visit them.
type holding struct {
	list.Links[holding]
	in  *buffer // input that upper did not use
	out *buffer // output that the socket refused

	w  *Wsi
	of *holdings // the list that contains it

	kinds   [roles.Kinds]int32 // bytes of each kind
	moving  int                // bytes that are released when the peer or the program makes progress
	lasting int                // bytes of kinds that last as long as the connection
	gone    int                // bytes released since the connection last moved in its list
	since   time.Duration      // time of the last progress, or of the first byte
}

// holdings is a list of holdings in the order of since.
type holdings = list.List[holding, *holding]

const (
	// blockedMax is how much unused input a connection may store while its Upper waits to write; the rest stays in the
	// kernel. It is more than any head that a role accepts by default, so that a peer which answers before it has read
	// all our output is still understood.
	blockedMax = 64 << 10
	// progress: releasing 1/progress of the bytes of a connection counts as progress. A peer that reads single bytes
	// makes none.
	progress = 8
	// holdingsFree limits the holdings that are kept for reuse.
	holdingsFree = 64
)

// share is how much of the ceiling all connections together may use for a kind, in percent. MayHold refuses more. For
// layers that cannot ask, the connection that has stalled longest with much of the kind is closed. Kinds without a
// share are stopped by flow control at LevelStopReading.
var share = [roles.Kinds]int64{
	roles.HoldInflater:  25, // 300 messages at the default ceiling; see ws.Deflate
	roles.HoldHandshake: 25,
	roles.HoldHead:      25,
	roles.HoldPart:      25,
	roles.HoldStream:    50,
	roles.HoldSession:   75, // 7,000 clients, or servers of TLS 1.2, at the default ceiling
}

// connShare: a connection is still read above LevelStopReading if it uses at most 1/connShare of the ceiling for
// kinds without a share, which is enough for an incomplete record or head: 64 KiB at the default ceiling.
const connShare = 1024

// hold returns the connection's holding, which it makes if necessary.
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

// moved records that n bytes were released.
func (h *holding) moved(n int) {
	if h.gone += n; h.gone >= h.moving/progress {
		h.restart()
	}
}

// tidy frees h if it is empty.
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
	if w.flags&stalledRx != 0 && !n.mustStall(h.unshared()) {
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
		return true // one is always allowed, however low the ceiling
	}
	return a.Level() < loop.LevelCloseWorst && (a.UsedBy(uint8(k))+int64(size))*100 <= a.Ceiling()*s
}

// unshared returns the bytes of kinds without a share. The other kinds are limited by their share, and some of them,
// such as a handshake, end only when the connection is read.
func (h *holding) unshared() (n int) {
	for k, s := range share {
		if s == 0 {
			n += int(h.kinds[k])
		}
	}
	return n
}

// mustStall reports whether a connection with so many unshared bytes must not be read at the present level.
func (n *Net) mustStall(held int) bool {
	return held > 0 && n.account.Level() >= loop.LevelStopReading &&
		int64(held) >= min(n.account.Ceiling()/connShare, blockedMax)
}

// stall stops reading the connection until memory is available.
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

// HeldBy returns the connection's bytes of a kind, including those of the layers above it.
func (w *Wsi) HeldBy(k roles.Kind) int {
	if w.holding == nil {
		return 0
	}
	return int(w.holding.kinds[k])
}

// Held returns the memory of the connection in bytes: unused input, refused output, and the memory of the layers
// above it.
func (w *Wsi) Held() int {
	if w.holding == nil {
		return 0
	}
	return w.holding.moving + w.holding.lasting
}

// StalledSince returns when the connection last made progress, on the loop's clock. ok is false if it has no bytes
// that could make progress.
func (w *Wsi) StalledSince() (at time.Duration, ok bool) {
	if w.holding == nil || w.holding.moving == 0 {
		return 0, false
	}
	return w.holding.since, true
}
