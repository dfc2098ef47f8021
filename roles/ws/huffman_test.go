package ws

import (
	"math/rand/v2"
	"testing"
)

func TestBuildTable(t *testing.T) {
	long := make([]uint8, 286) // lengths 1, 2, 3 and so on: a code with parts of parts
	for i := range 15 {
		long[i] = uint8(i + 1)
	}
	long[15] = 15
	for _, r := range []struct {
		name string
		lens []uint8
		want bool
	}{
		{"no code", []uint8{0, 0}, true},
		{"a single one", []uint8{0, 1}, true},
		{"a single one of two bits", []uint8{0, 2}, false},
		{"two", []uint8{1, 1}, true},
		{"three of one bit", []uint8{1, 1, 1}, false},
		{"one is missing", []uint8{1, 2}, false},
		{"one too many", []uint8{1, 2, 2, 3}, false},
		{"four", []uint8{2, 1, 3, 3}, true},
		{"the longest", long, true},
		{"the longest, and one is missing", long[:15], false},
	} {
		var tab [litSize]entry
		if got := buildTable(tab[:], litRoot, r.lens, litEntry); got != r.want {
			t.Errorf("%s: %v, want %v", r.name, got, r.want)
		}
	}
}

// TestTableFinds checks that each code is decoded to its symbol, with any bits after it.
func TestTableFinds(t *testing.T) {
	for _, l := range [][]uint8{{2, 1, 3, 3}, skewed(286), skewed(30)} {
		var tab [litSize]entry
		if !buildTable(tab[:], litRoot, l, litEntry) {
			t.Fatalf("buildTable rejects the complete code %v", l)
		}
		next, code := [17]uint{}, uint(0)
		var count [16]uint
		for _, n := range l {
			count[n]++
		}
		count[0] = 0
		for n := 1; n < 16; n++ {
			code = (code + count[n-1]) << 1
			next[n] = code
		}
		for s, n := range l {
			if n == 0 {
				continue
			}
			c := next[n]
			next[n]++
			for behind := range uint(4) {
				bits := uint(0) // first bit of the code lowest
				for i := range uint(n) {
					bits |= c >> (uint(n) - 1 - i) & 1 << i
				}
				bits |= behind << n
				e := tab[bits&(1<<litRoot-1)]
				if e&entryPart != 0 {
					e = tab[uint(e.value())+bits>>litRoot&(1<<e.extra()-1)]
				}
				if e.length() != uint(n) || e&^15 != litEntry(s) {
					t.Fatalf("symbol %d of %d bits: found %08x, want %08x", s, n, e, litEntry(s))
				}
			}
		}
	}
}

// skewed returns the code lengths of a complete code for n symbols: a code of length 0, split until there are n, later ones
// more often.
func skewed(n int) []uint8 {
	r := rand.New(rand.NewPCG(3, 3))
	lens := []uint8{0}
	for len(lens) < n {
		i := len(lens) - 1 - min(r.IntN(len(lens)), r.IntN(len(lens)))
		if lens[i] < 15 {
			lens[i]++
			lens = append(lens, lens[i])
		}
	}
	return lens
}
