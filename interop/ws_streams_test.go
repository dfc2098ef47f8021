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

// wsEar listens to messages that come in pieces.
type wsEar struct {
	sum  hash.Hash
	size int
}

// hear takes a piece, and returns the message's description if it was the last.
func (e *wsEar) hear(b []byte, f ss.Flags) (string, bool) {
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

// told notes how a connection ended.
func (s *wsSeen) told(cause error) {
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

// wsServed is an accepted stream. It does what the request's query says, or echoes.
type wsServed struct {
	house *wsHouse
	note  *wsNote
	ear   wsEar
	queue []wsPiece
	held  int
	bye   ws.Code
	why   string
}

// wsPiece is one that waits to be sent back.
type wsPiece struct {
	b []byte
	f ss.Flags
}

// serves makes an accepted stream.
func (h *wsHouse) serves(*ss.Handle) ss.Stream { return &wsServed{house: h} }

// argument is one of the request's query, or a field.
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
		s.house.held -= s.held
		s.held = 0
		if s.note != nil {
			s.note.seen.told(n.Cause)
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
	s.house.notes[argument(h, "id")] = s.note
	if status, _ := strconv.Atoi(argument(h, "refuse")); status != 0 {
		h.ServerAck(status)
		return ss.OK
	}
	gate := argument(h, "gate")
	if all, _ := strconv.Atoi(gate); all != 0 {
		list := append(s.house.waiting[gate], h)
		h.Pause()
		if len(list) == all {
			for _, w := range list {
				w.Resume()
			}
			list = nil
		}
		s.house.waiting[gate] = list
	}
	if err := h.SetMetadataString("reply", wsReply); err != nil {
		s.note.seen.Error = err.Error()
	}
	if code, _ := strconv.Atoi(argument(h, "bye")); code != 0 {
		s.bye, s.why = ws.Code(code), argument(h, "reason")
		if argument(h, "idle") != "" {
			s.house.idle = append(s.house.idle, func() { h.RequestTx() })
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
	if what, whole := s.ear.hear(b, f); whole {
		s.note.seen.Heard = append(s.note.seen.Heard, what)
	}
	s.queue = append(s.queue, wsPiece{append([]byte(nil), b...), f})
	s.held += len(b)
	s.house.held += len(b)
	s.house.taken += uint64(len(b))
	s.house.most = max(s.house.most, s.house.held)
	if s.held >= echoHigh {
		s.house.paused++
		h.Pause()
	}
	return h.RequestTx()
}

// Tx implements ss.Stream.
func (s *wsServed) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	if s.bye != 0 {
		if err := h.DisconnectWith(s.bye, s.why); err != nil {
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
	s.house.held -= n
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
	house *wsHouse
	c     *wsConversation
	seen  wsSeen
	ear   wsEar
	next  int // of what is said
	sent  int // bytes of it
	cut   int // fragments of it
	left  int // messages that are to come
	ended chan wsSeen
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
			x.house.idle = append(x.house.idle, func() {
				if r := x.rest(h); r != ss.OK {
					x.seen.Error = r.String()
				}
			})
			return ss.OK
		}
		return x.rest(h)
	case ss.Unreachable:
		x.seen.told(n.Cause)
	case ss.Disconnected:
		x.seen.told(n.Cause)
		return ss.DestroyMe
	case ss.AllRetriesFailed:
		return ss.DestroyMe
	case ss.Destroying:
		x.ended <- x.seen
	}
	return ss.OK
}

// rest goes on with what is left to say, or closes when there is nothing to wait for either.
func (x *wsCaller) rest(h *ss.Handle) ss.Ret {
	for x.next < len(x.c.say) && x.c.say[x.next].kind == "ping" {
		x.next++ // streams have none
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
	if what, whole := x.ear.hear(b, f); whole {
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
