package h2

// queue is a FIFO of streams, linked by stream.next. A stream is in one queue at a time.
type queue struct {
	head, tail   *stream
	mixedUrgency bool // it held streams of more than one urgency since it was empty
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

// pop removes the first of the most urgent streams (RFC 9218 s.10), or returns nil. Streams of equal urgency take
// turns.
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

// first moves x, which is in the queue, to its front.
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

// enqueue puts x into the queue of streams that wait for their turn.
func (c *conn) enqueue(x *stream) {
	if x.out == outIdle {
		x.setOut(outQueued)
		c.ready.push(x)
	}
}
