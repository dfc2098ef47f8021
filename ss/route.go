package ss

import (
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// connKey is what two streams must agree on to use one connection.
type connKey struct {
	target   wsi.Target
	secure   *tls.Client // judged alike and addressed alike, nil without tls
	protocol policy.Protocol
	tolerant bool  // windows that overflow are borne
	bareLF   bool  // lines of HTTP/1.1 may end with LF alone
	window   int32 // with which exchanges begin, 0 for the usual
}

// httpPool has the connections of a runtime's HTTP clients.
type httpPool struct {
	rt     *Runtime
	routes map[connKey]*route
	warm   warmList
	asked  uint64 // exchanges, ever
	made   uint32 // connections, ever

	pendingRedirects, pendingSpare []*httpClient // that have a redirect to follow at the end of the turn
}

func (p *httpPool) init(r *Runtime) { p.rt, p.routes = r, make(map[connKey]*route) }

// route finds the way for a key. What asks for it must keep a reference, or forget it.
func (p *httpPool) route(key connKey) *route {
	r := p.routes[key]
	if r == nil {
		r = &route{pool: p, key: key}
		p.routes[key] = r
	}
	return r
}

// route is what streams of one key have in common: connections, and the order in which those wait that have
// no exchange yet.
//
// Streams of protocol h1 have a connection each, and leave it to the next when they have done; conns are those
// that are free for it, latest first. Streams of protocol h2 share: conns are all that take exchanges or may
// come to, oldest first. One is made for the first stream, and the others wait for it; a further one is made
// when the peer's limit leaves no room, up to Config.SharedMax. Where the server speaks HTTP/1.1, the streams
// go one after another on one connection, and those that poll have one each.
type route struct {
	pool  *httpPool
	key   connKey
	conns *httpConn
	first *httpClient // that wait, in the order of their tickets
	last  *httpClient
	refs  int // connections that are not gone, and streams that wait
}

func (r *route) shared() bool { return r.key.protocol == policy.H2 }

// ask has a given an exchange, in its turn.
func (r *route) ask(a *httpClient) {
	if r.shared() {
		r.enqueue(a)
		r.serve()
		return
	}
	for c := r.conns; c != nil; c = r.conns {
		// The one used last is the least likely to have been closed by its server.
		if a.use(c) == nil {
			return
		}
		c.discard() // it died between two turns without telling
	}
	r.dialFor(a)
}

// dialFor makes a connection for a alone.
func (r *route) dialFor(a *httpClient) {
	c := r.newConn(a.o.h.kind)
	c.own = a
	a.conn = c
	c.dial(a.o.dialOptions())
}

// serve gives exchanges to streams that wait, and makes a connection where they are too few.
func (r *route) serve() {
	r.hand()
	if r.first != nil {
		r.grow()
	}
}

// hand gives exchanges to streams that wait.
func (r *route) hand() {
	for r.first != nil {
		c := r.conns
		for c != nil && !c.takes() {
			c = c.next
		}
		if c == nil {
			return
		}
		a := r.first
		r.dequeue(a)
		if err := a.use(c); err != nil {
			r.enqueue(a)
			c.discard()
		}
	}
}

// grow makes a connection for the streams that wait, unless one is on its way, or they have to make do with
// those that there are.
func (r *route) grow() {
	n := 0
	for c := r.conns; c != nil; c = c.next {
		switch {
		case c.phase == connConnecting:
			return
		case c.h2 == nil && c.last.pol.HTTP.LongPoll: // its user may keep it for ever
		case c.h2 == nil:
			return
		case c.trusted():
			n++
		}
	}
	if n >= r.pool.rt.cfg.SharedMax {
		return
	}
	o := r.first.o
	c := r.newConn(o.h.kind)
	r.list(c)
	c.dial(o.dialOptions())
}

// hope says whether those that wait can expect to be served without a further connection.
func (r *route) hope() bool {
	for c := r.conns; c != nil; c = c.next {
		if c.phase == connConnecting || c.trusted() {
			return true
		}
	}
	return false
}

// closed is told that a connection is gone. left says that it was not to be expected to serve any more; else, if it
// has been of no use, its end is that of all who waited for it. They go on waiting for another if there is one,
// without a further one being made at once: what just failed would fail again.
func (r *route) closed(c *httpConn, cause error, left bool) {
	switch {
	case c.answered || left:
		r.serve()
	case r.hope():
		r.hand()
	default:
		r.failAll(cause)
	}
	r.unref()
}

// sentAway is told that a server takes no more on a connection. Those that wait have lost a hope, and may
// lose only so many.
func (r *route) sentAway(c *httpConn) {
	if !c.useful() {
		r.turnAway()
	}
	r.serve()
}

// turnAway counts against each stream that waits that it did so for nothing.
func (r *route) turnAway() {
	for a := r.first; a != nil; {
		next := a.next
		if a.moves++; a.moves > maxMoves {
			r.dequeue(a)
			a.unreachable(ErrTurnedAway)
		}
		a = next
	}
}

// failAll ends the attempts of all that wait. What they are told about it makes no new ones in this turn.
func (r *route) failAll(cause error) {
	for a := r.first; a != nil; a = r.first {
		r.dequeue(a)
		a.unreachable(cause)
	}
}

// forget takes a stream out of the queue. A connection that was to be made for it alone is not made.
func (r *route) forget(a *httpClient) {
	r.refs++
	r.dequeue(a)
	if r.first == nil {
		for c := r.conns; c != nil; c = c.next {
			if c.phase == connConnecting {
				c.discard()
				break // there is one at most
			}
		}
	}
	r.unref()
}

// enqueue has a wait where its ticket says: behind all that asked before, also if it has been served
// meanwhile and was turned away.
func (r *route) enqueue(a *httpClient) {
	before := r.last
	for before != nil && before.ticket > a.ticket {
		before = before.prev
	}
	a.prev = before
	if before != nil {
		a.next, before.next = before.next, a
	} else {
		a.next, r.first = r.first, a
	}
	if a.next != nil {
		a.next.prev = a
	} else {
		r.last = a
	}
	a.route = r
	r.refs++
}

func (r *route) dequeue(a *httpClient) {
	if a.prev != nil {
		a.prev.next = a.next
	} else {
		r.first = a.next
	}
	if a.next != nil {
		a.next.prev = a.prev
	} else {
		r.last = a.prev
	}
	a.next, a.prev, a.route = nil, nil, nil
	r.unref()
}

// list puts a connection where streams look for one.
func (r *route) list(c *httpConn) {
	c.listed = true
	if !r.shared() || r.conns == nil {
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

func (r *route) unlist(c *httpConn) {
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

// unref gives up one reference.
func (r *route) unref() {
	if r.refs--; r.refs == 0 {
		delete(r.pool.routes, r.key)
	}
}
