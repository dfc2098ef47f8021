package h2

// lineUp has a stream wait for the connection's window. Who waits longest is served first: by their places in
// conn.streams a few of them would take all that a small window gives, each time anew.
func (c *conn) queueConnBlocked(x *stream) {
	if x.out != onConnBlocked {
		x.wait(onConnBlocked)
	}
}

// unstarve has a stream that waits for its window asked again, if it has one now.
func (c *conn) windowGrew(x *stream) {
	switch {
	case x.out != noWindow && x.out != onConnBlocked || x.sendWin <= 0:
	case c.sendWin <= 0:
		c.queueConnBlocked(x)
	default:
		x.moveOut(outIdle)
		c.windowGranted(x)
	}
}

// relieve has a stream that waited for a window asked again.
func (c *conn) windowGranted(x *stream) {
	x.outDue = 0
	if x.is(wants) {
		c.enqueue(x)
		c.low.WantWrite()
	}
}

// quench has as many streams asked again as the connection's window is good for. Those that do not use their
// part of it make way for more of them in the next round.
func (c *conn) wakeConnBlocked() {
	for n := c.sendWin; n > 0; {
		x := c.connBlocked.pop()
		if x == nil {
			return
		}
		n -= max(1, min(x.sendWin, int64(c.peer.frame)))
		x.setOut(outIdle)
		c.windowGranted(x)
	}
}

// readmit has the streams of a client asked again that waited for the peer to take more of them.
func (c *conn) retrySlots() {
	if !c.slotsShort || c.opened >= c.peer.streams {
		return
	}
	c.slotsShort = false
	for _, x := range c.streams {
		if x.out == awaitSlot {
			x.moveOut(outIdle)
			if x.is(wants) {
				x.WantWrite()
			}
		}
	}
}
