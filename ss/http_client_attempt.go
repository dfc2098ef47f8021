package ss

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/ss/internal/secure"
	"github.com/millrace/millrace/tls"
)

// forget implements binding.
func (a *httpClient) forget() {
	a.redirectState, a.status, a.exposed, a.exposedBefore, a.inFlight, a.againCause, a.resent = nil, 0, false, false, false, nil, false
	a.learnt = false
	a.ticket.ClearRefusals()
}

// begin starts an attempt.
func (a *httpClient) begin(t *target) {
	if a.o.h.streamType.pol.HTTP.Cookies && a.o.h.rt.jar().Await(a) {
		a.t = t
		return
	}
	a.acquire(t)
}

// acquire requests an exchange with t. The pool calls Serve or Unreachable later.
func (a *httpClient) acquire(t *target) {
	a.o.h.rt.http.pool.Issue(&a.ticket, a)
	a.t = t
	if a.isWS() {
		a.quirks = a.o.h.rt.quirks.of(t)
	}
	a.reset(nil)
	a.route().Acquire(&a.ticket)
}

// route returns the route to the attempt's target.
func (a *httpClient) route() *httpRoute {
	h := a.o.h
	pol := h.streamType.pol
	protocol, secure := pol.Protocol, a.t.secure
	if pol.WS.OverH2 {
		protocol = policy.H2
		if c := a.secureH1(); c != nil {
			protocol, secure = policy.WS, c
		}
	}
	return h.rt.http.pool.Route(connKey{
		target:   a.t.dial,
		secure:   secure,
		protocol: protocol,
		tolerant: pol.HTTP.QuirkOverflow,
		bareLF:   pol.HTTP.LenientLF,
		window:   a.o.credit,
	}, protocol == policy.H2)
}

// use starts the transaction on an established connection. After an error the connection is unusable.
func (a *httpClient) use(c *httpConn) error {
	a.reset(c)
	a.fresh = !c.entry.Used()
	x, err := c.role.Do(a)
	if err != nil {
		a.reset(nil)
		return err
	}
	c.addUser(a.o.h.streamType)
	a.x, a.heard = x, c.w.BytesIn()
	if a.fresh {
		a.o.perfUp()
	} else {
		a.o.perf = nil // another stream measures that connection
	}
	a.manual()
	if a.o.h.streamType.pol.HTTP.LongPoll {
		if u, ok := x.(http.NoDeadline); ok {
			u.NoDeadline()
		}
	}
	if a.o.h.flags&isPaused != 0 && !a.isWS() {
		c.pause(true, 0)
		x.Pause()
	}
	return nil
}

// Unreachable implements pool.Request: there will be no exchange.
func (a *httpClient) Unreachable(cause error) {
	a.reset(nil)
	a.state = httpIdle
	if cause != nil {
		cause = &unsentError{cause}
	}
	a.o.failed(cause, 0)
}

// again repeats the request.
func (a *httpClient) again(cause error, took bool) {
	a.o.h.rt.Counters.Repeated++
	if took {
		a.againCause = cause
	}
	if !a.rewind() {
		return
	}
	a.state = httpRequest
	a.route().AcquireNew(&a.ticket)
}

// rewind delivers CONNECTING with Notice.Again if Tx has returned some of the body of a request that is repeated.
// Each attempt starts with CONNECTING, so a program that supports retries can handle it. It returns false if the
// stream ends the attempt.
func (a *httpClient) rewind() bool {
	why, h := a.againCause, a.o.h
	if why == nil {
		return true
	}
	a.againCause = nil
	a.state = httpIdle
	h.ordinal = 0
	h.rt.Counters.Rewound++
	h.tell(Connecting, Notice{Again: true, Cause: why})
	return h.flags&doomed == 0
}

// overdue ends the wait for a response if its deadline has passed. A response does not stop the timer, and the next
// request does not move it: both would cost more than to check a stale timer now and then.
func (a *httpClient) overdue(now time.Duration) {
	h := a.o.h
	switch {
	case a.due == 0:
		return
	case now < a.due:
		h.rt.loop.Arm(&a.o.timer, a.due, a.o)
		return
	}
	h.rt.Counters.Unanswered++
	cause := errNoResponse
	if a.isWS() {
		cause = errNoSwitch
	} else if a.staleConn() {
		took := a.took
		a.resent = true
		a.drop()
		a.again(cause, took)
		return
	}
	a.drop()
	a.o.failed(cause, 0)
}

var errNoSwitch = fmt.Errorf("ss: websocket: no response to the handshake: %w", http.ErrTimeout)

// Serve implements pool.Link.
func (c *httpConn) Serve(a *httpClient) error { return a.use(c) }

// dialHTTP makes a connection on a route, for a or on its behalf: see pool.Config.
func dialHTTP(r *httpRoute, a *httpClient, alone bool) *httpEntry {
	key := r.Key()
	c := &httpConn{rt: a.o.h.rt, last: a.o.h.streamType}
	c.entry.Init(r, c)
	var up roles.Upper = c
	if key.secure == nil {
		// Without TLS there is no ALPN: HTTP/2 starts with prior knowledge (RFC 9113 s.3.3).
		c.speak(key.protocol == policy.H2)
	} else {
		c.s = new(tls.Session)
		c.s.InitClient(key.secure, &c.w)
		c.s.SetUpper(c)
		if key.protocol == policy.H2 {
			c.s.SetChooser(c.choose)
		} else {
			c.speak(false)
		}
		up = c.s
	}
	if alone {
		a.conn = c
	}
	c.rt.net.Dial(&c.w, key.target, up, a.o.dialOptions())
	return &c.entry
}

// secureH1 returns the TLS context, with only HTTP/1.1 in ALPN, of a WebSocket that cannot use the endpoint's HTTP/2
// connections; nil if it can.
func (a *httpClient) secureH1() *tls.Client {
	if a.quirks&noWSOverH2 == 0 || !a.t.tls {
		return nil
	}
	c, err := a.o.h.rt.contexts().Client(a.o.h.streamType.pol, a.t.name, a.t == a.o.target, secure.ALPNH1)
	if err != nil {
		return nil // the attempt over HTTP/2 fails with the same error
	}
	return c
}
