package h2

import (
	"slices"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// tunnel is a stream as the roles.Lower of the protocol over it: the same object with another method set.
type tunnel stream

var _ roles.Lower = (*tunnel)(nil)

// Upgrade gives the stream of an extended CONNECT to u, its owner. A server calls it in Writable, after SendHead of a
// 2xx; a client in Head of the 2xx. The exchange's handler gets no further calls.
func (c *conn) Upgrade(e http.Exchange, u roles.Upper) error {
	x, ok := e.(*stream)
	if !ok || x.c != c || x.over() || x.tunnel != awaitUpgrade || x.sending != headSent || x.receiving == awaitHead {
		return errUpgrade
	}
	c.sh.Counters.Upgraded++
	x.owner = u
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

// Stream returns exchange e of the connection as the roles.Lower of its owner, for use after Upgrade.
func (c *conn) Stream(e http.Exchange) roles.Lower { return (*tunnel)(e.(*stream)) }

// listens reports whether the owner takes bytes now.
func (x *stream) listens() bool {
	return x.owner != nil && x.tunnel == tunnelOpen && !x.is(paused) && !x.over()
}

// tunnelRx gives the kept bytes, then p, and then the peer's end to the owner.
func (c *conn) tunnelRx(x *stream, p []byte) {
	now := c.sh.now
	if x.tunnel == awaitOpened {
		x.moveTunnel(tunnelOpen)
		x.owner.Opened(now)
		if x.is(ownerWakes) {
			c.low.Wake()
		}
	}
	if len(p)+len(x.kept) > 0 && x.listens() && roles.OutputFirst(x.is(ownerWants), x.out <= outQueued) {
		c.tunnelWritable(x)
	}
	if len(p) > 0 && (len(x.kept) > 0 || !x.listens()) {
		if x.over() || x.owner == nil {
			c.returnWindow(x, int64(len(p)))
			return
		}
		c.keepBody(x, p)
		p = nil
	}
	switch {
	case !x.listens():
	case len(x.kept) > 0:
		x.flags |= ownerReads
		used := x.owner.Rx(now, x.unread())
		x.flags &^= ownerReads
		c.afterKeptRx(x, used)
	case len(p) > 0:
		c.afterRx(x, p, x.owner.Rx(now, p))
	}
	if x.receiving == awaitReader && x.listens() && !x.is(resumed) {
		x.moveRecv(endDelivered)
		x.owner.RxEnd(now, len(x.unread()))
	}
	c.tunnelDue(x)
}

// unread returns the kept bytes that the owner has not used.
func (x *stream) unread() []byte { return x.kept[x.keptRead:] }

// afterRx handles the rest of p, of which the owner has used so many bytes.
func (c *conn) afterRx(x *stream, p []byte, used int) {
	if x.over() || x.owner == nil {
		c.returnWindow(x, int64(len(p)))
		return
	}
	c.returnConnWindow(int64(used))
	if used < len(p) {
		c.keepBody(x, p[used:])
	}
	c.tunnelUsed(x, used)
}

// afterKeptRx is afterRx for kept bytes.
func (c *conn) afterKeptRx(x *stream, used int) {
	if x.over() || x.owner == nil {
		return // they were dropped
	}
	c.keptUsed(x, used)
	x.keptRead += uint32(used)
	switch left := x.unread(); {
	case len(left) == 0:
		c.drop(roles.HoldTunnel, x.kept)
		x.kept, x.keptRead = nil, 0
	case len(left) <= int(x.keptRead):
		// Not each time: an owner that uses little of much would cause a move of the rest each time.
		x.kept, x.keptRead = x.kept[:copy(x.kept, left)], 0
	}
	c.tunnelUsed(x, used)
}

// tunnelUsed returns the stream's window for n bytes that the owner used. An owner that uses nothing and has not
// paused needs more bytes first: then the window opens for the bytes that are kept.
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

// tunnelDue sets the deadline of the owner.
func (c *conn) tunnelDue(x *stream) {
	if x.owner == nil || x.tunnel != tunnelOpen || x.over() {
		return
	}
	if x.inDue = x.owner.Deadline(); x.inDue != 0 {
		c.setDue(x.inDue)
	}
}

func (c *conn) tunnelTimeout(x *stream, now time.Duration) {
	x.owner.Timeout(now)
	c.tunnelDue(x)
}

// tunnelWritable sends the pending output, and then asks the owner for more.
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
	case x.is(ownerWants) && x.owner != nil:
		x.flags &^= ownerWants
		x.owner.Writable(c.sh.now)
		c.endRoom(x)
		c.tunnelDue(x)
	}
}

