package ss

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/h1"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// acceptedHTTP is one accepted HTTP/1.1 connection, its stream, the backend of that stream and the
// handler of its exchanges: one object, since a hundred thousand of them wait at a time. If the connection
// turns out to speak HTTP/2 the stream is the first of its lanes.
type acceptedHTTP struct {
	h1.Server
	lane
	w wsi.Wsi
}

var (
	_ roles.Upper = (*acceptedHTTP)(nil)
	_ backend     = (*acceptedHTTP)(nil)
	_ acceptor    = (*acceptedHTTP)(nil)
)

// init makes a the stream of a connection that stands on low.
func (a *acceptedHTTP) init(s *server, low roles.Lower) roles.Upper {
	a.at = &s.place
	a.Server.Init(s.h.rt.h1, low, &a.transaction)
	return a
}

func (a *acceptedHTTP) session() *tls.Session {
	s, _ := a.Lower().(*tls.Session)
	return s
}

func (a *acceptedHTTP) wsi() *wsi.Wsi { return &a.w }

// Label names the stream in reports.
func (a *acceptedHTTP) Label() string { return a.parent().h.Label() }

// Opened is roles.Upper's.
func (a *acceptedHTTP) Opened(now time.Duration) {
	a.Server.Opened(now)
	if s := a.parent(); a.h.be == nil && (s.over() || !s.greet(&a.h, a)) {
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

func (a *acceptedHTTP) describe(*Handle) string { return a.w.Label() }
