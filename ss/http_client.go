package ss

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/ws"
)

// httpClient carries a client stream over HTTP exchanges: one transaction is one CONNECTED to
// DISCONNECTED, on whatever connection serves it.
type httpClient struct {
	connectionDefaults
	o     *onward
	conn  *httpConn     // nil between transactions, and while it waits for one that others share
	x     http.Exchange // nil until the connection stands
	t     *target       // of this attempt
	state httpPhase
	away  *http.RedirectState // nil until a redirect is followed
	asked []byte              // the target of the request, for redirects to be relative to and cookies to belong to
	// What became of this transaction so far.
	sent          bool // the request head is out
	sending       bool // the request has a body that is not complete
	took          bool // Tx has given some of the body: to be made again the request needs it from the beginning
	got           bool // the response has brought body
	fresh         bool // nobody has used the connection before: if it fails, that is the answer
	success       bool
	resent        bool      // this attempt has repeated a request that was not answered
	status        int       // of the response; stays until the next attempt
	left          int64     // of the announced body, http.UnknownLength without one
	outBefore     uint64    // bytes that the socket had taken before the head
	exposed       bool      // the server may have acted on a request of this attempt that is not idempotent
	exposedBefore bool      // exposed, before the present request
	inFlight      bool      // a request is out, and no final head has come for it
	againCause    error     // why the body is to be given from the beginning; nil when it is not
	offer         *ws.Offer // of a request that asks for a WebSocket, until it is answered
	ws            *clientWS // what the exchange has become
	quirks        quirks    // of the endpoint, as far as they were known when the attempt began
	learnt        bool      // the attempt fails for a quirk that was not known before
	out           *formOut  // nil unless the stream type's bodies are multipart
	parts         *partsIn  // takes the response apart, nil if it is whole

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

func (a *httpClient) send(b []byte, f Flags) (n int, all bool) {
	if a.ws == nil {
		return 0, false
	}
	return a.ws.send(b, f)
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

// Writable is http.Handler's: first the head, then as much body as the stream asked to give.
func (a *httpClient) Writable(x http.Exchange) {
	h := a.o.h
	if a.conn == nil || h.flags&doomed != 0 {
		return
	}
	if !a.sent {
		if err := a.sendHead(x); err != nil {
			if errors.Is(err, http.ErrNoRoom) {
				x.WantWrite()
				return
			}
			if errors.Is(err, h2.ErrNoExtendedConnect) {
				a.fallBack()
				return
			}
			a.drop()
			a.o.failed(err, 0)
			return
		}
	}
	if !a.sending {
		return
	}
	if a.out != nil && a.out.form != nil {
		a.writeForm(x)
		return
	}
	buf := x.Room()
	if buf == nil {
		x.WantWrite()
		return
	}
	n, f, ok := h.tx(buf)
	if !ok {
		return
	}
	end := f&EOM != 0
	a.took = true
	if a.left > 0 {
		a.left -= int64(n)
	}
	h.checkLength(a.left, end)
	if end || a.left == 0 {
		a.sending = false // the announced length says it as well as EOM does
		a.awaitResponse(h.rt.loop.Now())
	}
	x.Commit(n, end)
	if a.sending && h.flags&txWanted != 0 {
		x.WantWrite()
	}
}

// sendHead builds the request from the policy and the metadata as they are now.
func (a *httpClient) sendHead(x http.Exchange) error {
	h := a.o.h
	k := h.kind
	m := &h.rt.msg
	m.Reset()
	m.Method = a.method()
	var err error
	if h.rt.text, err = a.appendTarget(h.rt.text[:0]); err != nil {
		return err
	}
	m.Target = h.rt.text
	if k.pol.HTTP.AllowRedirects || k.pol.HTTP.Cookies {
		a.asked = append(a.asked[:0], m.Target...)
	}
	m.Authority = a.t.authority
	m.Scheme = scheme(a.t.tls)
	if len(k.blobs) > 0 || k.pol.HTTP.Cookies {
		defer func() { clear(h.rt.text) }() // secrets
	}
	a.outBefore = a.conn.w.BytesOut()
	if a.away == nil || !a.away.CrossOrigin {
		if h.rt.text, err = h.rt.addBlobFields(m, h.rt.text, k.blobs); err != nil {
			return err
		}
	}
	k.addFields(m, h, a.away.Omit())
	h.rt.text = a.addCookies(m, h.rt.text)
	if a.isWS() {
		a.askWS(m)
		if err = x.SendHead(m, a.conn.h2 == nil); err == nil {
			a.sent = true
			a.o.perf.asked(a.o)
		}
		return err
	}
	m.Length = k.bodyLength(h)
	if a.away != nil && a.away.NoBody {
		m.Length = 0
	}
	body := a.shapeBody(m)
	if !body && m.Length < 0 {
		m.Length = 0
	}
	if err = x.SendHead(m, !body); err != nil {
		return err
	}
	a.sent, a.sending, a.left = true, body, m.Length
	a.inFlight, a.exposedBefore = true, a.exposed
	a.exposed = a.exposed || !http.Idempotent(m.Method)
	a.o.perf.asked(a.o)
	if !body {
		a.awaitResponse(h.rt.loop.Now())
	}
	return nil
}

var (
	errNoResponse = fmt.Errorf("ss: http: no response within http_response_timeout_ms: %w", http.ErrTimeout)
	errSilent     = fmt.Errorf("ss: http: no byte for svalidhup: %w", http.ErrTimeout)
)

// awaitResponse starts the time in which the response must come, if the request is complete. It does not run while
// the stream is paused: on h1 that keeps the response out.
func (a *httpClient) awaitResponse(now time.Duration) {
	h := a.o.h
	if d := h.kind.pol.ResponseWait(); d > 0 && a.state == httpRequest && (a.isWS() || a.sent && !a.sending && h.flags&isPaused == 0) {
		a.due = now + d
		if t := &a.o.timer; !t.Armed() || t.At() > a.due {
			h.rt.loop.Arm(t, a.due, a.o)
		}
	}
}

// overdue ends the wait for a response, if it is over. A response does not stop the timer, and the next request does not
// move it: to do both for each request would cost more than to look once a minute.
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

// staleConn reports whether a request that was not answered in time may be repeated on a new connection, because its
// own most likely died before: others had used it, and not one byte has come on it since. Whether the server has acted
// on the request is unknown, so its method must be idempotent (RFC 9110 s.9.2.2).
func (a *httpClient) staleConn() bool {
	return !a.resent && !a.fresh && a.noReply() && http.Idempotent(a.method())
}

// Head is http.Handler's.
func (a *httpClient) Head(x http.Exchange, m *http.Message) {
	h := a.o.h
	if a.conn == nil || h.flags&doomed != 0 {
		return
	}
	if m.Status < 200 && m.Status != 101 {
		if a.due != 0 && !a.isWS() {
			a.awaitResponse(h.rt.loop.Now()) // the server is at work
		}
		return
	}
	a.due = 0
	a.status, a.inFlight = m.Status, false
	a.takeCookies(m)
	if a.o.perf.answered(a.o, m.Status); !a.o.reportPerf() {
		return
	}
	if a.unread(m) {
		took := a.took
		a.notActed()
		a.drop()
		a.again(&StatusError{m.Status, "the server has closed a connection on which it waited for a request"}, took)
		return
	}
	if a.follows(m.Status) {
		a.redirected(x, m)
		return
	}
	if a.isWS() {
		a.answeredWS(x, m)
		return
	}
	p := h.kind.pol
	h.kind.takeFields(m, h)
	err := h.hold(m, &a.conn.w)
	if err != nil {
		a.drop()
		a.o.failed(err, 0)
		return
	}
	a.success = m.Status >= 200 && m.Status <= 299
	if p.HTTP.Expect != 0 {
		a.success = m.Status == p.HTTP.Expect
	}
	if !a.success {
		if least, err := a.refusal(m); err != nil {
			a.drop()
			a.o.failed(err, least)
			return
		}
	}
	if a.parts, err = h.split(x, m, &a.conn.w, a); err != nil {
		a.drop()
		a.o.failed(err, 0)
		return
	}
	for _, e := range p.HTTP.RespMap {
		if e.Status == m.Status {
			h.tell(State(e.State), Notice{})
			if a.conn == nil || h.flags&doomed != 0 {
				return
			}
		}
	}
	a.state = httpResponse
	a.conn.entry.SetAnswered()
	h.rt.show(h, m)
	a.o.connected()
	h.rt.show(nil, nil)
}

// scheme is what a request is told to go by.
func scheme(tls bool) []byte {
	if tls {
		return schemeTLS
	}
	return schemeClear
}

var schemeTLS, schemeClear = []byte("https"), []byte("http")

// HTTPStatus is the status of the response that an HTTP client stream got last: from the states that tell of
// it until the next attempt begins. 0 without one, and for streams that are no HTTP clients. It is the last
// on the way that redirects have taken.
func (h *Handle) HTTPStatus() int {
	return h.be.httpStatus()
}

func (a *httpClient) httpStatus() int { return a.status }

// refusal says whether a response is no answer at all but a failed attempt, and how long the server
// asks us to stay away.
func (a *httpClient) refusal(m *http.Message) (least time.Duration, err error) {
	if a.o.h.kind.pol.HTTP.FailRedirect && m.Status/100 == 3 {
		a.notActed() // a captive portal has seen the request, and not the server
		return 0, &StatusError{m.Status, "a redirect, and http_fail_redirect takes any for a captive portal"}
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
		why = "the server asks to come back later"
		if v, ok := m.Find(http.RetryAfter); ok {
			least, _ = http.ParseRetryAfter(v, a.o.h.rt.loop.System().Wall())
			least = min(least, maxRetryAfter)
		}
	default:
		if e := a.o.h.kind.pol.HTTP.Expect; e != 0 {
			why = "http_expect takes no other than " + strconv.Itoa(e)
		}
	}
	if why != "" {
		return least, &StatusError{m.Status, why}
	}
	return 0, nil
}

// unread reports whether a response says that the server gave up waiting for a request before ours reached it: 408 on a
// connection of HTTP/1.1 that had served before. Such a request may be repeated on another connection
// (RFC 9110 s.15.5.9).
func (a *httpClient) unread(m *http.Message) bool {
	return m.Status == 408 && m.Close && !a.fresh && a.conn.h2 == nil && a.o.h.kind.pol.HTTP.Expect != 408
}

// maxRetryAfter bounds what Retry-After is believed: a device must not be sent to sleep for years by
// one bad response.
const maxRetryAfter = 24 * time.Hour

// Body is http.Handler's.
func (a *httpClient) Body(x http.Exchange, b []byte) {
	if a.conn == nil || a.state != httpResponse {
		if a.conn != nil && a.state == httpAside {
			a.aside(len(b))
		}
		return
	}
	f := Flags(0)
	if !a.got {
		a.got, f = true, SOM
	}
	a.o.h.rx(b, f)
}

// End is http.Handler's: the response is complete. The stream learns the verdict, and in Done that the
// connection is its own no more. A peer that has answered before it saw the whole request does not want
// the rest: the connection ends with it, or Done might never come.
func (a *httpClient) End(x http.Exchange, _ []http.Field) {
	h := a.o.h
	if a.conn == nil || a.state != httpResponse {
		return
	}
	if a.got && !h.rx(nil, EOM) {
		return
	}
	if h.flags&doomed != 0 {
		return
	}
	unsent := a.sending
	a.state, a.sending = httpDone, false
	a.o.phase = phaseFinishing
	h.hint = -1
	if a.success {
		h.tell(QOSAckRemote, Notice{})
	} else {
		h.tell(QOSNackRemote, Notice{Ordinal: uint32(a.status)})
	}
	if unsent {
		a.drop()
		a.o.lost(nil, endDone)
	}
}

// Done is http.Handler's.
func (a *httpClient) Done(x http.Exchange, cause error) {
	if a.over(x) || a.state == httpSwitched {
		return
	}
	cause = a.ended(a.conn, cause)
	c, state, again, took := a.conn, a.state, a.repeatable(a.conn, cause), a.took
	if !again && state == httpRequest && c.h2 != nil && errors.Is(cause, h2.ErrSilent) && a.o.h.flags&doomed == 0 && a.staleConn() {
		a.resent, again = true, true // svalidhup has given it up
	}
	noReply := cause != nil && a.noReply()
	a.noteDeflate(cause)
	needsH1 := c.h2 != nil && state == httpRequest && a.isWS() && a.t.tls && h2RequiresH1(cause)
	a.reset(nil)
	a.state = httpIdle
	c.entry.DropUser(noReply)
	switch {
	case needsH1 && a.o.h.flags&doomed == 0:
		a.fallBack()
	case again:
		a.again(cause, took)
	case state == httpAside:
		a.follow()
	case state == httpRequest:
		if cause == nil {
			cause = ErrAsked // a response that came was for nobody
		}
		a.o.failed(cause, 0)
	case state == httpDone:
		a.o.lost(nil, endDone)
	default:
		a.o.lost(cause, endCut)
	}
}

// nobody takes what an exchange has left to say after its stream has let go of it.
type nobody struct{}

func (nobody) Head(http.Exchange, *http.Message) {}
func (nobody) Body(http.Exchange, []byte)        {}
func (nobody) End(http.Exchange, []http.Field)   {}
func (nobody) Writable(http.Exchange)            {}
func (nobody) Done(http.Exchange, error)         {}
