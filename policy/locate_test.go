package policy

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// checkPositions fails the test when an error of Parse names a place that the document does not have.
func checkPositions(t *testing.T, doc []byte, err error) {
	t.Helper()
	var e *Errors
	if !errors.As(err, &e) || len(e.Problems) == 0 {
		t.Fatalf("error %v is no *Errors with problems in it", err)
	}
	text := bytes.ReplaceAll(doc, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	lines := bytes.Split(text, []byte("\n"))
	inside := func(line, col int) bool {
		return line >= 1 && line <= len(lines) && col >= 1 && col <= utf8.RuneCount(lines[line-1])+2
	}
	for _, p := range e.Problems {
		if !inside(p.Line, p.Col) || p.First != (Place{}) && !inside(p.First.Line, p.First.Col) {
			t.Errorf("problem %q is outside its document %.300q", p, doc)
		}
	}
}

// TestPlaces: lines end with LF, CRLF or CR, and columns count characters.
func TestPlaces(t *testing.T) {
	for _, tt := range []struct {
		name, doc string // the place asked for is that of the first '@'
		want      Place
	}{
		{"first byte", "@", Place{1, 1}},
		{"LF", "ab\nc@", Place{2, 2}},
		{"CRLF", "ab\r\nc@", Place{2, 2}},
		{"CR", "ab\rc@", Place{2, 2}},
		{"CRLF twice", "\r\n\r\n@", Place{3, 1}},
		{"LF CR", "\n\r@", Place{3, 1}},
		{"tab", "\t\t@", Place{1, 3}},
		{"two bytes", "\u00e9@", Place{1, 2}},
		{"four bytes", "a\U0001F600b@", Place{1, 4}},
		{"not UTF-8", "\xff\xff@", Place{1, 3}},
	} {
		got := places([]byte(tt.doc), []int{strings.IndexByte(tt.doc, '@')})[0]
		if got != tt.want {
			t.Errorf("%s: place in %q: got %v, want %v", tt.name, tt.doc, got, tt.want)
		}
	}
	got := places([]byte("a\nb\nc"), []int{4, 0, 2, 0, 5})
	want := []Place{{3, 1}, {1, 1}, {2, 1}, {1, 1}, {3, 2}}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("places out of order: got %v, want %v", got, want)
			break
		}
	}
}

// TestProblemPlaces: the same mistake is found at the same place however lines end.
func TestProblemPlaces(t *testing.T) {
	doc := "{\n\t\"s\": [\n\t\t{ \"gr\u00fc\u00dfe\": {\n\t\t\t\"payload_fmt\": \"\U0001F600\", \"prot\": \"h1\",\n\t\t\t\"port\":\t70000 } }\n\t]\n}\n"
	want := "policy: parse: 4:24: s[0][\"gr\u00fc\u00dfe\"].prot: unknown key \"prot\": did you mean \"protocol\"?\n" +
		"policy: parse: 5:12: s[0][\"gr\u00fc\u00dfe\"].port: wants a whole number from 0 to 65535, got 70000"
	for _, end := range []string{"\n", "\r\n", "\r"} {
		_, err := Parse([]byte(strings.ReplaceAll(doc, "\n", end)))
		if err == nil || err.Error() != want {
			t.Errorf("lines ending with %q:\n got %v\nwant %s", end, err, want)
		}
	}
}
