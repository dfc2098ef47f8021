package h2

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// Deadline implements roles.Upper.
func (c *conn) Deadline() time.Duration {
	if c.phase >= expectClose || c.phase == expectOpened {
		return 0
	}
	d := time.Duration(0)
	for _, e := range [...]time.Duration{c.frameDue, c.settingsDue, c.drainDue, c.idleDue, c.streamDue, c.validityDue()} {
		if e != 0 && (d == 0 || e < d) {
			d = e
		}
	}
	return d
}

// validityDue returns when a silent peer gets a PING, or the connection ends.
func (c *conn) validityDue() time.Duration {
	switch {
	case c.pingAfter > 0 && !c.pingSent && (c.hangAfter <= 0 || c.pingAfter < c.hangAfter):
		return c.lastRx + c.pingAfter
	case c.hangAfter > 0:
		return c.lastRx + c.hangAfter
	}
	return 0
}

// Timeout implements roles.Upper.
func (c *conn) Timeout(now time.Duration) {
	c.beginCall(now)
	if c.phase >= expectClose || c.phase == expectOpened {
		c.endCall()
		return
	}
	past := func(d time.Duration) bool { return d != 0 && now >= d }
	switch {
	case past(c.frameDue) && c.phase == expectContinuation:
		c.fail(errBlockSlow)
	case past(c.frameDue):
		c.fail(errFrameSlow)
	case past(c.settingsDue):
		c.fail(errSettingsSlow)
	}
	if past(c.drainDue) {
		c.drainOverdue()
	}
	if past(c.idleDue) {
		c.idleDue = 0
		if len(c.streams) == 0 {
			c.askDrain()
		}
	}
	c.checkValidity(now)
	if past(c.streamDue) && c.phase < expectClose {
		c.checkStreams(now)
	}
	c.endCall()
}

// drainOverdue continues a drain without the peer's answer, after its deadline.
func (c *conn) drainOverdue() {
	c.drainDue = 0
	switch {
	case c.phase >= expectClose:
	case c.draining == drainLast && len(c.streams) == 0:
		c.close(roles.Immediate, nil)
	default:
		if c.draining != drainLast {
			c.drainTo(drainLast)
		}
		c.ignoreAbove = c.lastIn
		c.sendGoAway(c.lastIn, NoError, "")
	}
}

func (c *conn) checkValidity(now time.Duration) {
	if c.phase >= expectClose {
		return
	}
	if c.hangAfter > 0 && now >= c.lastRx+c.hangAfter {
		c.sh.Counters.Timeouts++
		c.sendGoAway(c.lastIn, NoError, "no sign of life")
		c.close(roles.Immediate, errPingSlow)
		return
	}
	if c.pingAfter > 0 && !c.pingSent && now >= c.lastRx+c.pingAfter {
		c.pingSent = true
		c.sendPing("validity")
	}
}

// checkStreams handles the deadlines that have passed, and finds the next.
func (c *conn) checkStreams(now time.Duration) {
	c.streamDue = 0
	for i := len(c.streams) - 1; i >= 0; i-- {
		if i >= len(c.streams) {
			continue
		}
		x := c.streams[i]
		switch {
		case x.owner != nil && x.inDue != 0 && now >= x.inDue:
			c.tunnelTimeout(x, now)
		case x.inDue != 0 && now >= x.inDue:
			c.onDue(x)
		case x.outDue != 0 && now >= x.outDue:
			c.failStream(x, errWindowSlow)
		}
		if x.over() {
			continue
		}
		if x.inDue != 0 {
			c.setDue(x.inDue)
		}
		if x.outDue != 0 {
			c.setDue(x.outDue)
		}
	}
}

// onDue handles the deadline of what a stream waits for from the peer.
func (c *conn) onDue(x *stream) {
	x.inDue = 0
	switch {
	case x.out == await100:
		x.end100Wait()
	case c.peerEnded:
		c.failStream(x, errHalfSlow)
	case x.receiving == awaitBody && c.windowClosed(x):
		x.pace.Stop(c.sh.now) // until a window opens: see windowReopened
	case x.receiving != awaitHead:
		c.failStream(x, c.slowBody(x))
	default:
		c.failStream(x, errRespSlow)
	}
}

// slowBody returns the fault of a body whose deadline has passed.
func (c *conn) slowBody(x *stream) *fault {
	l := c.paceLimits()
	if most := c.sh.cfg.Timeouts.Body; x.receiving == discardBody || most > 0 && x.pace.Quiet(c.sh.now) >= most {
		return errBodySlow
	}
	switch x.pace.Missed(c.sh.now, &l) {
	case http.PaceRate:
		c.sh.Counters.Slow++
		return errBodyRate
	case http.PaceTotal:
		c.sh.Counters.Slow++
		return errBodyLong
	}
	return errBodySlow
}

// lossCause returns what the end of the connection means to a stream.
func (c *conn) lossCause(x *stream, why error) error {
	if !c.server && x.id == 0 {
		return errors.Join(errNotSent, why)
	}
	if c.goAway != nil && c.goAway.Code != NoError {
		return fmt.Errorf("%w: %w", c.goAway, why) // GOAWAY has given the reason before
	}
	return why
}
