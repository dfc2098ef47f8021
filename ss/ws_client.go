package ss

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/ws"
)

// clientWS is the WebSocket connection of a client stream: an HTTP/1.1 connection of its own that has switched
// protocols, or a stream of an HTTP/2 connection that others may share (RFC 8441).
type clientWS struct {
	wsPipe
	binding *httpClient
	conn    *httpConn
}

// clientTalk is a clientWS in its part as ws.Handler: the same object under another set of methods.
type clientTalk clientWS

var _ ws.Handler = (*clientTalk)(nil)

// askWS makes a request one for a WebSocket.
func (a *httpClient) askWS(m *http.Message) {
	a.offer = new(ws.Offer)
	k := a.o.h.streamType
	if k.pol.WS.Deflate && a.quirks&noWSDeflate != 0 {
		a.offer.WithoutDeflate()
		a.o.h.rt.Counters.Uncompressed++
	}
	if k.pol.WS.OverH2 && a.conn.h2 == nil {
		a.o.h.rt.Counters.FellBack++
		a.o.h.rt.quirks.add(a.t, noWSOverH2) // the next has a connection of its own from the start
	}
	a.offer.Ask(a.o.h.rt.wsShared(k.pol), m, k.subprotocols, a.conn.h2 != nil)
	a.awaitResponse(a.o.h.rt.loop.Now())
}

// answeredWS takes the response's head: the exchange becomes a WebSocket, or the attempt has failed.
func (a *httpClient) answeredWS(x http.Exchange, m *http.Message) {
	h := a.o.h
	agreed, err := a.offer.Check(m)
	a.noteDeflate(err)
	a.offer = nil
	if err == nil {
		h.streamType.takeFields(m, h)
		h.agree(agreed.Protocol)
		if err = a.switchWS(x, agreed); err == nil {
			return
		}
	}
	if errors.Is(err, ws.ErrRefused) {
		least, later := a.refusal(m)
		if later == nil {
			later = &StatusError{m.Status, "the server did not switch to websocket"}
		}
		a.drop()
		a.o.failed(later, least)
		return
	}
	a.drop()
	a.o.failed(err, 0)
}

// noteDeflate has the next attempt offer no compression if this one fails for the server's answer to the offer. What the
// answer may not have at all, such as a NUL, was found by the connection.
func (a *httpClient) noteDeflate(cause error) {
	if cause == nil || a.offer == nil || !a.offer.Deflate() {
		return
	}
	var fault *http.ProtocolError
	if errors.Is(cause, ws.ErrExtensions) || errors.As(cause, &fault) && fault.Proto != "ws" {
		r := a.o.h.rt
		a.learnt = true
		r.quirks.add(a.t, noWSDeflate)
		r.log.Warn("ss: the next attempt offers no compression: the server's answer to the handshake is malformed",
			"stream", a.o.h.StreamType(), "peer", a.t.dial.String(), "err", cause)
	}
}

// attemptFailed forgets the endpoint's quirks: what was known of the endpoint may not hold any more.
func (a *httpClient) attemptFailed() {
	if a.quirks != 0 && !a.learnt {
		a.o.h.rt.quirks.forget(a.t)
	}
	a.quirks = 0
}

// fallBack goes on with the attempt on an HTTP/1.1 connection of its own, as the server does not take WebSockets over
// HTTP/2. Without TLS there is no way: HTTP/2 began by prior knowledge, and the port need not speak anything else.
func (a *httpClient) fallBack() {
	r := a.o.h.rt
	a.drop()
	if !a.t.tls {
		a.o.failed(fmt.Errorf("ss: websocket over http/2: %s: %w", a.t.dial, h2.ErrNoExtendedConnect), 0)
		return
	}
	r.quirks.add(a.t, noWSOverH2)
	a.acquire(a.t)
}

// h2RequiresH1 reports whether the server asks for HTTP/1.1 (RFC 9113 s.7).
func h2RequiresH1(cause error) bool {
	var e *h2.ResetError
	return errors.As(cause, &e) && e.Code == h2.HTTP11Required
}

// switchWS puts a WebSocket in the place of the exchange.
func (a *httpClient) switchWS(x http.Exchange, agreed ws.Agreed) (err error) {
	c := a.conn
	u := &clientWS{binding: a, conn: c}
	low := c.lower()
	if c.h2 != nil {
		low = c.h2.Stream(x)
	}
	u.start(a.o.h, low, true, agreed, (*clientTalk)(u))
	if err = c.role.Upgrade(x, u); err != nil {
		return err
	}
	c.entry.SetAnswered()
	if c.h2 == nil {
		c.entry.Leave()
	}
	a.ws, a.state = &u.wsPipe, httpSwitched
	return nil
}

func (a *httpClient) setClose(code ws.Code, reason string) (ok bool, err error) {
	if a.ws == nil {
		return false, nil
	}
	return a.ws.setClose(code, reason)
}

// Label names the stream in reports: a connection that its stream has let go is still known by where it leads.
func (t *clientTalk) Label() string {
	if t.h == nil {
		return t.conn.Label()
	}
	return t.h.Label()
}

// Opened is ws.Handler's.
func (t *clientTalk) Opened(*ws.Conn) {
	if t.h != nil {
		t.binding.o.connected()
	}
	t.opened()
}

// Rx, Writable, Pong and Closing are ws.Handler's.
func (t *clientTalk) Rx(_ *ws.Conn, b []byte, f ws.Flags)             { t.rx(b, f) }
func (t *clientTalk) Writable(*ws.Conn)                               { t.writable() }
func (t *clientTalk) Pong(*ws.Conn, []byte)                           {}
func (t *clientTalk) Closing(_ *ws.Conn, code ws.Code, reason []byte) { t.closing(code, reason) }

// Closed is ws.Handler's.
func (t *clientTalk) Closed(_ *ws.Conn, cause error) { (*clientWS)(t).ended(t.why(cause)) }

// ended gives the connection back, and has the stream's life go on without it.
func (u *clientWS) ended(cause error) {
	a, c := u.binding, u.conn
	if c.h2 != nil {
		c.entry.DropUser(false)
	} else {
		c.entry.Detach(cause)
	}
	if u.h == nil {
		return
	}
	u.h.flags &^= wantAsk | wantFinish
	u.h = nil
	a.reset(nil)
	a.state, a.ws = httpIdle, nil
	if a.o.phase == phaseAttempt {
		a.o.failed(cause, 0)
		return
	}
	a.o.lost(cause, u.ending(cause))
}

// ending is how the connection is over, of which the cause is known.
func (u *clientWS) ending(cause error) ending {
	w := u.closed
	var said *CloseError
	switch {
	case w != nil && w.code != 0:
		return endOwn // Finish
	case cause == nil, errors.As(cause, &said) && (said.Code == ws.Normal || said.Code == ws.NoCode):
		return endClosed
	}
	return endCut
}
