package pool

import "github.com/millrace/millrace/internal/list"

// The three lists of the package: the requests of a route, its connections, and the warm connections of all routes.

// warmEntry is the entry of a connection in the list of warm connections. Its other entry, Conn itself, is in the list of
// its route.
type warmEntry[K comparable, L Link[R], R Request] struct {
	list.Links[warmEntry[K, L, R]]
	conn *Conn[K, L, R]
}

// enqueue inserts t by its number: after all requests with an earlier ticket, also if t was served in the meantime
// and was refused.
func (r *Route[K, L, R]) enqueue(t *Ticket[K, L, R]) {
	before := r.queue.Last()
	for before != nil && before.number > t.number {
		before = r.queue.Prev(before)
	}
	r.queue.InsertAfter(t, before)
	t.route = r
	r.refs++
}

func (r *Route[K, L, R]) dequeue(t *Ticket[K, L, R]) {
	r.queue.Remove(t)
	t.route = nil
	r.unref()
}

// list adds a connection to those that requests can use.
func (r *Route[K, L, R]) list(c *Conn[K, L, R]) {
	c.listed = true
	if r.shared {
		r.conns.PushBack(c)
	} else {
		r.conns.PushFront(c)
	}
}

func (r *Route[K, L, R]) unlist(c *Conn[K, L, R]) {
	if c.listed {
		c.listed = false
		r.conns.Remove(c)
	}
}

// unref drops one reference. The pool drops a route without references.
func (r *Route[K, L, R]) unref() {
	if r.refs--; r.refs == 0 {
		delete(r.pool.routes, r.key)
	}
}

// addWarm appends c to the warm connections: the first is the one that has waited longest.
func (p *Pool[K, L, R]) addWarm(c *Conn[K, L, R]) {
	c.warm = true
	c.warmth.conn = c
	p.warm.PushBack(&c.warmth)
}

func (p *Pool[K, L, R]) removeWarm(c *Conn[K, L, R]) {
	if c.warm {
		c.warm = false
		p.warm.Remove(&c.warmth)
	}
}
