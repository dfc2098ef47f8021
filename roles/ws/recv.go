package ws

import (
	"math/bits"
	"time"
)

// piece is the largest number of octets that are unmasked, checked and delivered at a time, so that the Handler finds
// them in the first-level cache.
const piece = 16 << 10

// Rx implements roles.Upper.
func (c *Conn) Rx(now time.Duration, b []byte) (used int) {
	c.sh.now = now
	c.heard = now
	for used < len(b) {
		n := 0
		switch c.reading {
		case expectMessage, expectContinuation:
			n = c.rxFrame(b[used:])
		case expectPayload:
			n = c.rxPayload(b[used:])
		case expectNothing:
			n = len(b) - used
			c.rxAfterEnd(n)
		}
		used += n
		// The Handler's answer goes out before the next message is parsed, since that may fail the connection.
		if n == 0 || c.is(stopped|wants) {
			break
		}
	}
	return used
}

// rxAfterEnd drops n octets that the peer has sent after its Close frame or after a fault. It closes the transport when
// they exceed a limit.
func (c *Conn) rxAfterEnd(n int) {
	if c.phase == closed {
		return
	}
	most := uint64(maxAfterClose)
	if c.phase == awaitFaultRoom {
		most = maxAfterFault
	}
	if c.left += uint64(n); c.left <= most {
		return
	}
	c.sh.Counters.Flooded++
	if c.phase == awaitPeerEnd {
		c.closeGraceful(nil)
		return
	}
	c.closeNow(c.queued.cause)
}

const (
	// maxAfterClose is the largest number of octets that a peer may send after its Close frame. The RFC allows none
	// (s.5.5.1); a careless peer sends a Ping or a message that was queued.
	maxAfterClose = 16 << 10
	// maxAfterFault is the same after a fault, while our Close frame waits for room: a peer reads again only after its
	// large write is complete.
	maxAfterFault = 1 << 20
)

// rxFrame handles a complete control frame, or the complete header of a data frame, at the start of b and returns its
// length, 0 while it is incomplete.
func (c *Conn) rxFrame(b []byte) int {
	var h header
	n := 0
	f := h.first(b[0], c.packer != nil)
	if f == nil && !h.control() {
		f = c.checkOpcode(&h)
	}
	if f == nil {
		n, f = h.rest(b, !c.is(isClient))
	}
	if f == nil && n > 0 && !h.control() {
		f = c.checkLength(&h)
	}
	switch {
	case f != nil:
		return c.fail(f, len(b))
	case n == 0:
		return 0
	case h.control():
		return c.rxControl(&h, n, b)
	}
	c.rxBegin(&h)
	if c.left == 0 {
		c.rxEmpty()
	}
	return n
}

// checkOpcode returns the fault of a data frame that may not come here, by its first octet; nil if there is none.
func (c *Conn) checkOpcode(h *header) *fault {
	most := c.sh.cfg.Limits.Fragments
	switch {
	case h.op() != opContinuation && c.reading == expectContinuation:
		return errInterleaved
	case h.op() != opContinuation:
		return nil
	case c.reading == expectMessage:
		return errContinuation
	case h.bits&bitRSV1 != 0:
		return errCompressed
	case most > 0 && c.frames >= most:
		return errFragments
	}
	return nil
}

// checkLength returns the fault of a data frame that is too long. The length after inflation is checked in inflated.
func (c *Conn) checkLength(h *header) *fault {
	l := &c.sh.cfg.Limits
	size, packed := uint64(0), h.bits&bitRSV1 != 0
	if h.op() == opContinuation {
		size, packed = c.size, c.in&compressedMessage != 0
	}
	switch {
	case l.Frame > 0 && h.length > l.Frame:
		return errFrameBig
	case l.Message > 0 && !packed && h.length > l.Message-size:
		return errMessageBig
	}
	return nil
}

// rxBegin makes h the header of the present frame.
func (c *Conn) rxBegin(h *header) {
	if h.op() != opContinuation {
		c.sh.Counters.RxMessages++
		c.size, c.frames, c.text = 0, 0, textFirst
		c.in = First
		if h.op() == opBinary {
			c.in |= Binary
		}
		if h.bits&bitRSV1 != 0 {
			c.in |= compressedMessage
		}
	}
	if h.fin() {
		c.in |= Last
	}
	c.frames++
	c.left, c.key = h.length, h.key
	c.expect(expectPayload)
}

// endFrame is called when the present frame's payload is complete.
func (c *Conn) endFrame() {
	if c.in&Last != 0 {
		c.expect(expectMessage)
	} else {
		c.expect(expectContinuation)
	}
}

// rxEmpty handles a data frame without payload.
func (c *Conn) rxEmpty() {
	if c.in&compressedMessage != 0 {
		if c.in&Last != 0 {
			c.inflate(nil)
		} else {
			c.endFrame()
		}
		return
	}
	c.endFrame()
	if c.in&(First|Last) != 0 {
		c.deliver(nil, c.in&Last != 0)
	}
}

// rxPayload handles a piece of the present frame's payload and returns its length.
func (c *Conn) rxPayload(b []byte) int {
	n := int(min(uint64(len(b)), c.left, piece))
	b = b[:n]
	key := c.key
	if !c.is(isClient) {
		c.key = mask(b, key)
	}
	if c.in&compressedMessage != 0 {
		used := c.inflate(b)
		if used < n && c.reading == expectPayload {
			if !c.is(isClient) {
				// The transport offers the rest again, so it must be masked again.
				c.key = bits.RotateLeft32(key, -8*(used&3))
				mask(b[used:], c.key)
			}
			return used
		}
		return n
	}
	c.left -= uint64(n)
	c.size += uint64(n)
	last := false
	if c.left == 0 {
		c.endFrame()
		last = c.in&Last != 0
	}
	c.deliver(b, last)
	return n
}

// deliver delivers a piece of a message, of text only the valid UTF-8 before an error: what the Handler receives of an
// invalid message does not depend on how it was split.
func (c *Conn) deliver(b []byte, last bool) {
	if c.in&Binary != 0 {
		c.callRx(b, last)
		return
	}
	good := c.text.check(b)
	if good == len(b) && (!last || c.text.complete()) {
		c.callRx(b, last)
		return
	}
	if good > 0 {
		c.callRx(b[:good], false)
	}
	c.fail(errNotUTF8, 0)
}

// callRx calls Handler.Rx.
func (c *Conn) callRx(b []byte, last bool) {
	f := c.in & (First | Binary)
	if last {
		f |= Last
	}
	c.in &^= First
	c.h.Rx(c, b, f)
}
