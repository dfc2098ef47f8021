package ss

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// httpClient carries a client stream over HTTP exchanges: one transaction is one CONNECTED to
// DISCONNECTED, on whatever connection serves it.
type httpClient struct {
	connectionDefaults
	o             *direct
	conn          *httpConn     // nil between transactions, and while it waits for one that others share
	x             http.Exchange // nil until the connection stands
	t             *target       // of this attempt
	state         httpPhase
	redirectState *http.RedirectState // nil until a redirect is followed
	asked         []byte              // the target of the request, for redirects to be relative to and cookies to belong to
	// What became of this transaction so far.
	sent          bool // the request head is out
	sending       bool // the request has a body that is not complete
	took          bool // Tx has given some of the body: to be made again the request needs it from the beginning
	got           bool // the response has brought body
	fresh         bool // nobody has used the connection before: if it fails, that is the answer
	success       bool
	resent        bool             // this attempt has repeated a request that was not answered
	status        int              // of the response; stays until the next attempt
	left          int64            // of the announced body, http.UnknownLength without one
	outBefore     uint64           // bytes that the socket had taken before the head
	exposed       bool             // the server may have acted on a request of this attempt that is not idempotent
	exposedBefore bool             // exposed, before the present request
	inFlight      bool             // a request is out, and no final head has come for it
	againCause    error            // why the body is to be given from the beginning; nil when it is not
	offer         *ws.Offer        // of a request that asks for a WebSocket, until it is answered
	ws            *wsPipe          // what the exchange has become
	quirks        quirks           // of the endpoint, as far as they were known when the attempt began
	learnt        bool             // the attempt fails for a quirk that was not known before
	out           *formOut         // nil unless the stream type's bodies are multipart
	parts         *multipartReader // takes the response apart, nil if it is whole

	ticket httpTicket    // where it waits for an exchange
	due    time.Duration // when the response must have come; 0: no matter
	heard  uint64        // bytes that the connection had brought when the exchange began
}

type httpPhase uint8

const (
	httpIdle     httpPhase = iota
	httpRequest            // until the response's final head
	httpAside              // a redirect is followed at the end of the turn, or of its body if that comes first
	httpResponse           // until its end
	httpDone               // until the exchange's
	httpSwitched           // until the end of the WebSocket
)

var _ http.Handler = (*httpClient)(nil)

func (a *httpClient) requestTx() {
	if a.ws != nil {
		a.ws.ask()
		return
	}
	if a.x != nil && a.sending {
		a.x.WantWrite()
	}
}

func (a *httpClient) settlePayload(h *Handle) {
	if a.ws != nil {
		a.ws.settle(h)
	}
}

func (a *httpClient) flow(paused bool) {
	switch {
	case a.ws != nil:
		a.ws.flow(!paused)
	case a.x == nil || a.state == httpAside || a.isWS():
	case paused:
		if a.state == httpRequest {
			a.due = 0
		}
		a.conn.pause(true, 0)
		a.x.Pause()
	default:
		now := a.o.h.rt.loop.System().Now() // not the turn's time: see StartTimeout
		a.awaitResponse(now)
		a.conn.pause(false, now)
		a.x.Resume()
	}
}

// over says whether the callbacks of an exchange have nothing more to tell: its stream let go of it.
func (a *httpClient) over(x http.Exchange) bool { return a.conn == nil || a.x != x }

var (
	errNoResponse = fmt.Errorf("ss: http: no response within http_response_timeout_ms: %w", http.ErrTimeout)
)

// awaitResponse starts the time in which the response must come, if the request is complete. It does not run while
// the stream is paused: on h1 that keeps the response out.
func (a *httpClient) awaitResponse(now time.Duration) {
	h := a.o.h
	if d := h.streamType.pol.ResponseWait(); d > 0 && a.state == httpRequest && (a.isWS() || a.sent && !a.sending && h.flags&isPaused == 0) {
		a.due = now + d
		if t := &a.o.timer; !t.Armed() || t.At() > a.due {
			h.rt.loop.Arm(t, a.due, a.o)
		}
	}
}

func (a *httpClient) httpStatus() int { return a.status }

func (a *httpClient) peerCredit() int64 {
	if w, ok := a.x.(http.FlowControlled); ok {
		return w.PeerWindow()
	}
	return 0
}

func (a *httpClient) addPeerCredit(n int) error {
	switch _, ok := a.x.(http.FlowControlled); {
	case !ok:
		return ErrNoCredit
	case n < 0:
		return ErrMisuse
	}
	a.x.Credit(n)
	return nil
}

// manual has the exchange's peer granted what the program says, if it wants to say it.
func (a *httpClient) manual() {
	if a.o.credit == 0 {
		return
	}
	if w, ok := a.x.(http.FlowControlled); ok {
		w.ManualCredit()
	}
}

func (a *httpClient) reset(c *httpConn) {
	a.due = 0
	a.parts.release()
	a.parts = nil
	a.conn, a.x, a.state = c, nil, httpRequest
	a.sent, a.sending, a.took, a.got, a.success = false, false, false, false, false
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

// isWS says whether the stream's exchanges are to become WebSockets.
func (a *httpClient) isWS() bool { return a.o.h.streamType.pol.Protocol == policy.WS }

// method and appendTarget say what is asked for, on the policy's way or on a detour.
func (a *httpClient) method() []byte {
	if a.redirectState != nil {
		return a.redirectState.Method
	}
	return a.o.h.streamType.method
}

func (a *httpClient) appendTarget(b []byte) ([]byte, error) {
	if a.redirectState != nil {
		return append(b, a.redirectState.Target...), nil
	}
	return appendPath(b, a.o.h, a.o.target)
}

// scheme is what a request is told to go by.
func scheme(tls bool) []byte {
	if tls {
		return schemeTLS
	}
	return schemeClear
}

var schemeTLS, schemeClear = []byte("https"), []byte("http")

// pendingRedirects are the attempts that have a redirect to follow at the end of the turn.
type pendingRedirects struct{ list, spare []*httpClient }

func (p *pendingRedirects) add(a *httpClient) { p.list = append(p.list, a) }
