package pool

// The choice of a connection for a request, and the decision to make another connection.

// Key returns the key of the route.
func (r *Route[K, L, R]) Key() K { return r.key }

// Shared reports whether connections of the route may carry several exchanges at a time.
func (r *Route[K, L, R]) Shared() bool { return r.shared }

// Acquire requests an exchange for the request of t, in order of tickets. The pool calls Link.Serve with it, now or
// later, or Request.Unreachable later.
func (r *Route[K, L, R]) Acquire(t *Ticket[K, L, R]) {
	if r.shared {
		r.enqueue(t)
		r.serve()
		return
	}
	for c := r.conns.First(); c != nil; c = r.conns.First() {
		// The one used last is the least likely to have been closed by its server.
		if c.serve(t.request) == nil {
			return
		}
		c.Discard() // it was closed between two turns, before the loop reported it
	}
	r.DialFor(t)
}

// AcquireNew is Acquire for a request whose last connection was stale. On a route that is not shared it gets a new
// connection: other warm ones may be as stale.
func (r *Route[K, L, R]) AcquireNew(t *Ticket[K, L, R]) {
	if r.shared {
		r.Acquire(t)
		return
	}
	r.DialFor(t)
}

// DialFor makes a connection for the request of t alone.
func (r *Route[K, L, R]) DialFor(t *Ticket[K, L, R]) {
	c := r.pool.cfg.Dial(r, t.request, true)
	c.only, c.reserved = t.request, true
}

// serve starts exchanges for waiting requests, and makes a connection if there are too few.
func (r *Route[K, L, R]) serve() {
	r.dispatch()
	if r.queue.Len() > 0 {
		r.grow()
	}
}

// dispatch starts exchanges for waiting requests.
func (r *Route[K, L, R]) dispatch() {
	for r.queue.Len() > 0 {
		c := r.conns.First()
		for c != nil && !c.takes() {
			c = r.conns.Next(c)
		}
		if c == nil {
			return
		}
		t := r.queue.First()
		r.dequeue(t)
		if err := c.serve(t.request); err != nil {
			r.enqueue(t)
			c.Discard()
		}
	}
}

// grow makes a connection for the waiting requests, unless one is being made, or the existing ones must suffice.
func (r *Route[K, L, R]) grow() {
	n := 0
	for c := r.conns.First(); c != nil; c = r.conns.Next(c) {
		switch {
		case c.phase == connecting:
			return
		case c.link.Multiplexed():
			if c.healthy() {
				n++
			}
		case !c.link.Endless():
			return
		}
	}
	if n < r.pool.cfg.MaxShared {
		r.list(r.pool.cfg.Dial(r, r.queue.First().request, false))
	}
}

// canServe reports whether the waiting requests can be served without another connection.
func (r *Route[K, L, R]) canServe() bool {
	for c := r.conns.First(); c != nil; c = r.conns.Next(c) {
		if c.phase == connecting || c.healthy() {
			return true
		}
	}
	return false
}

// onClosed is called when c is closed. If c was leaving, or has answered, the waiting requests look for another. If c
// was not useful, all requests that waited for it fail with its cause, unless another connection exists: then they
// wait for that one, and none is made at once, since what just failed would fail again.
func (r *Route[K, L, R]) onClosed(c *Conn[K, L, R], cause error) {
	switch {
	case c.answered || c.left:
		r.serve()
	case r.canServe():
		r.dispatch()
	default:
		r.failAll(cause)
	}
	r.unref()
}

// onGoAway is called when the server accepts no more requests on c. A waiting request may lose a limited number of
// connections that have processed nothing.
func (r *Route[K, L, R]) onGoAway(c *Conn[K, L, R]) {
	if !c.Useful() {
		r.countRefusals()
	}
	r.serve()
}

// countRefusals counts a refusal for each waiting request.
func (r *Route[K, L, R]) countRefusals() {
	for t := r.queue.First(); t != nil; {
		next := r.queue.Next(t)
		if !t.CountRefusal() {
			r.dequeue(t)
			t.request.Unreachable(ErrRefused)
		}
		t = next
	}
}

// failAll fails all waiting requests. Their reaction adds no request in this turn.
func (r *Route[K, L, R]) failAll(cause error) {
	for t := r.queue.First(); t != nil; t = r.queue.First() {
		r.dequeue(t)
		t.request.Unreachable(cause)
	}
}
