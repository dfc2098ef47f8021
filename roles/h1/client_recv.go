package h1

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// Rx is roles.Upper's.
func (c *Client) Rx(now time.Duration, b []byte) (used int) {
	c.sh.now = now
	for used < len(b) {
		n := 0
		switch c.state {
		case expectResponse, expectResponseHead:
			n = c.rxHead(b[used:])
		case expectContent:
			n = c.rxBody(b[used:])
		case awaitDo, awaitSent:
			n = c.rxBlank(b[used:], errUnsolicited)
		case awaitOpened:
			n = c.fail(errUnsolicited, b[used:])
		case clientClosing:
			n = len(b) - used
		}
		if n == 0 {
			break
		}
		used += n
	}
	if c.state == expectContent && c.x.progress {
		c.due = c.x.countBody(c.sh, c.sh.responsePace())
	}
	return used
}

func (c *Client) rxHead(b []byte) int {
	x := c.x
	if c.scan == (scan{}) && (b[0] == '\r' || b[0] == '\n') {
		x.gotByte = x.out.begun()
		return c.rxBlank(b, nil)
	}
	if !x.out.begun() {
		// There is no request yet: this is a 408 before a close, or a response to an earlier request.
		return c.fail(errUnsolicited, b)
	}
	x.gotByte = true
	n, f := c.scan.section(c.sh, c.rules(), &c.sh.msg, b)
	if f != nil {
		return c.fail(f, b)
	}
	if n == 0 {
		if c.state == expectResponse {
			c.move(expectResponseHead)
			c.due = c.sh.deadline(c.sh.cfg.Timeouts.Head)
		}
		return 0
	}
	c.blank = 0
	m := &c.sh.msg
	framing, f := response(c.sh, m, x.headRequest)
	switch {
	case f != nil:
		return c.fail(f, b)
	case m.Status == 101:
		return c.rx101(m, n, b)
	case m.Status < 200:
		return c.rxInterim(m, n, b)
	}
	c.rxFinal(m, framing)
	return n
}

// rxBlank consumes an empty line before a response and returns its length, or 0 if it is incomplete. For any other input
// it fails with f.
func (c *Client) rxBlank(b []byte, f *fault) int {
	n := 2
	switch {
	case b[0] == '\n' && c.lf:
		n = 1
	case b[0] == '\n' && f == nil:
		return c.fail(errBareLFOption, b)
	case b[0] == '\r' && len(b) == 1:
		return 0
	case b[0] == '\r' && b[1] == '\n':
	case f == nil:
		return c.fail(errBareCR, b)
	default:
		return c.fail(f, b)
	}
	if c.blank++; c.blank > maxBlank {
		return c.fail(errStatusBlank, b)
	}
	return n
}

// rxInterim handles a 1xx head other than 101. A 100 (Continue) starts the body.
func (c *Client) rxInterim(m *http.Message, n int, b []byte) int {
	x := c.x
	if x.interim++; x.interim > maxInterim {
		return c.fail(errInterim, b)
	}
	c.sh.Counters.Interim++
	if c.state == expectResponseHead {
		c.move(expectResponse)
	}
	c.due = 0
	if x.out.done() {
		c.due = c.sh.deadline(c.sh.cfg.Timeouts.Response)
	}
	if m.Status == 100 {
		x.startBody()
	}
	x.h.Head(x, m)
	c.endIfDone()
	return n
}

// rx101 handles a 101 head. The handler must call Upgrade in Head.
func (c *Client) rx101(m *http.Message, n int, b []byte) int {
	x := c.x
	if x.upgrade && m.Upgrade != nil && x.out.done() {
		x.gotHead = true
		x.h.Head(x, m)
	}
	if c.state < clientClosing {
		return c.fail(errSwitch, b)
	}
	c.endIfDone()
	return n
}

// rxFinal handles a final head.
func (c *Client) rxFinal(m *http.Message, framing bodyFraming) {
	x := c.x
	c.sh.Counters.Responses++
	x.gotHead = true
	x.close = x.close || m.Close
	if !x.out.done() {
		if m.Status >= 300 {
			x.close = true
			x.stopSending()
		} else {
			x.startBody()
		}
	}
	x.in = body{framing: framing, left: m.Length, rules: c.rules(), unbounded: framing != bodyNone && m.Endless()}
	c.move(expectContent)
	x.progress = true
	x.h.Head(x, m)
	if framing == bodyNone && c.state == expectContent {
		c.responseDone(nil)
	}
	c.endIfDone()
}

func (c *Client) rxBody(b []byte) int {
	x := c.x
	if x.paused {
		return 0
	}
	n, p, done, f := x.in.next(c.sh, b)
	if f != nil {
		return c.fail(f, b)
	}
	if n > 0 {
		x.progress = true
		x.received += len(p)
	}
	if len(p) > 0 {
		x.h.Body(x, p)
	}
	if done && c.state == expectContent {
		var t []http.Field
		if x.in.framing == bodyChunked {
			t = c.sh.msg.Fields
		}
		c.responseDone(t)
	}
	c.endIfDone()
	return n
}

// responseDone handles the end of the response.
func (c *Client) responseDone(t []http.Field) {
	c.move(awaitSent)
	c.due = 0
	if c.x.close {
		c.x.stopSending() // the server reads nothing after its last response
	}
	c.x.h.End(c.x, t)
}

