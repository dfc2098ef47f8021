package wsi

import (
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

const (
	// stalledFor is how long a connection must have made no progress before it may be closed for the sake of newcomers,
	// from LevelStopAccepting on, if it holds at least half of the average. Who waits to be accepted is to
	// wait no longer than that.
	stalledFor = 100 * time.Millisecond
	// stalledLong is the same for those that hold less: more than a line with losses needs to go on.
	stalledLong = time.Second
)

// lastingMuch is the least that is worth closing a connection for which holds nothing but what lasts: less than a
// tls.Conn, or the context of compressed messages, and more than the further streams of an HTTP/2 connection.
const lastingMuch = 4 << 10

// levelChanged acts on the memory account: see loop.Level. When the level falls, connections that were not
// read are read again, and below LevelStopAccepting listeners accept again.
func (n *Net) levelChanged(v loop.Level) {
	if v < loop.LevelStopReading {
		n.unstallAll()
	}
	if v < loop.LevelStopAccepting {
		n.loop.Disarm(&n.pressure)
		n.wakeListeners()
		return
	}
	n.pressed()
}

// unstallAll has the connections read again that were not.
func (n *Net) unstallAll() {
	for h := n.holders.next; h != &n.holders; {
		next := h.next
		if h.w.flags&stalledRx != 0 {
			n.unstall(h)
		}
		h = next
	}
}

// pressed has those closed that memory is needed from: at the end of this turn at the ceiling, and below it as
// soon as they have stalled for long enough.
func (n *Net) pressed() {
	switch {
	case n.account.Level() == loop.LevelCloseWorst:
		n.loop.Defer(&n.closeTask, n)
	case n.account.Level() == loop.LevelStopAccepting && !n.pressure.Armed() && n.holders.next != &n.holders:
		at := max(n.holders.next.since, n.loop.Now()-stalledFor+1) + stalledFor
		n.loop.Arm(&n.pressure, at, (*pressure)(n))
	}
}

// short says that the ceiling is reached and the worst are still to be closed in this turn: until then nobody is
// served, since that would take more.
func (n *Net) short() bool {
	return n.account.Level() == loop.LevelCloseWorst && n.closeTask.Queued()
}

// pressure is a Net in its part as the owner of the timer that looks for stalled connections.
type pressure Net

// Expired implements loop.Expirer.
func (p *pressure) Expired(time.Duration) {
	n := (*Net)(p)
	if n.account.Level() < loop.LevelStopAccepting {
		return
	}
	n.evict(stalledFor, stalledLong)
	n.pressed()
}

// Label names the timer in reports.
func (p *pressure) Label() string { return "the memory account" }

// going says whether what h holds is about to be given back.
func (h *holding) going() bool { return h.w.flags&closing != 0 && h.w.mode != roles.Graceful }

// evict resets connections until the account will have fallen so far that newcomers are accepted again: first those
// that hold at least half of what connections hold on average, and have made no progress for least; then others that
// have made none for longer; and, if longer is 0, at last those that hold much of what lasts. Among each of them the
// one that has stalled longest is first.
func (n *Net) evict(least, longer time.Duration) {
	over := n.account.Over(loop.LevelStopAccepting)
	count, sum := 0, 0
	for h := n.holders.next; h != &n.holders; h = h.next {
		switch {
		case h.going():
			over -= int64(h.moving + h.lasting)
		case h.moving > 0:
			count++
			sum += h.moving
		}
	}
	much := sum / max(2*count, 1)
	now := n.loop.Now()
	for _, pass := range [...]struct {
		least time.Duration
		ok    func(h *holding) bool
	}{
		{least, func(h *holding) bool { return h.moving > 0 && h.moving >= much }},
		{longer, func(h *holding) bool { return h.moving > 0 }},
		{longer, func(h *holding) bool { return longer == 0 && h.lasting >= lastingMuch }},
	} {
		for h := n.holders.next; h != &n.holders && over > 0 && h.since+pass.least <= now; h = h.next {
			if !h.going() && pass.ok(h) {
				over -= int64(h.moving + h.lasting)
				n.Counters.MemoryClosed++
				h.w.Close(roles.Reset, &Error{Op: "keep", Wsi: h.w.Label(), Err: ErrMemory})
			}
		}
	}
}
