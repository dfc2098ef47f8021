package h2

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// Acceptor gives a Server the handlers of its requests.
type Acceptor interface {
	// Accept returns the handler of a new request; Head follows at once. nil refuses the stream with REFUSED_STREAM,
	// so that the peer may retry elsewhere.
	Accept(s *Server) http.Handler
}

// Server is the server's end of a connection. Embed it as a value, call Init, and hand it to the transport as its
// roles.Upper. It serves as many requests at a time as Limits.Streams allows.
//
// Head, Body and End of a request are called as it arrives. The rules for 100 (Continue), and for the rest of a
// request after its response, are those of h1.Server: where they cost a connection there, they cost a stream here.
type Server struct {
	conn
	acceptor Acceptor
}

var _ roles.Upper = (*Server)(nil)

// Init makes s a server on l. s must not be in use.
func (s *Server) Init(sh *Shared, l roles.Lower, a Acceptor) {
	s.conn.init(sh, l, s, true)
	s.acceptor = a
}

// OnUnixSocket declares that the connection came in on a Unix socket: see h1.Server. Call it after Init.
func (s *Server) OnUnixSocket() { s.unix = true }

// Drain ends the connection in order: the peer is asked for no more requests, those it has made get their responses,
// and then the connection closes.
func (s *Server) Drain() { s.askDrain() }

// Opened implements roles.Upper.
func (s *Server) Opened(now time.Duration) {
	if s.phase != expectOpened {
		return
	}
	s.moveTo(expectPreface)
	s.open(now, "")
	s.endCall()
}

func (s *Server) slotsChanged()  {}
func (s *Server) noMoreStreams() {}
func (s *Server) over(error)     {}

// headers accepts a request, or the trailers of one.
func (s *Server) headers(b block, p []byte) *fault {
	c := &s.conn
	if b.stream <= c.topIn {
		x := c.find(b.stream)
		switch {
		case b.stream > c.gapIn && b.stream < c.topIn:
			return errStreamID
		case x == nil || x.state == closed:
			if broken, _, _ := c.decode(p, requestSection); broken != nil {
				return broken
			}
			return c.onClosed(b.stream)
		case x.inDone():
			if broken, _, _ := c.decode(p, requestSection); broken != nil {
				return broken
			}
			c.failStream(x, errHalfClosed)
			return nil
		}
		return c.onTrailers(x, b, p)
	}
	broken, malformed, long := c.decode(p, requestSection)
	if broken != nil {
		return broken
	}
	c.gapIn, c.topIn = c.topIn, b.stream
	if b.stream > c.ignoreAbove {
		return c.idleFrame() // it crossed our GOAWAY
	}
	c.lastIn = b.stream
	if b.self {
		malformed = errSelf
	}
	m := &c.sh.msg
	if malformed == nil && !long && b.end && m.Length > 0 {
		malformed = errLengthLess
	}
	switch {
	case malformed != nil:
		return c.failStreamID(b.stream, malformed)
	case c.opened >= c.sh.cfg.Limits.Streams:
		c.sh.Counters.Refused++
		return c.failStreamID(b.stream, errTooMany)
	}
	var h http.Handler = refusal(431)
	switch {
	case long:
		c.sh.Counters.Refused++
		m.Length, m.Continue, m.Protocol = http.UnknownLength, false, nil // only a part of the message is known
	case c.sh.cfg.Limits.Body > 0 && m.Length > c.sh.cfg.Limits.Body:
		c.sh.Counters.Refused++
		h = refusal(413)
	case len(m.Protocol) == 0 && string(m.Method) == "CONNECT":
		h = refusal(501)
	default:
		h = nil
		if c.mayAdd() {
			h = s.acceptor.Accept(s)
		}
		if h == nil {
			c.sh.Counters.Refused++
			c.sendReset(b.stream, RefusedStream)
			return nil
		}
	}
	x := c.add(h)
	c.opened++
	c.number(x, b.stream)
	s.startRequest(x, m, b.end)
	return nil
}

// startRequest starts the exchange of a request whose head has arrived.
func (s *Server) startRequest(x *stream, m *http.Message, end bool) {
	c := &s.conn
	c.sh.Counters.Requests++
	c.moved()
	x.move(recvHeaders)
	x.moveRecv(awaitBody)
	if len(m.Method) == 4 && string(m.Method) == "HEAD" {
		x.flags |= headMethod
	}
	if len(m.Protocol) > 0 {
		x.moveTunnel(awaitUpgrade)
	}
	if v, ok := m.Get("priority"); ok {
		x.urgency = parseUrgency(v)
	}
	if end {
		m.Length = 0
		x.move(recvEnd)
		x.h.Head(x, m)
		if !x.over() && x.owner == nil { // Upgrade has seen the end
			c.deliverEnd(x, nil)
		}
		return
	}
	x.inLeft = m.Length
	if m.Continue && m.Length != 0 {
		x.flags |= owes100
	}
	c.startPace(x)
	x.h.Head(x, m)
	if !x.over() && x.flags&(owes100|paused) == owes100 {
		c.enqueue(x)
		c.low.WantWrite()
	}
}

// sendResponse sends the head of a response.
func (c *conn) sendResponse(x *stream, m *http.Message, end bool) error {
	switch {
	case m.Status < 100 || m.Status > 999 || m.Status == 101:
		return errSendStatus
	case m.Status < 200:
		end = false
	}
	empty := x.is(headMethod) || http.Bodyless(m.Status)
	if end && !empty && m.Length > 0 {
		return errSendEnd
	}
	length := m.Length
	switch {
	case m.Status < 200, x.tunnel == awaitUpgrade && m.Status/100 == 2:
		// A stream that becomes another protocol's has no length (RFC 9110 s.8.6).
		length = -1
	case m.Status == 204 || m.Status == 304 && length == 0:
		length = -1
	case end && !empty:
		length = 0
	}
	block, err := c.sh.response(m, length)
	if err != nil {
		return err
	}
	prefix := byte(0)
	if !c.tableSizeSent {
		prefix = tableOff
	}
	last := m.Status >= 200 && (end || empty || length == 0)
	if !c.sendBlock(x, block, prefix, last) {
		return http.ErrNoRoom
	}
	c.tableSizeSent = true
	x.move(sendHeaders)
	if m.Status < 200 {
		c.sh.Counters.Interim++
		if m.Status == 100 {
			x.flags &^= owes100
		}
		return nil
	}
	c.sh.Counters.Responses++
	x.moveSend(headSent)
	x.outLeft = length
	if last {
		x.endSent()
	}
	return nil
}

// send100 sends 100 (Continue).
func (c *conn) send100(x *stream) {
	m := &c.sh.msg
	m.Reset()
	m.Status = 100
	if c.sendResponse(x, m, false) != nil {
		c.enqueue(x)
		return
	}
	x.flags &^= owes100
}

// refusal answers a request that no handler sees. Its value is the status.
type refusal int

// Head implements http.Handler.
func (refusal) Head(x http.Exchange, _ *http.Message) { x.WantWrite() }

// Body implements http.Handler.
func (refusal) Body(http.Exchange, []byte) {}

// End implements http.Handler.
func (refusal) End(http.Exchange, []http.Field) {}

// Done implements http.Handler.
func (refusal) Done(http.Exchange, error) {}

// Writable implements http.Handler.
func (r refusal) Writable(x http.Exchange) {
	m := &x.(*stream).c.sh.msg
	m.Reset()
	m.Status = int(r)
	if x.SendHead(m, true) != nil {
		x.WantWrite()
	}
}
