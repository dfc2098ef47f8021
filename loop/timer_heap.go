package loop

import "time"

// timerHeap orders timers by deadline and, among equal deadlines, by the order of setting. It is a 4-ary heap, so no
// operation is worse than logarithmic: a hierarchical wheel is cheaper on average, but its cascades are latency
// spikes for all connections.
//
// Every request moves an idle timeout later. That must not touch the heap: a later deadline is only recorded in the
// Timer, and the entry keeps its earlier key. When the entry reaches the top, it is recognised as stale (its sequence
// number differs from the Timer's) and moved to its proper position.
type timerHeap struct {
	pages []*timerPage
	n     int
	seq   uint64 // last sequence number used
}

// timerEntry contains its whole key, so that comparisons do not access the Timers.
type timerEntry struct {
	key time.Duration
	seq uint64
	t   *Timer
}

const (
	timerPageSize = 512 // 12 KiB, a size class of the allocator
	timerPageKeep = 2   // pages that are never dropped
)

// timerPage is a fixed part of the heap's array. Growing adds a page and copies nothing.
type timerPage [timerPageSize]timerEntry

func (h *timerHeap) at(i int) *timerEntry {
	return &h.pages[uint(i)/timerPageSize][uint(i)%timerPageSize]
}

func (a *timerEntry) before(b *timerEntry) bool {
	return a.key < b.key || a.key == b.key && a.seq < b.seq
}

// note records that t's deadline was set again, and leaves its entry stale.
func (h *timerHeap) note(t *Timer) {
	h.seq++
	t.seq = h.seq
}

// arm inserts t with the given key, or moves it forward to that key.
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

// remove removes t.
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
	// If three quarters are unused, drop half of the pages. The distance between the two marks prevents allocations when
	// the number of timers oscillates.
	if have := len(h.pages); have > timerPageKeep && h.n < have*timerPageSize/4 {
		keep := max(timerPageKeep, have/2)
		clear(h.pages[keep:])
		h.pages = h.pages[:keep]
	}
}

// up places e at index i or closer to the root.
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

// down places e at index i or farther from the root.
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

// refresh moves the first entry, whose timer was set later, to its proper position.
func (h *timerHeap) refresh(floor time.Duration) {
	t := h.at(0).t
	h.down(0, timerEntry{max(t.at, floor), t.seq, t})
}

// due makes one step: it removes the first timer if it is due and was set no later than limit. t is nil if the step
// only moved a stale entry. ok is false if no timer is due.
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
		// Such an entry has a key of at least now, so it is after all due entries.
		return nil, false
	}
	h.remove(t)
	return t, true
}

// maxRefresh limits how many stale entries soonest moves. A remaining one costs one wake-up.
const maxRefresh = 16

// soonest returns when the loop has to wake up for a timer. ok is false if none is armed.
func (h *timerHeap) soonest() (at time.Duration, ok bool) {
	if h.n == 0 {
		return 0, false
	}
	first := h.at(0)
	for i := 0; i < maxRefresh && first.seq != first.t.seq; i++ {
		h.refresh(0)
	}
	return first.key, true
}
