package loop

import (
	"math/rand/v2"
	"sort"
	"testing"
	"time"
)

// model is the expected behaviour of the heap: a list that is sorted on demand.
type model struct {
	at  map[int]time.Duration
	seq map[int]int
	n   int
}

func (m *model) arm(id int, at time.Duration) {
	m.n++
	m.at[id], m.seq[id] = at, m.n
}

func (m *model) remove(id int) {
	delete(m.at, id)
	delete(m.seq, id)
}

// due returns the timers that expire until now, in order.
func (m *model) due(now time.Duration) []int {
	var ids []int
	for id, at := range m.at {
		if at <= now {
			ids = append(ids, id)
		}
	}
	sort.Slice(ids, func(i, j int) bool {
		a, b := ids[i], ids[j]
		return m.at[a] < m.at[b] || m.at[a] == m.at[b] && m.seq[a] < m.seq[b]
	})
	return ids
}

// check fails if a child is before its parent or a timer has a wrong position.
func (h *timerHeap) check(t *testing.T) {
	t.Helper()
	for i := range h.n {
		e := h.at(i)
		if int(e.t.pos) != i+1 {
			t.Fatalf("entry %d: its timer has position %d", i, e.t.pos-1)
		}
		if i > 0 && e.before(h.at((i-1)/4)) {
			t.Fatalf("entry %d (%v, %d) should be before its parent", i, e.key, e.seq)
		}
		if e.key > e.t.at {
			t.Fatalf("entry %d has the key %v, later than its timer's %v", i, e.key, e.t.at)
		}
	}
	for i := h.n; i < len(h.pages)*timerPageSize; i++ {
		if *h.at(i) != (timerEntry{}) {
			t.Fatalf("entry %d of %d is not cleared", i, h.n)
		}
	}
}

func TestTimersAgainstModel(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 0))
		h := new(timerHeap)
		m := model{at: map[int]time.Duration{}, seq: map[int]int{}}
		timers := make([]Timer, 1+rng.IntN(3000))
		ids := make(map[*Timer]int)
		for i := range timers {
			ids[&timers[i]] = i
		}
		now := time.Duration(1)
		span := 1 + rng.IntN(2000) // small spans make many equal deadlines
		for step := range 20_000 {
			id := rng.IntN(len(timers))
			timer := &timers[id]
			switch op := rng.IntN(10); {
			case op < 6:
				at := now + 1 + time.Duration(rng.IntN(span))
				later := timer.pos != 0 && at >= timer.at
				if timer.at = at; later {
					h.note(timer)
				} else {
					h.arm(timer, at)
				}
				m.arm(id, at)
			case op < 8:
				if timer.pos != 0 {
					h.remove(timer)
				}
				m.remove(id)
			case op < 9:
				h.soonest()
			default:
				now += time.Duration(rng.IntN(span/10 + 1))
				want := m.due(now)
				for i := 0; ; {
					got, ok := h.due(now, h.seq)
					if !ok {
						if i != len(want) {
							t.Fatalf("seed %d, step %d: %d timers went off, want %d", seed, step, i, len(want))
						}
						break
					}
					if got == nil {
						continue
					}
					if i >= len(want) || ids[got] != want[i] {
						t.Fatalf("seed %d, step %d, place %d: timer %d went off, want %v", seed, step, i, ids[got], want[i:])
					}
					m.remove(ids[got])
					i++
				}
			}
			if step%997 == 0 {
				h.check(t)
			}
			if h.n != len(m.at) {
				t.Fatalf("seed %d, step %d: got %d armed, want %d", seed, step, h.n, len(m.at))
			}
		}
		h.check(t)
	}
}

func TestTimerHeapDropsPages(t *testing.T) {
	h := new(timerHeap)
	timers := make([]Timer, 100*timerPageSize)
	for i := range timers {
		h.arm(&timers[i], time.Duration(i))
	}
	for i := range timers {
		h.remove(&timers[i])
	}
	if len(h.pages) > timerPageKeep {
		t.Errorf("emptied: got %d pages, want %d at most", len(h.pages), timerPageKeep)
	}
	for _, p := range h.pages[:cap(h.pages)][len(h.pages):] {
		if p != nil {
			t.Fatal("a dropped page is still referenced")
		}
	}
}

func TestMovingLaterKeepsTheHeap(t *testing.T) {
	h := new(timerHeap)
	timers := make([]Timer, 1000)
	for i := range timers {
		timers[i].at = time.Duration(i + 1)
		h.arm(&timers[i], timers[i].at)
	}
	before := *h.at(int(timers[3].pos - 1))
	timers[3].at = 10
	h.arm(&timers[3], 10) // and also without Arm's shortcut
	if after := *h.at(int(timers[3].pos - 1)); after != before {
		t.Errorf("the entry went from %+v to %+v, want it unchanged", before, after)
	}
}
