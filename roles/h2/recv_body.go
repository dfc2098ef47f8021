package h2

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// This file delivers the peer's body, trailers and end to the handler of a stream, keeps them while the handler has paused,
// returns the windows for the bytes that were used, and sets the deadlines of the body. recv_data.go calls it with the
// payload of DATA frames, and stream.go when a handler resumes.

// deliverBody gives p, a piece of a body, to the handler or the owner. p is a view of the transport's slice, valid during
// the call: what is not used now is copied to x.kept.
func (c *conn) deliverBody(x *stream, p []byte) {
	if x.owner == nil {
		l := c.paceLimits()
		x.pace.Took(c.sh.now, len(p), &l)
	}
	switch {
	case x.receiving == discardBody:
		c.returnWindow(x, int64(len(p)))
		c.drainBody(x, len(p))
	case x.owner != nil:
		c.tunnelRx(x, p)
	case x.is(paused) || len(x.kept) > 0:
		c.keepBody(x, p)
		if !x.is(paused) {
			c.wakeStream(x)
		}
	default:
		if x.responseSent() {
			if c.drainBody(x, len(p)); x.over() {
				c.returnConnWindow(int64(len(p)))
				return
			}
		}
		c.startBodyTimer(x)
		x.h.Body(x, p)
		c.returnWindow(x, int64(len(p)))
	}
}

// responseSent reports whether a server's response is complete.
func (x *stream) responseSent() bool { return x.c.server && x.sending == endSent }

// drainBody counts n bytes of a request after its response was complete, and resets the stream above Limits.Drain.
func (c *conn) drainBody(x *stream, n int) {
	if x.drained += int64(n); x.drained > c.sh.cfg.Limits.Drain {
		c.resetStream(x, NoError, errUnread)
	}
}

// keepBody appends a copy of p to x.kept, for a handler that has paused. It still returns the connection's window, so that
// a paused stream does not stop the others, up to Limits.Kept and unless memory is short.
func (c *conn) keepBody(x *stream, p []byte) {
	x.kept = c.store(x.memoryKind(), x.kept, p)
	c.kept += int64(len(p))
	c.sh.Counters.Kept += uint64(len(p))
	c.creditKept(x)
}

// creditKept returns the connection's window for the kept bytes of all streams, up to Limits.Kept, unless memory is short.
// x is the stream whose kept bytes have changed.
func (c *conn) creditKept(x *stream) {
	n := min(c.kept, int64(c.sh.cfg.Limits.Kept)) - c.creditedConn
	if n > 0 && c.mayCredit(x) {
		c.creditedConn += n
		c.returnConnWindow(n)
	}
}

// keptUsed counts n kept bytes of x as used or dropped, and returns the connection's window for them unless creditKept has
// done that. The bytes of other streams that were above Limits.Kept may get their window then.
func (c *conn) keptUsed(x *stream, n int) {
	c.kept -= int64(n)
	k := min(int64(n), c.creditedConn)
	c.creditedConn -= k
	c.returnConnWindow(int64(n) - k)
	c.creditKept(x)
}

// dropKept drops the kept body and trailers of a stream, and ends the charge for them.
func (c *conn) dropKept(x *stream) {
	c.keptUsed(x, len(x.unread()))
	if x.is(ownerReads) {
		c.low.Hold(x.memoryKind(), -cap(x.kept)) // the owner's Rx still reads the buffer: the collector gets it, not the pool
	} else {
		c.drop(x.memoryKind(), x.kept)
	}
	x.kept, x.keptRead = nil, 0
	if n := cap(x.keptTrailerText); n > 0 {
		c.low.Hold(roles.HoldBody, -n) // a handler may read it in End: the collector gets it
		x.keptTrailerText, x.keptTrailers = nil, nil
	}
}

// wakeStream delivers the kept bytes of a stream in the transport's next call.
func (c *conn) wakeStream(x *stream) {
	if !x.is(resumed) {
		x.flags |= resumed
		c.resumedCount++
		c.requestWake()
	}
}

// deliverResumed delivers kept bytes to the streams that have resumed.
func (c *conn) deliverResumed() {
	for i := len(c.streams) - 1; i >= 0 && c.resumedCount > 0; i-- {
		i = min(i, len(c.streams)-1) // streams may end in the loop
		if i < 0 {
			return
		}
		if x := c.streams[i]; x.is(resumed) {
			x.flags &^= resumed
			c.resumedCount--
			c.deliverKept(x)
		}
	}
}

// deliverKept gives x.kept to the handler, which may use the slice during Body only, and then the end of the message, if it
// has arrived. A tunnel's owner gets the bytes by tunnelRx.
func (c *conn) deliverKept(x *stream) {
	if x.owner != nil {
		c.tunnelRx(x, nil)
		return
	}
	if x.is(paused) {
		return
	}
	if x.bodyPending() {
		x.pace.Resume(c.sh.now)
		c.startBodyTimer(x)
	}
	if p := x.kept; len(p) > 0 {
		x.kept = nil
		c.keptUsed(x, len(p))
		x.h.Body(x, p)
		c.returnStreamWindow(x, int64(len(p)))
		c.drop(roles.HoldBody, p)
	}
	if x.receiving == awaitReader && !x.over() && len(x.kept) == 0 {
		c.deliverEnd(x, x.keptTrailers)
	}
}

