package roles_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/millrace/millrace/roles"
)

func TestTextOfPeersIsEscaped(t *testing.T) {
	for _, c := range []struct{ in, plain string }{
		{"", ""},
		{`a "harmless" sentence with \ and ü and 日本`, `a "harmless" sentence with \ and ü and 日本`},
		{"\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
		{"two\nlines\r\n\tand\x00nul", `two\nlines\r\n\tand\x00nul`},
		{"\x7f\u0080\u009b31m", `\x7f\u0080\u009b31m`},
		{"\xff\xc3(", `\xff\xc3(`},
		{"gpj.\u202eexe\u2066\u200f\ufeff", `gpj.\u202eexe\u2066\u200f\ufeff`},
		{"\xef", `\xef`},
		{"\ufffd is printable", "\ufffd is printable"},
		{"\u2028\u00a0", `\u2028\u00a0`},
	} {
		if got := roles.Plain(c.in); got != c.plain {
			t.Errorf("Plain(%+q): got %s, want %s", c.in, got, c.plain)
		}
	}
	if got, want := roles.Quote("a\"\x1b"), `"a\"\x1b"`; got != want {
		t.Errorf("Quote: got %s, want %s", got, want)
	}
}

func TestTextOfPeersIsShortened(t *testing.T) {
	long := strings.Repeat("ü", 5000)
	for _, c := range []struct {
		name string
		got  string
		most int
		end  string
	}{
		{"Quote", roles.Quote(long), 300, "more bytes)"},
		{"Plain", roles.Plain(long), 4200, "more bytes)"},
		{"Quote of continuation bytes", roles.Quote(strings.Repeat("\x80", 1000)), 4*256 + 40, "more bytes)"},
	} {
		if len(c.got) > c.most || !strings.HasSuffix(c.got, c.end) || !utf8.ValidString(c.got) {
			t.Errorf("%s: got %d bytes that end with %.40q, want at most %d that end with %q", c.name, len(c.got), c.got[max(0, len(c.got)-40):], c.most, c.end)
		}
	}
}

func FuzzPlain(f *testing.F) {
	f.Add("\x1b[2J\u202e\xf0\x9f")
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{roles.Plain(s), roles.Quote(s)} {
			for i, r := range got {
				if !unicode.IsPrint(r) || r == utf8.RuneError && !strings.ContainsRune(s, r) {
					t.Fatalf("%+q: %+q at %d does not print", s, r, i)
				}
			}
		}
	})
}
