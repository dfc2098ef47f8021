package main

import "github.com/millrace/millrace/ss"

// reply answers each request of an HTTP connection, or each raw connection, with the content of its service. It reads
// the pieces of a file outside the loop's thread.
type reply struct {
	sv      *service
	mem     ss.Memory
	h       *ss.Handle
	pos     int64        // of the next byte to send
	piece   []byte       // read, not sent yet
	buf     []byte       // the buffer of piece; nil between answers
	reading bool         // a read is in progress and uses buf
	gone    bool         // the stream is destroyed
	job     func() error // read, bound once
	done    func(error)  // wasRead
}

func (r *reply) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	switch s {
	case ss.Connected:
		if !r.sv.http {
			// The payload of the peer is ignored, and its end must not end the stream before the answer is sent.
			h.Pause()
			r.pos = 0
			return h.RequestTx()
		}
	case ss.ServerTxn:
		r.pos = 0
		if !h.RequestBody() {
			return r.answer(h)
		}
	case ss.ServerUpgrade:
		h.ServerAck(501) // a WebSocket has no request to answer
	case ss.Destroying:
		r.gone = true
		if !r.reading {
			r.release(h)
		}
	}
	return ss.OK
}

// Rx drops the body of a request and answers at its end, so that the connection can serve another request.
func (r *reply) Rx(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
	if r.sv.http && f&ss.EOM != 0 {
		return r.answer(h)
	}
	return ss.OK
}

func (r *reply) answer(h *ss.Handle) ss.Ret {
	r.sv.ack(h)
	return h.RequestTxLen(r.sv.content.size)
}

func (r *reply) Tx(h *ss.Handle, _ uint32, buf []byte) (n int, f ss.Flags, ret ss.Ret) {
	c := &r.sv.content
	if r.pos == 0 {
		f = ss.SOM
	}
	switch {
	case r.pos == c.size && !r.sv.http:
		return 0, 0, ss.DisconnectMe
	case c.file == nil:
		n = copy(buf, c.text[r.pos:])
	case len(r.piece) == 0:
		r.ask(h)
		return 0, 0, ss.TxDontSend
	default:
		n = copy(buf, r.piece)
		r.piece = r.piece[n:]
	}
	if r.pos += int64(n); r.pos == c.size {
		f |= ss.EOM
		r.release(h)
	}
	if r.pos < c.size || !r.sv.http {
		h.RequestTx()
	}
	return n, f, ss.OK
}

// ask starts a read of the next piece of the file. wasRead then requests Tx.
func (r *reply) ask(h *ss.Handle) {
	if r.reading {
		return
	}
	if r.job == nil {
		r.h, r.job, r.done = h, r.read, r.wasRead
	}
	if r.buf == nil {
		r.buf = r.sv.getBuffer(pieceSize)
		r.mem.Set(h, cap(r.buf))
	}
	r.buf = r.buf[:min(int64(pieceSize), r.sv.content.size-r.pos)]
	r.reading = true
	if err := h.Runtime().Loop().Offload(r.job, r.done); err != nil {
		r.wasRead(err)
	}
}

// read runs outside the loop's thread.
func (r *reply) read() error { return r.sv.content.read(r.buf, r.pos) }

func (r *reply) wasRead(err error) {
	r.reading = false
	switch {
	case r.gone:
		r.release(r.h)
	case err != nil:
		r.sv.runner.log.Error("the answer ends early", "err", err)
		r.h.Disconnect()
	default:
		r.piece = r.buf
		r.h.RequestTx()
	}
}

func (r *reply) release(h *ss.Handle) {
	if r.buf != nil {
		r.sv.putBuffer(r.buf)
		r.buf, r.piece = nil, nil
		r.mem.Set(h, 0)
	}
}
