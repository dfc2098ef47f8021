package h2

import (
	"encoding/binary"

	"github.com/millrace/millrace/roles"
)

// block is a header block.
type block struct {
	stream uint32
	end    bool // END_STREAM
	self   bool // the stream depends on itself
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

// dropPartial drops a block that will not be completed.
func (c *conn) dropPartial() {
	if c.partial != nil {
		c.drop(roles.HoldHead, c.partial.b)
		c.partial = nil
	}
}

// decode decodes a block into the Shared's message, to its end in any case, since the next block depends on it.
// broken ends the connection, malformed is a fault of the message, and long reports that the section is beyond the
// limits.
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

// onClosed handles HEADERS or DATA for a closed stream (RFC 9113 s.5.1). Frames that crossed our reset are ignored,
// frames after the peer's reset get another reset, and frames after its END_STREAM end the connection. Streams above
// the last one in our GOAWAY are ignored (s.6.8).
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
