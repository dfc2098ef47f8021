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
	if !ok || x.c != c || x.over() || x.tunnel != awaitUpgrade || x.sending != headSent || x.receiving == awaitHead {
		return errUpgrade
	}
	c.sh.Counters.Upgraded++
	x.upper = u
	c.low.Hold(roles.HoldBody, -cap(x.kept))
	x.moveTunnel(awaitOpened)
	x.flags = x.flags&^(wants|paused) | manualCredit
	c.low.Hold(roles.HoldTunnel, cap(x.kept))
	if x.inDone() && x.receiving != awaitReader {
		x.moveRecv(awaitReader)
	}
	x.inDue = 0
	c.wakeStream(x)
	return nil
}

// Stream returns e, an exchange of the connection's, as what can carry another protocol once Upgrade has given
// it away.
func (c *conn) Stream(e http.Exchange) roles.Lower { return (*tunnel)(e.(*stream)) }

// listens says whether what runs over the stream takes bytes now.
func (x *stream) listens() bool {
	return x.upper != nil && x.tunnel == tunnelOpen && !x.is(paused) && !x.over()
}

// tunnelRx offers p, behind what was left, to what runs over the stream, and then the end.
func (c *conn) tunnelRx(x *stream, p []byte) {
	now := c.sh.now
	if x.tunnel == awaitOpened {
		x.moveTunnel(tunnelOpen)
		x.upper.Opened(now)
		if x.is(upperWakes) {
			c.low.Wake()
		}
	}
	if len(p)+len(x.kept) > 0 && x.listens() && roles.OutputFirst(x.is(upperWants), x.out <= outQueued) {
		c.tunnelWritable(x)
	}
	if len(p) > 0 && (len(x.kept) > 0 || !x.listens()) {
		if x.over() || x.upper == nil {
			c.returnWindow(x, int64(len(p)))
			return
		}
		c.keepBody(x, p)
		p = nil
	}
	switch {
	case !x.listens():
	case len(x.kept) > 0:
		x.flags |= upperReads
		used := x.upper.Rx(now, x.unread())
		x.flags &^= upperReads
		c.afterKeptRx(x, used)
	case len(p) > 0:
		c.afterRx(x, p, x.upper.Rx(now, p))
	}
	if x.receiving == awaitReader && x.listens() && !x.is(resumed) {
		x.moveRecv(endDelivered)
		x.upper.RxEnd(now, len(x.unread()))
	}
	c.tunnelDue(x)
}

// left is what of the parked bytes is still to be used.
func (x *stream) unread() []byte { return x.kept[x.keptRead:] }

// tookFresh sees to p, of which what runs over the stream has used so much.
func (c *conn) afterRx(x *stream, p []byte, used int) {
	if x.over() || x.upper == nil {
		c.returnWindow(x, int64(len(p)))
		return
	}
	c.returnConnWindow(int64(used))
	if used < len(p) {
		c.keepBody(x, p[used:])
	}
	c.tunnelUsed(x, used)
}

// tookParked is the same for what was parked.
func (c *conn) afterKeptRx(x *stream, used int) {
	if x.over() || x.upper == nil {
		return // it was dropped
	}
	c.keptUsed(x, used)
	x.keptRead += uint32(used)
	switch left := x.unread(); {
	case len(left) == 0:
		c.drop(roles.HoldTunnel, x.kept)
		x.kept, x.keptRead = nil, 0
	case len(left) <= int(x.keptRead):
		// Not each time: who uses little of much would have it moved over and over.
		x.kept, x.keptRead = x.kept[:copy(x.kept, left)], 0
	}
	c.tunnelUsed(x, used)
}

// tunnelTook gives the stream's window back for n bytes that were used. Whoever uses nothing without having paused
// needs more, as much as it may be, before it can: then the window grows without that.
func (c *conn) tunnelUsed(x *stream, n int) {
	k := min(int64(n), x.creditedStream)
	x.creditedStream -= k
	x.credit += int64(n) - k
	half := int64(c.window) / 2
	switch {
	case x.is(paused):
	case n > 0 && len(x.kept) > 0:
		c.wakeStream(x)
	case n == 0 && x.recvWin <= half && c.mayCredit(x):
		x.credit += int64(len(x.unread())) - x.creditedStream
		x.creditedStream = int64(len(x.unread()))
	}
	c.grant(x, half)
}

