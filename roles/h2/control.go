package h2

import (
	"encoding/binary"

	"github.com/millrace/millrace/roles"
)

// control sends a control frame, or stores it until the transport takes output. Between a handler's Room and its
// Commit it stores the frame, so that the room stays valid.
func (c *conn) control(b []byte) {
	if len(c.owed) == 0 && !c.roomGiven {
		if r := c.low.Room(len(b)); r != nil {
			c.low.Commit(copy(r, b))
			return
		}
	}
	c.owed = c.store(roles.HoldHead, c.owed, b)
	if len(c.owed) > c.sh.cfg.Limits.Owed {
		c.owed = c.owed[:0]
		c.fail(errFloodOwed)
		return
	}
	c.low.WantWrite()
}

// flushOwed sends the stored control frames. It reports whether other output may follow.
func (c *conn) flushOwed() bool {
	for len(c.owed) > 0 {
		r := c.low.Room(min(len(c.owed), minFrameSize))
		if r == nil {
			return false
		}
		n := copy(r, c.owed)
		c.low.Commit(n)
		if n == len(c.owed) {
			c.drop(roles.HoldHead, c.owed)
			c.owed = nil
			break
		}
		c.owed = c.owed[:copy(c.owed, c.owed[n:])]
	}
	return true
}

func (c *conn) sendReset(id uint32, code Code) {
	if c.phase >= expectClose {
		return
	}
	c.sh.Counters.ResetsOut++
	c.noteReset(id, false)
	var b [headerLen + 4]byte
	frame{length: 4, typ: frameReset, stream: id}.put(b[:])
	binary.BigEndian.PutUint32(b[headerLen:], uint32(code))
	c.control(b[:])
}

func (c *conn) sendWindow(id uint32, n int64) {
	var b [headerLen + 4]byte
	frame{length: 4, typ: frameWindow, stream: id}.put(b[:])
	binary.BigEndian.PutUint32(b[headerLen:], uint32(n))
	c.control(b[:])
}

func (c *conn) sendPing(data string) {
	c.sh.Counters.Pings++
	b := [headerLen + 8]byte{2: 8, 3: byte(framePing)}
	copy(b[headerLen:], data)
	c.control(b[:])
}

func (c *conn) sendGoAway(last uint32, code Code, debug string) {
	var b [headerLen + 8 + 128]byte
	n := copy(b[headerLen+8:], debug)
	frame{length: uint32(8 + n), typ: frameGoAway}.put(b[:])
	binary.BigEndian.PutUint32(b[headerLen:], last)
	binary.BigEndian.PutUint32(b[headerLen+4:], uint32(code))
	c.control(b[:headerLen+8+n])
}

// askDrain starts the orderly end of the connection: see Server.Drain and Client.Close.
func (c *conn) askDrain() {
	if c.draining == notDraining && c.phase < expectClose {
		c.drainTo(drainAsked)
		c.requestWake()
	}
}

// drain advances the orderly end of the connection (RFC 9113 s.6.8). A server first announces that it accepts no more
// streams; when the peer has seen that, it announces the last stream that it has accepted. Either side closes when
// the last exchange is over.
func (c *conn) drain() {
	if c.draining == drainAsked {
		switch {
		case c.phase == expectOpened:
			return
		case !c.server || len(c.streams) == 0:
			c.drainTo(drainLast)
			c.ignoreAbove = c.lastIn
			c.sendGoAway(c.lastIn, NoError, "")
		default:
			c.drainTo(drainPinged)
			c.sendGoAway(maxWindow, NoError, "")
			c.sendPing(drainPing)
			c.drainDue = c.sh.deadline(c.sh.cfg.Timeouts.Settings)
		}
	}
	if len(c.streams) > 0 || c.phase >= expectClose {
		return
	}
	if c.draining == drainPinged {
		c.drainTo(drainLast)
		c.ignoreAbove, c.drainDue = c.lastIn, 0
		c.sendGoAway(c.lastIn, NoError, "")
	}
	if len(c.owed) > 0 {
		// A peer that reads nothing gets limited time for our last frames.
		if c.drainDue == 0 {
			c.drainDue = c.sh.deadline(c.sh.cfg.Timeouts.Settings)
		}
		return
	}
	c.close(roles.Graceful, nil)
}
