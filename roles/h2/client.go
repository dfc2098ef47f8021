package h2

import (
	"bytes"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// Owner is told what becomes of a Client. It may start exchanges from inside of these calls.
type Owner interface {
	// Ready says that exchanges may be possible that were not: the connection has opened, the peer has changed
	// its limit, or an exchange is over.
	Ready(c *Client)
	// Draining says that the peer has said GOAWAY: no exchange can be started any more. Those it has not seen
	// end with http.ErrNotProcessed.
	Draining(c *Client)
	// Closed says that the connection is over; it comes after every exchange's Done.
	Closed(c *Client, cause error)
}

// Client is the client's end of a connection. It is a value to embed: call Init, then hand it to the transport
// as its roles.Upper. It carries as many exchanges at a time as the peer takes.
type Client struct {
	conn
	// Owner may be nil. It is set after Init.
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

// SetWindow has each exchange's peer start with a window of n instead of Limits.Window. It is called before the
// connection opens.
func (c *Client) SetWindow(n int32) { c.window = max(n, 0) }

// Tolerate has windows that the peer raises above 2^31-1 taken for that much, instead of giving the connection
// up: some servers do it.
func (c *Client) Tolerate() { c.tolerant = true }

// Do starts an exchange. h.Writable is called, unasked, when the request can be sent. The error is ErrBusy or
// ErrClosed.
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

// Free is how many exchanges can be started now.
func (c *Client) Free() int {
	if c.draining != notDraining || c.phase >= expectClose || c.phase == expectOpened {
		return 0
	}
	return max(0, int(c.peer.streams)-len(c.streams))
}

// Close ends the connection in order, when the exchanges in progress are over.
func (c *Client) Close() { c.askDrain() }

// Opened is roles.Upper's.
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

// maxInterim is how many 1xx heads one response may be announced by.
const maxInterim = 16

// headers takes a response's head or its trailers.
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
	empty := x.is(isHead) || http.Bodyless(m.Status)
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
		case x.over(), x.upper != nil: // Upgrade has taken note of the end
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

// release lets a body go that waited for 100 (Continue).
func (x *stream) end100Wait() {
	if x.out == await100 {
		x.moveOut(outIdle)
		x.inDue = 0
		if x.is(wants) {
			x.WantWrite()
		}
	}
}

// stopOutput drops what the handler has to say: the peer wants no more of it, or cannot grant a window for it.
func (x *stream) stopOutput() {
	x.flags &^= wants
	if x.out == await100 {
		x.moveOut(outIdle)
	}
}

// awaitResponse has the response to a request that is complete come in time.
func (c *conn) startResponseTimer(x *stream) {
	if d := c.sh.deadline(c.sh.cfg.Timeouts.Response); d != 0 && x.receiving == awaitHead && !x.is(noDeadline) {
		x.inDue = d
		c.setDue(d)
	}
}

// sendRequest sends a request's head. The stream gets its number here, since numbers must go up on the wire.
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
		// Whether the server takes it, its settings will tell (RFC 8441 s.3).
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
	// The block changes the table that the peer keeps, so there must be room for it before it is made.
	if c.space(size) == nil {
		return http.ErrNoRoom
	}
	last := !connect && (end || m.Length == 0)
	length := m.Length
	switch {
	case connect, last && !expectsBody(m.Method):
		length = http.UnknownLength // what a tunnel carries is no content (RFC 9110 s.9.3.6)
	case last:
		length = 0
	}
	block := c.side.(*Client).encoder.request(c.sh, m, path, length)
	c.number(x, c.nextOut)
	c.nextOut += 2
	c.opened++
	x.move(sendHeaders)
	if !c.sendBlock(x, block, 0, last) {
		// Room that was there a moment ago is gone: the transport broke.
		c.close(roles.Immediate, errOwnerClosed)
		return http.ErrNoRoom
	}
	c.sh.Counters.Requests++
	if string(m.Method) == "HEAD" {
		x.flags |= isHead
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
		c.grant(x, 1) // what was credited before there was a stream
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

// joinPath makes the path of a message that has no Target.
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

// expectsBody tells for which methods a request without a body says so with a length of 0 (RFC 9110 s.8.6).
func expectsBody(method []byte) bool {
	switch string(method) {
	case "POST", "PUT", "PATCH":
		return true
	}
	return false
}
