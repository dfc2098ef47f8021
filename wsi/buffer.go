package wsi

import (
	"time"

	"github.com/millrace/millrace/roles"
)

// This file is the pool of the buffers of a Net: for input that an Upper has not used (recv.go), and for output that the
// socket refused (arena.go). A buffer belongs to its connection, which is charged for it, from newBuffer until freeBuffer.

// classes are the sizes of buffers: the rest of most heads fits into the first, a whole arena into the fifth.
var classes = [...]int{512, 2 << 10, 8 << 10, 32 << 10, 64 << 10, 128 << 10, 512 << 10}

// freeMax limits the bytes of unused buffers that are kept for reuse.
const freeMax = 256 << 10

// buffer stores bytes of one connection for longer than the turn: b[off:] are the bytes that are not used or not sent yet.
type buffer struct {
	b     []byte
	off   int
	class int8
	kind  roles.Kind
	owner *Wsi

	// The next two fields are used for refused output, to measure Timeouts.Write. A connection whose socket accepts all
	// output has no buffer.
	since time.Duration // when the socket last made progress
	taken uint64        // value of Wsi.bytesOut at that time
}

// bytes returns the remaining bytes, which are valid until the next change of b.
func (b *buffer) bytes() []byte { return b.b[b.off:] }

// newBuffer returns a buffer with a capacity of at least size, charged to owner.
func (n *Net) newBuffer(owner *Wsi, kind roles.Kind, size int) *buffer {
	b := n.unused(size)
	b.owner, b.kind = owner, kind
	n.held += cap(b.b)
	owner.Hold(kind, cap(b.b))
	return b
}

// unused returns an empty buffer with a capacity of at least size, not charged yet.
func (n *Net) unused(size int) *buffer {
	class := 0
	for class < len(classes)-1 && classes[class] < size {
		class++
	}
	var b *buffer
	if k := len(n.free[class]); k > 0 {
		b = n.free[class][k-1]
		n.free[class] = n.free[class][:k-1]
		n.freeSize -= cap(b.b)
	} else {
		b = &buffer{b: make([]byte, 0, max(size, classes[class])), class: int8(class)}
	}
	return b
}

// freeBuffer ends the charge for b and returns it to the pool: its bytes must not be used after that.
func (n *Net) freeBuffer(b *buffer) {
	n.held -= cap(b.b)
	b.owner.Hold(b.kind, -cap(b.b))
	n.keepUnused(b)
}

// freeInput frees the buffer of stored input, if there is one: the input was used, or is not wanted any more.
func (w *Wsi) freeInput() {
	if w.in != nil {
		w.net.freeBuffer(w.in)
		w.in = nil
	}
}

// keepUnused keeps b for reuse, or leaves it to the garbage collector if enough buffers are kept.
func (n *Net) keepUnused(b *buffer) {
	b.owner = nil
	b.b, b.off = b.b[:0], 0
	if cap(b.b) == classes[b.class] && n.freeSize+cap(b.b) <= freeMax {
		n.free[b.class] = append(n.free[b.class], b)
		n.freeSize += cap(b.b)
	}
}

// grown returns a buffer with a copy of b's remaining bytes and a capacity of at least size, which can be smaller than b's.
// It returns b to the pool. The owner is charged
// the difference, without a restart of its stall time, since growth is no progress.
func (n *Net) grown(b *buffer, size int) *buffer {
	g := n.unused(size)
	g.owner, g.kind = b.owner, b.kind
	g.b = append(g.b, b.bytes()...)
	delta := cap(g.b) - cap(b.b)
	n.keepUnused(b)
	n.held += delta
	g.owner.Hold(g.kind, delta)
	return g
}
