package ss

import (
	"fmt"
	"io"
)

// Body is one message that a stream sends, from a slice or an io.ReaderAt. Embed it in a Stream, which
// then has the Tx of the Body, or call it from the stream's own Tx. It keeps its position between calls, sets SOM
// and EOM, requests the next Tx itself, and restarts whenever the ordinal is 0: with each transaction of HTTP, each
// repeated attempt and each connection. So a body is sent again from its start on a retry. The zero Body is empty.
//
//	type upload struct {
//		ss.Collector // State and Rx: collects the response
//		ss.Body      // Tx
//	}
//
// The program starts with Request. A stream whose policy repeats transactions that were lost after CONNECTED calls
// Request in CONNECTING too, so that the repeated one announces its length as well.
type Body struct {
	data   []byte
	src    io.ReaderAt // nil: data
	offset int64       // in src
	size   int64
	pos    int64 // of the next byte to return
	given  bool  // EOM was returned
	err    error
	piece  *bodyPiece // of src; nil while none is in memory
}

// pieceSize is how much of an io.ReaderAt is in memory at a time: as much as one system call sends.
const pieceSize = 64 << 10

// SetBytes makes p the content. It is not copied: p must not change until the body is sent, including retries.
func (b *Body) SetBytes(p []byte) {
	b.release()
	*b = Body{data: p, size: int64(len(p))}
}

// SetReaderAt makes the n bytes at offset of src the content, for example those of an open file. They are read in
// pieces of at most 64 KiB, away from the loop's goroutine (loop.Offload), one at a time; the piece is charged to the
// connection (Memory). The caller keeps src open until the body is sent, including retries, or the stream has ended.
// When reading fails the stream is disconnected, and Err returns the reason.
func (b *Body) SetReaderAt(src io.ReaderAt, offset, n int64) {
	b.release()
	*b = Body{src: src, offset: offset, size: n}
}

// Len returns the number of bytes.
func (b *Body) Len() int64 { return b.size }

// Err returns why the content could not be read, nil if nothing failed since it was set.
func (b *Body) Err() error { return b.err }

// Request requests Tx and announces the length, which is Content-Length on HTTP: see Handle.RequestTxLen. It restarts
// the body.
func (b *Body) Request(h *Handle) Ret {
	b.Rewind()
	return h.RequestTxLen(b.size)
}

// Rewind makes the next Tx start with the first byte.
func (b *Body) Rewind() { b.pos, b.given = 0, false }

// Tx implements Stream: it returns the next bytes. After the end it returns LWSSSSRET_TX_DONT_SEND.
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

// read copies the content at pos into buf as far as it is in memory. If it is not, read returns 0 and starts to read
// a piece, after which Tx is requested.
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

// release frees the piece in memory.
func (b *Body) release() {
	if p := b.piece; p != nil {
		p.mem.Set(p.h, 0)
		p.atEnd.Remove()
		b.piece, p.b = nil, nil
	}
}

// bodyPiece is a part of the content, in memory or being read. A read in progress owns it.
type bodyPiece struct {
	b     *Body // nil: the body has released the piece
	h     *Handle
	src   io.ReaderAt
	from  int64 // in src
	pos   int64 // the same position in the body
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
