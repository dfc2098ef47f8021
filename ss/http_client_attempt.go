package ss

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/h1"
	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// forget implements carrier.
func (a *httpClient) forget() {
	a.away, a.status, a.exposed, a.exposedBefore, a.inFlight, a.againCause, a.resent = nil, 0, false, false, false, nil, false
	a.learnt = false
	a.ticket.ClearRefusals()
}

// begin makes an attempt.
func (a *httpClient) begin(t *target) {
	if a.o.h.kind.pol.HTTP.Cookies && a.o.h.rt.jar().Await(a) {
		a.t = t
		return
	}
	a.seek(t)
}

// seek asks for an exchange with t. The answer comes later: use, or unreachable.
func (a *httpClient) seek(t *target) {
	a.o.h.rt.pool.Issue(&a.ticket, a)
	a.t = t
	if a.isWS() {
		a.quirks = a.o.h.rt.quirks.of(t)
	}
	a.reset(nil)
	a.ways().Acquire(&a.ticket)
}

// ways is the route to the attempt's target.
func (a *httpClient) ways() *httpRoute {
	h := a.o.h
	pol := h.kind.pol
	protocol, secure := pol.Protocol, a.t.secure
	if pol.WS.OverH2 {
		protocol = policy.H2
		if c := a.secureH1(); c != nil {
			protocol, secure = policy.WS, c
		}
	}
	return h.rt.pool.Route(connKey{
		target:   a.t.dial,
		secure:   secure,
		protocol: protocol,
		tolerant: pol.HTTP.QuirkOverflow,
		bareLF:   pol.HTTP.LenientLF,
		window:   a.o.credit,
	}, protocol == policy.H2)
}

// use begins the transaction on a connection that stands. The error says that it does not after all.
func (a *httpClient) use(c *httpConn) error {
	a.reset(c)
	a.fresh = !c.entry.Used()
	x, err := c.role.Do(a)
	if err != nil {
		a.reset(nil)
		return err
	}
	c.lend(a.o.h.kind)
	a.x, a.heard = x, c.w.BytesIn()
	if a.fresh {
		a.o.perf.stands(a.o)
	} else {
		a.o.perf = nil // that connection is another's to measure
	}
	a.manual()
	if a.o.h.kind.pol.HTTP.LongPoll {
		if u, ok := x.(http.Unhurried); ok {
			u.Unhurried()
		}
	}
	if a.o.h.flags&isPaused != 0 && !a.isWS() {
		c.pause(true, 0)
		x.Pause()
	}
	return nil
}

func (a *httpClient) reset(c *httpConn) {
	a.due = 0
	a.parts.release()
	a.parts = nil
	a.conn, a.x, a.state = c, nil, httpRequest
	a.sent, a.sending, a.took, a.got, a.success = false, false, false, false, false
}

// Unreachable is pool.Request's: there will be no exchange.
func (a *httpClient) Unreachable(cause error) {
	a.reset(nil)
	a.state = httpIdle
	if cause != nil {
		cause = &unsentError{cause}
	}
	a.o.failed(cause, 0)
}

func (a *httpClient) drop() {
	if u := a.ws; u != nil {
		a.reset(nil)
		a.state, a.ws = httpIdle, nil
		u.release()
		return
	}
	c, x, waits := a.conn, a.x, a.ticket.Waits()
	noReply := x != nil && a.noReply()
	a.reset(nil)
	a.state = httpIdle
	switch {
	case waits:
		a.ticket.Cancel()
	case c == nil:
		a.o.h.rt.cookies.Forget(a)
	case x == nil:
		c.entry.Cancel()
	default:
		c.abandon(x, noReply)
	}
}

// noReply reports whether the request was sent and not one byte has come on the connection since.
func (a *httpClient) noReply() bool { return a.sent && a.conn.silentSince(a.heard) }

// ended judges the end of an exchange that has brought no response. The exchange says what its protocol knows; a
// request of which the socket took nothing was certainly not processed either.
func (a *httpClient) ended(c *httpConn, cause error) error {
	if cause == nil {
		return nil
	}
	var lost *http.OutcomeError
	if a.sent && c.w.BytesOut() == a.outBefore && errors.As(cause, &lost) {
		cause = fmt.Errorf("ss: request: the socket took nothing of it: %w: %w", http.ErrNotProcessed, lost.Cause)
	}
	if errors.Is(cause, http.ErrNotProcessed) {
		a.notActed()
	}
	return cause
}

