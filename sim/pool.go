package sim

import "math/bits"

// minRing is the smallest ring. Most test messages fit.
const minRing = 512

// pool keeps unused rings by size class, so that an idle connection has no buffer and a long run allocates none.
type pool struct {
	free [48][][]byte
}

// get returns a ring of at least size bytes; its length is a power of two.
func (p *pool) get(size int) []byte {
	class := bits.Len(uint(max(size, minRing) - 1))
	if k := len(p.free[class]); k > 0 {
		b := p.free[class][k-1]
		p.free[class] = p.free[class][:k-1]
		return b
	}
	return make([]byte, 1<<class)
}

// put returns a ring to the pool. It ignores nil.
func (p *pool) put(b []byte) {
	if len(b) > 0 {
		class := bits.Len(uint(len(b) - 1))
		p.free[class] = append(p.free[class], b)
	}
}
