package pool

// Which connection of a route serves which request, and when a route makes another connection.

// Key is the key of the route.
func (r *Route[K, L, R]) Key() K { return r.key }

// Shared reports whether connections of the route may carry several exchanges at a time.
func (r *Route[K, L, R]) Shared() bool { return r.shared }

// Acquire gets an exchange for the request of t, in its turn. The pool calls Link.Serve with it, now or later, or
// Request.Unreachable later.
func (r *Route[K, L, R]) Acquire(t *Ticket[K, L, R]) {
	if r.shared {
		r.enqueue(t)
		r.serve()
		return
	}
	for c := r.conns; c != nil; c = r.conns {
		// The one used last is the least likely to have been closed by its server.
		if c.serve(t.request) == nil {
			return
		}
		c.Discard() // it died between two turns, unnoticed
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

// serve gives exchanges to requests that wait, and makes a connection where there are too few.
func (r *Route[K, L, R]) serve() {
	r.dispatch()
	if r.first != nil {
		r.grow()
	}
}

// dispatch gives exchanges to requests that wait.
func (r *Route[K, L, R]) dispatch() {
	for r.first != nil {
		c := r.conns
		for c != nil && !c.takes() {
			c = c.next
		}
		if c == nil {
			return
		}
		t := r.first
		r.dequeue(t)
		if err := c.serve(t.request); err != nil {
			r.enqueue(t)
			c.Discard()
		}
	}
}

// grow makes a connection for the requests that wait, unless one is being made, or they have to make do with those that
// there are.
func (r *Route[K, L, R]) grow() {
	n := 0
	for c := r.conns; c != nil; c = c.next {
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
		r.list(r.pool.cfg.Dial(r, r.first.request, false))
	}
}

// canServe reports whether those that wait can expect to be served without a further connection.
func (r *Route[K, L, R]) canServe() bool {
	for c := r.conns; c != nil; c = c.next {
		if c.phase == connecting || c.healthy() {
			return true
		}
	}
	return false
}

// onClosed is called when c is gone. If no more was expected of c, or it has answered, those that wait look for another.
// If it has been of no use, its end is that of all that waited for it. They go on waiting for another if there is one,
// without a further one being made at once: what just failed would fail again.
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

// onGoAway is called when the server takes no more on c. Those that wait may lose only so many connections that have
// done nothing.
func (r *Route[K, L, R]) onGoAway(c *Conn[K, L, R]) {
	if !c.Useful() {
		r.countRefusals()
	}
	r.serve()
}

// countRefusals counts against each request that waits that it has waited for nothing.
func (r *Route[K, L, R]) countRefusals() {
	for t := r.first; t != nil; {
		next := t.next
		if !t.CountRefusal() {
			r.dequeue(t)
			t.request.Unreachable(ErrRefused)
		}
		t = next
	}
}

// failAll ends the wait of all requests. What they do about it makes no new ones in this turn.
func (r *Route[K, L, R]) failAll(cause error) {
	for t := r.first; t != nil; t = r.first {
		r.dequeue(t)
		t.request.Unreachable(cause)
	}
}
