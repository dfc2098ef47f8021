package pool

// The place of a request in the queue of a route.

// Issue gives t, the ticket of request, the last place, and resets its refusals. A request keeps the place until
// another ticket is issued, also if it is served in the meantime.
func (p *Pool[K, L, R]) Issue(t *Ticket[K, L, R], request R) {
	p.issued++
	t.request, t.number = request, p.issued
}

// ClearRefusals resets the count of refusals.
func (t *Ticket[K, L, R]) ClearRefusals() { t.refusals = 0 }

// CountRefusal counts a refusal, and reports whether the request may try again.
func (t *Ticket[K, L, R]) CountRefusal() bool {
	t.refusals++
	return t.MayRetry()
}

// MayRetry reports whether the request was refused no more often than MaxRefusals allows.
func (t *Ticket[K, L, R]) MayRetry() bool { return t.refusals <= MaxRefusals }

// Waits reports whether the request waits for a shared connection.
func (t *Ticket[K, L, R]) Waits() bool { return t.route != nil }

// Before returns how many requests precede this one in the queue. It counts up to most: a report on a long queue must
// not take quadratic time.
func (t *Ticket[K, L, R]) Before(most int) (n int) {
	if t.route == nil {
		return 0
	}
	q := &t.route.queue
	for b := q.Prev(t); b != nil && n < most; b = q.Prev(b) {
		n++
	}
	return n
}

// Cancel removes the request from the queue. A connection in progress that only it needs is ended.
func (t *Ticket[K, L, R]) Cancel() {
	r := t.route
	if r == nil {
		return
	}
	r.refs++ // r is needed below
	r.dequeue(t)
	if r.queue.Len() == 0 {
		for c := r.conns.First(); c != nil; c = r.conns.Next(c) {
			if c.phase == connecting {
				c.Discard()
				break // a route makes one at a time
			}
		}
	}
	r.unref()
}
