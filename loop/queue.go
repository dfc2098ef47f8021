package loop

// queue is a list that is filled during one turn and emptied in the next. It keeps its array, so that a steady state
// allocates nothing, but drops an array that has been far too large for queueQuiet turns: one broadcast to a hundred
// thousand connections must not keep its memory.
type queue[T any] struct {
	items []T
	quiet int // successive resets that used less than a sixteenth of the array
}

const (
	queueKeep  = 1024 // capacity that is never dropped
	queueQuiet = 256  // resets before a large array is dropped
)

func (q *queue[T]) add(x T) { q.items = append(q.items, x) }

// reset empties the queue and clears its entries.
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

// fifo is a queue whose first entries can be removed while the others wait.
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

// drop removes the first entry. Removed entries are cleared when the queue is empty, or when they are more than half
// of the array.
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
