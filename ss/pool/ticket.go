package pool

// What a request does with its place in a queue.

// Issue gives t, the ticket of request, the last place, and forgets its refusals. A request keeps the place until it
// is issued another ticket, also when it has been served meanwhile.
func (p *Pool[K, L, R]) Issue(t *Ticket[K, L, R], request R) {
	p.issued++
	t.request, t.number = request, p.issued
}

// ClearRefusals forgets how often the request was refused.
func (t *Ticket[K, L, R]) ClearRefusals() { t.refusals = 0 }

// CountRefusal counts a refusal, and reports whether the request may try again.
func (t *Ticket[K, L, R]) CountRefusal() bool {
	t.refusals++
	return t.MayRetry()
}

// MayRetry reports whether the request was refused no more often than MaxRefusals allows.
func (t *Ticket[K, L, R]) MayRetry() bool { return t.refusals <= MaxRefusals }

// Waits reports whether the request waits for a connection that it shares.
func (t *Ticket[K, L, R]) Waits() bool { return t.route != nil }

// Before is how many requests are before this one in the queue. It counts to most: a report on a long queue must not
// take the square of its length.
func (t *Ticket[K, L, R]) Before(most int) (n int) {
	for b := t.prev; b != nil && n < most; b = b.prev {
		n++
	}
	return n
}

// Cancel takes the request out of the queue. A connection that was to be made for it alone is not made.
func (t *Ticket[K, L, R]) Cancel() {
	r := t.route
	if r == nil {
		return
	}
	r.refs++ // r is needed below
	r.dequeue(t)
	if r.first == nil {
		for c := r.conns; c != nil; c = c.next {
			if c.phase == connecting {
				c.Discard()
				break // a route makes one at a time
			}
		}
	}
	r.unref()
}
