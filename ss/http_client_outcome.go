package ss

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/h1"
	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/roles/http"
)

// The outcome of a request after its exchange: whether the server may have processed it, and whether it may be
// repeated.

// refusal returns an error if a response counts as a failed attempt, and the delay that the server requests before
// the next one.
func (a *httpClient) refusal(m *http.Message) (least time.Duration, err error) {
	if a.o.h.streamType.pol.HTTP.FailRedirect && m.Status/100 == 3 {
		a.notActed() // a captive portal has received the request, not the server
		return 0, &StatusError{m.Status, "a redirect, which http_fail_redirect treats as a captive portal"}
	}
	why := ""
	switch m.Status {
	case 301, 302, 303, 307, 308:
		a.disclaimed(m.Status)
		why = "a redirect, which this stream type does not follow"
		if to, ok := m.Find(http.Location); ok {
			why = "a redirect to " + roles.Quote(string(to)) + ", which this stream type does not follow"
		}
	case 429, 503:
		a.notActed()
		why = "the server requests a later retry"
		if v, ok := m.Find(http.RetryAfter); ok {
			least, _ = http.ParseRetryAfter(v, a.o.h.rt.loop.System().Wall())
			least = min(least, maxRetryAfter)
		}
	default:
		if e := a.o.h.streamType.pol.HTTP.Expect; e != 0 {
			why = "http_expect requires " + strconv.Itoa(e)
		}
	}
	if why != "" {
		return least, &StatusError{m.Status, why}
	}
	return 0, nil
}

// unread reports whether the server gave up waiting for a request before ours reached it: 408 on a connection of
// HTTP/1.1 that had served others. Such a request may be repeated on another connection (RFC 9110 s.15.5.9).
func (a *httpClient) unread(m *http.Message) bool {
	return m.Status == 408 && m.Close && !a.fresh && a.conn.h2 == nil && a.o.h.streamType.pol.HTTP.Expect != 408
}

// maxRetryAfter limits Retry-After: one bad response must not stop a device for years.
const maxRetryAfter = 24 * time.Hour

// staleConn reports whether a request without a response in time may be repeated on a new connection, because its own
// was probably dead before: others had used it, and no byte was received on it since. The server may have processed
// the request, so its method must be idempotent (RFC 9110 s.9.2.2).
func (a *httpClient) staleConn() bool {
	return !a.resent && !a.fresh && a.noReply() && http.Idempotent(a.method())
}

// ended completes the cause of the end of an exchange without a response. The exchange reports what its protocol
// knows; a request of which the socket accepted no byte was certainly not processed either.
func (a *httpClient) ended(c *httpConn, cause error) error {
	if cause == nil {
		return nil
	}
	var lost *http.OutcomeError
	if a.sent && c.w.BytesOut() == a.outBefore && errors.As(cause, &lost) {
		cause = fmt.Errorf("ss: request: the socket accepted no byte of it: %w: %w", http.ErrNotProcessed, lost.Cause)
	}
	if errors.Is(cause, http.ErrNotProcessed) {
		a.notActed()
	}
	return cause
}

// notActed records that the server has not processed the current request.
func (a *httpClient) notActed() { a.exposed, a.inFlight = a.exposedBefore, false }

// repeatable reports whether a request that ended with cause is repeated within the attempt, on another connection:
// if the server has certainly not processed it. On h1 an idempotent one is also repeated if the connection had served
// others and was closed (RFC 9112 s.9.3.1); one that has never answered is not retried.
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

// outcome completes the cause of a failed attempt, or of a lost connection, with the state of the request, and
// reports whether the retry scheme may repeat it: not if the server may have processed a request that is not
// idempotent, unless the policy allows that.
func (a *httpClient) outcome(cause error) (told error, again bool) {
	if !a.exposed && !a.inFlight {
		if a.o.phase == phaseAttempt && a.status == 0 && !a.isWS() && cause != nil && !errors.Is(cause, http.ErrNotProcessed) {
			cause = &unsentError{cause} // nothing was sent, or the server has certainly not processed it
		}
		return cause, true
	}
	var answer *StatusError
	switch {
	case cause == nil || errors.As(cause, &answer) || a.o.phase != phaseAttempt:
	case errors.Is(cause, http.ErrNotProcessed):
		// An earlier request of this attempt was processed and redirected, or was repeated because its method
		// allows that: ErrNotProcessed would be wrong for the attempt as a whole.
		cause = &http.OutcomeError{Cause: &laterError{cause}}
	case !errors.Is(cause, http.ErrOutcomeUnknown):
		cause = &http.OutcomeError{Cause: cause}
	}
	return cause, !a.exposed || a.o.h.streamType.pol.HTTP.RetryUnsafe
}

// disclaimed records what a redirect means for the request: with 307 and 308 the server did not process it.
func (a *httpClient) disclaimed(status int) {
	if http.RedirectKeepsMethod(status) {
		a.notActed()
	}
}
