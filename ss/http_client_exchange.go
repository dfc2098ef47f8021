package ss

import (
	"errors"

	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/roles/http"
)

// The exchange of an HTTP client: request, response, and its end. This file is above those of
// redirects, WebSockets and multipart bodies.

// Writable implements http.Handler: it sends the head, then the body that the stream has requested Tx for.
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
		a.sending = false // the announced length ends the body, as EOM does
		a.awaitResponse(h.rt.loop.Now())
	}
	x.Commit(n, end)
	if a.sending && h.flags&txWanted != 0 {
		x.WantWrite()
	}
}

// sendHead sends the request, built from the policy and the current metadata.
func (a *httpClient) sendHead(x http.Exchange) error {
	h := a.o.h
	k := h.streamType
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
	if a.redirectState == nil || !a.redirectState.CrossOrigin {
		if h.rt.text, err = addBlobFields(m, h.rt.text, k.blobs, h.rt.cfg.Blobs); err != nil {
			return err
		}
	}
	k.addFields(m, h, a.redirectState.Omit())
	h.rt.text = a.addCookies(m, h.rt.text)
	if a.isWS() {
		a.askWS(m)
		if err = x.SendHead(m, a.conn.h2 == nil); err == nil {
			a.sent = true
			a.o.perfSent()
		}
		return err
	}
	m.Length = k.bodyLength(h)
	if a.redirectState != nil && a.redirectState.NoBody {
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
	a.o.perfSent()
	if !body {
		a.awaitResponse(h.rt.loop.Now())
	}
	return nil
}

// Head implements http.Handler.
func (a *httpClient) Head(x http.Exchange, m *http.Message) {
	h := a.o.h
	if a.conn == nil || h.flags&doomed != 0 {
		return
	}
	if m.Status < 200 && m.Status != 101 {
		if a.due != 0 && !a.isWS() {
			a.awaitResponse(h.rt.loop.Now()) // the server is working on the request
		}
		return
	}
	a.due = 0
	a.status, a.inFlight = m.Status, false
	a.takeCookies(m)
	if a.o.perfHeard(m.Status); !a.o.reportPerf() {
		return
	}
	if a.unread(m) {
		took := a.took
		a.notActed()
		a.drop()
		a.again(&StatusError{m.Status, "the server closed the connection while it waited for a request"}, took)
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
	p := h.streamType.pol
	h.streamType.takeFields(m, h)
	err := h.saveHeaders(m, &a.conn.w)
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
	h.rt.withHead(h, m)
	a.o.connected()
	h.rt.withHead(nil, nil)
}

// Body implements http.Handler.
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

// End implements http.Handler: the response is complete. The stream receives QOS_ACK_REMOTE or QOS_NACK_REMOTE now,
// and DISCONNECTED in Done. A server that has responded before the end of the request does not want the rest: the
// connection is closed, since Done might not be called otherwise.
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

// Done implements http.Handler.
func (a *httpClient) Done(x http.Exchange, cause error) {
	if a.over(x) || a.state == httpSwitched {
		return
	}
	cause = a.ended(a.conn, cause)
	c, state, again, took := a.conn, a.state, a.repeatable(a.conn, cause), a.took
	if !again && state == httpRequest && c.h2 != nil && errors.Is(cause, h2.ErrSilent) && a.o.h.flags&doomed == 0 && a.staleConn() {
		a.resent, again = true, true // svalidhup ended the connection
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
			cause = ErrDisconnectRequested // the stream had been disconnected before the response
		}
		a.o.failed(cause, 0)
	case state == httpDone:
		a.o.lost(nil, endDone)
	default:
		a.o.lost(cause, endCut)
	}
}

// onMultipartError implements multipartHandler: the stream is disconnected.
func (a *httpClient) onMultipartError(_ http.Exchange, err error) int {
	if a.o.h.flags&doomed == 0 {
		a.drop()
		a.o.lost(err, endCut)
	}
	return 0
}
