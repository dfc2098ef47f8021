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

// httpClient carries a client stream over HTTP exchanges: a transaction lasts from CONNECTED to DISCONNECTED, on
// whatever connection serves it.
type httpClient struct {
	o             *direct
	conn          *httpConn     // nil between transactions, and while the ticket waits for a shared one
	x             http.Exchange // nil until the connection is established
	t             *target       // of this attempt
	state         httpPhase
	redirectState *http.RedirectState // nil until a redirect is followed
	asked         []byte              // the target of the request: the base of redirects, and the path of cookies
	// The state of the transaction.
	sent          bool // the request head was sent
	sending       bool // the request has a body that is not complete
	took          bool // Tx has returned some of the body: a repeated request needs it from the start
	got           bool // some of the response's body was received
	fresh         bool // the connection had no user before: if it fails, the request is not repeated
	success       bool
	resent        bool             // this attempt has repeated a request that was not answered
	status        int              // of the response; stays until the next attempt
	left          int64            // of the announced body, http.UnknownLength without one
	outBefore     uint64           // bytes that the socket had taken before the head
	exposed       bool             // the server may have processed a request of this attempt that is not idempotent
	exposedBefore bool             // exposed, before the current request
	inFlight      bool             // a request was sent, and no final head was received for it
	againCause    error            // why the body must be sent again from its start; nil if it need not be
	offer         *ws.Offer        // of a WebSocket handshake, until it is answered
	ws            *wsPipe          // nil until the exchange has become a WebSocket
	quirks        quirks           // of the endpoint, as known at the start of the attempt
	learnt        bool             // the attempt fails for a quirk that was not known before
	out           *formOut         // nil unless the stream type's bodies are multipart
	parts         *multipartReader // nil unless the response is multipart

	ticket httpTicket    // its place in the queue for an exchange
	due    time.Duration // deadline of the response; 0: none
	heard  uint64        // bytes received on the connection before the exchange
}

type httpPhase uint8

const (
	httpIdle     httpPhase = iota
	httpRequest            // until the response's final head
	httpAside              // a redirect is followed at the end of the turn, or of its body if that comes first
	httpResponse           // until the end of the response
	httpDone               // until the end of the exchange
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

// over reports whether x is not the exchange of the stream any more: its callbacks are ignored.
func (a *httpClient) over(x http.Exchange) bool { return a.conn == nil || a.x != x }

var (
	errNoResponse = fmt.Errorf("ss: http: no response within http_response_timeout_ms: %w", http.ErrTimeout)
)

// awaitResponse starts the timeout of the response, if the request is complete. It does not run while the stream is
// paused: on h1 a pause also stops the response.
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

// manual makes the program grant the peer's window, if Info.ManualInitialTxCredit is set.
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

// noReply reports whether the request was sent and no byte was received on the connection since.
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
		return fmt.Sprintf("waiting for an exchange with %s, streams before it: %d%s", a.t.dial, n, more)
	case a.conn == nil:
		return "no connection"
	}
	return a.conn.describe()
}

// isWS reports whether the stream's exchanges become WebSockets.
func (a *httpClient) isWS() bool { return a.o.h.streamType.pol.Protocol == policy.WS }

// method and appendTarget return the method and the target of the request, after redirects.
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

// scheme returns the scheme of a request.
func scheme(tls bool) []byte {
	if tls {
		return schemeTLS
	}
	return schemeClear
}

var schemeTLS, schemeClear = []byte("https"), []byte("http")

// pendingRedirects are the attempts with a redirect to follow at the end of the turn.
type pendingRedirects struct{ list, spare []*httpClient }

func (p *pendingRedirects) add(a *httpClient) { p.list = append(p.list, a) }
