package ss

import (
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/h1"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// accepted is what an accepted connection keeps for life, whatever it comes to speak: its end of the socket, and its
// stream. A hundred thousand of them wait at a time. What it speaks is an object of its own, so that one which becomes
// a WebSocket does not drag HTTP along.
type accepted struct {
	w wsi.Wsi
	h Handle
}

// acceptedTLS is an accepted connection with the session that lies under what it speaks.
type acceptedTLS struct {
	accepted
	s tls.Session
}

// acceptedHTTP is HTTP/1.1 on an accepted connection, the backend of its stream and the handler of its exchanges. If
// the connection turns out to speak HTTP/2, the stream becomes the first of its server streams; a WebSocket takes its place.
type acceptedHTTP struct {
	h1.Server
	serverStream
}

var (
	_ roles.Upper = (*acceptedHTTP)(nil)
	_ backend     = (*acceptedHTTP)(nil)
	_ upgrader    = (*acceptedHTTP)(nil)
)

// init makes a what the connection speaks that stands on low and has the stream h.
func (a *acceptedHTTP) init(s *server, h *Handle, low roles.Lower) {
	a.h, a.origin = h, &s.origin
	a.Server.Init(s.h.rt.h1, low, &a.transaction)
	if s.unix {
		a.OnUnixSocket()
	}
}

func (a *acceptedHTTP) wsi() *wsi.Wsi               { return wsi.Under(a.Lower()) }
func (a *acceptedHTTP) tlsState() (tls.State, bool) { return stateOf(a.Lower()) }
func (a *acceptedHTTP) addr() (loop.Addr, bool)     { return a.wsi().LocalAddr() }
func (a *acceptedHTTP) peer() (loop.Addr, bool)     { return a.wsi().PeerAddr() }
func (a *acceptedHTTP) drain(*Handle)               { a.Server.Drain() }

func (a *acceptedHTTP) protocol() (policy.Protocol, bool) { return a.speaks(policy.H1), true }

// Label names the stream in reports.
func (a *acceptedHTTP) Label() string { return a.origin.server.h.Label() }

// Opened is roles.Upper's.
func (a *acceptedHTTP) Opened(now time.Duration) {
	a.Server.Opened(now)
	if s := a.origin.server; a.h.be == nil && (s.over() || !s.start(a.h, a)) {
		a.Lower().Close(roles.Graceful, nil)
	}
}

// Closed is roles.Upper's: the stream ends with its connection.
func (a *acceptedHTTP) Closed(cause error) {
	a.Server.Closed(cause)
	a.h.closed(cause)
}

// release ends the connection: in order when no response is cut short by it, else with a reset, so
// that the peer cannot take half a response for a whole one.
func (a *acceptedHTTP) release(*Handle) {
	mode := roles.Graceful
	if a.x != nil && a.flags&(txnHeadSent|txnAnswered) == txnHeadSent {
		mode = roles.Reset
	}
	a.x = nil
	a.Lower().Close(mode, nil)
}

func (a *acceptedHTTP) describe(*Handle) string { return a.wsi().Label() }
