package ss

import (
	"errors"
	"sync"
)

// Why a body or a message of the peer was not delivered, to be tested with errors.Is.
var (
	// ErrCutOff: the connection ended before the end of the peer's body.
	ErrCutOff = errors.New("the connection ended before the peer's body")
	// ErrTooLong: a body or a message exceeds its limit.
	ErrTooLong = errors.New("longer than the limit")
)

// defaultLimit is how many bytes of a body or message are collected when the program sets no limit.
const defaultLimit = 64 << 10

// gather collects the bytes of an incomplete body or message. They are charged to the connection, and the buffers are
// pooled: a stream between two messages has none.
type gather struct {
	buf   *[]byte // nil: empty
	mem   Memory
	atEnd Cleanup
	of    *Handle
}

// gatherPool keeps free buffers of at most gatherKept bytes.
var gatherPool = sync.Pool{New: func() any { return new([]byte) }}

const gatherKept = 64 << 10

// add appends b. It reports false, and adds nothing, if there would be more than limit bytes.
func (g *gather) add(h *Handle, b []byte, limit int) bool {
	if limit <= 0 {
		limit = defaultLimit
	}
	if len(g.bytes())+len(b) > limit {
		return false
	}
	if len(b) == 0 {
		return true
	}
	if g.buf == nil {
		g.buf = gatherPool.Get().(*[]byte)
		if g.of != h {
			g.of = h
			h.AddCleanup(&g.atEnd, g.drop)
		}
	}
	*g.buf = append(*g.buf, b...)
	g.mem.Set(h, cap(*g.buf))
	return true
}

// bytes returns the bytes added since the last drop. They are valid until the next add or drop.
func (g *gather) bytes() []byte {
	if g.buf == nil {
		return nil
	}
	return *g.buf
}

// drop removes all bytes.
func (g *gather) drop() {
	if g.buf == nil {
		return
	}
	g.mem.Set(g.of, 0)
	if cap(*g.buf) <= gatherKept {
		*g.buf = (*g.buf)[:0]
		gatherPool.Put(g.buf)
	}
	g.buf = nil
}
