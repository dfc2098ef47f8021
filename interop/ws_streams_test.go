package interop

import (
	"crypto/sha256"
	stdtls "crypto/tls"
	"errors"
	"fmt"
	"hash"
	"net/url"
	"strconv"

	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/ss"
)

// wsReceiver assembles messages from pieces.
type wsReceiver struct {
	sum  hash.Hash
	size int
}

// hear takes a piece, and returns the description of the message if it was the last piece.
func (e *wsReceiver) hear(b []byte, f ss.Flags) (string, bool) {
	if f&ss.SOM != 0 {
		e.sum, e.size = sha256.New(), 0
	}
	e.sum.Write(b)
	e.size += len(b)
	if f&ss.EOM == 0 {
		return "", false
	}
	kind := "text"
	if f&ss.Binary != 0 {
		kind = "binary"
	}
	return fmt.Sprintf("%s %d %.8x", kind, e.size, e.sum.Sum(nil)), true
}

// closed records how a connection ended.
func (s *wsSeen) closed(cause error) {
	var closed *ss.CloseError
	var status *ss.StatusError
	switch {
	case cause == nil:
	case errors.As(cause, &closed):
		s.Code, s.Reason = int(closed.Code), closed.Reason
	case errors.As(cause, &status):
		s.Status = status.Status
	case errors.Is(cause, ws.ErrAbnormal):
		s.Code = 1006
	default:
		s.Error = cause.Error()
	}
}

// wsServed is an accepted stream. It follows the request's query, or echoes.
type wsServed struct {
	runtime   *wsRuntime
	note      *wsNote
	receiver  wsReceiver
	queue     []wsPiece
	held      int
	closeCode ws.Code
	why       string
}

// wsPiece is a piece of a message that the echo will send.
type wsPiece struct {
	b []byte
	f ss.Flags
}

// serves creates an accepted stream.
func (h *wsRuntime) serves(*ss.Handle) ss.Stream { return &wsServed{runtime: h} }

// argument returns an argument of the request's query, or a field.
func argument(h *ss.Handle, name string) string {
	b, _ := h.Metadata(name)
	v, err := url.QueryUnescape(string(b))
	if err != nil {
		return err.Error()
	}
	return v
}

// State implements ss.Stream.
func (s *wsServed) State(h *ss.Handle, st ss.State, n ss.Notice) ss.Ret {
	switch st {
	case ss.ServerUpgrade:
		return s.upgrade(h)
	case ss.Disconnected:
		s.runtime.held -= s.held
		s.held = 0
		if s.note != nil {
			s.note.seen.closed(n.Cause)
			s.note.over = true
		}
	}
	return ss.OK
}

func (s *wsServed) upgrade(h *ss.Handle) ss.Ret {
	s.note = &wsNote{seen: wsSeen{Protocol: h.Subprotocol(), Origin: argument(h, "origin"), Said: argument(h, "said")}}
	if v, ok := h.TLS(); ok && v.Version != stdtls.VersionTLS13 {
		s.note.seen.Error = "over " + stdtls.VersionName(v.Version)
	}
	if v, ok := h.Metadata("method"); ok {
		s.note.method = string(v)
	}
	if at, ok := h.Peer(); ok {
		s.note.peer = at.String()
	}
	s.runtime.notes[argument(h, "id")] = s.note
	if status, _ := strconv.Atoi(argument(h, "refuse")); status != 0 {
		h.ServerAck(status)
		return ss.OK
	}
	gate := argument(h, "gate")
	if all, _ := strconv.Atoi(gate); all != 0 {
		list := append(s.runtime.waiting[gate], h)
		h.Pause()
		if len(list) == all {
			for _, w := range list {
				w.Resume()
			}
			list = nil
		}
		s.runtime.waiting[gate] = list
	}
	if err := h.SetMetadataString("reply", wsReply); err != nil {
		s.note.seen.Error = err.Error()
	}
	if code, _ := strconv.Atoi(argument(h, "close_code")); code != 0 {
		s.closeCode, s.why = ws.Code(code), argument(h, "reason")
		if argument(h, "idle") != "" {
			s.runtime.idle = append(s.runtime.idle, func() { h.RequestTx() })
			return ss.OK
		}
		return h.RequestTx()
	}
	return ss.OK
}

const (
	echoHigh = 64 << 10
	echoLow  = 16 << 10
)

