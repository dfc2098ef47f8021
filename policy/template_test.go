package policy

import (
	"fmt"
	"strings"
	"testing"
)

func compileFor(text string, names ...string) (Template, []string) {
	var wrong []string
	t := compile(text, func(name string) int {
		for i, n := range names {
			if n == name {
				return i
			}
		}
		return -1
	}, func(msg, _ string) { wrong = append(wrong, msg) })
	return t, wrong
}

func TestTemplate(t *testing.T) {
	values := [][]byte{[]byte("uk"), nil, []byte("${a}")}
	for _, tt := range []struct {
		text, want string
		literal    bool
	}{
		{"", "", true},
		{"plain", "plain", true},
		{"${a}", "uk", false},
		{"${a}.mysite.com", "uk.mysite.com", false},
		{"x${a}y${a}z", "xukyukz", false},
		{"[${b}]", "[]", false}, // declared but not set
		{"${c}", "${a}", false}, // values are not expanded again
		{"a$b $ {a} $$", "a$b $ {a} $$", true},
		{"$${a}", "$uk", false},
		{"}${a}}", "}uk}", false},
	} {
		tmpl, wrong := compileFor(tt.text, "a", "b", "c")
		if len(wrong) > 0 {
			t.Errorf("%q: got problems %q, want none", tt.text, wrong)
		}
		out, err := tmpl.Append([]byte("> "), func(i int) []byte { return values[i] })
		if got := string(out); got != "> "+tt.want || err != nil {
			t.Errorf("%q: expands to %q (%v), want %q", tt.text, out, err, "> "+tt.want)
		}
		text, literal := tmpl.Literal()
		if literal != tt.literal || literal && text != tt.text {
			t.Errorf("%q: Literal() is %q, %v; want literal %v", tt.text, text, literal, tt.literal)
		}
		if tmpl.String() != tt.text || tmpl.Empty() != (tt.text == "") {
			t.Errorf("%q: String() is %q, Empty() is %v", tt.text, tmpl.String(), tmpl.Empty())
		}
	}
}

func TestTemplateProblems(t *testing.T) {
	for text, want := range map[string]string{
		"${":        "[${ without its }]",
		"a${a}${b":  "[${ without its }]",
		"${}":       "[${} names no metadata]",
		"${x}${y}":  "[${x} is not declared ${y} is not declared]",
		"${a${a}":   "[${a${a} is not declared]",
		"${A}":      "[${A} is not declared]",
		"${a }${a}": "[${a } is not declared]",
	} {
		if _, wrong := compileFor(text, "a"); fmt.Sprint(wrong) != want {
			t.Errorf("%q: got problems %v, want %s", text, wrong, want)
		}
	}
}

func TestTemplateAllocatesNothing(t *testing.T) {
	tmpl, _ := compileFor("/v1/${a}?q=${b}", "a", "b")
	buf, value := make([]byte, 0, 64), []byte("value")
	get := func(int) []byte { return value }
	if n := testing.AllocsPerRun(100, func() { buf, _ = tmpl.Append(buf[:0], get) }); n != 0 {
		t.Errorf("Append allocates %v times, want 0", n)
	}
}

func BenchmarkTemplateAppend(b *testing.B) {
	tmpl, _ := compileFor("/v1/${a}?q=${b}&"+strings.Repeat("x", 64), "a", "b")
	buf, value := make([]byte, 0, 256), []byte("value")
	get := func(int) []byte { return value }
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = tmpl.Append(buf[:0], get)
	}
}
