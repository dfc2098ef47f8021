package h2

import (
	"encoding/binary"

	"github.com/millrace/millrace/roles"
)

// block is a header block on its way to its stream.
type block struct {
	stream uint32
	end    bool // END_STREAM
	self   bool // it makes the stream depend on itself
	frames int
	b      []byte // charged
}

func (c *conn) onHeaders(f frame, p []byte) *fault {
	if f.stream == 0 {
		return errFrameStream
	}
	p, bad := f.unpad(p)
	if bad != nil {
		return bad
	}
	b := block{stream: f.stream, end: f.has(flagEndStream)}
	if f.has(flagPriority) {
		if len(p) < 5 {
			return errFrameLen
		}
		b.self = binary.BigEndian.Uint32(p)&maxWindow == f.stream
		p = p[5:]
	}
	if c.isOurs(f.stream) && c.server || !c.isOurs(f.stream) && !c.server {
		return errStreamID
	}
	if len(p) > c.sh.cfg.Limits.Block {
		return errBlockLong
	}
	if !f.has(flagEndHeaders) {
		b.b = c.store(roles.HoldHead, nil, p)
		c.partial = &block{stream: b.stream, end: b.end, self: b.self, b: b.b}
		c.moveTo(expectContinuation)
		return nil
	}
	return c.side.headers(b, p)
}

func (c *conn) onContinuation(f frame, p []byte) *fault {
	b := c.partial
	b.frames++
	switch {
	case b.frames > c.sh.cfg.Limits.Continuations:
		return errBlockFrames
	case len(b.b)+len(p) > c.sh.cfg.Limits.Block:
		return errBlockLong
	}
	b.b = c.store(roles.HoldHead, b.b, p)
	if !f.has(flagEndHeaders) {
		return nil
	}
	c.partial = nil
	c.moveTo(expectFrame)
	bad := c.side.headers(*b, b.b)
	c.drop(roles.HoldHead, b.b)
	return bad
}

// dropPartial forgets a block that will not be completed.
func (c *conn) dropPartial() {
	if c.partial != nil {
		c.drop(roles.HoldHead, c.partial.b)
		c.partial = nil
	}
}

// decode reads a block into the Shared's message: to the end, whatever becomes of its stream, since the next
// one builds on it. broken says that the connection is lost; malformed is what
// is wrong with the message; long, that it is over the limits.
func (c *conn) decode(p []byte, s section) (broken, malformed *fault, long bool) {
	a := &c.sh.headers
	a.reset(c.sh, s)
	a.unix = c.unix
	if _, err := c.dec.Write(p); err != nil {
		return errCompression, nil, false
	}
	if c.dec.Close() != nil {
		return errCompression, nil, false
	}
	return nil, a.finish(), a.over
}

// onTrailers gives a trailer section to its stream.
func (c *conn) onTrailers(x *stream, b block, p []byte) *fault {
	broken, malformed, long := c.decode(p, trailerSection)
	switch {
	case broken != nil:
		return broken
	case b.self:
		malformed = errSelf
	case malformed == nil && !b.end:
		malformed = errTrailers
	case malformed == nil && long:
		malformed = errListLong
	}
	if malformed != nil {
		c.failStream(x, malformed)
		return nil
	}
	c.moved()
	x.move(recvHeaders)
	c.peerEnd(x, c.sh.msg.Fields)
	return nil
}

// onClosed judges HEADERS or DATA for a stream that is closed (RFC 9113 s.5.1): what crossed our reset on its
// way is passed over; what follows the peer's own reset is answered with another; what follows its END_STREAM
// shows that it has lost count. Streams above the last that our GOAWAY names are of no interest (s.6.8).
func (c *conn) onClosed(id uint32) *fault {
	if !c.isOurs(id) && id > c.ignoreAbove {
		return c.idleFrame()
	}
	switch c.howReset(id) {
	case resetByUs:
		return c.idleFrame()
	case resetByPeer:
		return c.failStreamID(id, errStreamClosed)
	}
	return errStreamClosed
}
