package ss

import (
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/raw"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// acceptedRaw is one accepted connection without framing, its stream, and the backend of that stream, in one object.
type acceptedRaw struct {
	defaults
	w      wsi.Wsi
	pipe   rawPipe
	h      Handle
	server *server
}

var (
	_ raw.Handler = (*acceptedRaw)(nil)
	_ backend     = (*acceptedRaw)(nil)
)

// init sets up a to serve its stream over low.
func (a *acceptedRaw) init(s *server, low roles.Lower) roles.Upper {
	a.server = s
	a.pipe.h = &a.h
	a.pipe.Init(low, a)
	return &a.pipe
}

func (a *acceptedRaw) tlsState() (tls.State, bool) { return stateOf(a.pipe.Lower) }
func (a *acceptedRaw) wsi() *wsi.Wsi               { return &a.w }
func (a *acceptedRaw) parentStream() *Handle       { return a.server.h }
func (a *acceptedRaw) addr() (loop.Addr, bool)     { return a.w.LocalAddr() }
func (a *acceptedRaw) peer() (loop.Addr, bool)     { return a.w.PeerAddr() }

func (a *acceptedRaw) protocol() (policy.Protocol, bool) { return policy.Raw, true }

func (a *acceptedRaw) send(_ *Handle, b []byte, _ Flags) (n int, err error) { return a.pipe.send(b) }

// Label returns the name of the stream for reports.
func (a *acceptedRaw) Label() string { return a.server.h.Label() }

// Opened implements raw.Handler.
func (a *acceptedRaw) Opened(*raw.Conn) {
	a.w.Established()
	if !a.server.start(&a.h, a) {
		a.pipe.Close(roles.Graceful, nil)
		return
	}
	if a.h.flags&doomed == 0 {
		a.h.tell(Connected, Notice{})
	}
}

// Rx implements raw.Handler.
func (a *acceptedRaw) Rx(_ *raw.Conn, b []byte) { a.h.rx(b, 0) }

// RxEnd implements raw.Handler.
func (a *acceptedRaw) RxEnd(*raw.Conn) { a.pipe.rxEnd() }

// Writable implements raw.Handler.
func (a *acceptedRaw) Writable(*raw.Conn) { a.pipe.writable() }

// Closed implements raw.Handler: the stream ends with its connection.
func (a *acceptedRaw) Closed(_ *raw.Conn, cause error) { a.h.closed(cause) }

func (a *acceptedRaw) connect(*Handle, bool) Ret { return OK }

func (a *acceptedRaw) requestTx(*Handle) Ret {
	a.pipe.WantWrite()
	return OK
}

func (a *acceptedRaw) flow(h *Handle) { a.pipe.flow(h.flags&isPaused != 0) }

func (a *acceptedRaw) settle(h *Handle, _ time.Duration) {
	if h.flags&wantDisconnect != 0 {
		h.end()
	}
}

func (a *acceptedRaw) release(*Handle) { a.pipe.release() }

func (a *acceptedRaw) describe(*Handle) string { return a.w.Label() }
