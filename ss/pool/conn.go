package pool

// What a connection knows of itself: its phase, its users, its health, and how it ends.

// Init makes c the entry of link on route r.
func (c *Conn[K, L, R]) Init(r *Route[K, L, R], link L) {
	r.pool.made++
	r.refs++
	c.route, c.link, c.id = r, link, r.pool.made
}

// Key is the key of the connection's route.
func (c *Conn[K, L, R]) Key() K { return c.route.key }

// ID numbers the connections of a pool, from 1.
func (c *Conn[K, L, R]) ID() uint32 { return c.id }

// Users is the number of requests with an exchange on the connection.
func (c *Conn[K, L, R]) Users() int { return int(c.users) }

// Used reports whether an exchange was ever started.
func (c *Conn[K, L, R]) Used() bool { return c.used }

// Warm reports whether no request uses the connection, and it waits for the next.
func (c *Conn[K, L, R]) Warm() bool { return c.warm }

// Connecting reports whether the connection is not established yet.
func (c *Conn[K, L, R]) Connecting() bool { return c.phase == connecting }

// IsUp reports whether exchanges can be started on the connection, as far as the pool knows.
func (c *Conn[K, L, R]) IsUp() bool { return c.phase == up }

// Answered reports whether the connection has brought a response.
func (c *Conn[K, L, R]) Answered() bool { return c.answered }

// SetAnswered notes that the connection has brought a response.
func (c *Conn[K, L, R]) SetAnswered() { c.answered = true }

// Useful reports whether the server has done anything for a request on this connection.
func (c *Conn[K, L, R]) Useful() bool { return c.answered || c.link.Useful() }

// Leave has no request use the connection any more, apart from those that do.
func (c *Conn[K, L, R]) Leave() {
	c.Withdraw()
	c.phase = leaving
}

// Cancel ends a connection that is made for one request alone, which does not want it any more.
func (c *Conn[K, L, R]) Cancel() {
	if c.reserved {
		c.release()
	}
	c.Discard()
}

// release returns the request that the connection was made for, which has it no more.
func (c *Conn[K, L, R]) release() (only R) {
	var none R
	only, c.only, c.reserved = c.only, none, false
	return only
}

// serve starts an exchange for r.
func (c *Conn[K, L, R]) serve(r R) error {
	if err := c.link.Serve(r); err != nil {
		return err
	}
	if c.warm {
		c.route.pool.warm.remove(c)
		if !c.route.shared {
			c.route.unlist(c)
		}
	}
	c.used = true
	c.users++
	return nil
}

// doubt has no request join the connection until it has given a sign of life, which it is asked for. A peer that has
// vanished would otherwise end one request after another for as long as TCP keeps the connection.
func (c *Conn[K, L, R]) doubt() {
	if c.link.Multiplexed() && c.phase == up && c.healthy() {
		c.suspect, c.heard = true, c.link.BytesIn()
		c.link.Probe()
	}
}

// healthy reports whether the connection is not suspect, or not any more.
func (c *Conn[K, L, R]) healthy() bool {
	if c.suspect && c.link.BytesIn() != c.heard {
		c.suspect = false
	}
	return !c.suspect
}

// takes reports whether a request can have an exchange now.
func (c *Conn[K, L, R]) takes() bool { return c.phase == up && c.healthy() && c.link.Free() > 0 }

// Withdraw takes the connection out of its lists: no request finds it.
func (c *Conn[K, L, R]) Withdraw() {
	c.route.pool.warm.remove(c)
	c.route.unlist(c)
}

// Discard ends a connection that no request uses.
func (c *Conn[K, L, R]) Discard() {
	c.Withdraw()
	if c.phase == gone {
		return
	}
	was := c.phase
	c.phase = leaving
	c.link.End(was == up)
}
