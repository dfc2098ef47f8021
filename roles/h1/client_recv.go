package h1

import (
	"time"

	"github.com/millrace/millrace/roles/http"
)

// Rx is roles.Upper's.
func (c *Client) Rx(now time.Duration, b []byte) (used int) {
	c.sh.now = now
	for used < len(b) {
		n := 0
		switch c.state {
		case expectStatus, expectRest:
			n = c.rxHead(b[used:])
		case expectContent:
			n = c.rxBody(b[used:])
		case expectDo, expectRequest:
			n = c.rxBlank(b[used:], errUnsolicited)
		case expectOpen:
			n = c.fail(errUnsolicited, b[used:])
		case expectEnd:
			n = len(b) - used
		}
		if n == 0 {
			break
		}
		used += n
	}
	if c.state == expectContent && c.x.moved {
		c.due = c.x.time(c.sh, c.sh.responsePace())
	}
	return used
}

func (c *Client) rxHead(b []byte) int {
	x := c.x
	if c.scan == (scan{}) && (b[0] == '\r' || b[0] == '\n') {
		x.began = x.out.begun()
		return c.rxBlank(b, nil)
	}
	if !x.out.begun() {
		// An answer to nothing: a 408 before the end, or somebody else's response.
		return c.fail(errUnsolicited, b)
	}
	x.began = true
	n, f := c.scan.section(c.sh, c.rules(), &c.sh.msg, b)
	if f != nil {
		return c.fail(f, b)
	}
	if n == 0 {
		if c.state == expectStatus {
			c.state = expectRest
			c.due = c.sh.deadline(c.sh.cfg.Timeouts.Head)
		}
		return 0
	}
	c.blank = 0
	m := &c.sh.msg
	kind, f := response(c.sh, m, x.head)
	switch {
	case f != nil:
		return c.fail(f, b)
	case m.Status == 101:
		return c.switched(m, n, b)
	case m.Status < 200:
		return c.informed(m, n, b)
	}
	c.answered(m, kind)
	return n
}

// rxBlank takes an empty line, of those that precede a response, and returns its length, or 0. What is no empty line
// gets the fault f.
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

// informed passes a 1xx head on; 100 lets our body go.
func (c *Client) informed(m *http.Message, n int, b []byte) int {
	x := c.x
	if x.interim++; x.interim > maxInterim {
		return c.fail(errInterim, b)
	}
	c.sh.Counters.Interim++
	c.state, c.due = expectStatus, 0
	if x.out.done() {
		c.due = c.sh.deadline(c.sh.cfg.Timeouts.Response)
	}
	if m.Status == 100 {
		x.release()
	}
	x.h.Head(x, m)
	c.settle()
	return n
}

// switched passes 101 on, in answer to which the handler calls Upgrade.
func (c *Client) switched(m *http.Message, n int, b []byte) int {
	x := c.x
	if x.upgrade && m.Upgrade != nil && x.out.done() {
		x.answered = true
		x.h.Head(x, m)
	}
	if c.state < expectEnd {
		return c.fail(errSwitch, b)
	}
	c.settle()
	return n
}

// answered starts the final response.
func (c *Client) answered(m *http.Message, kind bodyKind) {
	x := c.x
	c.sh.Counters.Responses++
	x.answered = true
	x.close = x.close || m.Close
	if !x.out.done() {
		if m.Status >= 300 {
			x.close = true
			x.cease()
		} else {
			x.release()
		}
	}
	x.in = body{kind: kind, left: m.Length, rules: c.rules(), unbounded: kind != bodyNone && m.Endless()}
	c.state, x.moved = expectContent, true
	x.h.Head(x, m)
	if kind == bodyNone && c.state == expectContent {
		c.complete(nil)
	}
	c.settle()
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
		x.moved = true
		x.came += len(p)
	}
	if len(p) > 0 {
		x.h.Body(x, p)
	}
	if done && c.state == expectContent {
		var t []http.Field
		if x.in.kind == bodyChunked {
			t = c.sh.msg.Fields
		}
		c.complete(t)
	}
	c.settle()
	return n
}

// complete ends the response.
func (c *Client) complete(t []http.Field) {
	c.state, c.due = expectRequest, 0
	c.x.inDone = true
	if c.x.close {
		c.x.cease() // after its last word the peer reads no more
	}
	c.x.h.End(c.x, t)
}
