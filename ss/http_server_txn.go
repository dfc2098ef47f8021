package ss

import (
	"bytes"
	"errors"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/http"
)

// A transaction of an accepted HTTP stream, from its request's head on.
//
// Uses h2_server.go back: a transaction that is over reports to its HTTP/2 connection.

// transaction answers the requests of one accepted HTTP stream, one after another. It is the handler of their
// exchanges, and the common part of the stream's backends.
type transaction struct {
	defaults
	h      *Handle
	origin *origin
	x      http.Exchange // nil between transactions
	left   uint32        // of the announced body; uncounted without one
	status int16         // of the response; 0: not acked
	flags  txnFlags
}

// uncounted is transaction.left of a body without a length, or with one above 32 bits. Such a body ends only with
// EOM.
const uncounted = 1<<32 - 1

// txnFlags describe the current transaction.
type txnFlags uint8

const (
	txnHeadSent txnFlags = 1 << iota
	txnHead              // the request is HEAD
	txnBody              // some of the request's body was received
	txnAnswered          // our response is complete
	txnUpgrade           // it is to become a WebSocket
	txnForm              // the request has a body, possibly empty: it announces one, or its method implies one
)

var _ http.Handler = (*transaction)(nil)

// describeRequest sets the metadata from the request: those that map to a header field of the request, method, path,
// authority, auth, and those with the name of an argument of the query, without decoding. An argument sets neither
// those four nor items that map to a field. None of it is sent in the response.
func (t *transaction) describeRequest(m *http.Message) {
	h := t.h
	k := h.streamType
	for i := range k.asked {
		f := &k.asked[i]
		if _, ours := h.meta.Own(f.index); ours {
			continue // set before SERVER_TXN, for the response: a request must not replace it
		}
		if v, ok := f.in(m); ok {
			h.setFromPeer(f.index, v)
		}
	}
	if k.setMethod >= 0 {
		h.setFromPeer(k.setMethod, m.Method)
	}
	if k.setPath >= 0 {
		h.setFromPeer(k.setPath, m.Path)
	}
	if k.setAuthority >= 0 {
		h.setFromPeer(k.setAuthority, m.Authority)
	}
	if k.setAuth >= 0 {
		if v, ok := m.Find(http.Authorization); ok {
			h.setFromPeer(k.setAuth, v)
		}
	}
	for q := m.Query; len(q) > 0; {
		var arg []byte
		arg, q, _ = bytes.Cut(q, ampersand)
		name, v, _ := bytes.Cut(arg, equals)
		for i := range k.pol.Metadata {
			if k.argument[i] && string(name) == k.pol.Metadata[i].Name {
				h.setFromPeer(i, v)
			}
		}
	}
}

var ampersand, equals = []byte("&"), []byte("=")

// Body implements http.Handler.
func (t *transaction) Body(_ http.Exchange, b []byte) {
	f := Flags(0)
	if t.flags&txnBody == 0 {
		t.flags |= txnBody
		f = SOM
	}
	t.h.rx(b, f)
}

// End implements http.Handler: the request is complete.
func (t *transaction) End(http.Exchange, []http.Field) {
	switch {
	case t.flags&txnBody != 0:
		t.h.rx(nil, EOM)
	case t.flags&txnForm != 0:
		t.h.rx(nil, SOM|EOM)
	}
}

// HalfClosed implements http.HalfCloseWatcher.
func (t *transaction) HalfClosed(http.Exchange) {
	if t.x != nil && t.flags&txnAnswered == 0 {
		t.h.tell(PeerEnded, Notice{})
	}
}

