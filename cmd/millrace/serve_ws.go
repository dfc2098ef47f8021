package main

import "github.com/millrace/millrace/ss"

// wsEcho returns the messages of a WebSocket as they arrive: text as text, binary as binary. It reads again only when all
// its payload is sent: a Close frame is answered at once, and would leave the rest unsent.
type wsEcho struct {
	sv     *service
	mem    ss.Memory
	buf    []byte  // nil while there is nothing to send
	sent   int     // sent bytes of buf
	pieces []piece // the messages of the unsent bytes of buf
}

// piece is a part of a message.
type piece struct {
	n int
	f ss.Flags
}

func (e *wsEcho) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	if s == ss.Disconnected || s == ss.Destroying {
		e.release(h)
		e.pieces = nil
	}
	return ss.OK
}

func (e *wsEcho) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if len(e.pieces) == 0 {
		n, err := h.Send(b, f)
		if err == nil {
			return ss.OK
		}
		if b = b[n:]; n > 0 {
			f &^= ss.SOM
		}
	}
	if e.sent > 0 && len(e.buf)+len(b) > cap(e.buf) {
		e.buf, e.sent = e.buf[:copy(e.buf, e.buf[e.sent:])], 0
	}
	e.buf = e.sv.add(e.buf, b)
	e.mem.Set(h, cap(e.buf))
	if last := len(e.pieces) - 1; last >= 0 && e.pieces[last].f&ss.EOM == 0 {
		e.pieces[last].n += len(b)
		e.pieces[last].f |= f & ss.EOM
	} else {
		e.pieces = append(e.pieces, piece{len(b), f})
	}
	h.Pause()
	return h.RequestTx()
}

func (e *wsEcho) Tx(h *ss.Handle, _ uint32, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	if len(e.pieces) == 0 {
		return 0, 0, ss.TxDontSend
	}
	p := &e.pieces[0]
	n = copy(buf, e.buf[e.sent:e.sent+p.n])
	e.sent += n
	f = p.f &^ ss.EOM
	p.f &^= ss.SOM
	if p.n -= n; p.n == 0 && p.f&ss.EOM != 0 {
		f |= ss.EOM
		e.pieces = e.pieces[:copy(e.pieces, e.pieces[1:])]
	}
	// The remaining piece may belong to a message whose received bytes are all sent.
	if len(e.pieces) > 0 && (e.pieces[0].n > 0 || e.pieces[0].f&(ss.SOM|ss.EOM) != 0) {
		h.RequestTx()
	} else {
		e.release(h)
		h.Resume()
	}
	return n, f, ss.OK
}

// release returns the buffer to the pool.
func (e *wsEcho) release(h *ss.Handle) {
	if e.buf != nil {
		e.sv.putBuffer(e.buf)
		e.buf, e.sent = nil, 0
		e.mem.Set(h, 0)
	}
}