// returnWindow returns to the peer the windows of the connection and of x for n bytes that were used. x is nil if the
// stream of the bytes has ended. Each window is sent when half of it has been used.
func (c *conn) returnWindow(x *stream, n int64) {
	c.returnConnWindow(n)
	if x != nil {
		c.returnStreamWindow(x, n)
	}
}

func (c *conn) returnConnWindow(n int64) {
	if c.credit += n; n > 0 && c.credit >= int64(c.sh.cfg.Limits.ConnWindow)/2 && c.phase < expectClose {
		c.sendWindow(0, c.credit)
		blocked := c.recvWin <= 0
		c.recvWin += c.credit
		c.credit = 0
		if blocked && c.recvWin > 0 {
			for _, x := range c.streams {
				c.windowReopened(x)
			}
		}
	}
}

func (c *conn) returnStreamWindow(x *stream, n int64) {
	if !x.is(manualCredit) && !x.over() {
		x.credit += n
		c.grant(x, int64(c.window)/2)
	}
}

// grant sends the credit of a stream as a WINDOW_UPDATE, if it is at least least bytes and the peer's message is not
// complete.
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
			c.windowReopened(x)
		}
	}
}

// peerEnd handles END_STREAM. It copies trailers, which are valid during the call, if kept body must be delivered first.
func (c *conn) peerEnd(x *stream, trailers []http.Field) {
	if x.inLeft > 0 {
		c.failStream(x, errLengthLess)
		return
	}
	x.inDue = 0
	x.flags &^= owes100
	x.move(recvEnd)
	switch {
	case x.owner != nil:
		x.moveRecv(awaitReader)
		c.tunnelRx(x, nil)
	case len(x.kept) > 0:
		x.moveRecv(awaitReader)
		c.keepTrailers(x, trailers)
	default:
		c.deliverEnd(x, trailers)
	}
}

// keepTrailers copies trailers that follow kept body: into keptTrailerText, which keptTrailers points into.
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
		x.keptTrailers = append(x.keptTrailers, http.Field{Name: b[at:v:v], Value: b[v:len(b):len(b)], ID: f.ID})
	}
	x.keptTrailerText = b
}

// deliverEnd delivers the end of the peer's message to the handler.
func (c *conn) deliverEnd(x *stream, trailers []http.Field) {
	x.moveRecv(endDelivered)
	x.h.End(x, trailers)
	c.complete(x)
}

// complete ends the stream if both messages are complete.
func (c *conn) complete(x *stream) {
	if x.over() || x.receiving != endDelivered || x.owner != nil {
		return
	}
	if x.sending == endSent {
		c.finish(x, nil)
	} else if x.is(peerStopped) {
		c.resetStream(x, Cancel, nil) // the response is complete, and the rest of the request is not wanted
	}
}

// paceLimits returns the limits for the speed of received bodies.
func (c *conn) paceLimits() http.PaceLimits {
	l := http.PaceLimits{Rate: c.sh.cfg.Limits.ResponseRate, Grace: c.sh.cfg.Timeouts.BodyGrace}
	if c.server {
		l.Rate, l.Total = c.sh.cfg.Limits.BodyRate, c.sh.cfg.Timeouts.BodyTotal
	}
	return l
}

// startPace starts the timers of the peer's body.
func (c *conn) startPace(x *stream) {
	l := c.paceLimits()
	if x.pace.Start(c.sh.now, &l); x.is(paused) {
		x.pace.Stop(c.sh.now)
	}
	c.startBodyTimer(x)
}

// startBodyTimer sets the deadline of the next piece of the peer's body, unless the handler has paused.
func (c *conn) startBodyTimer(x *stream) {
	if x.is(paused | noDeadline) {
		return
	}
	l := c.paceLimits()
	d := c.sh.deadline(c.sh.cfg.Timeouts.Body)
	if p := x.pace.Due(&l); p != 0 && (d == 0 || p < d) {
		d = p
	}
	if d != 0 {
		x.inDue = d
		c.setDue(d)
	}
}

// windowClosed reports whether our windows keep the peer from sending more of x's body.
func (c *conn) windowClosed(x *stream) bool {
	return (x.recvWin <= 0 || c.recvWin <= 0) && c.data != x
}

// windowReopened is called when the peer can send x's body again. It refills the grace, and deliverKept starts the timers.
func (c *conn) windowReopened(x *stream) {
	if !x.bodyPending() || x.receiving == discardBody || x.is(paused) {
		return
	}
	l := c.paceLimits()
	x.pace.Refill(c.sh.now, &l)
	x.pace.Stop(c.sh.now)
	c.wakeStream(x)
}

// bodyPending reports whether the peer has more of a body to send.
func (x *stream) bodyPending() bool { return x.owner == nil && x.receiving != awaitHead && !x.inDone() }

// setDue notes that a stream has a deadline at d.
func (c *conn) setDue(d time.Duration) {
	if c.streamDue == 0 || d < c.streamDue {
		c.streamDue = d
	}
}
