package ws

import "math/bits"

// A decoding table is indexed with the next bits of the stream, the first of them lowest. Its first part is indexed with
// rootBits bits. Parts for longer codes follow; entries of the first part point to them. An entry is
//
//	bits 0-3    length of the code, 0 for none; in a pointer, rootBits
//	bits 4-7    number of extra bits after the code; in a pointer, number of bits that index its part
//	bits 8-23   value of the symbol, to which the extra bits are added; in a pointer, start of its part
//	bits 24-26  type of the symbol
type entry uint32

const (
	entryLiteral entry = 1 << (24 + iota)
	entryEnd           // end of block
	entryPart          // a pointer
)

func (e entry) length() uint  { return uint(e & 15) }
func (e entry) extra() uint   { return uint(e >> 4 & 15) }
func (e entry) value() uint32 { return uint32(e>>8) & 0xffff }

// The numbers of bits that index the first parts, and the largest sizes of the tables for them, as zlib's program enough.c
// computes them.
const (
	litRoot, litSize   = 9, 852
	distRoot, distSize = 6, 592
	lensRoot, lensSize = 7, 128
)

// litEntry, distEntry and lensEntry return the entry of a symbol without its code length (RFC 1951 s.3.2.5).
func litEntry(s int) entry {
	switch {
	case s < 256:
		return entryLiteral | entry(s)<<8
	case s == 256:
		return entryEnd
	case s < 265:
		return entry(s-257+3) << 8
	case s < 285:
		extra := uint(s-261) / 4
		return entry((s-261)&3<<extra+1<<(extra+2)+3)<<8 | entry(extra)<<4
	case s == 285:
		return entry(258) << 8
	}
	return 0
}

func distEntry(s int) entry {
	switch {
	case s < 4:
		return entry(s+1) << 8
	case s < 30:
		extra := uint(s-2) / 2
		return entry((s&1)<<extra+1<<(extra+1)+1)<<8 | entry(extra)<<4
	}
	return 0
}

func lensEntry(s int) entry { return entryLiteral | entry(s)<<8 }

// buildTable fills t for the codes whose lengths are given, 0 for symbols without one (RFC 1951 s.3.2.2).
// It reports whether the lengths are a complete prefix code. The code of a block with one distance, or without any, may be
// incomplete.
func buildTable(t []entry, root uint, lens []uint8, symbol func(int) entry) bool {
	var count [16]int
	for _, n := range lens {
		count[n]++
	}
	count[0] = 0
	var next [17]uint
	longest := 0
	for n := 1; n < 16; n++ {
		next[n+1] = (next[n] + uint(count[n])) << 1
		if next[n]+uint(count[n]) > 1<<n {
			return false
		}
		if count[n] > 0 {
			longest = n
		}
	}
	if longest > 0 && next[longest]+uint(count[longest]) != 1<<longest && !(longest == 1 && count[1] == 1) {
		return false
	}
	clear(t[:1<<root])
	end := uint(1) << root
	// For each index of the first part: the number of bits that index the part for longer codes, 0 if there is none.
	var parts [1 << litRoot]uint8
	if uint(longest) > root {
		after := next
		for _, n := range lens {
			if n == 0 {
				continue
			}
			code := after[n]
			after[n]++
			if uint(n) > root {
				p := bits.Reverse16(uint16(code)<<(16-n)) & (1<<root - 1)
				parts[p] = max(parts[p], n-uint8(root))
			}
		}
	}
	for s, n := range lens {
		if n == 0 {
			continue
		}
		code := uint(bits.Reverse16(uint16(next[n]) << (16 - n)))
		next[n]++
		e := symbol(s)
		if e != 0 {
			e |= entry(n)
		}
		if uint(n) <= root {
			for i := code; i < 1<<root; i += 1 << n {
				t[i] = e
			}
			continue
		}
		p := code & (1<<root - 1)
		if t[p] == 0 {
			if end+1<<parts[p] > uint(len(t)) {
				return false
			}
			t[p] = entryPart | entry(end)<<8 | entry(parts[p])<<4 | entry(root)
			clear(t[end : end+1<<parts[p]])
			end += 1 << parts[p]
		}
		for i := code >> root; i < 1<<parts[p]; i += 1 << (uint(n) - root) {
			t[uint(t[p].value())+i] = e
		}
	}
	return true
}

// The fixed codes (RFC 1951 s.3.2.6).
var fixedLit, fixedDist = func() (lit, dist []entry) {
	var lens [288]uint8
	for s := range lens {
		switch {
		case s < 144:
			lens[s] = 8
		case s < 256:
			lens[s] = 9
		case s < 280:
			lens[s] = 7
		default:
			lens[s] = 8
		}
	}
	lit, dist = make([]entry, litSize), make([]entry, distSize)
	buildTable(lit, litRoot, lens[:], litEntry)
	for s := range 32 {
		lens[s] = 5
	}
	buildTable(dist, distRoot, lens[:32], distEntry)
	return lit, dist
}()
