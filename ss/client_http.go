package ss

import (
	"errors"
	"strconv"
	"time"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/tls"
)

// httpClient carries a client stream over HTTP exchanges: one transaction is one CONNECTED to
// DISCONNECTED, on whatever connection serves it.
type httpClient struct {
	o     *onward
	conn  *httpConn     // nil between transactions
	x     http.Exchange // nil until the connection stands
	t     *target       // of this attempt
	state httpPhase
	// What became of this transaction so far.
	sent    bool // the request head is out
	sending bool // the request has a body that is not complete
	took    bool // Tx has given bytes: the request cannot be repeated
	got     bool // the response has brought body
	fresh   bool // the connection was made for this transaction: if it fails, that is the answer
	success bool
	left    int64 // of the announced body, http.UnknownLength without one
}

type httpPhase uint8

const (
	httpIdle     httpPhase = iota
	httpRequest            // until the response's final head
	httpResponse           // until its end
	httpDone               // until the exchange's
)

var _ http.Handler = (*httpClient)(nil)

func (a *httpClient) begin(t *target) {
	a.t = t
	r := a.o.h.rt
	c := r.warm.take(connKey{t.dial, t.secure})
	if c != nil {
		r.Counters.Warm++
		a.fresh = false
		a.use(c)
		return
	}
	a.dial()
}

// dial makes a new connection for the transaction.
func (a *httpClient) dial() {
	c := newHTTPConn(a, connKey{a.t.dial, a.t.secure})
	a.fresh = true
	a.reset(c)
	c.dial(a.o.dialOptions())
}

// use begins the transaction on a connection that stands.
func (a *httpClient) use(c *httpConn) {
	a.reset(c)
	c.lend(a)
	x, err := c.Do(a)
	if err != nil {
		// The connection died between two turns without telling: it is as if it had never been there.
		c.user = nil
		c.discard(err)
		a.dial()
		return
	}
	a.x = x
	if a.o.h.flags&isPaused != 0 {
		x.Pause()
	}
}

func (a *httpClient) reset(c *httpConn) {
	a.conn, a.x, a.state = c, nil, httpRequest
	a.sent, a.sending, a.took, a.got, a.success = false, false, false, false, false
}

// opened is called when the connection that was dialled stands.
func (a *httpClient) opened(c *httpConn) { a.use(c) }

// unreachable is called when it could not be made.
func (a *httpClient) unreachable(cause error) {
	a.reset(nil)
	a.state = httpIdle
	a.o.failed(cause, 0)
}

func (a *httpClient) requestTx() {
	if a.x != nil && a.sending {
		a.x.WantWrite()
	}
}

func (a *httpClient) flow(paused bool) {
	switch {
	case a.x == nil:
	case paused:
		a.x.Pause()
	default:
		a.x.Resume()
	}
}

func (a *httpClient) drop() {
	c, x := a.conn, a.x
	a.reset(nil)
	a.state = httpIdle
	if c == nil {
		return
	}
	c.user = nil
	if x != nil {
		x.SetHandler(nobody{})
	}
	c.discard(nil)
}

func (a *httpClient) session() *tls.Session {
	if a.conn == nil {
		return nil
	}
	return a.conn.s
}

func (a *httpClient) describe() string {
	if a.conn == nil {
		return "no connection"
	}
	return a.conn.w.Label()
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
			a.drop()
			a.o.failed(err, 0)
			return
		}
	}
	if !a.sending {
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
	a.took = a.took || n > 0
	end := f&EOM != 0
	if a.left > 0 {
		a.left -= int64(n)
	}
	if end || a.left == 0 {
		a.sending = false // the announced length says it as well as EOM does
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
	m.Method = k.method
	h.rt.text = a.o.appendPath(h.rt.text[:0])
	m.Target = h.rt.text
	m.Authority = a.t.authority
	var err error
	if h.rt.text, err = h.rt.addBlobFields(m, h.rt.text, k.blobs); err != nil {
		return err
	}
	k.addFields(m, h)
	m.Length = k.bodyLength(h)
	body := m.Length > 0 || m.Length == http.UnknownLength && takesBody(k.method)
	if !body && m.Length < 0 {
		m.Length = 0
	}
	err = x.SendHead(m, !body)
	if len(k.blobs) > 0 {
		clear(h.rt.text) // secrets
	}
	if err != nil {
		return err
	}
	a.sent, a.sending, a.left = true, body, m.Length
	return nil
}

// Head is http.Handler's.
func (a *httpClient) Head(x http.Exchange, m *http.Message) {
	h := a.o.h
	if m.Status < 200 || a.conn == nil || h.flags&doomed != 0 {
		return
	}
	p := h.kind.pol
	h.kind.takeFields(m, h)
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
	for _, e := range p.HTTP.RespMap {
		if e.Status == m.Status {
			h.tell(State(e.State), Notice{})
			if a.conn == nil || h.flags&doomed != 0 {
				return
			}
		}
	}
	a.state = httpResponse
	a.o.connected()
}

// refusal says whether a response is no answer at all but a failed attempt, and how long the server
// asks us to stay away.
func (a *httpClient) refusal(m *http.Message) (least time.Duration, err error) {
	if a.o.h.kind.pol.HTTP.FailRedirect && m.Status/100 == 3 {
		return 0, &StatusError{m.Status, "a redirect, and http_fail_redirect takes any for a captive portal"}
	}
	switch m.Status {
	case 301, 302, 303, 307, 308:
		why := "a redirect, which this stream type does not follow"
		if to, ok := m.Find(http.Location); ok {
			why = "a redirect to " + strconv.Quote(string(to)) + ", which this stream type does not follow"
		}
		return 0, &StatusError{m.Status, why}
	case 429, 503:
		if v, ok := m.Find(http.RetryAfter); ok {
			least, _ = http.ParseRetryAfter(v, a.o.h.rt.loop.System().Wall())
		}
		return min(least, maxRetryAfter), &StatusError{m.Status, "the server asks to come back later"}
	}
	return 0, nil
}

// maxRetryAfter bounds what Retry-After is believed: a device must not be sent to sleep for years by
// one bad response.
const maxRetryAfter = 24 * time.Hour

// Body is http.Handler's.
func (a *httpClient) Body(x http.Exchange, b []byte) {
	if a.conn == nil || a.state != httpResponse {
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
		h.tell(QOSNackRemote, Notice{})
	}
	if unsent {
		a.drop()
		a.o.lost(nil, false)
	}
}

// Done is http.Handler's.
func (a *httpClient) Done(x http.Exchange, cause error) {
	if a.over(x) {
		return
	}
	h, c, state := a.o.h, a.conn, a.state
	c.user = nil
	c.park()
	replay := state == httpRequest && errors.Is(cause, http.ErrNotProcessed) &&
		!a.took && !a.fresh && replays(h.kind.method) && h.flags&doomed == 0
	a.reset(nil)
	a.state = httpIdle
	switch {
	case replay:
		a.dial()
	case state == httpRequest:
		if cause == nil {
			cause = ErrAsked // a response that came was for nobody
		}
		a.o.failed(cause, 0)
	case state == httpDone:
		a.o.lost(nil, false)
	default:
		a.o.lost(cause, true)
	}
}

// nobody takes what an exchange has left to say after its stream has let go of it.
type nobody struct{}

func (nobody) Head(http.Exchange, *http.Message) {}
func (nobody) Body(http.Exchange, []byte)        {}
func (nobody) End(http.Exchange, []http.Field)   {}
func (nobody) Writable(http.Exchange)            {}
func (nobody) Done(http.Exchange, error)         {}
