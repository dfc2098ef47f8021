package h2

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestQueue applies random operations to a queue, and to a slice.
func TestQueue(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		var q queue
		var want []*stream
		for step := range 300 {
			switch {
			case len(want) == 0 || r.IntN(2) == 0:
				x := &stream{urgency: uint8(2 + r.IntN(2)*r.IntN(3))}
				q.push(x)
				want = append(want, x)
			case r.IntN(3) == 0:
				i := r.IntN(len(want))
				q.Remove(want[i])
				want = slices.Delete(want, i, i+1)
			case r.IntN(3) == 0:
				i := r.IntN(len(want))
				x := want[i]
				q.first(x)
				want = slices.Insert(slices.Delete(want, i, i+1), 0, x)
			default:
				least := 0
				for i, x := range want {
					if x.urgency < want[least].urgency {
						least = i
					}
				}
				if got := q.pop(); got != want[least] {
					t.Fatalf("seed %d, step %d: pop returned another stream", seed, step)
				}
				want = slices.Delete(want, least, least+1)
			}
			var got []*stream
			for x := q.First(); x != nil; x = q.Next(x) {
				got = append(got, x)
			}
			if !slices.Equal(got, want) || len(want) > 0 && q.Last() != want[len(want)-1] || len(want) == 0 && q.Last() != nil {
				t.Fatalf("seed %d, step %d: the queue has %d streams, want %d", seed, step, len(got), len(want))
			}
		}
	}
	if x := (&queue{}).pop(); x != nil {
		t.Error("pop of an empty queue returned a stream")
	}
}
