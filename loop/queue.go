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

// fifo is a queue of which the front may be taken while the rest waits.
type fifo[T any] struct {
	queue[T]
	head int
}

func (q *fifo[T]) empty() bool { return q.head == len(q.items) }

func (q *fifo[T]) first() (x T, ok bool) {
	if q.empty() {
		return x, false
	}
	return q.items[q.head], true
}

// drop takes the front off. What has been taken is cleared away when the queue has run empty, or is for
// the greater part of what is there.
func (q *fifo[T]) drop() {
	q.head++
	switch {
	case q.empty():
		q.reset()
		q.head = 0
	case q.head >= queueKeep && q.head > len(q.items)/2:
		q.items = q.items[:copy(q.items, q.items[q.head:])]
		q.head = 0
	}
}
