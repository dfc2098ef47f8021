package ss

import (
	"bytes"
	"errors"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/h1"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// acceptedHTTP is one accepted HTTP/1.1 connection, its stream, the backend of that stream and the
// handler of its exchanges: one object, since a hundred thousand of them wait at a time.
type acceptedHTTP struct {
	h1.Server
	w      wsi.Wsi
	h      Handle
	server *server
	x      http.Exchange // the transaction's, nil between transactions
	left   uint32        // of the announced body; uncounted without one
	status int16         // of the response; 0: not acked
	flags  txnFlags
}

// uncounted is acceptedHTTP.left of a body that has no length, or one that 32 bits do not hold. Such a body
// ends with EOM alone.
const uncounted = 1<<32 - 1

// transaction is an acceptedHTTP in its part as http.Handler: the same object under the other of its
// two sets of methods, since both have a Writable.
type transaction acceptedHTTP

// txnFlags are about the present transaction.
type txnFlags uint8

const (
	txnHeadSent txnFlags = 1 << iota
	txnHead              // the request is HEAD
	txnBody              // the request has brought body
	txnAnswered          // our response is complete
	txnForm              // the request brings a body, if only an empty one: it announces one, or its method does
)

var (
	_ roles.Upper  = (*acceptedHTTP)(nil)
	_ http.Handler = (*transaction)(nil)
	_ backend      = (*acceptedHTTP)(nil)
	_ acceptor     = (*acceptedHTTP)(nil)
)

// init makes a the stream of a connection that stands on low.
func (a *acceptedHTTP) init(s *server, low roles.Lower) roles.Upper {
	a.server = s
	a.Server.Init(s.h.rt.h1, low, (*transaction)(a))
	return a
}

func (a *acceptedHTTP) session() *tls.Session {
	s, _ := a.Lower().(*tls.Session)
	return s
}

func (a *acceptedHTTP) wsi() *wsi.Wsi   { return &a.w }
func (a *acceptedHTTP) parent() *server { return a.server }

// Label names the stream in reports.
func (a *acceptedHTTP) Label() string { return a.server.h.Label() }

// Opened is roles.Upper's.
func (a *acceptedHTTP) Opened(now time.Duration) {
	a.Server.Opened(now)
	if !a.server.greet(&a.h, a) {
		a.Lower().Close(roles.Graceful, nil)
	}
}

// Closed is roles.Upper's: the stream ends with its connection.
func (a *acceptedHTTP) Closed(cause error) {
	a.Server.Closed(cause)
	a.h.closed(cause)
}

// Head is http.Handler's: a transaction begins.
func (t *transaction) Head(x http.Exchange, m *http.Message) {
	a := (*acceptedHTTP)(t)
	h := &a.h
	if h.flags&doomed != 0 {
		return
	}
	a.x, a.status, a.flags = x, 0, 0
	if string(m.Method) == "HEAD" {
		a.flags |= txnHead
	}
	if m.Length != 0 || takesBody(m.Method) {
		a.flags |= txnForm
	}
	if h.life != Connected {
		a.w.Established()
		h.tell(Connected, Notice{})
		if h.flags&doomed != 0 {
			return
		}
	}
	h.rt.Counters.Transactions++
	h.flags &^= txWanted // asked for between transactions: there is nothing yet to answer
	a.describeRequest(m)
	if h.flags&isPaused != 0 {
		x.Pause()
	}
	h.tell(ServerTxn, Notice{})
}

// describeRequest sets the metadata that tell the stream what is asked: method, path, auth, and those
// named like an argument of the query, undecoded. An argument sets neither those three nor what is to
// become a field of our response: neither is the client's to choose.
func (a *acceptedHTTP) describeRequest(m *http.Message) {
	h := &a.h
	k := h.kind
	if k.setMethod >= 0 {
		h.setValue(k.setMethod, m.Method)
	}
	if k.setPath >= 0 {
		h.setValue(k.setPath, m.Path)
	}
	if k.setAuth >= 0 {
		if v, ok := m.Find(http.Authorization); ok {
			h.setValue(k.setAuth, v)
		}
	}
	for q := m.Query; len(q) > 0; {
		var arg []byte
		arg, q, _ = bytes.Cut(q, ampersand)
		name, v, _ := bytes.Cut(arg, equals)
		for i := range k.pol.Metadata {
			if k.argument[i] && string(name) == k.pol.Metadata[i].Name {
				h.setValue(i, v)
			}
		}
	}
}

var ampersand, equals = []byte("&"), []byte("=")

// Body is http.Handler's.
func (t *transaction) Body(_ http.Exchange, b []byte) {
	a := (*acceptedHTTP)(t)
	f := Flags(0)
	if a.flags&txnBody == 0 {
		a.flags |= txnBody
		f = SOM
	}
	a.h.rx(b, f)
}

// End is http.Handler's: the request is complete.
func (t *transaction) End(http.Exchange, []http.Field) {
	a := (*acceptedHTTP)(t)
	switch {
	case a.flags&txnBody != 0:
		a.h.rx(nil, EOM)
	case a.flags&txnForm != 0:
		a.h.rx(nil, SOM|EOM)
	}
}

// Writable is http.Handler's: the head of the response, then as much body as the stream asked to give.
func (t *transaction) Writable(x http.Exchange) {
	a := (*acceptedHTTP)(t)
	h := &a.h
	if a.x == nil || a.flags&txnAnswered != 0 || h.flags&(txWanted|doomed) != txWanted {
		return
	}
	if a.flags&txnHeadSent == 0 && !a.sendHead(x) || a.flags&txnAnswered != 0 {
		return
	}
	buf := x.Room()
	if buf == nil {
		x.WantWrite()
		return
	}
	n, f, ok := h.tx(buf)
	if !ok {
		return
	}
	if a.left != uncounted {
		a.left -= uint32(n)
	}
	if f&EOM != 0 || a.left == 0 {
		a.flags |= txnAnswered
	}
	x.Commit(n, f&EOM != 0)
	if a.flags&txnAnswered == 0 && h.flags&txWanted != 0 {
		x.WantWrite()
	}
}

// sendHead sends the response's head. False: not now, or not at all.
func (a *acceptedHTTP) sendHead(x http.Exchange) bool {
	h := &a.h
	m := &h.rt.msg
	m.Reset()
	m.Status = int(a.status)
	if m.Status == 0 {
		m.Status = 404
	}
	h.kind.addFields(m, h, 0)
	m.Length = h.kind.bodyLength(h)
	m.Close = h.rt.drain != nil
	bare := m.Status == 204 || m.Status == 304 || m.Length == 0 || a.flags&txnHead != 0
	if err := x.SendHead(m, bare); err != nil {
		if errors.Is(err, http.ErrNoRoom) {
			x.WantWrite()
			return false
		}
		h.misuse("the response cannot be sent: " + err.Error())
		return false
	}
	a.flags |= txnHeadSent
	a.left = uncounted
	if m.Length >= 0 && m.Length < uncounted {
		a.left = uint32(m.Length)
	}
	if bare {
		a.flags |= txnAnswered
		h.flags &^= txWanted
	}
	return true
}

// Done is http.Handler's: the transaction is over. If that is for want of a connection, Closed ends
// the stream next.
func (t *transaction) Done(x http.Exchange, cause error) {
	a := (*acceptedHTTP)(t)
	if a.x == nil {
		return
	}
	h := &a.h
	a.x, a.flags, a.status = nil, 0, 0
	h.flags &^= txWanted
	h.hint = -1
	h.ordinal = 0
	h.CancelTimeout()
	if cause == nil {
		h.dropMetadata()
	}
}

// RequestBody says, from SERVER_TXN to the end of the transaction, whether the request of an accepted HTTP
// stream brings a body, whose end Rx tells with EOM: those that announce one, and every POST, PUT and
// PATCH, if only an empty one. Without a body Rx is not called.
func (h *Handle) RequestBody() bool {
	a, ok := h.be.(*acceptedHTTP)
	return ok && a.x != nil && a.flags&txnForm != 0
}

// ServerAck answers the transaction of an accepted HTTP stream: 0 is 200, other codes are taken as
// they are. Without it the response is a 404. It must come before the first byte of the response.
func (h *Handle) ServerAck(code int) {
	a, ok := h.be.(*acceptedHTTP)
	if !ok || a.x == nil || a.flags&txnHeadSent != 0 {
		return
	}
	if code == 0 {
		code = 200
	}
	if code < 200 || code > 599 {
		h.misuse("ServerAck takes 0 or a final HTTP status")
		return
	}
	a.status = int16(code)
}

func (a *acceptedHTTP) connect(*Handle, bool) Ret { return OK }

func (a *acceptedHTTP) requestTx(*Handle) Ret {
	if a.x != nil && a.flags&txnAnswered == 0 {
		a.x.WantWrite()
	}
	return OK
}

func (a *acceptedHTTP) flow(h *Handle) {
	switch {
	case a.x == nil:
	case h.flags&isPaused != 0:
		a.x.Pause()
	default:
		a.x.Resume()
	}
}

func (a *acceptedHTTP) settle(h *Handle, _ time.Duration) {
	if h.flags&wantDisconnect != 0 {
		h.end()
	}
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
