package ws

import (
	"encoding/binary"
	"time"
	"unicode/utf8"
)

// rxControl handles the control frame at the start of b, whose header has n octets, and returns its length, 0 while it is
// incomplete. A Ping whose Pong has no room waits, and with it all later input: a peer that does not read its Pongs stops
// itself.
func (c *Conn) rxControl(h *header, n int, b []byte) int {
	end := n + int(h.length)
	if len(b) < end {
		return 0
	}
	if h.op() == opPing && c.phase == opened && c.low.Room(end+4) == nil {
		c.flags |= blocked
		c.stop()
		c.low.WantWrite()
		return 0
	}
	if !c.countControl() {
		return c.fail(errControlOften, len(b))
	}
	p := b[n:end]
	if h.masked {
		mask(p, h.key)
	}
	switch h.op() {
	case opPing:
		c.sh.Counters.Pings++
		c.control(opPong, p)
	case opPong:
		c.h.Pong(c, p)
	case opClose:
		if f := c.rxClose(p); f != nil {
			return c.fail(f, len(b))
		}
	}
	return end
}

// countControl counts a control frame, and reports whether it is within Limits.Control.
func (c *Conn) countControl() bool {
	most := c.sh.cfg.Limits.Control
	if most == 0 {
		return true
	}
	if s := uint32(c.sh.now / time.Second); s != c.second {
		c.second, c.count = s, 0
	}
	if c.count == most {
		return false
	}
	c.count++
	return true
}

// rxClose handles the payload of the peer's Close frame.
func (c *Conn) rxClose(p []byte) *fault {
	code, reason := NoCode, []byte(nil)
	switch len(p) {
	case 0:
	case 1:
		return errCloseShort
	default:
		code, reason = Code(binary.BigEndian.Uint16(p)), p[2:]
		if !code.OnWire() {
			return errCloseCode
		}
		if !utf8.Valid(reason) {
			return errCloseText
		}
	}
	c.ignore()
	c.releaseDeflate()
	if c.is(finishing) {
		// A client still waits for the end of the connection by the server.
		c.flags &^= finishing
		c.due = c.sh.deadline(c.sh.cfg.Timeouts.Close)
	}
	switch c.phase {
	case opened:
		c.move(answerClose)
	case awaitCloseRoom:
		c.move(awaitAnswerRoom)
	case awaitClose:
		c.flags |= exchanged
		if c.is(isClient) {
			c.move(awaitPeerEnd)
		} else {
			c.closeGraceful(nil)
		}
	}
	c.h.Closing(c, code, reason)
	if c.phase == answerClose {
		c.queueClose(&pendingClose{code: code})
	}
	return nil
}

// Ping sends a Ping with payload, at most 125 octets. The error is ErrNoRoom, ErrClosing, or wraps ErrMisuse.
func (c *Conn) Ping(payload []byte) error {
	switch {
	case len(payload) > maxControl:
		return errPingLong
	case !c.sends():
		return ErrClosing
	case !c.control(opPing, payload):
		return ErrNoRoom
	}
	return nil
}

// probe sends a Ping to a silent peer, now or when there is room.
func (c *Conn) probe() {
	c.flags &^= owesProbe
	if !c.sends() {
		return
	}
	if !c.control(opPing, nil) {
		c.flags |= owesProbe
		c.low.WantWrite()
		return
	}
	c.sh.Counters.Probes++
}

// CheckClose returns an error that wraps ErrMisuse if a Close frame cannot have code and reason: see Conn.Close.
func CheckClose(code Code, reason string) error {
	switch {
	case code != NoCode && !code.OnWire() || code == NoCode && reason != "":
		return errCloseOwn
	case len(reason) > maxControl-2 || !utf8.ValidString(reason):
		return errCloseLong
	}
	return nil
}