// tunnelDue asks for the deadline of what runs over the stream.
func (c *conn) tunnelDue(x *stream) {
	if x.upper == nil || x.tunnel != tunnelOpen || x.over() {
		return
	}
	if x.inDue = x.upper.Deadline(); x.inDue != 0 {
		c.setDue(x.inDue)
	}
}

func (c *conn) tunnelTimeout(x *stream, now time.Duration) {
	x.upper.Timeout(now)
	c.tunnelDue(x)
}

// tunnelWritable sends what the windows refused before, and then asks for more.
func (c *conn) tunnelWritable(x *stream) {
	x.flags &^= wants
	if !c.flushPending(x) {
		return
	}
	switch {
	case x.sending == endWanted:
		c.endTunnel(x)
		if x.tunnel == lingering {
			c.complete(x)
		}
	case x.is(upperWants) && x.upper != nil:
		x.flags &^= upperWants
		x.upper.Writable(c.sh.now)
		c.endRoom(x)
		c.tunnelDue(x)
	}
}

// flushHeld sends output that the windows refused. It reports whether other output may follow.
func (c *conn) flushPending(x *stream) bool {
	for len(x.pendingOut) > 0 {
		n := min(int64(len(x.pendingOut)), x.sendWin, c.sendWin, int64(c.peer.frame))
		if n <= 0 {
			x.flags |= wants
			c.waitForWindow(x)
			return false
		}
		r := c.space(int(min(n, leastRoom)))
		if r == nil {
			x.flags |= wants
			return false
		}
		n = min(n, int64(len(r)-headerLen))
		copy(r[headerLen:], x.pendingOut[:n])
		c.putData(x, r, int(n), false)
		x.pendingOut = x.pendingOut[:copy(x.pendingOut, x.pendingOut[n:])]
	}
	c.drop(roles.HoldTunnel, x.pendingOut)
	x.pendingOut = nil
	return true
}

func (c *conn) endTunnel(x *stream) {
	var b [headerLen]byte
	frame{typ: frameData, flags: flagEndStream, stream: x.id}.put(b[:])
	c.control(b[:])
	x.endSent()
}

// Room is roles.Lower's. What the windows have no place for is held, up to one room.
func (t *tunnel) Room(least int) []byte {
	x := (*stream)(t)
	c := x.c
	if x.over() || x.sending != headSent || len(x.pendingOut) > 0 {
		return nil
	}
	n := min(x.sendWin, c.sendWin, int64(c.peer.frame))
	if n >= int64(max(least, 1)) {
		r := c.space(least)
		if r == nil {
			return nil
		}
		n = min(n, int64(len(r)-headerLen))
		c.giveRoom(x, r[:headerLen+n], false)
		return r[headerLen : headerLen+n]
	}
	if c.phase >= expectClose || least > roles.MaxRecord {
		return nil
	}
	c.sh.overflow = slices.Grow(c.sh.overflow[:0], roles.MaxRecord)
	c.giveRoom(x, c.sh.overflow[:roles.MaxRecord], true)
	return c.sh.overflow[:roles.MaxRecord]
}

// Commit is roles.Lower's.
func (t *tunnel) Commit(n int) {
	x := (*stream)(t)
	c := x.c
	o := &c.sh.room
	most := len(o.Room)
	if !c.sh.overflowRoom {
		most -= headerLen
	}
	if x.over() || !o.Check("h2: tunnel", x, n, most) {
		return
	}
	r := o.Take(x)
	c.roomGiven = false
	switch {
	case n == 0:
	case c.sh.overflowRoom:
		x.pendingOut = c.store(roles.HoldTunnel, x.pendingOut, r[:n])
		x.WantWrite()
	default:
		c.putData(x, r, n, false)
	}
}

// WantWrite is roles.Lower's.
func (t *tunnel) WantWrite() {
	t.flags |= upperWants
	(*stream)(t).WantWrite()
}

// Pause is roles.Lower's.
func (t *tunnel) Pause() { t.flags |= paused }

// Resume is roles.Lower's.
func (t *tunnel) Resume() {
	x := (*stream)(t)
	if x.is(paused) && !x.over() {
		x.flags &^= paused
		x.c.wakeStream(x)
	}
}

