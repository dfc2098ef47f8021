package h2

import (
	"bytes"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// Owner gets the events of a Client. Its methods may start exchanges.
type Owner interface {
	// Ready is called when new exchanges may be possible: the connection has opened, the peer has changed its limit,
	// or an exchange is over.
	Ready(c *Client)
	// Draining is called after GOAWAY from the peer: no exchange can be started any more. Those that the peer has not
	// seen end with http.ErrNotProcessed.
	Draining(c *Client)
	// Closed is called when the connection is over, after the Done of every exchange.
	Closed(c *Client, cause error)
}

// Client is the client's end of a connection. Embed it as a value, call Init, and hand it to the transport as its
// roles.Upper. It carries as many exchanges at a time as the peer accepts.
type Client struct {
	conn
	// Owner may be nil. Set it after Init.
	Owner   Owner
	encoder requestEncoder
}

var _ roles.Upper = (*Client)(nil)

// Init makes c a client on l. c must not be in use.
func (c *Client) Init(sh *Shared, l roles.Lower) {
	*c = Client{}
	c.conn.init(sh, l, c, false)
	c.nextOut = 1
}

// SetWindow sets the initial window for the body of each response to n instead of Limits.Window. Call it before the
// connection opens.
func (c *Client) SetWindow(n int32) { c.window = max(n, 0) }

// Tolerate makes c treat send windows above 2^31-1 as 2^31-1, where RFC 9113 s.6.9.1 ends the connection: some
// servers send them.
func (c *Client) Tolerate() { c.tolerant = true }

// Do starts an exchange. h.Writable is called, without WantWrite, when the request can be sent. The error is ErrBusy
// or ErrClosed.
func (c *Client) Do(h http.Handler) (http.Exchange, error) {
	if c.draining != notDraining || c.phase >= expectClose {
		return nil, ErrClosed
	}
	if c.Free() <= 0 {
		return nil, ErrBusy
	}
	x := c.add(h)
	x.WantWrite()
	return x, nil
}

// Free returns how many exchanges can be started now.
func (c *Client) Free() int {
	if c.draining != notDraining || c.phase >= expectClose || c.phase == expectOpened {
		return 0
	}
	return max(0, int(c.peer.streams)-len(c.streams))
}

// Close ends the connection in order, after the exchanges in progress.
func (c *Client) Close() { c.askDrain() }

// Opened implements roles.Upper.
func (c *Client) Opened(now time.Duration) {
	if c.phase != expectOpened {
		return
	}
	c.moveTo(expectSettings)
	c.open(now, preface)
	if c.Owner != nil {
		c.Owner.Ready(c)
	}
	c.endCall()
}

func (c *Client) slotsChanged() {
	c.retrySlots()
	if c.Owner != nil && c.draining == notDraining && c.phase < expectClose {
		c.Owner.Ready(c)
	}
}

func (c *Client) noMoreStreams() {
	if c.Owner != nil {
		c.Owner.Draining(c)
	}
}

func (c *Client) over(cause error) {
	if c.Owner != nil {
		c.Owner.Closed(c, cause)
	}
}

// maxInterim is the number of 1xx heads that one response may have.
const maxInterim = 16

// headers accepts the head or the trailers of a response.
func (c *Client) headers(b block, p []byte) *fault {
	x := c.find(b.stream)
	if x == nil || x.inDone() {
		if broken, _, _ := c.decode(p, responseSection); broken != nil {
			return broken
		}
		switch {
		case x != nil:
			c.failStream(x, errHalfClosed)
			return nil
		case c.neverOpened(b.stream):
			return errIdle
		}
		return c.onClosed(b.stream)
	}
	if x.receiving != awaitHead {
		return c.onTrailers(x, b, p)
	}
	broken, malformed, long := c.decode(p, responseSection)
	if broken != nil {
		return broken
	}
	m := &c.sh.msg
	switch {
	case b.self:
		malformed = errSelf
	case malformed != nil:
	case long:
		malformed = errListLong
	case m.Status < 200:
		if x.interim++; x.interim > maxInterim || b.end {
			malformed = errInterim
		}
	}
	if malformed != nil {
		c.failStream(x, malformed)
		return nil
	}
	c.moved()
	x.move(recvHeaders)
	if m.Status < 200 {
		c.sh.Counters.Interim++
		if m.Status == 100 {
			x.end100Wait()
		}
		m.Length = 0
		x.h.Head(x, m)
		return nil
	}
	c.answered(x, m, b.end)
	return nil
}

// answered starts the final response.
func (c *Client) answered(x *stream, m *http.Message, end bool) {
	c.sh.Counters.Responses++
	x.moveRecv(awaitBody)
	x.inDue = 0
	empty := x.is(headMethod) || http.Bodyless(m.Status)
	if x.tunnel == awaitUpgrade && m.Status/100 == 2 {
		m.Length = http.UnknownLength
	}
	x.inLeft = m.Length
	if end && !empty && m.Length > 0 {
		c.failStream(x, errLengthLess)
		return
	}
	if empty {
		x.inLeft = 0
	}
	if x.sending != endSent {
		if m.Status >= 300 {
			x.stopOutput()
			x.flags |= peerStopped
		} else {
			x.end100Wait()
		}
	}
	if end {
		if m.Length < 0 {
			m.Length = 0
		}
		x.inLeft = 0
		x.move(recvEnd)
		x.h.Head(x, m)
		switch {
		case x.over(), x.owner != nil: // Upgrade has seen the end
		default:
			c.deliverEnd(x, nil)
		}
		return
	}
	if m.Endless() {
		x.flags |= endlessBody
	}
	c.startPace(x)
	x.h.Head(x, m)
}

// end100Wait ends the wait of a body for 100 (Continue).
func (x *stream) end100Wait() {
	if x.out == await100 {
		x.moveOut(outIdle)
		x.inDue = 0
		if x.is(wants) {
			x.WantWrite()
		}
	}
}

// stopOutput drops the rest of the handler's output: the peer does not want it, or cannot open a window for it.
func (x *stream) stopOutput() {
	x.flags &^= wants
	if x.out == await100 {
		x.moveOut(outIdle)
	}
}

// startResponseTimer sets the deadline of the response to a complete request.
func (c *conn) startResponseTimer(x *stream) {
	if d := c.sh.deadline(c.sh.cfg.Timeouts.Response); d != 0 && x.receiving == awaitHead && !x.is(noDeadline) {
		x.inDue = d
		c.setDue(d)
	}
}

// sendRequest sends the head of a request. The stream gets its id here, since ids must increase on the wire.
func (c *conn) sendRequest(x *stream, m *http.Message, end bool) error {
	connect := len(m.Protocol) > 0
	switch {
	case x.out == awaitSlot:
		return http.ErrNoRoom
	case !http.ValidName(m.Method) || (string(m.Method) == "CONNECT") != connect:
		return errSendMethod
	case !http.ValidAuthority(m.Authority):
		return errSendHost
	case !validScheme(m.Scheme):
		return errSendScheme
	case connect && c.phase == expectSettings:
		// The server's SETTINGS decide whether it is possible (RFC 8441 s.3).
		if x.out != awaitSettings {
			x.wait(awaitSettings)
		}
		return http.ErrNoRoom
	case connect && !c.peer.connect:
		return ErrNoExtendedConnect
	case end && m.Length > 0:
		return errSendEnd
	}
	path := m.Target
	if len(path) == 0 {
		path = c.joinPath(m)
	}
	if !http.ValidTarget(path) {
		return errSendTarget
	}
	if err := checkFields(m.Fields, http.Other); err != nil {
		return err
	}
	if c.nextOut > maxWindow {
		if c.draining == notDraining {
			c.drainTo(drainLast)
		}
		return errNoStreamIDs
	}
	size := maxBlockLen(len(m.Method)+len(m.Scheme)+len(path)+len(m.Authority)+len(m.Protocol), m.Fields)
	if size > roles.MaxRoom-headerLen {
		return errSendSize
	}
	// The block changes the peer's table, so it must not be encoded before there is room for it.
	if c.space(size) == nil {
		return http.ErrNoRoom
	}
	last := !connect && (end || m.Length == 0)
	length := m.Length
	switch {
	case connect, last && !expectsBody(m.Method):
		length = http.UnknownLength // tunnel data is no content (RFC 9110 s.9.3.6)
	case last:
		length = 0
	}
	block := c.side.(*Client).encoder.request(c.sh, m, path, length)
	c.number(x, c.nextOut)
	c.nextOut += 2
	c.opened++
	x.move(sendHeaders)
	if !c.sendBlock(x, block, 0, last) {
		// The room is gone since the check above: the transport broke.
		c.close(roles.Immediate, errOwnerClosed)
		return http.ErrNoRoom
	}
	c.sh.Counters.Requests++
	if string(m.Method) == "HEAD" {
		x.flags |= headMethod
	}
	if connect {
		x.moveTunnel(awaitUpgrade)
	}
	x.moveSend(headSent)
	x.outLeft = m.Length
	if connect {
		x.outLeft = http.UnknownLength
	}
	if x.is(manualCredit) {
		c.grant(x, 1) // what was credited before the stream had an id
	}
	if last {
		x.endSent()
		return nil
	}
	if m.Continue {
		if d := c.sh.deadline(c.sh.cfg.Timeouts.Continue); d != 0 {
			x.wait(await100)
			x.inDue = d
			c.setDue(d)
		}
	}
	return nil
}

// joinPath returns the path of a message without Target.
func (c *conn) joinPath(m *http.Message) []byte {
	if bytes.IndexByte(m.Path, '?') >= 0 {
		return nil
	}
	b := append(c.sh.headers.text[:0], m.Path...)
	if len(b) == 0 {
		b = append(b, '/')
	}
	if len(m.Query) > 0 {
		b = append(b, '?')
		b = append(b, m.Query...)
	}
	c.sh.headers.text = b
	return b
}

// expectsBody reports whether a request without a body sends Content-Length: 0 (RFC 9110 s.8.6).
func expectsBody(method []byte) bool {
	switch string(method) {
	case "POST", "PUT", "PATCH":
		return true
	}
	return false
}
