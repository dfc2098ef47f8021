package ss

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/ws"
)

// clientWS is the WebSocket connection of a client stream: an HTTP/1.1 connection of its own after the upgrade, or a
// stream of an HTTP/2 connection that others may share (RFC 8441).
type clientWS struct {
	wsPipe
	binding *httpClient
	conn    *httpConn
}

// clientTalk is a clientWS as a ws.Handler: the same object with another set of methods.
type clientTalk clientWS

var _ ws.Handler = (*clientTalk)(nil)

// askWS turns m into a WebSocket handshake.
func (a *httpClient) askWS(m *http.Message) {
	a.offer = new(ws.Offer)
	k := a.o.h.streamType
	if k.pol.WS.Deflate && a.quirks&noWSDeflate != 0 {
		a.offer.WithoutDeflate()
		a.o.h.rt.Counters.Uncompressed++
	}
	if k.pol.WS.OverH2 && a.conn.h2 == nil {
		a.o.h.rt.Counters.FellBack++
		a.o.h.rt.quirks.add(a.t, noWSOverH2) // the next one uses a connection of its own from the start
	}
	a.offer.Ask(a.o.h.rt.wsShared(k.pol), m, k.subprotocols, a.conn.h2 != nil)
	a.awaitResponse(a.o.h.rt.loop.Now())
}

// answeredWS receives the head of the response: the exchange becomes a WebSocket, or the attempt fails.
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

// noteDeflate disables compression for the next attempt if this one failed on the server's answer to the offer.
// Fields that are not allowed at all, such as one with a NUL, were found by the connection.
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

// attemptFailed drops the endpoint's quirks: they may not apply any more.
func (a *httpClient) attemptFailed() {
	if a.quirks != 0 && !a.learnt {
		a.o.h.rt.quirks.forget(a.t)
	}
	a.quirks = 0
}

// fallBack continues the attempt on an HTTP/1.1 connection of its own, since the server does not accept WebSockets
// over HTTP/2. Without TLS that is impossible: HTTP/2 started with prior knowledge, and the port need not support
// HTTP/1.1.
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

// h2RequiresH1 reports whether the server requires HTTP/1.1 (RFC 9113 s.7).
func h2RequiresH1(cause error) bool {
	var e *h2.ResetError
	return errors.As(cause, &e) && e.Code == h2.HTTP11Required
}

// switchWS replaces the exchange with a WebSocket.
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

// Label returns the name of the stream for reports, after its release that of the connection.
func (t *clientTalk) Label() string {
	if t.h == nil {
		return t.conn.Label()
	}
	return t.h.Label()
}

// Opened implements ws.Handler.
func (t *clientTalk) Opened(*ws.Conn) {
	if t.h != nil {
		t.binding.o.connected()
	}
	t.opened()
}

// Rx, Writable, Pong and Closing implement ws.Handler.
func (t *clientTalk) Rx(_ *ws.Conn, b []byte, f ws.Flags)             { t.rx(b, f) }
func (t *clientTalk) Writable(*ws.Conn)                               { t.writable() }
func (t *clientTalk) Pong(*ws.Conn, []byte)                           {}
func (t *clientTalk) Closing(_ *ws.Conn, code ws.Code, reason []byte) { t.closing(code, reason) }

// Closed implements ws.Handler.
func (t *clientTalk) Closed(_ *ws.Conn, cause error) { (*clientWS)(t).ended(t.why(cause)) }

// ended releases the connection. The stream continues without it.
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

// ending returns how the connection ended, by its cause.
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
