package sim

import "math/bits"

// minRing is the smallest ring: most messages of a test fit.
const minRing = 512

// pool keeps the rings of flows that are empty, by size class, so that a connection between two
// messages holds no buffer and a long run allocates none.
type pool struct {
	free [48][][]byte
}

// get returns a ring of at least size bytes, a power of two.
func (p *pool) get(size int) []byte {
	class := bits.Len(uint(max(size, minRing) - 1))
	if k := len(p.free[class]); k > 0 {
		b := p.free[class][k-1]
		p.free[class] = p.free[class][:k-1]
		return b
	}
	return make([]byte, 1<<class)
}

// put takes a ring back; nil is none.
func (p *pool) put(b []byte) {
	if len(b) > 0 {
		class := bits.Len(uint(len(b) - 1))
		p.free[class] = append(p.free[class], b)
	}
}