// Close starts the closing handshake (RFC 6455 s.7.1.2): it sends a Close frame after what was committed, with code, or
// without one for NoCode, and with reason, at most 123 octets of UTF-8. It cuts off a message that has begun. Rx continues
// until the peer's Close frame, which a paused Handler does not receive; Closed follows. Later calls are ignored, except
// that Close after Finish shortens the wait to Timeouts.Close. An error wraps ErrMisuse, and nothing was done.
func (c *Conn) Close(code Code, reason string) error { return c.startClose(code, reason, 0) }

// Finish is Close for an end that has sent everything and still wants to receive: the peer may continue to send, and the
// wait for its Close frame is Timeouts.Finish since its last octet. Time in which the Handler has paused does not count.
func (c *Conn) Finish(code Code, reason string) error { return c.startClose(code, reason, finishing) }

// startClose starts the closing handshake. how is finishing for Finish, 0 for Close.
func (c *Conn) startClose(code Code, reason string, how uint16) error {
	if err := CheckClose(code, reason); err != nil {
		return err
	}
	c.sh.now = c.low.Now()
	defer c.low.Rearm()
	if c.is(finishing) && how == 0 {
		c.flags &^= finishing
		c.due = c.sh.deadline(c.sh.cfg.Timeouts.Close)
		return nil
	}
	switch c.phase {
	case awaitOpened:
		c.closeGraceful(nil)
	case opened, answerClose:
		c.flags |= how
		c.queueClose(&pendingClose{code: code, reason: reason})
	}
	return nil
}

// closeTimeout returns the timeout of the present step of the closing handshake.
func (c *Conn) closeTimeout() time.Duration {
	if c.is(finishing) {
		return c.sh.cfg.Timeouts.Finish
	}
	return c.sh.cfg.Timeouts.Close
}

// queueClose queues our Close frame, and sends it if there is room.
func (c *Conn) queueClose(w *pendingClose) {
	c.queued = w
	if c.phase == answerClose {
		c.move(awaitAnswerRoom)
	} else {
		c.move(awaitCloseRoom)
	}
	c.due = c.sh.deadline(c.closeTimeout())
	c.sendQueued()
}

// sendQueued sends our Close frame if there is room for it, and moves to the phase after that.
func (c *Conn) sendQueued() {
	w := c.queued
	var p [maxControl]byte
	n := 0
	if w.code != NoCode {
		binary.BigEndian.PutUint16(p[:], uint16(w.code))
		n = 2 + copy(p[2:], w.reason)
	}
	if !c.control(opClose, p[:n]) {
		c.low.WantWrite()
		return
	}
	c.queued = nil
	c.flags &^= wants | owesProbe | blocked
	c.due = c.sh.deadline(c.closeTimeout())
	switch {
	case c.phase == awaitFaultRoom:
		c.closeGraceful(w.cause)
	case c.phase == awaitCloseRoom:
		c.move(awaitClose)
		c.start()
	case c.is(isClient) && !c.is(ended):
		// A client waits for the server to end the connection (RFC 6455 s.7.1.1).
		c.flags |= exchanged
		c.move(awaitPeerEnd)
		c.start()
	default:
		c.flags |= exchanged
		c.closeGraceful(nil)
	}
}

// control sends a control frame, also between the frames of a message, and reports whether there was room. After our Close
// frame it does nothing and reports true.
func (c *Conn) control(op byte, p []byte) bool {
	if c.phase >= awaitClose || op != opClose && c.owesClose() {
		return true
	}
	n := 2 + len(p)
	if c.is(isClient) {
		n += 4
	}
	r := c.low.Room(n)
	if r == nil {
		return false
	}
	r = r[:n]
	h := putHeader(r, bitFin|op, c.is(isClient), len(p))
	if c.is(isClient) {
		k := c.sh.key()
		binary.LittleEndian.PutUint32(r[h:], k)
		copy(r[h+4:], p)
		mask(r[h+4:], k)
	} else {
		copy(r[h:], p)
	}
	c.low.Commit(n)
	return true
}
