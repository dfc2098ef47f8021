package main

import "github.com/millrace/millrace/ss"

const (
	// echoHigh is the number of bytes that an echo keeps before it stops reading. Together with the piece that exceeds
	// it, at most one receive buffer, this limits the memory for a client that does not read.
	echoHigh = 64 << 10
	// echoLow is the number of bytes below which it reads again: early enough that a fast client never waits.
	echoLow = 16 << 10
)

// echo returns its payload as it arrives: the body of a request, the contents of its parts with http_multipart_ss_in,
// or the bytes of a raw connection.
type echo struct {
	sv    *service
	mem   ss.Memory
	buf   []byte // nil while there is nothing to send
	sent  int    // sent bytes of buf
	began bool   // the answer has started
	ended bool   // the request has ended
	parts bool   // the request has parts
}

func (e *echo) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	switch s {
	case ss.ServerTxn:
		e.release(h) // payload that arrived after the end of the answer
		e.began, e.ended, e.parts = false, false, false
		e.sv.ack(h)
		if !h.RequestBody() {
			return h.RequestTxLen(0)
		}
	case ss.ServerUpgrade:
		h.ChangeHandlers(&wsEcho{sv: e.sv})
	case ss.Disconnected, ss.Destroying:
		e.release(h)
	}
	return ss.OK
}

func (e *echo) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if !e.sv.http && f&ss.EOM != 0 {
		if e.ended = true; e.buf == nil {
			return ss.DisconnectMe
		}
		return h.RequestTx()
	}
	if f&ss.RelatedStart != 0 {
		e.parts = true
	}
	end := f&ss.EOM != 0 && !e.parts || f&ss.RelatedEnd != 0
	if e.ended || len(b) == 0 && !end {
		return ss.OK
	}
	if e.buf == nil && !e.sv.http {
		n, err := h.Send(b, f)
		if err == nil {
			return ss.OK
		}
		b = b[n:]
	}
	if len(b) > 0 {
		if e.sent > 0 && len(e.buf)+len(b) > cap(e.buf) {
			// Drop the sent bytes before the buffer grows.
			e.buf, e.sent = e.buf[:copy(e.buf, e.buf[e.sent:])], 0
		}
		e.buf = e.sv.add(e.buf, b)
		e.mem.Set(h, cap(e.buf))
	}
	e.ended = end
	if len(e.buf)-e.sent >= echoHigh {
		h.Pause()
	}
	return h.RequestTx()
}

func (e *echo) Tx(h *ss.Handle, _ uint32, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	n = copy(buf, e.buf[e.sent:])
	e.sent += n
	left := len(e.buf) - e.sent
	if left < echoLow {
		h.Resume()
	}
	if !e.began {
		e.began, f = true, ss.SOM
	}
	switch {
	case left > 0:
		h.RequestTx()
	case e.ended:
		f |= ss.EOM
		if !e.sv.http {
			h.Disconnect() // the client has closed its direction, and all its bytes are echoed
		}
		fallthrough
	default:
		e.release(h)
	}
	if n == 0 && f&ss.EOM == 0 {
		return 0, 0, ss.TxDontSend
	}
	return n, f, ss.OK
}

// release returns the buffer to the pool, unless it is too large for it.
func (e *echo) release(h *ss.Handle) {
	if e.buf != nil {
		e.sv.putBuffer(e.buf)
		e.buf, e.sent = nil, 0
		e.mem.Set(h, 0)
	}
}
