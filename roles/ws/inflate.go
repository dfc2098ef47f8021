package ws

import "encoding/binary"

// inflater decompresses DEFLATE (RFC 1951). The caller feeds it; the libraries read instead, and take a temporary lack of
// input for the end, so they would need a coroutine or the whole message at once. It can stop between any two symbols and
// stores no input except the bits of one. A stream may continue after its last block (RFC 7692 s.7.2.3.4).
// BenchmarkInflate compares it with the reader of klauspost/compress in a coroutine, which takes 1.5 times as long for
// 1 KiB of text and 2.5 times as long for 256 octets.
type inflater struct {
	buf  [window + chunk]byte
	from int // output before it was taken
	to   int // position of the next octet; what is before it is history
	stop int // position at which output must be taken
	most int // largest distance of a reference

	bits uint64
	n    uint  // number of valid bits
	skip uint8 // bits of the next input octet that were used already

	step  step
	final bool // the present block, or the one before it, is the last of its stream
	left  int  // octets of a stored block still to come

	nlit, ndist, nlens int // of a dynamic block's header: numbers of code lengths
	have               int // code lengths read so far
	lens               [288 + 32]uint8
	lit, dist          []entry
	litTable           [litSize]entry
	distTable          [distSize]entry
	lensTable          [lensSize]entry
}

const (
	window = 32 << 10 // largest distance of a reference in DEFLATE
	chunk  = 16 << 10 // largest output between two calls of output
	// match is the largest number of octets that one symbol stands for.
	match = 258
)

// step is what an inflater expects next in its input.
type step uint8

const (
	stepBlock step = iota // a block's header
	stepStored
	stepStoredData
	stepDynamic // a dynamic block's header, in three steps
	stepLens
	stepCodes
	stepSymbols
)

// progress is the reason why feed has stopped.
type progress uint8

const (
	needInput  progress = iota // it needs more input
	outputFull                 // its output must be taken first; at least one octet of input is unused
	invalid                    // the input is not valid DEFLATE
)

// reset starts a stream that may refer to hist, with a window of 1<<bits octets.
func (z *inflater) reset(hist []byte, bits uint8) {
	z.bits, z.n, z.skip = 0, 0, 0
	z.step, z.final = stepBlock, false
	z.to = copy(z.buf[:], hist)
	z.from, z.most = z.to, 1<<bits
}

// output returns the output since its last call. It is valid until the next feed.
func (z *inflater) output() []byte {
	b := z.buf[z.from:z.to]
	z.from = z.to
	return b
}

// history returns the octets to which the stream may refer from here on. It is valid until the next feed.
func (z *inflater) history() []byte { return z.buf[max(0, z.to-z.most):z.to] }

// atBoundary reports whether all blocks are complete and no bit of a next one was read.
func (z *inflater) atBoundary() bool { return z.step == stepBlock && z.n == 0 }

// tail is the part of an empty stored block that a sender removes from the end of each message (RFC 7692 s.7.2.1).
var tail = []byte{0x00, 0x00, 0xff, 0xff}

// end reports whether a message may end here: before the tail, or after a stream's last block. Output that was not taken
// remains.
func (z *inflater) end() bool {
	if z.final && z.atBoundary() {
		return true
	}
	if z.step != stepStored {
		return false
	}
	n, p := z.feed(tail)
	return n == len(tail) && p == needInput && z.atBoundary()
}

// feed reads input and returns the number of octets used. All output must have been taken, except in end.
func (z *inflater) feed(in []byte) (used int, p progress) {
	if z.from == z.to {
		if z.to > window {
			z.to = copy(z.buf[:], z.buf[z.to-window:z.to])
			z.from = z.to
		}
		z.stop = z.to + chunk
	}
	if z.skip > 0 && len(in) > 0 {
		z.bits, z.n = uint64(in[0])>>z.skip, 8-uint(z.skip)
		z.skip = 0
		used = 1
	}
	for again := true; again; {
		switch z.step {
		case stepSymbols:
			used, p, again = z.symbols(in, used)
		case stepStoredData:
			used, p, again = z.stored(in, used)
		default:
			used, p, again = z.head(in, used)
		}
	}
	if p == outputFull {
		// The bits that are left are from this call, since a whole chunk was written. Their octets count as unused, at
		// least one even if all its bits are used, so that the caller calls again with input.
		k := max(1, (z.n+7)/8)
		used -= int(k)
		z.skip = uint8(8*k - z.n)
		z.bits, z.n = 0, 0
	}
	return used, p
}

