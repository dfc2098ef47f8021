package ws

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// texts are hard cases for UTF-8 decoders, after Markus Kuhn's list, with the offset of the first octet that is invalid; -1
// for valid text, and the length for text that ends inside a character.
var texts = []struct {
	name, s string
	bad     int
}{
	{"empty", "", -1},
	{"ASCII", "hello $ world", -1},
	{"two octets", "hello\xc2\xa2world", -1},
	{"three octets", "hello\xe2\x82\xacworld", -1},
	{"four octets", "hello\xf0\xa4\xad\xa2world", -1},
	{"kosme", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", -1},
	{"first of one", "\x00", -1},
	{"first of two", "\xc2\x80", -1},
	{"first of three", "\xe0\xa0\x80", -1},
	{"first of four", "\xf0\x90\x80\x80", -1},
	{"last of one", "\x7f", -1},
	{"last of two", "\xdf\xbf", -1},
	{"last of three", "\xef\xbf\xbf", -1},
	{"last of four", "\xf4\x8f\xbf\xbf", -1},
	{"below the surrogates", "\xed\x9f\xbf", -1},
	{"above the surrogates", "\xee\x80\x80", -1},
	{"replacement character", "\xef\xbf\xbd", -1},
	{"no character FFFE", "\xef\xbf\xbe", -1},
	{"no character 1FFFF", "\xf0\x9f\xbf\xbf", -1},
	{"specials", "\xef\xbf\xb9\xef\xbf\xba\xef\xbf\xbb", -1},

	{"above 10FFFF", "edited\xf4\x90\x80\x80edited", 7},
	{"kosme and above 10FFFF", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited", 12},
	{"kosme and a surrogate", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", 12},
	{"five octets", "\xf8\x88\x80\x80\x80", 0},
	{"six octets", "\xfc\x84\x80\x80\x80\x80", 0},
	{"F5", "abcdefgh\xf5", 8},
	{"F7", "\xf7\xbf\xbf\xbf", 0},
	{"lonely continuation 80", "\x80", 0},
	{"lonely continuation BF", "\xbf", 0},
	{"lonely continuations", "a\x80\xbf\x80", 1},
	{"lonely start C2", "\xc2 \xc3 ", 1},
	{"lonely start E1", "\xe1 ", 1},
	{"lonely start F1", "\xf1 ", 1},
	{"last continuation missing of three", "\xef\xbf a", 2},
	{"last continuation missing of four", "\xf1\x80\x80 a", 3},
	{"FE", "\xfe", 0},
	{"FF", "12345678\xff", 8},
	{"overlong slash in two", "\xc0\xaf", 0},
	{"overlong slash in three", "\xe0\x80\xaf", 1},
	{"overlong slash in four", "\xf0\x80\x80\xaf", 1},
	{"overlong most in two", "\xc1\xbf", 0},
	{"overlong most in three", "\xe0\x9f\xbf", 1},
	{"overlong most in four", "\xf0\x8f\xbf\xbf", 1},
	{"overlong NUL", "\xc0\x80", 0},
	{"surrogate D800", "\xed\xa0\x80", 1},
	{"surrogate DFFF", "\xed\xbf\xbf", 1},
	{"paired surrogates", "\xed\xa0\x80\xed\xb0\x80", 1},

	{"ends in two", "abc\xc3", 4},
	{"ends in three", "abc\xe2\x82", 5},
	{"ends in four", "abc\xf0\xa4\xad", 6},
	{"ends behind a start of four", "\xf4", 1},
}

func TestText(t *testing.T) {
	for _, r := range texts {
		want, whole := r.bad, false
		if r.bad < 0 {
			want, whole = len(r.s), true
		}
		for cut := 0; cut <= len(r.s); cut++ {
			var x text
			n := x.check([]byte(r.s[:cut]))
			if n == cut {
				n += x.check([]byte(r.s[cut:]))
			}
			if n != want || n == len(r.s) && x.complete() != whole {
				t.Errorf("%s, cut at %d: %d good of %d, whole %v; want %d, %v", r.name, cut, n, len(r.s), x.complete(), want, whole)
			}
		}
		if utf8.ValidString(r.s) != (r.bad < 0) {
			t.Errorf("%s: the table says %d, unicode/utf8 otherwise", r.name, r.bad)
		}
	}
}

// firstBad returns the length of the longest prefix of valid text, in a simple way.
func firstBad(s string) int {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r != utf8.RuneError || n != 1 {
			i += n
			continue
		}
		for k := min(4, len(s)-i); k > 0; k-- {
			for fill := range 3 {
				try := s[i:i+k] + []string{"\x80\x80\x80", "\xa0\x80\x80", "\x90\x80\x80"}[fill]
				if r, n := utf8.DecodeRuneInString(try); (r != utf8.RuneError || n > 1) && n > k {
					return i + k
				}
			}
		}
		return i
	}
	return len(s)
}

func FuzzText(f *testing.F) {
	for _, r := range texts {
		f.Add(r.s, uint64(1))
	}
	f.Fuzz(func(t *testing.T, s string, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		var x text
		good := 0
		for rest := s; len(rest) > 0; {
			n := 1 + r.IntN(len(rest))
			k := x.check([]byte(rest[:n]))
			if good += k; k < n {
				break
			}
			rest = rest[n:]
		}
		if want := firstBad(s); good != want {
			t.Fatalf("%q: %d octets are good, want %d", s, good, want)
		}
		if valid := good == len(s) && x.complete(); valid != utf8.ValidString(s) {
			t.Fatalf("%q: valid %v, unicode/utf8 says %v", s, valid, !valid)
		}
	})
}

func BenchmarkText(b *testing.B) {
	for _, r := range []struct{ name, s string }{
		{"ASCII", strings.Repeat("The quick brown fox. ", 800)},
		{"German", strings.Repeat("Zwölf Boxkämpfer jagen Viktor. ", 500)},
		{"Greek", strings.Repeat("Ξεσκεπάζω την ψυχοφθόρα. ", 400)},
		{"Japanese", strings.Repeat("いろはにほへとちりぬるを", 450)},
	} {
		for _, n := range []int{64, 16 << 10} {
			p := []byte(r.s)[:n]
			b.Run(fmt.Sprintf("%s/%d", r.name, n), func(b *testing.B) {
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					var x text
					x.check(p)
				}
			})
		}
	}
}