// Credit is roles.Lower's. What Rx used has been granted already.
func (t *tunnel) Credit(int) {}

// CloseWrite is roles.Lower's.
func (t *tunnel) CloseWrite() {
	x := (*stream)(t)
	if !x.over() && x.sending == headSent {
		x.moveSend(endWanted)
		x.WantWrite()
	}
}

// Close is roles.Lower's. The stream's Closed is told in its turn; what lingers after a graceful end is the
// connection's business.
func (t *tunnel) Close(mode roles.CloseMode, cause error) {
	x := (*stream)(t)
	c := x.c
	switch {
	case x.over():
		return
	case mode != roles.Graceful:
		if x.upper == nil {
			c.resetStream(x, Cancel, nil)
		} else {
			c.resetStream(x, Cancel, cause)
		}
	case x.upper != nil:
		c.linger(x, cause)
	}
}

// linger ends a stream whose owner has closed it: what it has committed is sent, and what still comes is dropped, as
// long as it is not too much and does not take too long.
func (c *conn) linger(x *stream, cause error) {
	y := c.sh.newStream() // brings the news to the owner
	y.upper, y.cause, y.out = x.upper, cause, outOver
	c.done.push(y)
	c.requestWake()
	x.upper, x.h = nil, refusal(0)
	if x.is(upperWakes) {
		x.flags &^= upperWakes
		c.wakingTunnels--
	}
	x.moveTunnel(lingering)
	x.flags &^= paused | manualCredit | upperWants | noDeadline
	if x.sending == headSent {
		x.moveSend(endWanted)
	}
	n := len(x.unread())
	c.dropKept(x)
	x.inDue = 0
	if x.inDone() {
		if x.receiving != endDelivered {
			x.moveRecv(endDelivered)
		}
	} else {
		x.moveRecv(discardBody)
		c.returnStreamWindow(x, int64(n))
		c.startPace(x)
		x.pace.Stop(c.sh.now)
		c.wakeStream(x) // that call knows the time
	}
	if x.sending == endSent {
		c.complete(x)
		return
	}
	x.WantWrite()
}

// Replace is roles.Lower's.
func (t *tunnel) Replace(u roles.Upper) {
	x := (*stream)(t)
	if x.over() || x.upper == nil {
		return
	}
	x.upper = u
	if x.tunnel == tunnelOpen {
		x.moveTunnel(awaitOpened)
	}
	if x.receiving == endDelivered {
		x.moveRecv(awaitReader)
	}
	x.c.wakeStream(x)
}

// Rearm is roles.Lower's.
func (t *tunnel) Rearm() {
	x := (*stream)(t)
	x.c.tunnelDue(x)
	x.c.low.Rearm()
}

// Wake is roles.Lower's.
func (t *tunnel) Wake() {
	if x := (*stream)(t); !x.is(upperWakes) && !x.over() {
		x.flags |= upperWakes
		x.c.wakingTunnels++
		x.c.low.Wake()
	}
}

// wakeTunnels answers Wake. What is asked for meanwhile is for the next time.
func (c *conn) wakeTunnels(now time.Duration) {
	n := c.wakingTunnels
	for i := len(c.streams) - 1; i >= 0 && n > 0; i-- {
		i = min(i, len(c.streams)-1) // streams end meanwhile
		if i < 0 {
			return
		}
		if x := c.streams[i]; x.is(upperWakes) && x.tunnel == tunnelOpen {
			n--
			x.flags &^= upperWakes
			c.wakingTunnels--
			x.upper.Woken(now)
			c.tunnelDue(x)
		}
	}
}

// Now is roles.Lower's.
func (t *tunnel) Now() time.Duration { return t.c.low.Now() }

// Info is roles.Lower's.
func (t *tunnel) Info() roles.Info {
	i := t.c.low.Info()
	i.Layer = roles.LayerH2Stream
	return i
}

// Hold is roles.Lower's. It is the connection that holds.
func (t *tunnel) Hold(k roles.Kind, delta int) { t.c.low.Hold(k, delta) }

// MayHold is roles.Lower's.
func (t *tunnel) MayHold(k roles.Kind, n int) bool { return t.c.low.MayHold(k, n) }
