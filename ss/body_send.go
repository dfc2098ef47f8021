package ss

import (
	"fmt"
	"io"
)

// Body is one message that a stream sends: bytes, or what an io.ReaderAt holds. It is made to be embedded in a Stream, which
// then has the Tx of the Body, or to be called from the stream's own Tx. It keeps its place between calls, marks beginning
// and end, asks for the next Tx by itself, and begins again whenever the ordinal is 0: with each transaction of HTTP, each
// repeated attempt and each connection. So a body is sent again from its start on a retry. The zero Body is empty.
//
//	type upload struct {
//		ss.Collector // State and Rx: takes the answer
//		ss.Body      // Tx
//	}
//
// The program begins with Request. A stream whose policy repeats transactions that were lost after CONNECTED calls
// Request in CONNECTING too, so that the repeated one announces its length as well.
type Body struct {
	data   []byte
	src    io.ReaderAt // nil: data
	offset int64       // in src
	size   int64
	pos    int64 // of the next byte to give
	given  bool  // EOM was given
	err    error
	piece  *bodyPiece // of src; nil while nothing of it is held
}

// pieceSize is how much of an io.ReaderAt is held at a time: as much as leaves in one system call.
const pieceSize = 64 << 10

// SetBytes makes p the content. It is not copied: p must not change until the body is sent, retries included.
func (b *Body) SetBytes(p []byte) {
	b.release()
	*b = Body{data: p, size: int64(len(p))}
}

// SetReaderAt makes the n bytes from offset of src the content, such as those of an open file. They are read in pieces of
// at most 64 KiB, away from the loop's goroutine (loop.Offload), one at a time; what is held is charged to the
// connection (Memory). The caller keeps src open until the body is sent, retries included, or the stream has
// ended. When reading fails the stream is disconnected, and Err has the reason.
func (b *Body) SetReaderAt(src io.ReaderAt, offset, n int64) {
	b.release()
	*b = Body{src: src, offset: offset, size: n}
}

// Len is the number of bytes.
func (b *Body) Len() int64 { return b.size }

// Err is why the content could not be read, nil if nothing failed since it was set.
func (b *Body) Err() error { return b.err }

// Request asks for Tx and announces the length, which is Content-Length on HTTP: see Handle.RequestTxLen. It starts the
// body again from its beginning.
func (b *Body) Request(h *Handle) Ret {
	b.Rewind()
	return h.RequestTxLen(b.size)
}

// Rewind has the next Tx begin with the first byte.
func (b *Body) Rewind() { b.pos, b.given = 0, false }

// Tx gives the next bytes. It implements Tx of Stream. A complete body answers LWSSSSRET_TX_DONT_SEND.
func (b *Body) Tx(h *Handle, ordinal uint32, buf []byte) (n int, f Flags, r Ret) {
	if ordinal == 0 {
		b.Rewind()
	}
	if b.given {
		return 0, 0, TxDontSend
	}
	switch {
	case b.pos == b.size:
	case b.src == nil:
		n = copy(buf, b.data[b.pos:])
	default:
		if n = b.read(h, buf); n == 0 {
			return 0, 0, TxDontSend
		}
	}
	if b.pos == 0 {
		f = SOM
	}
	if b.pos += int64(n); b.pos < b.size {
		h.RequestTx()
		return n, f, OK
	}
	b.given = true
	b.release()
	return n, f | EOM, OK
}

// read copies what is held of the content at pos into buf. If nothing is, 0 is returned and a piece is read; Tx is
// requested when it is there.
func (b *Body) read(h *Handle, buf []byte) int {
	p := b.piece
	if p == nil {
		p = &bodyPiece{b: b, h: h, buf: make([]byte, min(b.size, pieceSize))}
		p.job, p.done = p.read, p.wasRead
		b.piece = p
		p.mem.Set(h, len(p.buf))
		h.AddCleanup(&p.atEnd, b.release)
	}
	if p.busy {
		return 0
	}
	if skip := b.pos - p.pos; skip >= 0 && skip < int64(p.have) {
		return copy(buf, p.buf[skip:p.have])
	}
	p.src, p.busy, p.pos = b.src, true, b.pos
	p.from, p.have = b.offset+b.pos, int(min(b.size-b.pos, pieceSize))
	if err := h.Runtime().Loop().Offload(p.job, p.done); err != nil {
		p.wasRead(err)
	}
	return 0
}

// release drops what is held of the content.
func (b *Body) release() {
	if p := b.piece; p != nil {
		p.mem.Set(p.h, 0)
		p.atEnd.Remove()
		b.piece, p.b = nil, nil
	}
}

// bodyPiece is a part of the content, held or being read. A read that is under way owns it.
type bodyPiece struct {
	b     *Body // nil: the body does not want it any more
	h     *Handle
	src   io.ReaderAt
	from  int64 // in src
	pos   int64 // the same place in the body
	have  int   // bytes of buf, or how many are being read
	buf   []byte
	busy  bool
	job   func() error // read, bound once
	done  func(error)  // wasRead
	mem   Memory
	atEnd Cleanup
}

// read runs away from the loop's goroutine.
func (p *bodyPiece) read() error {
	n, err := p.src.ReadAt(p.buf[:p.have], p.from)
	switch {
	case n == p.have:
		return nil
	case err == nil || err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("ss: body: read %d bytes at offset %d: %w", p.have, p.from, err)
}

func (p *bodyPiece) wasRead(err error) {
	p.busy = false
	switch {
	case p.b == nil:
	case err != nil:
		p.b.err = err
		p.b.release()
		p.h.Disconnect()
	default:
		p.h.RequestTx()
	}
}
