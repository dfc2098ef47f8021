package ws

import "encoding/binary"

// text checks that a message is UTF-8 (RFC 3629), in any pieces. The zero value is before a character.
//
// It is an automaton. A state is a number of bits, so that a shift by it finds the next state in the word of an octet: no
// branch depends on the text.
type text uint8

const (
	textFirst text = iota * 6 // the first octet of a character
	textBad                   // nothing: the text is not UTF-8
	textOne                   // the last continuation octet
	textTwo                   // the last but one
	textThree                 // the last but two
	textE0                    // the second octet of three: A0 to BF; others are overlong
	textED                    // the second octet of three: 80 to 9F; others are surrogates
	textF0                    // the second octet of four: 90 to BF; others are overlong
	textF4                    // the second octet of four: 80 to 8F; others are beyond U+10FFFF
)

// complete reports whether the last character is complete.
func (t text) complete() bool { return t == textFirst }

// check reads the next piece and returns the length of its valid part: len(b), or the offset of the first octet that
// valid text cannot have there.
func (t *text) check(b []byte) (good int) {
	const high = 0x8080808080808080
	i, s := 0, uint64(*t)
	for len(b)-i >= 16 {
		p := b[i : i+16 : i+16]
		if s == uint64(textFirst) && (binary.LittleEndian.Uint64(p)|binary.LittleEndian.Uint64(p[8:]))&high == 0 {
			i += 16
			continue
		}
		n := s
		for _, c := range p {
			n = textNext[c] >> (n & 63)
		}
		if n &= 63; n == uint64(textBad) {
			break
		}
		s = n
		i += 16
	}
	for ; i < len(b); i++ {
		if s = textNext[b[i]] >> (s & 63) & 63; s == uint64(textBad) {
			break
		}
	}
	*t = text(s)
	return i
}

// textNext holds, for each octet, the next state of each state: six bits at the bit position that is the number of the
// state.
var textNext = func() (t [256]uint64) {
	row := func(from, to byte, state, next text) {
		for c := int(from); c <= int(to); c++ {
			t[c] = t[c]&^(63<<state) | uint64(next)<<state
		}
	}
	for s := textFirst; s <= textF4; s += 6 {
		row(0x00, 0xff, s, textBad)
	}
	row(0x00, 0x7f, textFirst, textFirst)
	row(0xc2, 0xdf, textFirst, textOne)
	row(0xe0, 0xe0, textFirst, textE0)
	row(0xe1, 0xef, textFirst, textTwo)
	row(0xed, 0xed, textFirst, textED)
	row(0xf0, 0xf0, textFirst, textF0)
	row(0xf1, 0xf3, textFirst, textThree)
	row(0xf4, 0xf4, textFirst, textF4)
	row(0x80, 0xbf, textOne, textFirst)
	row(0x80, 0xbf, textTwo, textOne)
	row(0x80, 0xbf, textThree, textTwo)
	row(0xa0, 0xbf, textE0, textOne)
	row(0x80, 0x9f, textED, textOne)
	row(0x90, 0xbf, textF0, textTwo)
	row(0x80, 0x8f, textF4, textTwo)
	return t
}()
