package ws

import (
	"encoding/binary"
	"time"
	"unicode/utf8"
)

// rxControl takes the control frame in front of b whose header has n octets, if all of it is there, and
// returns its length, or 0. One that has no room for its answer waits, and so does all behind it: who
// pings without reading the answers stops itself.
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
	if !c.mayControl() {
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

// mayControl counts a control frame, and tells whether so many may come.
func (c *Conn) mayControl() bool {
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

// rxClose is the peer's Close frame.
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
	c.forget()
	if c.is(patient) {
		// A client still waits for the server to end the connection.
		c.flags &^= patient
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
			c.shut(nil)
		}
	}
	c.h.Closing(c, code, reason)
	if c.phase == answerClose {
		c.farewell(&farewell{code: code})
	}
	return nil
}

// Ping sends a Ping with this payload, of at most 125 octets. The error is ErrNoRoom, ErrClosing or wraps
// ErrMisuse.
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

// probe sends a Ping because the peer is silent, now or when there is room.
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

// CheckClose says whether code and reason can be sent in a Close frame: see Conn.Close.
func CheckClose(code Code, reason string) error {
	switch {
	case code != NoCode && !code.OnWire() || code == NoCode && reason != "":
		return errCloseOwn
	case len(reason) > maxControl-2 || !utf8.ValidString(reason):
		return errCloseLong
	}
	return nil
}

// Close begins the closing handshake: what was committed goes out first, then a Close frame with code,
// or without one for NoCode, and reason, UTF-8 of at most 123 octets. A message under way is cut off.
// Rx goes on until the peer's Close frame, which a handler that stays paused does not get to see; Closed
// follows. Only the first Close or Finish counts, but that a Close takes from an earlier Finish its patience. Errors
// wrap ErrMisuse, and then nothing was done.
func (c *Conn) Close(code Code, reason string) error { return c.leave(code, reason, 0) }

// Finish is Close for who has said everything and still wants to hear: the peer may go on to send, and has
// Timeouts.Finish for its Close frame, counted anew from whatever comes, and not while the handler is paused.
func (c *Conn) Finish(code Code, reason string) error { return c.leave(code, reason, patient) }

// leave sends our Close frame. how is patient, or 0.
func (c *Conn) leave(code Code, reason string, how uint16) error {
	if err := CheckClose(code, reason); err != nil {
		return err
	}
	c.sh.now = c.low.Now()
	defer c.low.Rearm()
	if c.is(patient) && how == 0 {
		c.flags &^= patient
		c.due = c.sh.deadline(c.sh.cfg.Timeouts.Close)
		return nil
	}
	switch c.phase {
	case awaitOpened:
		c.shut(nil)
	case opened, answerClose:
		c.flags |= how
		c.farewell(&farewell{code: code, reason: reason})
	}
	return nil
}

// patience is how long our Close frame may wait, to be sent and to be answered.
func (c *Conn) patience() time.Duration {
	if c.is(patient) {
		return c.sh.cfg.Timeouts.Finish
	}
	return c.sh.cfg.Timeouts.Close
}

func (c *Conn) farewell(w *farewell) {
	c.queued = w
	if c.phase == answerClose {
		c.move(awaitAnswerRoom)
	} else {
		c.move(awaitCloseRoom)
	}
	c.due = c.sh.deadline(c.patience())
	c.sendQueued()
}

// sendQueued sends our Close frame when there is room for it, and goes where the connection goes then.
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
	c.due = c.sh.deadline(c.patience())
	switch {
	case c.phase == awaitFaultRoom:
		c.shut(w.cause)
	case c.phase == awaitCloseRoom:
		c.move(awaitClose)
		c.start()
	case c.is(isClient) && !c.is(ended):
		// A client leaves it to the server to end the connection (RFC 6455 s.7.1.1).
		c.flags |= exchanged
		c.move(awaitPeerEnd)
		c.start()
	default:
		c.flags |= exchanged
		c.shut(nil)
	}
}

// control sends a control frame, if there is room, which it tells. It may stand between the frames of a
// message. Behind our Close frame it does nothing.
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
