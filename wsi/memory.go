package wsi

import (
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

// This file closes connections when the account of a Net is short of memory: levelChanged is called when the level changes,
// Hold (holding.go) calls pressed, and RunTask (close.go) calls evict and evictShares. holding.go has what each connection
// uses.

const (
	// stallStopReading is how long a connection must have made no progress before it is closed at LevelStopReading. At that
	// level it may have stalled because it is not read, and nothing else would end that.
	stallStopReading = 10 * time.Second
	// stallStopAccepting is the same time at LevelStopAccepting: longer than the pauses of a line with losses.
	stallStopAccepting = time.Second
)

// lastingMuch is the minimum for closing a connection that has only lasting bytes: less than a tls.Conn or a
// compression context, and more than the additional streams of an HTTP/2 connection.
const lastingMuch = 4 << 10

// levelChanged handles a change of the memory account: see loop.Level. When the level falls, stalled connections are
// read again, and below LevelStopAccepting listeners accept again.
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

// pressed starts the closing of connections to free memory: at the ceiling at the end of this turn, below it when
// they have stalled for long enough.
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

// pressureStep is the time until the next check if the first stalled connection uses too little memory to be closed.
const pressureStep = 100 * time.Millisecond

// stalledTime returns how long a connection must have made no progress before it is closed at a level.
func stalledTime(v loop.Level) time.Duration {
	if v == loop.LevelStopReading {
		return stallStopReading
	}
	return stallStopAccepting
}

// short reports whether the ceiling is reached and connections are still to be closed in this turn. Until then no
// connection is served, since that would use more memory.
func (n *Net) short() bool {
	return n.account.Level() == loop.LevelCloseWorst && n.closeTask.Queued()
}

// pressure is the Net as the owner of the timer that checks for stalled connections.
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

// going reports whether h's connection is about to be released.
func (h *holding) going() bool {
	w := h.w
	return w.phase == phaseClosed || w.flags&closing != 0 && w.mode != roles.Graceful
}

// evictable reports whether a stalled connection can be closed to free memory.
func (n *Net) evictable() bool {
	for h := n.stalling.First(); h != nil; h = n.stalling.Next(h) {
		if !h.going() {
			return true
		}
	}
	return false
}

// onlyLasting reports whether only lasting bytes keep the level at LevelStopAccepting. They are limited by their own
// share, so the rest of the ceiling is available for new connections, which need not wait for the end of other
// clients' sessions.
func (n *Net) onlyLasting() bool {
	a := n.account
	return a.Level() == loop.LevelStopAccepting && a.Over(loop.LevelStopAccepting) <= a.UsedBy(uint8(roles.HoldSession))+a.UsedBy(uint8(roles.HoldStream))
}

// amount returns the bytes of h that evictFrom counts: those of kind k, or, for roles.Kinds, all that are not lasting.
func (h *holding) amount(k roles.Kind) int {
	if k == roles.Kinds {
		return h.moving
	}
	return int(h.kinds[k])
}

// evict resets connections until the account will be below LevelStopAccepting: first those with at least half of the
// average, in order of their stall time; then the others. A connection with many lasting bytes and no others blocks
// nothing: it is closed last, and only until LevelCloseWorst ends.
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

// evictShares resets the connections that use most of a kind that is above its share (see share), until the kind is an
// eighth below it.
func (n *Net) evictShares() {
	for k := range roles.Kinds {
		if n.exceeded&(1<<k) != 0 {
			most := n.account.Ceiling() / 100 * share[k]
			n.evictFrom(k, n.account.UsedBy(uint8(k))-most+most/8, 0)
		}
	}
	n.exceeded = 0
}

// evictFrom resets connections until over bytes of a kind (roles.Kinds: of all kinds) will be released. It returns how many
// bytes are missing; 0 or less if none. First it resets connections with at least half of the average, then the others. If
// least is not 0, it resets only the first group, and of it those that have stalled for at least that time.
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
		return over // a single connection may always use the kind, however low the ceiling
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

// evict resets h's connection, and returns how many bytes that will release.
func (h *holding) evict() int64 {
	w := h.w
	w.net.Counters.MemoryClosed++
	w.Close(roles.Reset, &Error{Op: "keep", Wsi: w.Label(), Err: ErrMemory})
	return int64(h.moving + h.lasting)
}
