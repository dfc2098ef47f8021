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
// exchanges, and what the stream's backends have in common whatever carries it.
type transaction struct {
	defaults
	h      *Handle
	origin *origin
	x      http.Exchange // the present one's, nil between transactions
	left   uint32        // of the announced body; uncounted without one
	status int16         // of the response; 0: not acked
	flags  txnFlags
}

// uncounted is transaction.left of a body that has no length, or one that 32 bits do not hold. Such a body
// ends with EOM alone.
const uncounted = 1<<32 - 1

// txnFlags are about the present transaction.
type txnFlags uint8

const (
	txnHeadSent txnFlags = 1 << iota
	txnHead              // the request is HEAD
	txnBody              // the request has brought body
	txnAnswered          // our response is complete
	txnUpgrade           // it is to become a WebSocket
	txnForm              // the request brings a body, if only an empty one: it announces one, or its method does
)

var _ http.Handler = (*transaction)(nil)

// describeRequest sets the metadata that tell the stream what is asked: those that map to a header field which the
// request has, method, path, authority, auth, and those named like an argument of the query, undecoded. An
// argument sets neither those four nor what maps to a field. None of it is sent back.
func (t *transaction) describeRequest(m *http.Message) {
	h := t.h
	k := h.streamType
	for i := range k.asked {
		f := &k.asked[i]
		if _, ours := h.meta.Own(f.index); ours {
			continue // set before SERVER_TXN, for the response: a request must not take it away
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

// Body is http.Handler's.
func (t *transaction) Body(_ http.Exchange, b []byte) {
	f := Flags(0)
	if t.flags&txnBody == 0 {
		t.flags |= txnBody
		f = SOM
	}
	t.h.rx(b, f)
}

// End is http.Handler's: the request is complete.
func (t *transaction) End(http.Exchange, []http.Field) {
	switch {
	case t.flags&txnBody != 0:
		t.h.rx(nil, EOM)
	case t.flags&txnForm != 0:
		t.h.rx(nil, SOM|EOM)
	}
}

// HalfClosed is http.HalfCloseWatcher's.
func (t *transaction) HalfClosed(http.Exchange) {
	if t.x != nil && t.flags&txnAnswered == 0 {
		t.h.tell(PeerEnded, Notice{})
	}
}

// Writable is http.Handler's: the head of the response, then as much body as the stream asked to give.
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

// sendHead sends the response's head. False: not now, or not at all.
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

// Done is http.Handler's: the transaction is over. If it broke, so does its stream: on HTTP/1.1 the end of
// the connection says so next.
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
		h.misuse("ServerAck takes 0 or a final HTTP status")
		return
	}
	t.status = int16(code)
}

// speaks is WS from SERVER_UPGRADE on, before the stream has its WebSocket, and otherwise p.
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

// onMultipartError is multipartHandler's: the answer says what is wrong with the request, if none has begun, and the stream ends.
func (t *transaction) onMultipartError(x http.Exchange, err error) int {
	if t.x == nil || t.flags&txnHeadSent != 0 {
		x.Reset(err)
		return 0
	}
	t.flags |= txnHeadSent | txnAnswered
	x.Resume() // what is left of the body is for nobody
	return statusFor(err)
}

// statusFor is the status of an answer to a body that cannot be taken apart because of err.
func statusFor(err error) int {
	if e := (*http.ProtocolError)(nil); errors.As(err, &e) && e.Status != 0 {
		return e.Status
	}
	return 400
}

// refuse answers a request that the stream does not take, and leaves the stream to the next.
func (t *transaction) refuse(x http.Exchange, m http.Message) {
	x.SetHandler(&declined{m: m})
	x.WantWrite()
	if c := t.origin.h2; c != nil {
		c.rest(t)
	}
}

// declined is the handler of a request that was not taken.
type declined struct {
	discard
	m http.Message
}

// Writable is http.Handler's.
func (d *declined) Writable(x http.Exchange) {
	if errors.Is(x.SendHead(&d.m, true), http.ErrNoRoom) {
		x.WantWrite()
	}
}
