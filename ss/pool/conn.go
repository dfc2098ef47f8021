package pool

// The state of a connection: its phase, its users, its health, and its end.

// Init makes c the entry of link on route r.
func (c *Conn[K, L, R]) Init(r *Route[K, L, R], link L) {
	r.pool.made++
	r.refs++
	c.route, c.link, c.id = r, link, r.pool.made
}

// Key returns the key of the connection's route.
func (c *Conn[K, L, R]) Key() K { return c.route.key }

// ID returns the number of the connection in its pool, from 1.
func (c *Conn[K, L, R]) ID() uint32 { return c.id }

// Users returns the number of requests with an exchange on the connection.
func (c *Conn[K, L, R]) Users() int { return int(c.users) }

// Used reports whether an exchange was ever started.
func (c *Conn[K, L, R]) Used() bool { return c.used }

// Warm reports whether the connection is idle and kept for the next request.
func (c *Conn[K, L, R]) Warm() bool { return c.warm }

// Connecting reports whether the connection is not established yet.
func (c *Conn[K, L, R]) Connecting() bool { return c.phase == connecting }

// IsUp reports whether exchanges can be started on the connection, as far as the pool knows.
func (c *Conn[K, L, R]) IsUp() bool { return c.phase == up }

// Answered reports whether a response was received on the connection.
func (c *Conn[K, L, R]) Answered() bool { return c.answered }

// SetAnswered records that a response was received on the connection.
func (c *Conn[K, L, R]) SetAnswered() { c.answered = true }

// Useful reports whether the server has processed a request on this connection.
func (c *Conn[K, L, R]) Useful() bool { return c.answered || c.link.Useful() }

// Leave ends the use of the connection by new requests. Exchanges in progress continue.
func (c *Conn[K, L, R]) Leave() {
	c.Withdraw()
	c.phase = leaving
}

// Cancel ends a connection that is made for one request, which does not need it any more.
func (c *Conn[K, L, R]) Cancel() {
	if c.reserved {
		c.release()
	}
	c.Discard()
}

// release clears and returns the request that the connection was made for.
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
		c.route.pool.removeWarm(c)
		if !c.route.shared {
			c.route.unlist(c)
		}
	}
	c.used = true
	c.users++
	return nil
}

// doubt makes the connection suspect and probes it: no request uses it until bytes are received. Otherwise a peer
// that has vanished would fail one request after another for as long as TCP keeps the connection.
func (c *Conn[K, L, R]) doubt() {
	if c.link.Multiplexed() && c.phase == up && c.healthy() {
		c.suspect, c.heard = true, c.link.BytesIn()
		c.link.Probe()
	}
}

// healthy reports whether the connection is not suspect, or is not any more.
func (c *Conn[K, L, R]) healthy() bool {
	if c.suspect && c.link.BytesIn() != c.heard {
		c.suspect = false
	}
	return !c.suspect
}

// takes reports whether an exchange can be started now.
func (c *Conn[K, L, R]) takes() bool { return c.phase == up && c.healthy() && c.link.Free() > 0 }

// Withdraw removes the connection from its lists: no request finds it.
func (c *Conn[K, L, R]) Withdraw() {
	c.route.pool.removeWarm(c)
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