// flushPending sends output for which no window was open. It reports whether other output may follow.
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
	c.sendEmptyEnd(x)
	x.endSent()
}

// Room implements roles.Lower. Output for which no window is open is kept, up to one room.
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

// Commit implements roles.Lower.
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

// WantWrite implements roles.Lower.
func (t *tunnel) WantWrite() {
	t.flags |= ownerWants
	(*stream)(t).WantWrite()
}

// Pause implements roles.Lower.
func (t *tunnel) Pause() { t.flags |= paused }

// Resume implements roles.Lower.
func (t *tunnel) Resume() {
	x := (*stream)(t)
	if x.is(paused) && !x.over() {
		x.flags &^= paused
		x.c.wakeStream(x)
	}
}

// Credit implements roles.Lower. The window for what Rx used was returned already.
func (t *tunnel) Credit(int) {}

// CloseWrite implements roles.Lower.
func (t *tunnel) CloseWrite() {
	x := (*stream)(t)
	if !x.over() && x.sending == headSent {
		x.moveSend(endWanted)
		x.WantWrite()
	}
}

// Close implements roles.Lower. Closed follows in the stream's turn. After a graceful close the connection sends the rest.
func (t *tunnel) Close(mode roles.CloseMode, cause error) {
	x := (*stream)(t)
	c := x.c
	switch {
	case x.over():
		return
	case mode != roles.Graceful:
		if x.owner == nil {
			c.resetStream(x, Cancel, nil)
		} else {
			c.resetStream(x, Cancel, cause)
		}
	case x.owner != nil:
		c.linger(x, cause)
	}
}

// linger ends a stream whose owner has closed it. Its committed output is sent, and input is dropped, within limits
// of size and time.
func (c *conn) linger(x *stream, cause error) {
	y := c.sh.newStream() // delivers Closed to the owner
	y.owner, y.cause, y.out = x.owner, cause, outOver
	c.done.push(y)
	c.requestWake()
	x.owner, x.h = nil, refusal(0)
	if x.is(ownerWakes) {
		x.flags &^= ownerWakes
		c.wakingTunnels--
	}
	x.moveTunnel(lingering)
	x.flags &^= paused | manualCredit | ownerWants | noDeadline
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

// Replace implements roles.Lower.
func (t *tunnel) Replace(u roles.Upper) {
	x := (*stream)(t)
	if x.over() || x.owner == nil {
		return
	}
	x.owner = u
	if x.tunnel == tunnelOpen {
		x.moveTunnel(awaitOpened)
	}
	if x.receiving == endDelivered {
		x.moveRecv(awaitReader)
	}
	x.c.wakeStream(x)
}

// Rearm implements roles.Lower.
func (t *tunnel) Rearm() {
	x := (*stream)(t)
	x.c.tunnelDue(x)
	x.c.low.Rearm()
}

// Wake implements roles.Lower.
func (t *tunnel) Wake() {
	if x := (*stream)(t); !x.is(ownerWakes) && !x.over() {
		x.flags |= ownerWakes
		x.c.wakingTunnels++
		x.c.low.Wake()
	}
}

// wakeTunnels calls Woken of the owners that have asked for it. Requests made in the loop wait for the next call.
func (c *conn) wakeTunnels(now time.Duration) {
	n := c.wakingTunnels
	for i := len(c.streams) - 1; i >= 0 && n > 0; i-- {
		i = min(i, len(c.streams)-1) // streams may end in the loop
		if i < 0 {
			return
		}
		if x := c.streams[i]; x.is(ownerWakes) && x.tunnel == tunnelOpen {
			n--
			x.flags &^= ownerWakes
			c.wakingTunnels--
			x.owner.Woken(now)
			c.tunnelDue(x)
		}
	}
}

// Now implements roles.Lower.
func (t *tunnel) Now() time.Duration { return t.c.low.Now() }

// Info implements roles.Lower.
func (t *tunnel) Info() roles.Info {
	i := t.c.low.Info()
	i.Layer = roles.LayerH2Stream
	return i
}

// Hold implements roles.Lower. The connection is charged.
func (t *tunnel) Hold(k roles.Kind, delta int) { t.c.low.Hold(k, delta) }

// MayHold implements roles.Lower.
func (t *tunnel) MayHold(k roles.Kind, n int) bool { return t.c.low.MayHold(k, n) }