// notActed notes that the server has not acted on the present request.
func (a *httpClient) notActed() { a.exposed, a.inFlight = a.exposedBefore, false }

// repeatable reports whether a request that ended with cause is made again within the attempt, on another connection.
// It is if the server has certainly not acted on it. On h1 an idempotent one is repeated too when it met the end
// of a connection that had served others (RFC 9112 s.9.3.1); a connection that has never answered anybody is no
// better on the second try.
func (a *httpClient) repeatable(c *httpConn, cause error) bool {
	h := a.o.h
	if a.state != httpRequest || h.flags&doomed != 0 {
		return false
	}
	if c.h2 == nil {
		return !a.fresh && (errors.Is(cause, http.ErrNotProcessed) || errors.Is(cause, h1.ErrStale) && http.Idempotent(a.method()))
	}
	if !errors.Is(cause, http.ErrNotProcessed) {
		return false
	}
	var away *h2.GoAwayError
	var reset *h2.ResetError
	switch {
	case errors.As(cause, &reset):
		h.rt.Counters.Refused++
		return a.ticket.CountRefusal()
	case !errors.As(cause, &away):
		return c.entry.Answered() // lost before it was sent
	case !c.entry.Useful():
		return a.ticket.CountRefusal()
	}
	return a.ticket.MayRetry()
}

// again makes the request anew.
func (a *httpClient) again(cause error, took bool) {
	a.o.h.rt.Counters.Repeated++
	if took {
		a.againCause = cause
	}
	if !a.rewind() {
		return
	}
	a.state = httpRequest
	a.ways().AcquireNew(&a.ticket)
}

// rewind tells the stream to give its body from the beginning, if Tx has given some of it for a request that is made
// again. CONNECTING is what each attempt begins with, so a program that can be retried knows what to do. False: the
// stream wants no more of the attempt.
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

// outcome completes the cause of a failed attempt, or of a lost connection, with what is known of the request, and
// reports whether the retry scheme may make it again: not if the server may have acted on a request whose method is
// not idempotent, unless the policy allows that.
func (a *httpClient) outcome(cause error) (told error, again bool) {
	if !a.exposed && !a.inFlight {
		if a.o.phase == phaseAttempt && a.status == 0 && !a.isWS() && cause != nil && !errors.Is(cause, http.ErrNotProcessed) {
			cause = &unsentError{cause} // nothing was sent, or what was sent the server has certainly not acted on
		}
		return cause, true
	}
	var answer *StatusError
	switch {
	case cause == nil || errors.As(cause, &answer) || a.o.phase != phaseAttempt:
	case errors.Is(cause, http.ErrNotProcessed):
		// An earlier request of this attempt was redirected as one that is done, or was repeated because its method
		// allows that: what a program may conclude from ErrNotProcessed does not hold for the attempt.
		cause = &http.OutcomeError{Cause: &laterError{cause}}
	case !errors.Is(cause, http.ErrOutcomeUnknown):
		cause = &http.OutcomeError{Cause: cause}
	}
	return cause, !a.exposed || a.o.h.kind.pol.HTTP.RetryUnsafe
}

func (a *httpClient) tlsState() (s tls.State, ok bool) {
	if a.conn == nil {
		return s, false
	}
	return stateOf(a.conn.lower())
}

func (a *httpClient) wsi() *wsi.Wsi {
	if a.conn == nil {
		return nil
	}
	return &a.conn.w
}

func (a *httpClient) peerEnded() bool { return false }

func (a *httpClient) protocol() (policy.Protocol, bool) {
	switch {
	case a.ws != nil:
		return policy.WS, true
	case a.x == nil:
		return 0, false
	case a.conn.h2 != nil:
		return policy.H2, true
	}
	return policy.H1, true
}

func (a *httpClient) describe() string {
	switch {
	case a.ticket.Waits():
		n, more := a.ticket.Before(100), ""
		if n == 100 {
			more = " or more"
		}
		return fmt.Sprintf("waits for an exchange with %s, streams before it: %d%s", a.t.dial, n, more)
	case a.conn == nil:
		return "no connection"
	}
	return a.conn.describe()
}
