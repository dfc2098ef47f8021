package h2

import "github.com/millrace/millrace/roles"

// startData begins a DATA frame, after all checks.
func (c *conn) startData(f frame, b []byte) int {
	n, left, pad := headerLen, f.length, uint32(0)
	if f.has(flagPadded) {
		if f.length == 0 {
			c.fail(errFrameLen)
			return len(b)
		}
		if len(b) == headerLen {
			return 0
		}
		pad = uint32(b[headerLen])
		n++
		if left--; pad > left {
			c.fail(errPadding)
			return len(b)
		}
		left -= pad
	}
	if bad := c.checkData(f, left); bad != nil {
		c.fail(bad)
		return len(b)
	}
	if c.phase >= expectClose {
		return len(b)
	}
	c.dataLeft, c.padLeft, c.dataEnd = left, pad, f.has(flagEndStream)
	c.returnWindow(c.data, int64(f.length-left)) // the handler gets no padding
	c.moveTo(expectData)
	if left == 0 {
		c.dataOver()
	}
	return n
}

// checkData checks a DATA frame and finds its stream.
func (c *conn) checkData(f frame, payload uint32) *fault {
	c.data = nil
	if f.stream == 0 {
		return errFrameStream
	}
	if c.neverOpened(f.stream) {
		return errIdle
	}
	x := c.find(f.stream)
	if c.recvWin -= int64(f.length); c.recvWin < 0 && !c.mayOverrun(x, c.recvWin, c.sh.cfg.Limits.ConnWindow) {
		return errConnWindow
	}
	if payload == 0 && !f.has(flagEndStream) {
		if bad := c.idleFrame(); bad != nil {
			return bad
		}
	}
	switch {
	case x == nil:
		return c.onClosed(f.stream)
	case x.state == closed:
		return errStreamClosed
	}
	x.recvWin -= int64(f.length)
	var bad *fault
	switch {
	case x.inDone():
		bad = errHalfClosed
	case x.recvWin < 0 && !c.mayOverrun(x, x.recvWin, c.window):
		bad = errWindow
	case x.receiving == awaitHead:
		bad = errNoHead
	case x.inLeft >= 0 && int64(payload) > x.inLeft:
		bad = errLengthMore
	case x.inLeft > int64(payload) && f.has(flagEndStream):
		bad = errLengthLess
	}
	if bad == nil && x.owner == nil {
		if x.received += int64(payload); c.sh.cfg.Limits.Body > 0 && x.received > c.sh.cfg.Limits.Body && !x.is(endlessBody) {
			bad = errBodyBig
		}
	}
	if bad != nil {
		c.failStream(x, bad)
		return nil
	}
	if x.inLeft >= 0 {
		x.inLeft -= int64(payload)
	}
	if payload > 0 {
		x.flags &^= owes100 // it does not wait (RFC 9110 s.10.1.1)
		c.moved()
	}
	c.data = x
	return nil
}

// mayOverrun reports whether DATA for x, which may be nil, is accepted although it takes a window of size window to
// left, below 0. Some peers count slightly wrong: one more window is tolerated if the stream is not paused, so that
// the bytes are not kept, and memory is not short.
func (c *conn) mayOverrun(x *stream, left int64, window int32) bool {
	kind := roles.HoldBody
	if x != nil {
		kind = x.memoryKind()
	}
	if left < -int64(window) || x != nil && x.is(paused) || !c.low.MayHold(kind, 0) {
		return false
	}
	c.sh.Counters.Overrun++
	return true
}

// consumeData uses a piece of a DATA frame's payload.
func (c *conn) consumeData(b []byte) int {
	n := min(len(b), int(c.dataLeft))
	c.dataLeft -= uint32(n)
	if x := c.data; x != nil {
		c.deliverBody(x, b[:n])
	} else {
		c.returnWindow(nil, int64(n))
	}
	if c.dataLeft == 0 && c.phase == expectData {
		c.dataOver()
	}
	return n
}

// dataOver ends the payload of a DATA frame.
func (c *conn) dataOver() {
	if c.phase >= expectClose {
		return
	}
	if c.padLeft > 0 {
		c.moveTo(expectPadding)
	} else {
		c.moveTo(expectFrame)
	}
	x := c.data
	c.data = nil
	if x != nil && c.dataEnd {
		c.peerEnd(x, nil)
	}
}

func (c *conn) consumePadding(b []byte) int {
	n := min(len(b), int(c.padLeft))
	if c.padLeft -= uint32(n); c.padLeft == 0 {
		c.moveTo(expectFrame)
	}
	return n
}
