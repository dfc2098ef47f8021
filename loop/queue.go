package loop

// queue is a list that is filled during one turn and emptied in the next. Its array is kept, so that
// a steady state allocates nothing, until it has been far too large for a good while: one broadcast
// to a hundred thousand connections shall not be paid for ever.
type queue[T any] struct {
	items []T
	quiet int // emptyings in a row that used less than a sixteenth of the array
}

const (
	queueKeep  = 1024 // entries that are never given back
	queueQuiet = 256  // emptyings before a large array is dropped
)

func (q *queue[T]) add(x T) { q.items = append(q.items, x) }

// reset empties the queue and forgets what was in it.
func (q *queue[T]) reset() {
	clear(q.items)
	if c := cap(q.items); c <= queueKeep || len(q.items) > c/16 {
		q.quiet = 0
	} else if q.quiet++; q.quiet >= queueQuiet {
		q.items, q.quiet = nil, 0
		return
	}
	q.items = q.items[:0]
}
