package http

import (
	"math"
	"testing"
)

func TestLegality(t *testing.T) {
	for _, c := range []struct {
		what string
		f    func([]byte) bool
		yes  []string
		no   []string
	}{
		{"name", ValidName,
			[]string{"Host", "x", "!#$%&'*+-.^_`|~09azAZ"},
			[]string{"", "a b", "a:", "a\t", "a\x00", "a\x7f", "\xfcber", "a(b)", "a@b", "a/b", "a,b"}},
		{"value", ValidValue,
			[]string{"", "a", "a b\tc", "\xfc\xff", "!~"},
			[]string{" a", "a ", "\ta", "a\t", " ", "a\rb", "a\nb", "a\x00b", "a\x7fb", "a\x1bb"}},
		{"target", ValidTarget,
			[]string{"/", "/a?b=c&d=%20", "*", "http://x/y", `/{"|"}^`, "?"},
			[]string{"", "/a b", "/a#b", "/\xc3\xa4", "/\x7f", "/\t", "/\r\n"}},
		{"path and query", ValidPathQuery,
			[]string{"", "/", "/a?b=c&d=%20%fF", "?", "/-._~!$&'()*+,;=:@/??", "//", "/?a[]=b", "/a?b[c][0]=d&e=%5B", "?[", "?]?["},
			[]string{"/a b", "/a#b", "/\xc3\xa4", "/\x7f", "/\t", `/a"b`, `/a\b`, "/a|b", "/a<b", "/a>b", "/a^b", "/a`b",
				"/{a", "/a}", "/[a", "/a]", "/a[?b", "/a]?b=[]", "/?{", `/?a["]`, `/?[\]`, "/%", "/%2", "/%zz", "/%2g", "/%%20", "/a?%"}},
		{"authority", ValidAuthority,
			[]string{"", "x", "example.com", "example.com:80", "example.com:", "1.2.3.4:65535", "[::1]", "[::1]:8080",
				"[::ffff:1.2.3.4]", "[v1.fe80]", "a_b", "a%20b", "xn--bcher-kva.example"},
			[]string{":80", "a b", "a/b", "a@b", "a:b", "a:65536", "a:-1", "a:80:81", "[::1", "[]", "[:]x", "[::1]x", "[::g]",
				"a%2", "a%zz", "a\\b", "a?b", "a#b", "\xfc", "a:+80", "a:8 0", "a:99999999999999999999"}},
		{"authority of a Unix socket", ValidUnixAuthority,
			[]string{"+@name", "+@a.b/c:80", "+/var/run/sock", "+x"},
			[]string{"", "+", "@name", "/var/run/sock", "x", "+a b", "+a#b", "+\xfc", "+\x00", "+a\t"}},
	} {
		for _, s := range c.yes {
			if !c.f([]byte(s)) {
				t.Errorf("%s %q: got refused, want accepted", c.what, s)
			}
		}
		for _, s := range c.no {
			if c.f([]byte(s)) {
				t.Errorf("%s %q: got accepted, want refused", c.what, s)
			}
		}
	}
}

func TestTrimOWS(t *testing.T) {
	for in, want := range map[string]string{"": "", " ": "", "\t a b \t": "a b", "a": "a", "\ra": "\ra"} {
		if got := string(TrimOWS([]byte(in))); got != want {
			t.Errorf("TrimOWS(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestEqualFold(t *testing.T) {
	for _, c := range []struct {
		b, lower string
		want     bool
	}{
		{"close", "close", true}, {"CLOSE", "close", true}, {"closE", "close", true}, {"clos", "close", false},
		{"\x43lose", "close", true}, {"\x03lose", "close", false}, {"@", "`", false}, {"[", "{", false}, {"\r", "-", false},
	} {
		if got := EqualFold([]byte(c.b), c.lower); got != c.want {
			t.Errorf("EqualFold(%q, %q) = %v, want %v", c.b, c.lower, got, c.want)
		}
	}
}

func TestNextItem(t *testing.T) {
	for in, want := range map[string]string{
		"": "", ",": "", " , ,": "", "a": "a|", "a,b": "a|b|", " a ,\tb b,,c, ": "a|b b|c|",
	} {
		got := ""
		for item, rest, ok := NextItem([]byte(in)); ok; item, rest, ok = NextItem(rest) {
			got += string(item) + "|"
		}
		if got != want {
			t.Errorf("items of %q: got %q, want %q", in, got, want)
		}
	}
}

func TestParseLength(t *testing.T) {
	for _, c := range []struct {
		in             string
		want, repeated int64
	}{
		{"0", 0, 0}, {"5", 5, 5}, {"007", 7, 7}, {"9223372036854775799", 9223372036854775799, 9223372036854775799},
		{"9223372036854775807", math.MaxInt64, math.MaxInt64}, {"9223372036854775808", -1, -1}, {"99999999999999999999999", -1, -1},
		{"", -1, -1}, {"+5", -1, -1}, {"-5", -1, -1}, {"0x5", -1, -1}, {"5.0", -1, -1}, {"\xb2", -1, -1}, {"5 5", -1, -1},
		{"5,5", -1, 5}, {"5, 5", -1, 5}, {"5 ,\t5,5", -1, 5}, {"5,", -1, 5}, {"05, 5", -1, 5},
		{"5, 6", -1, -1}, {"5, x", -1, -1}, {"x, 5", -1, -1}, {"5, -5", -1, -1}, {",", -1, -1}, {"5, 9223372036854775808", -1, -1},
	} {
		if got := ParseLength([]byte(c.in), false); got != c.want {
			t.Errorf("ParseLength(%q, false) = %d, want %d", c.in, got, c.want)
		}
		if got := ParseLength([]byte(c.in), true); got != c.repeated {
			t.Errorf("ParseLength(%q, true) = %d, want %d", c.in, got, c.repeated)
		}
	}
}

// TestScanTargetPlainIsValidPathQuery: ValidPathQuery accepts each target for which ScanTarget reports plain.
func TestScanTargetPlainIsValidPathQuery(t *testing.T) {
	for c := range 256 {
		b := []byte{'/', byte(c), 'x'}
		n, plain := ScanTarget(b)
		if want := TargetLen(b); n != want {
			t.Errorf("ScanTarget(%q): %d octets, want TargetLen's %d", b, n, want)
		}
		valid := ValidPathQuery(b[:n])
		if plain && !valid {
			t.Errorf("ScanTarget(%q): plain, but ValidPathQuery refuses %q", b, b[:n])
		}
		if !plain && valid {
			t.Errorf("ScanTarget(%q): not plain, but ValidPathQuery accepts %q without a \"%%\" in it", b, b[:n])
		}
	}
}
