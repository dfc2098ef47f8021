package ss

import (
	"time"

	"github.com/millrace/millrace/internal/list"
	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// acceptedH2 is one accepted HTTP/2 connection. Server streams answer its requests. Each is an accepted stream that
// serves one request after another, like one on HTTP/1.1; there are as many as there were concurrent requests. So a
// request does not allocate, and a program need not know the HTTP version.
type acceptedH2 struct {
	h2.Server
	list.Links[acceptedH2] // of the connections of the server stream
	origin                 origin
	first                  serverStream   // of the stream that the connection started with
	idle                   []*transaction // the last one used is used next
	least                  int            // fewest idle since the last trim
	deflated               int            // WebSockets with compression
	look                   time.Duration  // when to trim; 0: there is no surplus
}

// serverStream is the backend of one stream of an HTTP/2 connection.
type serverStream struct{ transaction }

// addedStream is a serverStream that is not the first of its connection.
type addedStream struct {
	serverStream
	h Handle
}

var (
	_ roles.Upper = (*acceptedH2)(nil)
	_ h2.Acceptor = (*acceptedH2)(nil)
	_ backend     = (*serverStream)(nil)
)

const (
	// streamRest is how long server streams must have been idle to be surplus: long enough
	// that a peer with bursts of requests finds the streams of its last burst.
	streamRest = 2 * time.Second
	// streamCost is the size class of each serverStream but the first.
	streamCost = 128
	// streamHeld is the charge to the account for it: a peer can have many per descriptor, and the program has
	// an object for each.
	streamHeld = 2 * streamCost
)

// speakH2 makes the role of an HTTP/2 connection over low that has had no request yet. Its first stream is h.
func speakH2(s *server, h *Handle, low roles.Lower) *acceptedH2 {
	c := new(acceptedH2)
	c.origin = origin{s, c}
	c.first.h, c.first.origin = h, &c.origin
	c.Server.Init(s.h.rt.h2, low, c)
	if s.unix {
		c.OnUnixSocket()
	}
	if h.be != nil {
		h.be = &c.first
	}
	s.h2.PushFront(c)
	return c
}

// Label returns the name of the connection's streams for reports.
func (c *acceptedH2) Label() string { return c.origin.server.h.Label() }

// Opened implements roles.Upper. The connection has a stream before its first request, as on HTTP/1.1.
func (c *acceptedH2) Opened(now time.Duration) {
	c.Server.Opened(now)
	c.wsi().Established()
	if r := c.origin.server.h.streamType.pol.Retry; r.HasValidity {
		c.SetValidity(r.ValidPing, r.ValidHup)
	}
	l := &c.first
	if s := c.origin.server; l.h.be == nil && (s.over() || !s.start(l.h, l)) {
		c.Lower().Close(roles.Graceful, nil)
		return
	}
	c.rest(&l.transaction)
}

// Accept implements h2.Acceptor: it returns the serverStream that answers the next request.
func (c *acceptedH2) Accept(*h2.Server) http.Handler {
	for n := len(c.idle) - 1; n >= 0; n-- {
		l := c.idle[n]
		c.idle = c.idle[:n]
		c.least = min(c.least, n)
		if l.h.flags&doomed == 0 {
			return l
		}
	}
	s := c.origin.server
	r := s.h.rt
	switch {
	case s.h.flags&doomed != 0:
		return nil
	case !c.Lower().MayHold(roles.HoldStream, streamHeld):
		r.Counters.MemoryRefused++
		return nil
	}
	l := new(addedStream)
	l.serverStream.h, l.origin = &l.h, &c.origin
	c.Lower().Hold(roles.HoldStream, streamHeld)
	if !s.start(&l.h, &l.serverStream) {
		return nil
	}
	return &l.transaction
}

// answered is called when a serverStream's exchange is over.
func (c *acceptedH2) answered(t *transaction, cause error) {
	if cause != nil {
		t.h.closed(cause)
		return
	}
	c.rest(t)
}

// rest adds l to the idle streams.
func (c *acceptedH2) rest(l *transaction) {
	if l.h.flags&doomed != 0 {
		return
	}
	c.idle = append(c.idle, l)
	if r := l.h.rt; c.look == 0 && len(c.idle) > r.cfg.IdleStreams {
		c.look, c.least = r.loop.Now()+streamRest, len(c.idle)
	}
}

// trim destroys the server streams that were idle since the last trim, except Config.IdleStreams.
func (c *acceptedH2) trim(now time.Duration) {
	keep := c.origin.server.h.rt.cfg.IdleStreams
	for i := range min(c.least, len(c.idle)) - keep {
		c.idle[i].h.Destroy()
	}
	c.look = 0
	if c.least = len(c.idle); c.least > keep {
		c.look = now + streamRest
	}
}

// Deadline implements roles.Upper.
func (c *acceptedH2) Deadline() time.Duration {
	d := c.Server.Deadline()
	if c.look != 0 && (d == 0 || c.look < d) {
		d = c.look
	}
	return d
}

// Timeout implements roles.Upper.
func (c *acceptedH2) Timeout(now time.Duration) {
	if c.look != 0 && now >= c.look {
		c.trim(now)
	}
	c.Server.Timeout(now)
}

// Closed implements roles.Upper: all streams end with their connection.
func (c *acceptedH2) Closed(cause error) {
	c.Server.Closed(cause) // streams with an exchange
	for n := len(c.idle) - 1; n >= 0; n = len(c.idle) - 1 {
		l := c.idle[n]
		c.idle = c.idle[:n]
		l.h.closed(cause)
	}
	c.origin.server.h2.Remove(c)
}

func (c *acceptedH2) wsi() *wsi.Wsi { return wsi.Under(c.Lower()) }

func (l *serverStream) wsi() *wsi.Wsi               { return l.origin.h2.wsi() }
func (l *serverStream) tlsState() (tls.State, bool) { return stateOf(l.origin.h2.Lower()) }
func (l *serverStream) addr() (loop.Addr, bool)     { return l.wsi().LocalAddr() }
func (l *serverStream) peer() (loop.Addr, bool)     { return l.wsi().PeerAddr() }
func (l *serverStream) drain(*Handle)               {} // with its connection, which its listener drains

func (l *serverStream) protocol() (policy.Protocol, bool) { return l.speaks(policy.H2), true }

// release ends this stream only. Its HTTP/2 stream is reset, so that the peer cannot mistake half a response for a
// complete one.
func (l *serverStream) release(h *Handle) {
	c, x := l.origin.h2, l.x
	if l != &c.first {
		c.Lower().Hold(roles.HoldStream, -streamHeld)
	}
	for i, o := range c.idle {
		if o == &l.transaction {
			c.idle = append(c.idle[:i], c.idle[i+1:]...)
			break
		}
	}
	c.least = min(c.least, len(c.idle))
	l.x = nil
	if x != nil {
		x.Reset(nil)
	}
}

func (l *serverStream) describe(*Handle) string { return l.wsi().Label() + " over http/2" }