// need loads bits until at least n are valid, at most 56, and reports whether the input has enough.
func (z *inflater) need(n uint, in []byte, i int) (int, bool) {
	for z.n < n {
		if i == len(in) {
			return i, false
		}
		z.bits |= uint64(in[i]) << z.n
		z.n += 8
		i++
	}
	return i, true
}

// take uses n bits.
func (z *inflater) take(n uint) uint {
	v := uint(z.bits & (1<<n - 1))
	z.bits >>= n
	z.n -= n
	return v
}

// head reads the next part of a block's header (RFC 1951 s.3.2.3).
func (z *inflater) head(in []byte, i int) (_ int, p progress, again bool) {
	ok := false
	switch z.step {
	case stepBlock:
		if i, ok = z.need(3, in, i); !ok {
			return i, needInput, false
		}
		z.final = z.take(1) == 1
		switch z.take(2) {
		case 0:
			z.take(z.n & 7)
			z.step = stepStored
		case 1:
			z.lit, z.dist = fixedLit, fixedDist
			z.step = stepSymbols
		case 2:
			z.step = stepDynamic
		default:
			return i, invalid, false
		}
	case stepStored:
		if i, ok = z.need(32, in, i); !ok {
			return i, needInput, false
		}
		z.left = int(z.take(16))
		if int(z.take(16)) != z.left^0xffff {
			return i, invalid, false
		}
		z.step = stepStoredData
	case stepDynamic:
		if i, ok = z.need(14, in, i); !ok {
			return i, needInput, false
		}
		z.nlit, z.ndist, z.nlens = 257+int(z.take(5)), 1+int(z.take(5)), 4+int(z.take(4))
		if z.nlit > 286 || z.ndist > 30 {
			return i, invalid, false
		}
		clear(z.lens[:19])
		z.have, z.step = 0, stepLens
	case stepLens:
		for ; z.have < z.nlens; z.have++ {
			if i, ok = z.need(3, in, i); !ok {
				return i, needInput, false
			}
			z.lens[lensOrder[z.have]] = uint8(z.take(3))
		}
		if [19]uint8(z.lens[:19]) == [19]uint8{} || !buildTable(z.lensTable[:], lensRoot, z.lens[:19], lensEntry) {
			return i, invalid, false
		}
		z.have, z.step = 0, stepCodes
	case stepCodes:
		return z.codes(in, i)
	}
	return i, needInput, true
}

// lensOrder is the order of the lengths of the code length codes (RFC 1951 s.3.2.7).
var lensOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// codes reads the code lengths of a dynamic block (RFC 1951 s.3.2.7).
func (z *inflater) codes(in []byte, i int) (_ int, p progress, again bool) {
	for z.have < z.nlit+z.ndist {
		// A code has at most seven bits and seven extra bits. Missing input reads as zeros, which does not change the
		// lookup of a complete code.
		i, _ = z.need(14, in, i)
		e := z.lensTable[z.bits&(1<<lensRoot-1)]
		n := e.length()
		if n == 0 {
			if z.n == 0 {
				return i, needInput, false
			}
			return i, invalid, false
		}
		s := e.value()
		if s < 16 {
			if n > z.n {
				return i, needInput, false
			}
			z.take(n)
			z.lens[z.have] = uint8(s)
			z.have++
			continue
		}
		r := [3]struct{ extra, base uint }{{2, 3}, {3, 3}, {7, 11}}[s-16]
		if n+r.extra > z.n {
			return i, needInput, false
		}
		z.take(n)
		times := int(r.base + z.take(r.extra))
		var fill uint8
		if s == 16 {
			if z.have == 0 {
				return i, invalid, false
			}
			fill = z.lens[z.have-1]
		}
		if z.have+times > z.nlit+z.ndist {
			return i, invalid, false
		}
		for range times {
			z.lens[z.have] = fill
			z.have++
		}
	}
	// A block without a code for its end is invalid.
	if z.lens[256] == 0 ||
		!buildTable(z.litTable[:], litRoot, z.lens[:z.nlit], litEntry) ||
		!buildTable(z.distTable[:], distRoot, z.lens[z.nlit:z.nlit+z.ndist], distEntry) {
		return i, invalid, false
	}
	z.lit, z.dist = z.litTable[:], z.distTable[:]
	z.step = stepSymbols
	return i, needInput, true
}

