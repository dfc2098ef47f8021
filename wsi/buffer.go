package wsi

import (
	"time"

	"github.com/millrace/millrace/roles"
)

// classes are the sizes of parked buffers: what is left of most heads fits the first, a whole arena
// fits the fifth.
var classes = [...]int{512, 2 << 10, 8 << 10, 32 << 10, 64 << 10, 128 << 10, 512 << 10}

// freeMax bounds the bytes of unused buffers kept for the next holder.
const freeMax = 256 << 10

// buffer holds bytes of one connection beyond the turn: b[off:] is what is left of them.
type buffer struct {
	b     []byte
	off   int
	class int8
	kind  roles.Kind
	owner *Wsi

	// Of refused output: how far Timeouts.Write has run. Connections whose socket takes all have no such thing.
	since time.Duration // when the socket last made progress
	taken uint64        // Wsi.bytesOut then
}

func (b *buffer) bytes() []byte { return b.b[b.off:] }

// take gives owner a buffer with a capacity of at least size, charged to it.
func (n *Net) take(owner *Wsi, kind roles.Kind, size int) *buffer {
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

// give takes b back.
func (n *Net) give(b *buffer) {
	n.held -= cap(b.b)
	b.owner.Hold(b.kind, -cap(b.b))
	n.keepUnused(b)
}

// keepUnused keeps b for the next owner. Buffers beyond what is worth keeping go to the collector.
func (n *Net) keepUnused(b *buffer) {
	b.owner = nil
	b.b, b.off = b.b[:0], 0
	if cap(b.b) == classes[b.class] && n.freeSize+cap(b.b) <= freeMax {
		n.free[b.class] = append(n.free[b.class], b)
		n.freeSize += cap(b.b)
	}
}

// grown returns a buffer with the bytes of b and a capacity of at least size, and takes b back. The owner is charged with
// the difference, since growth is no progress.
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
