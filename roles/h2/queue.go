package h2

// queue is a FIFO of streams, linked through themselves. A stream is in one queue at a time.
type queue struct {
	head, tail   *stream
	mixedUrgency bool // streams of more than one urgency were in it since it was empty
}

func (q *queue) push(x *stream) {
	x.next = nil
	if q.tail == nil {
		q.head, q.mixedUrgency = x, false
	} else {
		q.tail.next = x
		q.mixedUrgency = q.mixedUrgency || q.head.urgency != x.urgency
	}
	q.tail = x
}

// pop takes the first stream of those that are most urgent (RFC 9218 s.10), nil when there is none. Among
// equals the queue makes it a round.
func (q *queue) pop() *stream {
	x := q.head
	if x == nil {
		return nil
	}
	if q.mixedUrgency {
		for y := x.next; y != nil; y = y.next {
			if y.urgency < x.urgency {
				x = y
			}
		}
	}
	q.remove(x)
	return x
}

// first puts x, which is in the queue, in front of it.
func (q *queue) first(x *stream) {
	q.remove(x)
	if x.next = q.head; q.head == nil {
		q.tail = x
	}
	q.head = x
}

func (q *queue) remove(x *stream) {
	var before *stream
	for y := q.head; y != x; y = y.next {
		if y == nil {
			return
		}
		before = y
	}
	if before == nil {
		q.head = x.next
	} else {
		before.next = x.next
	}
	if q.tail == x {
		q.tail = before
	}
	x.next = nil
}

// enqueue has x asked for output, in its turn.
func (c *conn) enqueue(x *stream) {
	if x.out == outIdle {
		x.setOut(outQueued)
		c.ready.push(x)
	}
}