// endBlock prepares for the next block. After the last block of a stream a new stream begins at an octet boundary.
func (z *inflater) endBlock() {
	z.step = stepBlock
	if z.final {
		z.take(z.n & 7)
	}
}

// stored copies the octets of a stored block.
func (z *inflater) stored(in []byte, i int) (_ int, p progress, again bool) {
	for z.n > 0 && z.left > 0 && z.to < z.stop {
		z.buf[z.to] = byte(z.take(8))
		z.to++
		z.left--
	}
	n := copy(z.buf[z.to:z.stop], in[i:min(len(in), i+z.left)])
	z.to += n
	z.left -= n
	i += n
	switch {
	case z.left == 0:
		z.endBlock()
		return i, needInput, true
	case z.to == z.stop:
		return i, outputFull, false
	}
	return i, needInput, false
}

// symbols reads literals and references (RFC 1951 s.3.2.5) until the block ends. It is the hot loop, and keeps its state in
// local variables.
func (z *inflater) symbols(in []byte, i int) (_ int, p progress, again bool) {
	const roots = 1<<litRoot - 1
	lit, dist := z.lit[:litSize], z.dist[:distSize]
	bits, n, to := z.bits, z.n, z.to
	for {
		if to > z.stop-match {
			p = outputFull
			break
		}
		// A reference has at most 15+5+15+13 = 48 bits. While the input has eight octets one load suffices; near its
		// end the bits are counted.
		if len(in)-i >= 8 {
			bits |= binary.LittleEndian.Uint64(in[i:]) << n
			i += int(63-n) >> 3
			n |= 56
		} else {
			for n < 56 && i < len(in) {
				bits |= uint64(in[i]) << n
				n += 8
				i++
			}
		}
		e := lit[bits&roots]
		if e&entryPart != 0 {
			e = lit[uint64(e.value())+bits>>litRoot&(1<<e.extra()-1)]
		}
		used := e.length()
		if used > n || used == 0 && n == 0 {
			break
		}
		if e&entryLiteral != 0 {
			z.buf[to] = byte(e >> 8)
			to++
			bits >>= used
			n -= used
			// Literals come in runs, and the loaded bits suffice for several.
			for n >= 15 {
				e = lit[bits&roots]
				if e&entryLiteral == 0 || to > z.stop-match {
					break
				}
				z.buf[to] = byte(e >> 8)
				to++
				bits >>= e.length()
				n -= e.length()
			}
			continue
		}
		if e&entryEnd != 0 {
			z.bits, z.n, z.to = bits>>used, n-used, to
			z.mask()
			z.endBlock()
			return i, needInput, true
		}
		if used == 0 {
			p = invalid
			break
		}
		length := int(e.value()) + int(bits>>used&(1<<e.extra()-1))
		used += e.extra()
		d := dist[bits>>used&(1<<distRoot-1)]
		if d&entryPart != 0 {
			d = dist[uint64(d.value())+bits>>(used+distRoot)&(1<<d.extra()-1)]
		}
		if d.length() == 0 {
			if used < n {
				p = invalid
			}
			break
		}
		used += d.length()
		back := int(d.value()) + int(bits>>used&(1<<d.extra()-1))
		if used += d.extra(); used > n {
			break
		}
		if back > to || back > z.most {
			p = invalid
			break
		}
		bits >>= used
		n -= used
		end := to + length
		for from := to - back; to < end; {
			to += copy(z.buf[to:end], z.buf[from:to])
		}
	}
	z.bits, z.n, z.to = bits, n, to
	z.mask()
	return i, p, false
}

// mask clears the invalid bits, which the fast load leaves from unused octets.
func (z *inflater) mask() { z.bits &= 1<<z.n - 1 }
