package wsi

import (
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

const (
	// stalledLong is how long a connection must have made no progress before it is closed at LevelStopReading. There it may
	// be stalled because it is not read, and nothing else would end that wait.
	stalledLong = 10 * time.Second
	// stalledFor is the same at LevelStopAccepting: more than a line with losses needs to go on.
	stalledFor = time.Second
)

// lastingMuch is the least that is worth closing a connection for which holds nothing but what lasts: less than a
// tls.Conn, or the context of compressed messages, and more than the further streams of an HTTP/2 connection.
const lastingMuch = 4 << 10

// levelChanged acts on the memory account: see loop.Level. When the level falls, connections that were not
// read are read again, and below LevelStopAccepting listeners accept again.
func (n *Net) levelChanged(v loop.Level) {
	n.loop.Disarm(&n.pressure)
	if v < loop.LevelStopAccepting {
		n.wakeListeners()
	}
	if v < loop.LevelStopReading {
		n.unstallAll()
		return
	}
	n.pressed()
}

// unstallAll resumes reading all connections that wait for memory.
func (n *Net) unstallAll() {
	for _, l := range [...]*holdings{&n.stalling, &n.lasting} {
		for h := l.First(); h != nil; {
			next := l.Next(h)
			if h.w.flags&stalledRx != 0 {
				n.unstall(h)
			}
			h = next
		}
	}
}

// pressed has those closed that memory is needed from: at the end of this turn at the ceiling, and below it as
// soon as they have stalled for long enough.
func (n *Net) pressed() {
	v := n.account.Level()
	switch {
	case v == loop.LevelCloseWorst:
		n.loop.Defer(&n.closeTask, n)
	case v >= loop.LevelStopReading && !n.pressure.Armed() && n.evictable():
		least := stalledTime(v)
		n.loop.Arm(&n.pressure, max(n.stalling.First().since, n.loop.Now()-least+pressureStep)+least, (*pressure)(n))
	}
}

// pressureStep is how long after one look at stalled connections the next is taken, if the first of them was spared: it
// holds too little to matter.
const pressureStep = 100 * time.Millisecond

// stalledTime is how long a connection must have made no progress before it is closed at a level.
func stalledTime(v loop.Level) time.Duration {
	if v == loop.LevelStopReading {
		return stalledLong
	}
	return stalledFor
}

// short reports that the ceiling is reached and the worst are still to be closed in this turn. Until then no connection is
// served, since that would take more memory.
func (n *Net) short() bool {
	return n.account.Level() == loop.LevelCloseWorst && n.closeTask.Queued()
}

// pressure is a Net in its part as the owner of the timer that looks for stalled connections.
type pressure Net

// Expired implements loop.Expirer.
func (p *pressure) Expired(time.Duration) {
	n := (*Net)(p)
	if v := n.account.Level(); v >= loop.LevelStopReading {
		n.evictFrom(roles.Kinds, n.account.Over(min(v, loop.LevelStopAccepting)), stalledTime(v))
	}
	n.pressed()
}

// Label names the timer in reports.
func (p *pressure) Label() string { return "the memory account" }

// going reports whether h's connection is about to release what it holds.
func (h *holding) going() bool {
	w := h.w
	return w.phase == phaseClosed || w.flags&closing != 0 && w.mode != roles.Graceful
}

// evictable reports whether there is a connection that could be closed for the sake of others.
func (n *Net) evictable() bool {
	for h := n.stalling.First(); h != nil; h = n.stalling.Next(h) {
		if !h.going() {
			return true
		}
	}
	return false
}

// onlyLasting reports whether lasting bytes alone keep the level at LevelStopAccepting. They are bounded by their own share,
// so the rest of the ceiling is left for newcomers, which need not wait until other clients' sessions end.
func (n *Net) onlyLasting() bool {
	a := n.account
	return a.Level() == loop.LevelStopAccepting && a.Over(loop.LevelStopAccepting) <= a.UsedBy(uint8(roles.HoldSession))+a.UsedBy(uint8(roles.HoldStream))
}

// amount is how much of what h holds eviction for the sake of a kind, or of all of them, is about.
func (h *holding) amount(k roles.Kind) int {
	if k == roles.Kinds {
		return h.moving
	}
	return int(h.kinds[k])
}

// evict resets connections until the account will have fallen below LevelStopAccepting: the one that has made no
// progress for longest first, among those that hold at least half of what connections hold on average; then among the
// others. Connections with many lasting bytes and no others do not stall anything: they go last, and only until
// LevelCloseWorst ends.
func (n *Net) evict() {
	var ending int64
	for h := n.lasting.First(); h != nil; h = n.lasting.Next(h) {
		if h.going() {
			ending += int64(h.lasting)
		}
	}
	most := n.account.Over(loop.LevelStopAccepting)
	left := n.evictFrom(roles.Kinds, most-ending, 0)
	over := n.account.Over(loop.LevelCloseWorst) - (most - left)
	for h := n.lasting.First(); h != nil && over > 0; h = n.lasting.Next(h) {
		if !h.going() && h.lasting >= lastingMuch {
			over -= h.evict()
		}
	}
}

// evictShares does so for the kinds that have used up more than their share: until each has fallen an eighth below it.
func (n *Net) evictShares() {
	for k := range roles.Kinds {
		if n.exceeded&(1<<k) != 0 {
			most := n.account.Ceiling() / 100 * share[k]
			n.evictFrom(k, n.account.UsedBy(uint8(k))-most+most/8, 0)
		}
	}
	n.exceeded = 0
}

// evictFrom resets connections until over bytes of a kind, of all of them for roles.Kinds, will have been given back, and
// returns what it is short of. With least, only those go that have made no progress for so long, and hold at least half
// of the average.
func (n *Net) evictFrom(k roles.Kind, over int64, least time.Duration) int64 {
	count, sum := 0, 0
	for h := n.stalling.First(); h != nil; h = n.stalling.Next(h) {
		switch {
		case h.going() && k == roles.Kinds:
			over -= int64(h.moving + h.lasting)
		case h.going():
			over -= int64(h.amount(k))
		case h.amount(k) > 0:
			count++
			sum += h.amount(k)
		}
	}
	if k != roles.Kinds && count <= 1 {
		return over // one of each there can be, however low the ceiling
	}
	now := n.loop.Now()
	for _, much := range [...]int{sum / max(2*count, 1), 1} {
		if much == 1 && least > 0 {
			break
		}
		for h := n.stalling.First(); h != nil && over > 0 && h.since+least <= now; h = n.stalling.Next(h) {
			if size := h.amount(k); size > 0 && size >= much && !h.going() {
				if gone := h.evict(); k == roles.Kinds {
					over -= gone
				} else {
					over -= int64(size)
				}
			}
		}
	}
	return over
}

// evict resets h's connection, and returns how much it will give back.
func (h *holding) evict() int64 {
	w := h.w
	w.net.Counters.MemoryClosed++
	w.Close(roles.Reset, &Error{Op: "keep", Wsi: w.Label(), Err: ErrMemory})
	return int64(h.moving + h.lasting)
}
