package h2

// queueConnBlocked makes a stream wait for the connection's window. The stream that has waited longest is served
// first: in the order of conn.streams a few streams would take all of each small window.
func (c *conn) queueConnBlocked(x *stream) {
	if x.out != onConnBlocked {
		x.wait(onConnBlocked)
	}
}

// windowGrew ends the wait of a stream for its window, if there is one now.
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

// windowGranted asks a stream that waited for a window for output.
func (c *conn) windowGranted(x *stream) {
	x.outDue = 0
	if x.is(wants) {
		c.enqueue(x)
		c.low.WantWrite()
	}
}

// wakeConnBlocked asks as many streams for output as the connection's window can serve. What they leave of it goes to
// further streams in the next round.
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

// retrySlots asks the streams of a client for output that waited for a slot.
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