// Opened is roles.Upper's.
func (c *Client) Opened(now time.Duration) {
	c.sh.now = now
	if c.state != awaitOpened {
		return
	}
	if c.x == nil {
		c.move(awaitDo)
		c.due = c.sh.deadline(c.sh.cfg.Timeouts.Idle)
		return
	}
	c.move(expectResponse)
	c.low.WantWrite()
}

// Writable is roles.Upper's.
func (c *Client) Writable(now time.Duration) {
	c.sh.now = now
	x := c.x
	if x == nil || c.state >= clientClosing || x.out.state == await100 {
		return
	}
	if x.out.state == awaitLastRoom {
		x.sendLast()
	} else if x.wantsWrite {
		x.wantsWrite = false
		x.h.Writable(x)
	}
	if x.out.done() && c.state == expectResponse {
		c.due = c.sh.deadline(c.sh.cfg.Timeouts.Response)
	}
	c.endIfDone()
}

// endIfDone ends the exchange if both messages are complete, or if another protocol has taken the connection over. It is
// the last step after each call of the handler, since the exchange may be gone afterwards.
func (c *Client) endIfDone() {
	x := c.x
	switch {
	case x == nil:
		return
	case c.state == clientGone:
	case c.state != awaitSent || !x.out.done():
		return
	case x.close:
		c.close(roles.Graceful, nil)
	default:
		c.move(awaitDo)
		c.due = c.sh.deadline(c.sh.cfg.Timeouts.Idle)
		x.resumeLower()
	}
	c.x = nil
	c.served = true
	x.h.Done(x, nil)
	c.sh.freeExchange(x)
	if c.Owner != nil && c.state == awaitDo {
		c.Owner.Idle(c)
	}
}

// RxEnd is roles.Upper's.
func (c *Client) RxEnd(now time.Duration, unused int) {
	c.sh.now = now
	switch c.state {
	case awaitDo, awaitOpened:
		c.close(roles.Graceful, nil)
	case expectResponse:
		// Closed adds ErrStale or ErrNotProcessed to the cause.
		c.close(roles.Immediate, errHeadNone)
	case expectResponseHead:
		c.fail(errHeadCut, nil)
	case expectContent:
		if c.x.in.framing != bodyClose {
			c.fail(errBodyCut, nil)
			return
		}
		c.responseDone(nil)
		c.endIfDone()
	case awaitSent:
		c.x.close = true
		c.x.stopSending()
		c.endIfDone()
	}
}

// Woken is roles.Upper's. A Client never calls Wake.
func (c *Client) Woken(time.Duration) {}

// Deadline is roles.Upper's.
func (c *Client) Deadline() time.Duration {
	if c.state >= clientClosing {
		return 0
	}
	if x := c.x; x != nil {
		waiting := c.state == expectResponse && x.out.state != await100 || c.state == expectContent
		if x.paused || x.noDeadline && waiting {
			return 0
		}
	}
	return c.due
}

// Timeout is roles.Upper's.
func (c *Client) Timeout(now time.Duration) {
	c.sh.now = now
	if d := c.Deadline(); d == 0 || now < d {
		return
	}
	c.due = 0
	switch c.state {
	case awaitDo:
		c.close(roles.Graceful, nil)
	case expectResponse:
		if c.x.out.state == await100 {
			c.x.startBody()
			return
		}
		c.fail(errRespSlow, nil)
	case expectResponseHead:
		c.fail(errHeadSlow, nil)
	case expectContent:
		c.fail(c.sh.slowBody(c.x, c.sh.responsePace()), nil)
	}
}

// Closed is roles.Upper's.
func (c *Client) Closed(cause error) {
	x, own := c.x, c.ownFault
	c.move(clientGone)
	if x != nil {
		c.x = nil
		x.h.Done(x, c.cause(x, cause, own))
		c.sh.freeExchange(x)
	}
	if c.Owner != nil {
		c.Owner.Closed(c, cause)
	}
}

// cause adds to the cause of an exchange what it means for the request: not processed, or an unknown outcome. A request
// on a reused connection that ends without a response most likely met the close of the server on its way. RFC 9112
// s.9.3.1 allows to repeat an idempotent one, so ErrStale marks that case.
func (c *Client) cause(x *exchange, cause error, own bool) error {
	if cause == nil {
		cause = errGone
	}
	switch {
	case x.gotHead:
		return cause
	case !x.out.begun():
		return fmt.Errorf("h1: request: not sent: %w: %w", http.ErrNotProcessed, cause)
	case !own && !x.gotByte && c.served:
		cause = fmt.Errorf("%w: %w", ErrStale, cause)
	case !own && !x.gotByte:
		cause = fmt.Errorf("h1: response: none: %w", cause)
	}
	return &http.OutcomeError{Cause: cause}
}

func (c *Client) suspend(x *exchange) bool {
	x.pace.Stop(c.low.Now())
	return true
}

func (c *Client) committed(*exchange) {}

func (c *Client) resumed(x *exchange) {
	if c.state == expectContent {
		c.due = x.startClock(c.sh, c.sh.responsePace())
		c.low.Rearm()
	}
}
