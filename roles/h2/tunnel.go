package h2

import (
	"slices"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// tunnel is a stream in its part as the roles.Lower of what runs over it after an extended CONNECT: the same
// object under another set of methods.
type tunnel stream

var _ roles.Lower = (*tunnel)(nil)

// Upgrade gives the stream of an extended CONNECT to u. A server calls it from inside Writable, after SendHead of
// a 2xx; a client from inside Head, for the 2xx that came. The exchange's handler is told nothing more.
func (c *conn) Upgrade(e http.Exchange, u roles.Upper) error {
	x, ok := e.(*stream)
	if !ok || x.c != c || x.flags&(over|connecting) != connecting || x.sending != ourHead || !x.is(gotHead) || x.upper != nil {
		return errUpgrade
	}
	c.cfg.Counters.Upgraded++
	x.upper = u
	x.flags = x.flags&^(wants|paused) | manual
	x.inDue = 0
	c.wake(x)
	return nil
}

// Stream returns e, an exchange of the connection's, as what can carry another protocol once Upgrade has given
// it away.
func (c *conn) Stream(e http.Exchange) roles.Lower { return (*tunnel)(e.(*stream)) }

// tunnelRx offers p, behind what was left, to what runs over the stream.
func (c *conn) tunnelRx(x *stream, p []byte) {
	now := c.cfg.now
	if !x.is(upOpened) {
		x.flags |= upOpened
		x.upper.Opened(now)
	}
	if len(p) > 0 {
		if len(x.parked) > 0 || x.is(paused) {
			x.parked = c.cfg.keep(x.parked, p)
			c.parked += len(p)
			p = nil
		}
	}
	switch {
	case x.is(over | paused):
	case len(x.parked) > 0:
		used := x.upper.Rx(now, x.parked)
		c.tookParked(x, used)
	case len(p) > 0:
		used := x.upper.Rx(now, p)
		if !x.is(over) && used < len(p) {
			x.parked = c.cfg.keep(x.parked, p[used:])
			c.parked += len(p) - used
		}
		c.tunnelTook(x, used)
	}
	if x.flags&(over|paused|endParked|upEnded) == endParked {
		x.flags |= upEnded
		x.upper.RxEnd(now, len(x.parked))
	}
	c.tunnelDue(x)
}

func (c *conn) tookParked(x *stream, used int) {
	if x.is(over) {
		return
	}
	c.parked -= used
	if used == len(x.parked) {
		c.cfg.forget(x.parked)
		x.parked = nil
	} else {
		x.parked = x.parked[:copy(x.parked, x.parked[used:])]
		if used > 0 && !x.is(paused) && x.upper != nil {
			c.wake(x)
		}
	}
	c.tunnelTook(x, used)
}

func (c *conn) tunnelTook(x *stream, n int) {
	c.takenConn(int64(n))
	if !x.is(over) {
		x.credit += int64(n)
		c.grant(x, int64(c.window)/2)
	}
}

// tunnelDue asks for the deadline of what runs over the stream.
func (c *conn) tunnelDue(x *stream) {
	if x.is(over) {
		return
	}
	if x.inDue = x.upper.Deadline(); x.inDue != 0 {
		c.due(x.inDue)
	}
}

func (c *conn) tunnelTimeout(x *stream, now time.Duration) {
	x.upper.Timeout(now)
	c.tunnelDue(x)
}

// tunnelWritable sends what the windows refused before, and then asks for more.
func (c *conn) tunnelWritable(x *stream) {
	if !c.flushHeld(x) {
		return
	}
	if x.is(finWanted) {
		c.endTunnel(x)
		return
	}
	if x.is(wants) {
		x.flags &^= wants
		x.upper.Writable(c.cfg.now)
		c.room, c.roomOut = nil, false
		c.tunnelDue(x)
	}
}

// flushHeld sends output that the windows refused. It reports whether other output may follow.
func (c *conn) flushHeld(x *stream) bool {
	for len(x.held) > 0 {
		n := min(int64(len(x.held)), x.sendWin, c.sendWin, int64(c.peer.frame))
		if n <= 0 {
			x.flags |= wants
			c.starve(x)
			return false
		}
		r := c.space(int(min(n, leastRoom)))
		if r == nil {
			x.flags |= wants
			return false
		}
		n = min(n, int64(len(r)-headerLen))
		copy(r[headerLen:], x.held[:n])
		c.putData(x, r, int(n), false)
		x.held = x.held[:copy(x.held, x.held[n:])]
	}
	c.cfg.forget(x.held)
	x.held = nil
	return true
}

func (c *conn) endTunnel(x *stream) {
	x.flags &^= finWanted
	if x.sending != ourHead {
		return
	}
	var b [headerLen]byte
	frame{typ: frameData, flags: flagEndStream, stream: x.id}.put(b[:])
	c.control(b[:])
	x.endSent()
}

// Room is roles.Lower's. What the windows have no place for is held, up to one room.
func (t *tunnel) Room(least int) []byte {
	x := (*stream)(t)
	c := x.c
	if x.is(over|finWanted) || x.sending != ourHead || len(x.held) > 0 {
		return nil
	}
	n := min(x.sendWin, c.sendWin, int64(c.peer.frame))
	if n >= int64(max(least, 1)) {
		r := c.space(least)
		if r == nil {
			return nil
		}
		n = min(n, int64(len(r)-headerLen))
		c.room, c.roomOut = r[:headerLen+n], true
		return c.room[headerLen:]
	}
	if c.phase >= expectClose || least > roles.MaxRecord {
		return nil
	}
	c.cfg.spill = slices.Grow(c.cfg.spill[:0], roles.MaxRecord)
	c.room, c.roomOut = nil, false
	return c.cfg.spill[:roles.MaxRecord]
}

// Commit is roles.Lower's.
func (t *tunnel) Commit(n int) {
	x := (*stream)(t)
	c := x.c
	r := c.room
	c.room, c.roomOut = nil, false
	if x.is(over) || n == 0 {
		return
	}
	if r != nil {
		c.putData(x, r, n, false)
		return
	}
	x.held = c.cfg.keep(x.held, c.cfg.spill[:n])
	x.WantWrite()
}

// WantWrite is roles.Lower's.
func (t *tunnel) WantWrite() { (*stream)(t).WantWrite() }

// Pause is roles.Lower's.
func (t *tunnel) Pause() { t.flags |= paused }

// Resume is roles.Lower's.
func (t *tunnel) Resume() {
	x := (*stream)(t)
	if x.flags&(paused|over) == paused {
		x.flags &^= paused
		x.c.wake(x)
	}
}

// Credit is roles.Lower's. What Rx used has been granted already.
func (t *tunnel) Credit(int) {}

// CloseWrite is roles.Lower's.
func (t *tunnel) CloseWrite() {
	x := (*stream)(t)
	if !x.is(over) && x.sending == ourHead {
		x.flags |= finWanted
		x.WantWrite()
	}
}

// Close is roles.Lower's: an orderly end of the stream, or a reset.
func (t *tunnel) Close(mode roles.CloseMode, cause error) {
	x := (*stream)(t)
	c := x.c
	if x.is(over) {
		return
	}
	if mode != roles.Graceful {
		c.giveUp(x, Cancel, cause)
		c.low.Rearm()
		return
	}
	if x.sending == ourHead && len(x.held) == 0 {
		c.endTunnel(x)
	}
	if x.inDone() && x.sending == ourEnd {
		c.finish(x, cause)
	} else {
		c.giveUp(x, NoError, cause)
	}
	c.low.Rearm()
}

// Replace is roles.Lower's.
func (t *tunnel) Replace(u roles.Upper) {
	x := (*stream)(t)
	x.upper = u
	x.flags &^= upOpened
	x.c.wake(x)
}

// Rearm is roles.Lower's.
func (t *tunnel) Rearm() {
	x := (*stream)(t)
	x.c.tunnelDue(x)
	x.c.low.Rearm()
}
