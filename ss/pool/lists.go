package pool

// The three lists of the package: the requests of a route, its connections, and the warm connections of all routes.

// enqueue inserts t by its number: after all requests with an earlier ticket, also if t was served in the meantime
// and was refused.
func (r *Route[K, L, R]) enqueue(t *Ticket[K, L, R]) {
	before := r.last
	for before != nil && before.number > t.number {
		before = before.prev
	}
	t.prev = before
	if before != nil {
		t.next, before.next = before.next, t
	} else {
		t.next, r.first = r.first, t
	}
	if t.next != nil {
		t.next.prev = t
	} else {
		r.last = t
	}
	t.route = r
	r.refs++
}

func (r *Route[K, L, R]) dequeue(t *Ticket[K, L, R]) {
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		r.first = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	} else {
		r.last = t.prev
	}
	t.next, t.prev, t.route = nil, nil, nil
	r.unref()
}

// list adds a connection to those that requests can use.
func (r *Route[K, L, R]) list(c *Conn[K, L, R]) {
	c.listed = true
	if !r.shared || r.conns == nil {
		c.next = r.conns
		if c.next != nil {
			c.next.prev = c
		}
		r.conns = c
		return
	}
	last := r.conns
	for last.next != nil {
		last = last.next
	}
	last.next, c.prev = c, last
}

func (r *Route[K, L, R]) unlist(c *Conn[K, L, R]) {
	if !c.listed {
		return
	}
	c.listed = false
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		r.conns = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.next, c.prev = nil, nil
}

// unref drops one reference. The pool drops a route without references.
func (r *Route[K, L, R]) unref() {
	if r.refs--; r.refs == 0 {
		delete(r.pool.routes, r.key)
	}
}

// put appends c.
func (l *warmList[K, L, R]) put(c *Conn[K, L, R]) {
	c.warm = true
	c.older = l.newest
	if l.newest != nil {
		l.newest.newer = c
	} else {
		l.oldest = c
	}
	l.newest = c
	l.n++
}

func (l *warmList[K, L, R]) remove(c *Conn[K, L, R]) {
	if !c.warm {
		return
	}
	c.warm = false
	l.n--
	if c.older != nil {
		c.older.newer = c.newer
	} else {
		l.oldest = c.newer
	}
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		l.newest = c.older
	}
	c.older, c.newer = nil, nil
}
