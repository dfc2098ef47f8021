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

// accepted is the part of an accepted connection that exists for its whole life, whatever its protocol: its end of
// the socket, and its stream. It is small because a hundred thousand may be idle. The role is an object of its own,
// so that HTTP is freed when the connection becomes a WebSocket.
type accepted struct {
	w wsi.Wsi
	h Handle
}

// acceptedTLS is an accepted connection with its TLS session.
type acceptedTLS struct {
	accepted
	s tls.Session
}

// acceptedHTTP is HTTP/1.1 on an accepted connection, the backend of its stream and the handler of its exchanges. If
// the connection uses HTTP/2, the stream becomes the first of its server streams; a WebSocket replaces acceptedHTTP.
type acceptedHTTP struct {
	h1.Server
	serverStream
}

var (
	_ roles.Upper = (*acceptedHTTP)(nil)
	_ backend     = (*acceptedHTTP)(nil)
	_ upgrader    = (*acceptedHTTP)(nil)
)

// init sets up a to serve stream h over low.
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

// Label returns the name of the stream for reports.
func (a *acceptedHTTP) Label() string { return a.origin.server.h.Label() }

// Opened implements roles.Upper.
func (a *acceptedHTTP) Opened(now time.Duration) {
	a.Server.Opened(now)
	if s := a.origin.server; a.h.be == nil && (s.over() || !s.start(a.h, a)) {
		a.Lower().Close(roles.Graceful, nil)
	}
}

// Closed implements roles.Upper: the stream ends with its connection.
func (a *acceptedHTTP) Closed(cause error) {
	a.Server.Closed(cause)
	a.h.closed(cause)
}

// release ends the connection: gracefully if no response is cut off, else with a reset, so that the peer cannot
// mistake half a response for a complete one.
func (a *acceptedHTTP) release(*Handle) {
	mode := roles.Graceful
	if a.x != nil && a.flags&(txnHeadSent|txnAnswered) == txnHeadSent {
		mode = roles.Reset
	}
	a.x = nil
	a.Lower().Close(mode, nil)
}

func (a *acceptedHTTP) describe(*Handle) string { return a.wsi().Label() }
