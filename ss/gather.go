package ss

import (
	"errors"
	"sync"
)

// Why a body or a message of the peer was not delivered. They are found with errors.Is.
var (
	// ErrCutOff: the connection ended before the peer's body did.
	ErrCutOff = errors.New("the peer's body was cut off")
	// ErrTooLong: a body or a message has more bytes than its limit allows.
	ErrTooLong = errors.New("longer than the limit")
)

// defaultLimit is how many bytes of a body or message are collected when the program sets no limit.
const defaultLimit = 64 << 10

// gather holds the bytes of a body or message that is not complete. They are charged to the connection, and their
// memory is shared by all: a stream between two messages holds none.
type gather struct {
	buf   *[]byte // nil: nothing is held
	mem   Memory
	atEnd Cleanup
	of    *Handle
}

// gatherPool has buffers of at most gatherKept bytes between two uses.
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

// bytes are those added since the last drop. They are valid until the next add or drop.
func (g *gather) bytes() []byte {
	if g.buf == nil {
		return nil
	}
	return *g.buf
}

// drop forgets all bytes.
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
