package h2

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// body gives a piece of a body to its handler, or keeps it.
func (c *conn) body(x *stream, p []byte) {
	if x.upper == nil {
		l := c.pace()
		x.pace.Took(c.sh.now, len(p), &l)
	}
	switch {
	case x.receiving == discardBody:
		c.taken(x, int64(len(p)))
		c.drainBody(x, len(p))
	case x.upper != nil:
		c.tunnelRx(x, p)
	case x.is(paused) || len(x.parked) > 0:
		c.park(x, p)
		if !x.is(paused) {
			c.wake(x)
		}
	default:
		if x.answered() {
			if c.drainBody(x, len(p)); x.over() {
				c.takenConn(int64(len(p)))
				return
			}
		}
		c.awaitBody(x)
		x.h.Body(x, p)
		c.taken(x, int64(len(p)))
	}
}

// answered says whether a server's response is complete.
func (x *stream) answered() bool { return x.c.server && x.sending == endSent }

// drainBody counts what a server takes of a request after it has answered.
func (c *conn) drainBody(x *stream, n int) {
	if x.drained += int64(n); x.drained > c.sh.cfg.Limits.Drain {
		c.giveUp(x, NoError, errUnread)
	}
}

// park keeps body for a handler that has paused. The connection's window is given back all the same, as long as
// not too much is kept, so that a paused stream does not stop the others, and as long as memory is not short.
func (c *conn) park(x *stream, p []byte) {
	x.parked = c.keep(x.holds(), x.parked, p)
	c.parked += int64(len(p))
	c.sh.Counters.Parked += uint64(len(p))
	c.creditParked(x)
}

// creditParked gives the connection's window back for what is kept, up to Limits.Parked, unless memory is short. x is one
// of the streams for which something is kept, or was until now.
func (c *conn) creditParked(x *stream) {
	n := min(c.parked, int64(c.sh.cfg.Limits.Parked)) - c.credited
	if n > 0 && c.mayCredit(x) {
		c.credited += n
		c.takenConn(n)
	}
}

// unparked takes n bytes off what is kept for x, and gives their window back to the connection unless that was
// done before. What is kept beyond Limits.Parked for other streams may get its window then.
func (c *conn) unparked(x *stream, n int) {
	c.parked -= int64(n)
	k := min(int64(n), c.credited)
	c.credited -= k
	c.takenConn(int64(n) - k)
	c.creditParked(x)
}

// dropParked forgets what is kept for a stream.
func (c *conn) dropParked(x *stream) {
	c.unparked(x, len(x.left()))
	if x.is(offered) {
		c.low.Hold(x.holds(), -cap(x.parked)) // its reader has not returned: the buffer must not be used again
	} else {
		c.forget(x.holds(), x.parked)
	}
	x.parked, x.skip = nil, 0
	if n := cap(x.lateText); n > 0 {
		c.low.Hold(roles.HoldBody, -n) // a handler may be reading it too
		x.lateText, x.late = nil, nil
	}
}

// wake has a stream's parked bytes offered in the transport's next call.
func (c *conn) wake(x *stream) {
	if !x.is(resumed) {
		x.flags |= resumed
		c.woken++
		c.ring()
	}
}

// deliver offers what was parked to the streams that were resumed.
func (c *conn) deliver() {
	for i := len(c.streams) - 1; i >= 0 && c.woken > 0; i-- {
		i = min(i, len(c.streams)-1) // streams end meanwhile
		if i < 0 {
			return
		}
		if x := c.streams[i]; x.is(resumed) {
			x.flags &^= resumed
			c.woken--
			c.unpark(x)
		}
	}
}

func (c *conn) unpark(x *stream) {
	if x.upper != nil {
		c.tunnelRx(x, nil)
		return
	}
	if x.is(paused) {
		return
	}
	if x.awaitsBody() {
		x.pace.Resume(c.sh.now)
		c.awaitBody(x)
	}
	if p := x.parked; len(p) > 0 {
		x.parked = nil
		c.unparked(x, len(p))
		x.h.Body(x, p)
		c.takenStream(x, int64(len(p)))
		c.forget(roles.HoldBody, p)
	}
	if x.receiving == awaitReader && !x.over() && len(x.parked) == 0 {
		c.tellEnd(x, x.late)
	}
}

// taken says that n bytes of x's body have left our hands: the windows grow again. x may be nil.
func (c *conn) taken(x *stream, n int64) {
	c.takenConn(n)
	if x != nil {
		c.takenStream(x, n)
	}
}

func (c *conn) takenConn(n int64) {
	if c.credit += n; n > 0 && c.credit >= int64(c.sh.cfg.Limits.ConnWindow)/2 && c.phase < expectClose {
		c.sendWindow(0, c.credit)
		blocked := c.recvWin <= 0
		c.recvWin += c.credit
		c.credit = 0
		if blocked && c.recvWin > 0 {
			for _, x := range c.streams {
				c.unblocked(x)
			}
		}
	}
}

