package rolestest

import (
	"math/rand/v2"
	"testing"
)

// Splits calls f once for each way to split b: whole, byte by byte, and random times in random pieces. feed passes the
// pieces of b to its argument; how names the way, for failure messages.
func Splits(t *testing.T, b []byte, random int, f func(how string, feed func(func([]byte)))) {
	t.Helper()
	f("whole", func(g func([]byte)) { g(b) })
	f("byte by byte", func(g func([]byte)) {
		for i := range b {
			g(b[i : i+1])
		}
	})
	for seed := range random {
		f("random pieces, seed "+itoa(seed), func(g func([]byte)) {
			Pieces(uint64(seed), b, g)
		})
	}
}

// Pieces passes b to g in pieces of 1 to 16 bytes, sometimes 64 times as many. The seed determines the lengths.
func Pieces(seed uint64, b []byte, g func([]byte)) {
	r := rand.New(rand.NewPCG(seed, 0x6d696c6c72616365))
	for len(b) > 0 {
		n := 1 + r.IntN(16)
		if r.IntN(8) == 0 {
			n *= 64
		}
		n = min(n, len(b))
		g(b[:n])
		b = b[n:]
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}
