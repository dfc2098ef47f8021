package ss

import (
	"errors"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// acceptedWS is the WebSocket connection of an accepted stream, and its backend. It replaces an HTTP/1.1 connection
// or a serverStream of an HTTP/2 connection.
type acceptedWS struct {
	defaults
	wsPipe
	origin *origin
}

var (
	_ roles.Upper = (*acceptedWS)(nil)
	_ backend     = (*acceptedWS)(nil)
)

// upgrade handles a WebSocket handshake. An invalid one is refused before the stream receives anything. The stream
// receives SERVER_UPGRADE, in which it can read the request's head; it refuses with ServerAck of a status other than
// 200, or with its return code.
func (t *transaction) upgrade(x http.Exchange, m *http.Message) {
	h := t.h
	u := &upgrading{t: t}
	if err := u.ans.Accept(h.rt.wsShared(h.streamType.pol), m, h.streamType.subprotocols); err != nil {
		h.rt.log.Debug("ss: a websocket handshake was refused", "stream", h.StreamType(), "err", err)
		t.refuse(x, u.ans.Message)
		return
	}
	h.agree(u.ans.Agreed.Protocol)
	t.x, t.status, t.flags = x, 0, txnUpgrade
	if h.flags&doomed != 0 {
		return
	}
	h.rt.withHead(h, m)
	t.announce(m)
	h.rt.withHead(nil, nil)
	switch {
	case h.flags&doomed != 0:
	case t.status != 0 && t.status != 200:
		t.x, t.flags = nil, 0
		t.refuse(x, http.Message{Status: int(t.status)})
	default:
		x.SetHandler(u)
		x.WantWrite()
	}
}

// mayDeflate reports whether one more WebSocket on the connection may be compressed.
func (t *transaction) mayDeflate() bool {
	sh := t.h.rt.wsShared(t.h.streamType.pol)
	if c := t.origin.h2; c != nil {
		return sh.MayDeflate(t.h.rt.loop.Now(), c.Lower(), c.deflated)
	}
	return sh.MayDeflate(t.h.rt.loop.Now(), t.h.upgrader().Lower(), 0)
}

// announce takes the stream to SERVER_UPGRADE. libwebsockets has no step there from SERVER_TXN: a stream that has
// answered requests starts a new life as a WebSocket.
func (t *transaction) announce(m *http.Message) {
	h := t.h
	steps := []State{Connected, ServerUpgrade}
	switch {
	case h.Life() != Connected:
		h.be.wsi().Established()
	case State(h.last) == Connected:
		steps = steps[1:]
	default:
		steps = []State{Disconnected, Connecting, Connected, ServerUpgrade}
	}
	for _, s := range steps {
		if s == ServerUpgrade {
			t.describeRequest(m)
		}
		if h.tell(s, Notice{}); h.flags&doomed != 0 {
			return
		}
	}
}

// upgrading is the handler of a WebSocket handshake, until the WebSocket replaces it.
type upgrading struct {
	discard
	t   *transaction
	ans ws.Answer
	s   *acceptedWS
}

// Writable implements http.Handler.
func (u *upgrading) Writable(x http.Exchange) {
	t := u.t
	h := t.h
	if t.x != x || h.flags&doomed != 0 {
		return
	}
	if u.s == nil && u.ans.Agreed.Deflate && !t.mayDeflate() {
		u.ans.NoDeflate()
	}
	m := u.ans.Message
	h.streamType.addFields(&m, h, 0)
	switch err := u.become(x, &m); {
	case errors.Is(err, http.ErrNoRoom):
		x.WantWrite()
	case err != nil:
		h.misuse("the websocket handshake cannot be answered: " + err.Error())
	default:
		t.x, t.flags, t.status = nil, 0, 0
		h.dropMetadata()
		h.be = u.s
	}
}

// become answers with m, and replaces HTTP with the WebSocket.
func (u *upgrading) become(x http.Exchange, m *http.Message) error {
	t := u.t
	c := t.origin.h2
	if c == nil {
		b := t.h.upgrader()
		u.make(b.Lower())
		return b.Upgrade(x, m, u.s)
	}
	if err := x.SendHead(m, false); err != nil {
		return err
	}
	u.make(c.Server.Stream(x))
	return c.Server.Upgrade(x, u.s)
}

func (u *upgrading) make(low roles.Lower) {
	if u.s == nil {
		s := &acceptedWS{origin: u.t.origin}
		s.start(u.t.h, low, false, u.ans.Agreed, (*acceptedTalk)(s))
		u.s = s
		if c := s.origin.h2; c != nil && s.Compressed() {
			c.deflated++
		}
	}
}

// Done implements http.Handler: the exchange was aborted before the answer, or has become a WebSocket.
func (u *upgrading) Done(x http.Exchange, cause error) {
	if u.t.x == x {
		u.t.Done(x, cause)
	}
}

// acceptedTalk is an acceptedWS as a ws.Handler: the same object with another set of methods.
type acceptedTalk acceptedWS

var _ ws.Handler = (*acceptedTalk)(nil)

// Label returns the name of the stream for reports, after its release that of the listener.
func (t *acceptedTalk) Label() string {
	if t.h == nil {
		return t.origin.server.h.Label()
	}
	return t.h.Label()
}

// Opened, Rx, Writable, Pong and Closing implement ws.Handler.
func (t *acceptedTalk) Opened(*ws.Conn)                                 { t.opened() }
func (t *acceptedTalk) Rx(_ *ws.Conn, b []byte, f ws.Flags)             { t.rx(b, f) }
func (t *acceptedTalk) Writable(*ws.Conn)                               { t.writable() }
func (t *acceptedTalk) Pong(*ws.Conn, []byte)                           {}
func (t *acceptedTalk) Closing(_ *ws.Conn, code ws.Code, reason []byte) { t.closing(code, reason) }

// Closed implements ws.Handler.
func (t *acceptedTalk) Closed(_ *ws.Conn, cause error) {
	if c := t.origin.h2; c != nil && t.Compressed() {
		c.deflated--
	}
	if t.h != nil {
		t.h.closed(t.why(cause))
	}
}

func (s *acceptedWS) connect(*Handle, bool) Ret { return OK }

func (s *acceptedWS) requestTx(*Handle) Ret {
	if s.h != nil {
		s.ask()
	}
	return OK
}

func (s *acceptedWS) flow(h *Handle) { s.wsPipe.flow(h.flags&isPaused == 0) }

func (s *acceptedWS) settle(h *Handle, _ time.Duration) {
	if h.flags&wantDisconnect != 0 {
		h.end()
		return
	}
	s.wsPipe.settle(h)
}

func (s *acceptedWS) release(h *Handle) {
	if c := s.origin.h2; c != nil && h != c.first.h {
		c.Lower().Hold(roles.HoldStream, -streamHeld)
	}
	s.wsPipe.release()
}

// under returns the transport of the connection, below HTTP/2.
func (s *acceptedWS) under() roles.Lower {
	if c := s.origin.h2; c != nil {
		return c.Lower()
	}
	return s.Lower()
}

func (s *acceptedWS) wsi() *wsi.Wsi               { return wsi.Under(s.under()) }
func (s *acceptedWS) tlsState() (tls.State, bool) { return stateOf(s.under()) }
func (s *acceptedWS) parentStream() *Handle       { return s.origin.server.h }
func (s *acceptedWS) addr() (loop.Addr, bool)     { return s.wsi().LocalAddr() }
func (s *acceptedWS) peer() (loop.Addr, bool)     { return s.wsi().PeerAddr() }

func (s *acceptedWS) protocol() (policy.Protocol, bool) { return policy.WS, true }

func (s *acceptedWS) send(h *Handle, b []byte, f Flags) (n int, err error) {
	return s.wsPipe.send(h, b, f)
}

func (s *acceptedWS) setClose(code ws.Code, reason string) (bool, error) {
	return s.wsPipe.setClose(code, reason)
}

func (s *acceptedWS) describe(*Handle) string {
	if s.origin.h2 != nil {
		return s.wsi().Label() + " over ws, over http/2"
	}
	return s.wsi().Label() + " over ws"
}
