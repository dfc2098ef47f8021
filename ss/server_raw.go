package ss

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/wsi"
)

// acceptedRaw is one accepted connection without framing, its stream, and the backend of that stream:
// one object.
type acceptedRaw struct {
	w      wsi.Wsi
	pipe   rawPipe
	h      Handle
	server *server
}

var (
	_ roles.Upper = (*acceptedRaw)(nil)
	_ backend     = (*acceptedRaw)(nil)
	_ acceptor    = (*acceptedRaw)(nil)
)

func (a *acceptedRaw) wsi() *wsi.Wsi   { return &a.w }
func (a *acceptedRaw) parent() *server { return a.server }

// Label names the stream in reports.
func (a *acceptedRaw) Label() string { return a.server.h.Label() }

// Opened is roles.Upper's.
func (a *acceptedRaw) Opened(time.Duration) {
	a.w.Established()
	a.pipe = rawPipe{h: &a.h, low: &a.w}
	if !a.server.greet(&a.h, a) {
		a.w.Close(roles.Graceful, nil)
		return
	}
	if a.h.flags&doomed == 0 {
		a.h.tell(Connected, Notice{})
	}
}

// Rx is roles.Upper's.
func (a *acceptedRaw) Rx(_ time.Duration, b []byte) int {
	a.pipe.rx(b)
	return len(b)
}

// RxEnd is roles.Upper's.
func (a *acceptedRaw) RxEnd(time.Duration, int) { a.pipe.rxEnd() }

// Writable is roles.Upper's.
func (a *acceptedRaw) Writable(time.Duration) { a.pipe.writable() }

// Deadline is roles.Upper's.
func (a *acceptedRaw) Deadline() time.Duration { return 0 }

// Timeout is roles.Upper's.
func (a *acceptedRaw) Timeout(time.Duration) {}

// Closed is roles.Upper's: the stream ends with its connection.
func (a *acceptedRaw) Closed(cause error) { a.h.closed(cause) }

func (a *acceptedRaw) connect(*Handle, bool) Ret { return OK }

func (a *acceptedRaw) requestTx(*Handle) Ret {
	a.w.WantWrite()
	return OK
}

func (a *acceptedRaw) flow(h *Handle) {
	if h.flags&isPaused != 0 {
		a.w.Pause()
	} else {
		a.w.Resume()
	}
}

func (a *acceptedRaw) settle(h *Handle, _ time.Duration) {
	if h.flags&wantDisconnect != 0 {
		h.end()
	}
}

func (a *acceptedRaw) release(*Handle) {
	a.w.Resume()
	a.w.Close(roles.Graceful, nil)
}

func (a *acceptedRaw) describe(*Handle) string { return a.w.Label() }

// closed ends an accepted stream whose connection is over.
func (h *Handle) closed(cause error) {
	if h.flags&destroyed != 0 || h.be == nil {
		return
	}
	h.endWith(cause)
}
