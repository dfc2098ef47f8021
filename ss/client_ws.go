package ss

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/h1"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/ws"
)

// clientWS is the WebSocket connection of a client stream: an HTTP/1.1 connection of its own that has switched
// protocols, or a stream of an HTTP/2 connection that others may share (RFC 8441).
type clientWS struct {
	wsPipe
	carrier *httpClient
	conn    *httpConn
}

// clientTalk is a clientWS in its part as ws.Handler: the same object under another set of methods.
type clientTalk clientWS

var _ ws.Handler = (*clientTalk)(nil)

// isWS says whether the stream's exchanges are to become WebSockets.
func (a *httpClient) isWS() bool { return a.o.h.kind.pol.Protocol == policy.WS }

// askWS makes a request one for a WebSocket.
func (a *httpClient) askWS(m *http.Message) {
	a.offer = new(ws.Offer)
	k := a.o.h.kind
	a.offer.Ask(a.o.h.rt.wsConfig(k.pol), m, k.subprotocols, a.conn.h2 != nil)
	a.awaitResponse(a.o.h.rt.loop.Now())
}

var errNoSwitch = fmt.Errorf("ss: websocket: no answer to the handshake: %w", http.ErrTimeout)

// answeredWS takes the response's head: the exchange becomes a WebSocket, or the attempt has failed.
func (a *httpClient) answeredWS(x http.Exchange, m *http.Message) {
	h := a.o.h
	agreed, err := a.offer.Check(m)
	a.offer = nil
	if err == nil {
		h.kind.takeFields(m, h)
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

// switchWS puts a WebSocket in the place of the exchange.
func (a *httpClient) switchWS(x http.Exchange, agreed ws.Agreed) (err error) {
	c := a.conn
	u := &clientWS{carrier: a, conn: c}
	low := c.lower()
	if c.h2 != nil {
		low = c.h2.Stream(x)
	}
	u.start(a.o.h, low, true, agreed, (*clientTalk)(u))
	if c.h2 != nil {
		err = c.h2.Upgrade(x, u)
	} else {
		err = c.role.(*h1.Client).Upgrade(x, u)
	}
	if err != nil {
		return err
	}
	c.answered = true
	if c.h2 == nil {
		c.withdraw()
		c.phase = connLeaving
	}
	a.ws, a.state = u, httpSwitched
	return nil
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
		t.carrier.o.connected()
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
	a, c := u.carrier, u.conn
	if c.h2 != nil {
		c.giveBack(false)
	} else {
		c.users--
		c.phase = connGone
		c.route.closed(c, cause, true)
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
	w := u.parted
	var said *CloseError
	switch {
	case w != nil && w.bye != 0:
		return endOwn // Finish
	case cause == nil, errors.As(cause, &said) && (said.Code == ws.Normal || said.Code == ws.NoCode):
		return endClosed
	}
	return endCut
}