// Writable implements http.Handler: it sends the head, then the body that the stream has requested Tx for.
func (t *transaction) Writable(x http.Exchange) {
	h := t.h
	if t.x == nil || t.flags&txnAnswered != 0 || h.flags&(txWanted|doomed) != txWanted {
		return
	}
	if t.flags&txnHeadSent == 0 && !t.sendHead(x) || t.flags&txnAnswered != 0 {
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
	if t.left != uncounted {
		t.left -= uint32(n)
		if end := f&EOM != 0; end == (t.left > 0) {
			h.checkLength(int64(t.left), end)
		}
	}
	if f&EOM != 0 || t.left == 0 {
		t.flags |= txnAnswered
	}
	x.Commit(n, f&EOM != 0)
	if t.flags&txnAnswered == 0 && h.flags&txWanted != 0 {
		x.WantWrite()
	}
}

// sendHead sends the response's head. It returns false if that must wait, or has failed.
func (t *transaction) sendHead(x http.Exchange) bool {
	h := t.h
	m := &h.rt.msg
	m.Reset()
	m.Status = int(t.status)
	if m.Status == 0 {
		m.Status = 404
	}
	h.streamType.addFields(m, h, 0)
	m.Length = h.streamType.bodyLength(h)
	m.Close = h.rt.drain != nil
	bare := m.Status == 204 || m.Status == 304 || m.Length == 0 || t.flags&txnHead != 0
	if err := x.SendHead(m, bare); err != nil {
		if errors.Is(err, http.ErrNoRoom) {
			x.WantWrite()
			return false
		}
		h.misuse("the response cannot be sent: " + err.Error())
		return false
	}
	t.flags |= txnHeadSent
	t.left = uncounted
	if m.Length >= 0 && m.Length < uncounted {
		t.left = uint32(m.Length)
	}
	if bare {
		t.flags |= txnAnswered
		h.flags &^= txWanted
	}
	return true
}

// Done implements http.Handler: the transaction is over. If it was aborted its stream ends: on HTTP/1.1 with
// the connection, which is closed next.
func (t *transaction) Done(x http.Exchange, cause error) {
	if t.x == nil {
		return
	}
	h := t.h
	h.dropFile(Disconnected)
	t.x, t.flags, t.status = nil, 0, 0
	h.flags &^= txWanted
	h.hint = -1
	h.ordinal = 0
	h.dropSource()
	if h.timer != nil {
		h.CancelTimeout()
	}
	if cause == nil {
		h.dropMetadata()
	}
	if c := t.origin.h2; c != nil {
		c.answered(t, cause)
	}
}

func (t *transaction) requestBody() bool { return t.x != nil && t.flags&txnForm != 0 }

func (t *transaction) serverAck(h *Handle, code int) {
	if t.x == nil || t.flags&txnHeadSent != 0 {
		return
	}
	if code == 0 {
		code = 200
	}
	if code < 200 || code > 599 {
		h.misuse("ServerAck: the code is neither 0 nor a final HTTP status")
		return
	}
	t.status = int16(code)
}

// speaks returns WS from SERVER_UPGRADE on, before the stream has its WebSocket, and otherwise p.
func (t *transaction) speaks(p policy.Protocol) policy.Protocol {
	if t.flags&txnUpgrade != 0 {
		return policy.WS
	}
	return p
}

func (t *transaction) parentStream() *Handle { return t.origin.server.h }

func (t *transaction) connect(*Handle, bool) Ret { return OK }

func (t *transaction) requestTx(*Handle) Ret {
	if t.x != nil && t.flags&txnAnswered == 0 {
		t.x.WantWrite()
	}
	return OK
}

func (t *transaction) flow(h *Handle) {
	switch {
	case t.x == nil:
	case h.flags&isPaused != 0:
		t.x.Pause()
	default:
		t.x.Resume()
	}
}

func (t *transaction) settle(h *Handle, _ time.Duration) {
	if h.flags&wantDisconnect != 0 {
		h.end()
	}
}

// onMultipartError implements multipartHandler: the request is answered with an error status, if no response has
// started, and the stream ends.
func (t *transaction) onMultipartError(x http.Exchange, err error) int {
	if t.x == nil || t.flags&txnHeadSent != 0 {
		x.Reset(err)
		return 0
	}
	t.flags |= txnHeadSent | txnAnswered
	x.Resume() // the rest of the body is read and dropped
	return statusFor(err)
}

// statusFor returns the status of the response to a body that cannot be parsed because of err.
func statusFor(err error) int {
	if e := (*http.ProtocolError)(nil); errors.As(err, &e) && e.Status != 0 {
		return e.Status
	}
	return 400
}

// refuse answers a request that the stream does not receive. The stream then waits for the next request.
func (t *transaction) refuse(x http.Exchange, m http.Message) {
	x.SetHandler(&declined{m: m})
	x.WantWrite()
	if c := t.origin.h2; c != nil {
		c.rest(t)
	}
}

// declined is the handler of a refused request.
type declined struct {
	discard
	m http.Message
}

// Writable implements http.Handler.
func (d *declined) Writable(x http.Exchange) {
	if errors.Is(x.SendHead(&d.m, true), http.ErrNoRoom) {
		x.WantWrite()
	}
}
