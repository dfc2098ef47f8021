package policy

import (
	"slices"
	"unicode/utf8"
)

// maxSteps is more than the six steps to the deepest value the checker looks at, a metadata item:
// s, element, stream type, metadata, element, item.
const maxSteps = 8

// position is the place of a value, as the ordinals of the members and elements that lead to it. fastjson
// has no positions; counting while walking costs almost nothing, and unlike a path of names it tells
// two members of the same name apart. Offsets are looked up only when there is something to report.
type position struct {
	n    int
	nth  [maxSteps]int
	name bool // the key is meant, not the value
}

// compare orders positions as in the text.
func (a position) compare(b position) int {
	for i := range min(a.n, b.n) {
		if d := a.nth[i] - b.nth[i]; d != 0 {
			return d
		}
	}
	return a.n - b.n
}

// findAll returns the offset of the value or key at each of positions in the text that s has scanned. It passes
// over the text once, however many there are: siblings are found from the one before, not from the first.
func (s *scanner) findAll(positions []position) []int {
	order := make([]int, len(positions))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return positions[a].compare(positions[b]) })
	// way is where the position before was found: the node at each of its steps, and which child that is of
	// the one above.
	var way [maxSteps]struct{ parent, nth, node int }
	for i := range way {
		way[i].parent = -1
	}
	found := make([]int, len(positions))
	for _, i := range order {
		sp := &positions[i]
		at := 0
		for step, nth := range sp.nth[:sp.n] {
			w := &way[step]
			if w.parent != at || w.nth > nth {
				w.parent, w.nth, w.node = at, 0, at+1
			}
			end := s.nodes[at].end
			for w.nth < nth && w.node < int(end) {
				w.node = int(s.nodes[w.node].end)
				w.nth++
				s.steps++
			}
			if w.node >= int(end) {
				break // a place inside a value that has no such child: the value itself will do
			}
			at = w.node
		}
		found[i] = int(s.nodes[at].value)
		if sp.name {
			found[i] = int(s.nodes[at].key)
		}
	}
	return found
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
