package loop

import "time"

// timerHeap orders timers by deadline and, among equals, by when they were set. It is a 4-ary heap, so
// that no operation is ever worse than logarithmic: a hierarchical wheel is cheaper on average, but
// pays with a cascade, and a turn that cascades is a latency spike for everybody.
//
// An idle timeout is pushed on by every request. That must not touch the heap: a deadline that moves
// later is only noted in the Timer, and its entry keeps the early key. When the entry surfaces it is
// seen to be stale (its sequence number is not the Timer's) and is put where it belongs.
type timerHeap struct {
	pages []*timerPage
	n     int
	seq   uint64 // last one given
}

// timerEntry carries its whole key, so that comparing does not touch the Timers.
type timerEntry struct {
	key time.Duration
	seq uint64
	t   *Timer
}

const (
	timerPageSize = 512 // 12 KiB, a size class of the allocator
	timerPageKeep = 2   // pages that are never given back
)

// timerPage is a fixed part of the heap's array. Growing adds one and copies nothing.
type timerPage [timerPageSize]timerEntry

func (h *timerHeap) at(i int) *timerEntry {
	return &h.pages[uint(i)/timerPageSize][uint(i)%timerPageSize]
}

func (a *timerEntry) before(b *timerEntry) bool {
	return a.key < b.key || a.key == b.key && a.seq < b.seq
}

// note takes down that t's deadline was set anew, and leaves its entry stale.
func (h *timerHeap) note(t *Timer) {
	h.seq++
	t.seq = h.seq
}

// arm enters t with the given key, or moves it there if it stands behind.
func (h *timerHeap) arm(t *Timer, key time.Duration) {
	h.note(t)
	if t.pos == 0 {
		if h.n == len(h.pages)*timerPageSize {
			h.pages = append(h.pages, new(timerPage))
		}
		h.n++
		h.up(h.n-1, timerEntry{key, t.seq, t})
		return
	}
	if i := int(t.pos - 1); key < h.at(i).key {
		h.up(i, timerEntry{key, t.seq, t})
	}
}

// remove takes t out.
func (h *timerHeap) remove(t *Timer) {
	i := int(t.pos - 1)
	t.pos = 0
	h.n--
	last := h.at(h.n)
	moved := *last
	*last = timerEntry{}
	if i < h.n {
		if i > 0 && moved.before(h.at((i-1)/4)) {
			h.up(i, moved)
		} else {
			h.down(i, moved)
		}
	}
	// Three quarters unused: half of that goes back. The distance between the two marks keeps a
	// number of timers that swings from allocating.
	if have := len(h.pages); have > timerPageKeep && h.n < have*timerPageSize/4 {
		keep := max(timerPageKeep, have/2)
		clear(h.pages[keep:])
		h.pages = h.pages[:keep]
	}
}

// up puts e at i or above.
func (h *timerHeap) up(i int, e timerEntry) {
	for i > 0 {
		p := (i - 1) / 4
		parent := h.at(p)
		if !e.before(parent) {
			break
		}
		*h.at(i) = *parent
		parent.t.pos = int32(i + 1)
		i = p
	}
	*h.at(i) = e
	e.t.pos = int32(i + 1)
}

// down puts e at i or below.
func (h *timerHeap) down(i int, e timerEntry) {
	for {
		c := 4*i + 1
		if c >= h.n {
			break
		}
		least := h.at(c)
		for k, end := c+1, min(c+4, h.n); k < end; k++ {
			if b := h.at(k); b.before(least) {
				least, c = b, k
			}
		}
		if !least.before(&e) {
			break
		}
		*h.at(i) = *least
		least.t.pos = int32(i + 1)
		i = c
	}
	*h.at(i) = e
	e.t.pos = int32(i + 1)
}

// refresh puts the first entry, whose timer has been moved on, where it belongs.
func (h *timerHeap) refresh(floor time.Duration) {
	t := h.at(0).t
	h.down(0, timerEntry{max(t.at, floor), t.seq, t})
}

// due does one step: it takes out the first timer if it is due and was set no later than limit. t is
// nil when the step only put a stale entry right. ok is false when nothing more is due.
func (h *timerHeap) due(now time.Duration, limit uint64) (t *Timer, ok bool) {
	if h.n == 0 {
		return nil, false
	}
	first := h.at(0)
	switch t = first.t; {
	case first.key > now:
		return nil, false
	case first.seq != t.seq && t.seq > limit:
		h.refresh(now)
		return nil, true
	case first.seq != t.seq:
		h.refresh(0)
		return nil, true
	case first.seq > limit:
		// Such a one has the key now at the least, and so stands behind all that are due.
		return nil, false
	}
	h.remove(t)
	return t, true
}

// staleLooks bounds how many stale entries soonest puts right. One that remains costs a wake-up.
const staleLooks = 16

// soonest returns when the loop has to wake up for a timer; ok is false when none is armed.
func (h *timerHeap) soonest() (at time.Duration, ok bool) {
	if h.n == 0 {
		return 0, false
	}
	first := h.at(0)
	for i := 0; i < staleLooks && first.seq != first.t.seq; i++ {
		h.refresh(0)
	}
	return first.key, true
}
