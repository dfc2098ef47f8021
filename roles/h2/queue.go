package h2

import "github.com/millrace/millrace/internal/list"

// queue is a FIFO of streams. A stream is in one queue at a time, which its output state determines: outQueued,
// onConnBlocked, or outOver, which is conn.done.
type queue struct {
	list.List[stream, *stream]
	mixedUrgency bool // it held streams of more than one urgency since it was empty
}

func (q *queue) push(x *stream) {
	if first := q.First(); first == nil {
		q.mixedUrgency = false
	} else if first.urgency != x.urgency {
		q.mixedUrgency = true
	}
	q.PushBack(x)
}

// pop removes the first of the most urgent streams (RFC 9218 s.10), or returns nil. Streams of equal urgency take
// turns.
func (q *queue) pop() *stream {
	x := q.First()
	if x == nil {
		return nil
	}
	if q.mixedUrgency {
		for y := q.Next(x); y != nil; y = q.Next(y) {
			if y.urgency < x.urgency {
				x = y
			}
		}
	}
	q.Remove(x)
	return x
}

// first moves x, which is in the queue, to its front.
func (q *queue) first(x *stream) {
	q.Remove(x)
	q.PushFront(x)
}

// enqueue puts x into the queue of streams that wait for their turn.
func (c *conn) enqueue(x *stream) {
	if x.out == outIdle {
		x.setOut(outQueued)
		c.ready.push(x)
	}
}
