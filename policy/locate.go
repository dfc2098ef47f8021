package policy

import (
	"slices"
	"unicode/utf8"
)

// maxSteps is more than the six steps to the deepest value the checker looks at, a metadata item:
// s, element, stream type, metadata, element, item.
const maxSteps = 8

// spot is where a value stands, as the ordinals of the members and elements that lead to it. fastjson
// keeps no positions; counting while walking costs next to nothing, and unlike a path of names it tells
// two members of the same name apart. Offsets are looked up only when there is something to report.
type spot struct {
	n    int
	nth  [maxSteps]int
	name bool // the key is meant, not the value
}

// find returns the offset of the value or key at sp in the text that s has scanned.
func (s *scanner) find(sp spot) int {
	at := 0
	for _, nth := range sp.nth[:sp.n] {
		child := at + 1
		for ; nth > 0 && child < s.nodes[at].end; nth-- {
			child = s.nodes[child].end
		}
		if child >= s.nodes[at].end {
			break // a place inside a value that has no such child: the value itself will do
		}
		at = child
	}
	if sp.name {
		return s.nodes[at].key
	}
	return s.nodes[at].value
}

// places turns offsets into places, in one pass over the text however many there are and in whatever order.
func places(doc []byte, offsets []int) []Place {
	order := make([]int, len(offsets))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return offsets[a] - offsets[b] })
	found := make([]Place, len(offsets))
	at, here := 0, Place{1, 1}
	for _, i := range order {
		for at < offsets[i] {
			_, n := utf8.DecodeRune(doc[at:])
			if c := doc[at]; c == '\n' || c == '\r' && (at+1 == len(doc) || doc[at+1] != '\n') {
				here = Place{here.Line + 1, 0}
			}
			at += n
			here.Col++
		}
		found[i] = here
	}
	return found
}
