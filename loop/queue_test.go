package loop

import "testing"

func TestQueueClearsItsEntries(t *testing.T) {
	var q queue[*int]
	q.add(new(int))
	q.add(new(int))
	q.reset()
	for i, p := range q.items[:2] {
		if p != nil {
			t.Errorf("entry %d still holds a pointer after reset", i)
		}
	}
}

func TestQueueDropsALargeArray(t *testing.T) {
	var q queue[Token]
	fill := func(n int) {
		for range n {
			q.add(1)
		}
		q.reset()
	}
	fill(100_000)
	large := cap(q.items)
	for range queueQuiet - 1 {
		fill(10)
	}
	if cap(q.items) != large {
		t.Errorf("dropped after %d quiet turns: capacity %d, want %d still", queueQuiet-1, cap(q.items), large)
	}
	fill(10)
	if cap(q.items) != 0 {
		t.Errorf("after %d quiet turns: capacity %d, want 0", queueQuiet, cap(q.items))
	}
	fill(queueKeep / 2)
	small := cap(q.items)
	for range 2 * queueQuiet {
		fill(1)
	}
	if cap(q.items) != small {
		t.Errorf("a small array: capacity went from %d to %d, want it kept", small, cap(q.items))
	}
}
