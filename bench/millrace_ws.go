package main

import "github.com/millrace/millrace/ss"

// echoServer is what the WebSockets of a server share: free echo buffers.
type echoServer struct{ free []*echoBuffer }

func newEchoServer() *echoServer { return new(echoServer) }

// join creates an accepted stream.
func (c *echoServer) join(*ss.Handle) ss.Stream { return &wsEcho{all: c} }

// echoBuffer holds the received part of a connection's messages that the echo has not sent.
type echoBuffer struct {
	buf    []byte
	off    int
	pieces []piece // the pieces of buf from off on
}

// piece is a part of a message.
type piece struct {
	n int
	f ss.Flags
}

// wsEcho echoes messages piece by piece. It buffers what the socket refuses, and has a buffer only until that is sent,
// since an idle connection must own no buffer.
type wsEcho struct {
	all  *echoServer
	held *echoBuffer // nil without unsent data
}

func (e *wsEcho) State(_ *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	if s == ss.Disconnected && e.held != nil {
		e.drop()
	}
	return ss.OK
}

func (e *wsEcho) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	r := e.held
	if r == nil {
		n, err := h.Send(b, f)
		if err == nil {
			return ss.OK
		}
		if n > 0 {
			b, f = b[n:], f&^ss.SOM
		}
		if n := len(e.all.free); n > 0 {
			r, e.all.free = e.all.free[n-1], e.all.free[:n-1]
		} else {
			r = new(echoBuffer)
		}
		e.held = r
	}
	r.buf = append(r.buf, b...)
	r.pieces = append(r.pieces, piece{len(b), f})
	if len(r.buf) >= echoHigh {
		h.Pause()
	}
	return h.RequestTx()
}

func (e *wsEcho) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	r := e.held
	if r == nil {
		return 0, 0, ss.TxDontSend
	}
	p := &r.pieces[0]
	n := copy(buf, r.buf[r.off:r.off+p.n])
	r.off += n
	if n < p.n { // the rest of the piece stays first
		f := p.f &^ ss.EOM
		p.n -= n
		p.f &^= ss.SOM
		h.RequestTx()
		return n, f, ss.OK
	}
	f := p.f
	if r.pieces = r.pieces[:copy(r.pieces, r.pieces[1:])]; len(r.pieces) > 0 {
		h.RequestTx()
		return n, f, ss.OK
	}
	e.drop()
	h.Resume()
	return n, f, ss.OK
}

// drop puts the buffer into the free list.
func (e *wsEcho) drop() {
	r := e.held
	r.buf, r.off, r.pieces = r.buf[:0], 0, r.pieces[:0]
	e.all.free, e.held = append(e.all.free, r), nil
}
