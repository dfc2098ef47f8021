package pool

// The events of connections that the user of a pool reports.

// Up reports that the connection is established. Start follows, when the protocol is ready.
func (c *Conn[K, L, R]) Up() { c.phase = up }

// Start serves the request that the connection was made for, or those that wait.
func (c *Conn[K, L, R]) Start() {
	if !c.reserved {
		c.Ready()
		return
	}
	only := c.release()
	if err := c.serve(only); err != nil {
		c.Discard()
		only.Unreachable(err)
	}
}

// Ready reports that more exchanges may be possible now.
func (c *Conn[K, L, R]) Ready() {
	if c.phase != up {
		return
	}
	c.route.serve()
	if c.users == 0 && c.route.queue.Len() == 0 && !c.warm {
		c.keep()
	}
}

// GoingAway reports that the server accepts no more requests on the connection. It returns false if that was known.
func (c *Conn[K, L, R]) GoingAway() bool {
	if c.phase != up {
		return false
	}
	c.Leave()
	c.route.onGoAway(c)
	return true
}

// Gone reports that the connection is closed: no request finds it any more. Closed follows when the exchanges in
// progress have been ended.
func (c *Conn[K, L, R]) Gone() {
	c.Withdraw()
	c.left = c.phase == leaving
	c.phase = gone
}

// Closed ends the entry. The requests that waited for the connection receive cause.
func (c *Conn[K, L, R]) Closed(cause error) {
	if c.reserved {
		c.release().Unreachable(cause)
	}
	c.route.onClosed(c, cause)
}

// DropUser reports the end of a request's exchange on the connection. silent reports that no byte was received on the
// connection during the exchange: it becomes suspect.
func (c *Conn[K, L, R]) DropUser(silent bool) {
	if silent {
		c.doubt()
	}
	if c.users--; c.users == 0 && c.route.queue.Len() == 0 {
		c.keep()
	}
}

// Abandon ends a connection that carries one exchange, during that exchange.
func (c *Conn[K, L, R]) Abandon() {
	c.users--
	c.Discard()
}

// Detach reports that the only user became the owner of the connection, and that it is closed.
func (c *Conn[K, L, R]) Detach(cause error) {
	c.users--
	c.Gone()
	c.left = true
	c.Closed(cause)
}

// keep makes a connection without users warm, if it can serve again.
func (c *Conn[K, L, R]) keep() {
	p := c.route.pool
	switch {
	case c.phase == leaving && c.link.Multiplexed():
		// It closes itself after its last exchange.
	case c.phase != up, c.link.Free() == 0, p.cfg.MaxWarm <= 0, p.closed:
		c.Discard()
	default:
		for p.warm.Len() >= p.cfg.MaxWarm {
			p.warm.First().conn.Discard() // the one that has waited longest makes room
		}
		p.addWarm(c)
		if !c.listed {
			c.route.list(c)
		}
		c.link.Idle()
	}
}

// Close ends all warm connections; no connection becomes warm any more. Waiting requests are still served.
func (p *Pool[K, L, R]) Close() {
	p.closed = true
	for p.warm.Len() > 0 {
		p.warm.First().conn.Discard()
	}
}
