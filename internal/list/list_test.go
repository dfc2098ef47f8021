package list_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/millrace/millrace/internal/list"
)

type node struct {
	list.Links[node]
	id int
}

type nodes = list.List[node, *node]

// ids walks the list in both directions and fails if they disagree.
func ids(t *testing.T, l *nodes) (forward []int) {
	t.Helper()
	var back []int
	for e := l.First(); e != nil; e = l.Next(e) {
		forward = append(forward, e.id)
	}
	for e := l.Last(); e != nil; e = l.Prev(e) {
		back = append(back, e.id)
	}
	slices.Reverse(back)
	if !slices.Equal(forward, back) || len(forward) != l.Len() {
		t.Fatalf("forward %v, backward %v, Len %d: want the same three times", forward, back, l.Len())
	}
	return forward
}

// A list does what a slice does, over many random operations.
func TestListAgainstSlice(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var l nodes
	var want []*node
	for i := range 5000 {
		at := 0
		if len(want) > 0 {
			at = rng.IntN(len(want))
		}
		switch op := rng.IntN(6); {
		case op == 0:
			e := &node{id: i}
			l.PushBack(e)
			want = append(want, e)
		case op == 1:
			e := &node{id: i}
			l.PushFront(e)
			want = slices.Insert(want, 0, e)
		case op == 2 && len(want) > 0:
			e := &node{id: i}
			l.InsertAfter(e, want[at])
			want = slices.Insert(want, at+1, e)
		case op == 3 && len(want) > 0:
			if e := l.PopFront(); e != want[0] {
				t.Fatalf("step %d: PopFront gave element %d, want %d", i, e.id, want[0].id)
			}
			want = want[1:]
		case op >= 4 && len(want) > 0:
			l.Remove(want[at])
			want = slices.Delete(want, at, at+1)
		}
		got := ids(t, &l)
		if !slices.EqualFunc(got, want, func(id int, e *node) bool { return id == e.id }) {
			t.Fatalf("step %d: got %v, want the order of %d elements of a slice", i, got, len(want))
		}
	}
	for l.PopFront() != nil {
	}
	if e := l.PopFront(); e != nil || l.Len() != 0 || l.First() != nil || l.Last() != nil {
		t.Errorf("an emptied list: PopFront %v, Len %d, First %v, Last %v; want nil, 0, nil, nil", e, l.Len(), l.First(), l.Last())
	}
}

func TestListAllocatesNothing(t *testing.T) {
	var l nodes
	e := &node{}
	if n := testing.AllocsPerRun(100, func() { l.PushBack(e); l.Remove(e) }); n != 0 {
		t.Errorf("PushBack and Remove: got %v allocations, want 0", n)
	}
}