func (c *conn) takenStream(x *stream, n int64) {
	if !x.is(manual) && !x.over() {
		x.credit += n
		c.grant(x, int64(c.window)/2)
	}
}

// grant gives a stream's peer the window that was taken, if it is at least so much and there is more to come.
func (c *conn) grant(x *stream, least int64) {
	if x.credit < max(least, 1) || x.inDone() || x.id == 0 || c.phase >= expectClose {
		return
	}
	n := min(x.credit, maxWindow-x.recvWin)
	x.credit -= n
	if n > 0 {
		blocked := x.recvWin <= 0
		x.recvWin += n
		c.sendWindow(x.id, n)
		if blocked && x.recvWin > 0 {
			c.unblocked(x)
		}
	}
}

// peerEnd ends the peer's message.
func (c *conn) peerEnd(x *stream, trailers []http.Field) {
	if x.inLeft > 0 {
		c.refuse(x, errLengthLess)
		return
	}
	x.inDue = 0
	x.flags &^= owes100
	x.move(recvEnd)
	switch {
	case x.upper != nil:
		x.moveRecv(awaitReader)
		c.tunnelRx(x, nil)
	case len(x.parked) > 0:
		x.moveRecv(awaitReader)
		c.keepTrailers(x, trailers)
	default:
		c.tellEnd(x, trailers)
	}
}

// keepTrailers keeps trailers behind body that is kept.
func (c *conn) keepTrailers(x *stream, t []http.Field) {
	n := 0
	for _, f := range t {
		n += len(f.Name) + len(f.Value)
	}
	if n == 0 {
		return
	}
	b := make([]byte, 0, n)
	c.low.Hold(roles.HoldBody, n)
	for _, f := range t {
		at := len(b)
		b = append(append(b, f.Name...), f.Value...)
		v := at + len(f.Name)
		x.late = append(x.late, http.Field{Name: b[at:v:v], Value: b[v:len(b):len(b)], ID: f.ID})
	}
	x.lateText = b
}

// tellEnd tells the handler that the peer's message is complete.
func (c *conn) tellEnd(x *stream, trailers []http.Field) {
	x.moveRecv(endTold)
	x.h.End(x, trailers)
	c.complete(x)
}

// complete ends the stream if both messages are complete.
func (c *conn) complete(x *stream) {
	if x.over() || x.receiving != endTold || x.upper != nil {
		return
	}
	if x.sending == endSent {
		c.finish(x, nil)
	} else if x.is(ceased) {
		c.giveUp(x, Cancel, nil) // the answer is complete, and wants no more of the request
	}
}

// pace is how slow the bodies that come in may be.
func (c *conn) pace() http.PaceLimits {
	l := http.PaceLimits{Rate: c.sh.cfg.Limits.ResponseRate, Grace: c.sh.cfg.Timeouts.BodyGrace}
	if c.server {
		l.Rate, l.Total = c.sh.cfg.Limits.BodyRate, c.sh.cfg.Timeouts.BodyTotal
	}
	return l
}

// startBody has the peer send its body in time.
func (c *conn) startBody(x *stream) {
	l := c.pace()
	if x.pace.Start(c.sh.now, &l); x.is(paused) {
		x.pace.Stop(c.sh.now)
	}
	c.awaitBody(x)
}

// awaitBody has the peer send the next piece of its body in time, unless it is we who stopped it.
func (c *conn) awaitBody(x *stream) {
	if x.is(paused | patient) {
		return
	}
	l := c.pace()
	d := c.sh.deadline(c.sh.cfg.Timeouts.Body)
	if p := x.pace.Due(&l); p != 0 && (d == 0 || p < d) {
		d = p
	}
	if d != 0 {
		x.inDue = d
		c.due(d)
	}
}

// blocked reports whether it is our windows that keep the peer from sending more of x's body.
func (c *conn) blocked(x *stream) bool {
	return (x.recvWin <= 0 || c.recvWin <= 0) && c.data != x
}

// unblocked gives the peer its time anew, since there is a window again for a body that had none.
func (c *conn) unblocked(x *stream) {
	if !x.awaitsBody() || x.receiving == discardBody || x.is(paused) {
		return
	}
	l := c.pace()
	x.pace.Refill(c.sh.now, &l)
	x.pace.Stop(c.sh.now)
	c.wake(x)
}

// awaitsBody reports whether the peer has more of a body to send.
func (x *stream) awaitsBody() bool { return x.upper == nil && x.receiving != awaitHead && !x.inDone() }

// due notes that a stream has a deadline at d.
func (c *conn) due(d time.Duration) {
	if c.streamDue == 0 || d < c.streamDue {
		c.streamDue = d
	}
}