// Rx implements ss.Stream.
func (s *wsServed) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if what, whole := s.receiver.hear(b, f); whole {
		s.note.seen.Heard = append(s.note.seen.Heard, what)
	}
	s.queue = append(s.queue, wsPiece{append([]byte(nil), b...), f})
	s.held += len(b)
	s.runtime.held += len(b)
	s.runtime.taken += uint64(len(b))
	s.runtime.most = max(s.runtime.most, s.runtime.held)
	if s.held >= echoHigh {
		s.runtime.paused++
		h.Pause()
	}
	return h.RequestTx()
}

// Tx implements ss.Stream.
func (s *wsServed) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	if s.closeCode != 0 {
		if err := h.DisconnectWith(s.closeCode, s.why); err != nil {
			s.note.seen.Error = err.Error()
		}
		return 0, 0, ss.TxDontSend
	}
	if len(s.queue) == 0 {
		return 0, 0, ss.TxDontSend
	}
	p := &s.queue[0]
	n, f := copy(buf, p.b), p.f
	s.held -= n
	s.runtime.held -= n
	if n < len(p.b) {
		p.b, p.f = p.b[n:], p.f&^ss.SOM
		f &^= ss.EOM
	} else {
		s.queue = s.queue[1:]
	}
	if s.held < echoLow {
		h.Resume()
	}
	if len(s.queue) > 0 {
		h.RequestTx()
	}
	return n, f, ss.OK
}

// wsCaller is a client stream that holds a conversation.
type wsCaller struct {
	runtime  *wsRuntime
	c        *wsConversation
	seen     wsSeen
	receiver wsReceiver
	next     int // index in say
	sent     int // bytes of the current message
	cut      int // fragments of the current message
	left     int // messages still to come
	ended    chan wsSeen
}

// State implements ss.Stream.
func (x *wsCaller) State(h *ss.Handle, st ss.State, n ss.Notice) ss.Ret {
	switch st {
	case ss.Connected:
		x.seen.Protocol, x.seen.Extensions, x.seen.Reply = h.Subprotocol(), argument(h, "terms"), argument(h, "reply")
		if v, ok := h.TLS(); ok != x.c.secure || ok && v.Version != stdtls.VersionTLS13 {
			x.seen.Error = "over " + stdtls.VersionName(v.Version)
		}
		if x.c.idle {
			x.runtime.idle = append(x.runtime.idle, func() {
				if r := x.rest(h); r != ss.OK {
					x.seen.Error = r.String()
				}
			})
			return ss.OK
		}
		return x.rest(h)
	case ss.Unreachable:
		x.seen.closed(n.Cause)
	case ss.Disconnected:
		x.seen.closed(n.Cause)
		return ss.DestroyMe
	case ss.AllRetriesFailed:
		return ss.DestroyMe
	case ss.Destroying:
		x.ended <- x.seen
	}
	return ss.OK
}

// rest sends what is left, or closes if it has sent and received everything.
func (x *wsCaller) rest(h *ss.Handle) ss.Ret {
	for x.next < len(x.c.say) && x.c.say[x.next].kind == "ping" {
		x.next++ // streams cannot send pings
	}
	switch {
	case x.next < len(x.c.say):
		return h.RequestTx()
	case x.left == 0 && !x.c.byServer:
		code := ws.Code(x.c.code)
		if code == 0 {
			code = ws.Normal
		}
		if err := h.DisconnectWith(code, x.c.reason); err != nil {
			x.seen.Error = err.Error()
			return ss.DestroyMe
		}
	}
	return ss.OK
}

// Rx implements ss.Stream.
func (x *wsCaller) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if what, whole := x.receiver.hear(b, f); whole {
		x.seen.Heard = append(x.seen.Heard, what)
		if x.left--; x.left == 0 {
			return x.rest(h)
		}
	}
	return ss.OK
}

// Tx implements ss.Stream: the next fragment, or as much of it as there is room for.
func (x *wsCaller) Tx(h *ss.Handle, _ uint32, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	if x.next == len(x.c.say) {
		return 0, 0, ss.TxDontSend
	}
	s := &x.c.say[x.next]
	if x.sent == 0 && x.cut == 0 {
		f = ss.SOM | ss.Text
		if s.kind == "binary" {
			f = ss.SOM | ss.Binary
		}
	}
	end := len(s.data)
	if x.cut < len(s.cuts) {
		end = 0
		for _, c := range s.cuts[:x.cut+1] {
			end += c
		}
	}
	n = copy(buf, s.data[x.sent:end])
	if x.sent += n; x.sent == end {
		if x.cut++; x.cut > len(s.cuts) {
			f |= ss.EOM
			x.next, x.sent, x.cut = x.next+1, 0, 0
		}
	}
	return n, f, x.rest(h)
}
