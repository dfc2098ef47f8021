package policy

import "testing"

func TestProblemString(t *testing.T) {
	for _, tt := range []struct {
		p    Problem
		want string
	}{
		{Problem{Msg: "m"}, "m"},
		{Problem{Path: "a.b", Line: 2, Col: 3, Msg: "m"}, "2:3: a.b: m"},
		{Problem{Path: "a", Msg: "second, the first is", Fix: "f", First: Place{1, 2}}, "a: second, the first is at 1:2: f"},
	} {
		if got := tt.p.String(); got != tt.want {
			t.Errorf("%#v: got %q, want %q", tt.p, got, tt.want)
		}
	}
	two := &Errors{Problems: []Problem{{Line: 1, Col: 1, Msg: "a"}, {Line: 2, Col: 1, Msg: "b"}}}
	if got, want := two.Error(), "policy: parse: 1:1: a\npolicy: parse: 2:1: b"; got != want {
		t.Errorf("two problems: got %q, want %q", got, want)
	}
}

func TestJoinPath(t *testing.T) {
	for _, tt := range []struct{ path, name, want string }{
		{"", "s", "s"}, {"s[0]", "mintest", "s[0].mintest"}, {"a", "via-socks5", "a.via-socks5"},
		{"a", "client cert", `a["client cert"]`}, {"a", "x.y", `a["x.y"]`}, {"a", "", `a[""]`}, {"", "x[0]", `["x[0]"]`}, {"a", "\n", `a["\n"]`},
	} {
		if got := joinPath(tt.path, tt.name); got != tt.want {
			t.Errorf("joinPath(%q, %q): got %s, want %s", tt.path, tt.name, got, tt.want)
		}
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"a\"b": `"a\"b"`,
		"a23456789b123456789c123456789d123456789":   `"a23456789b123456789c123456789d123456789"`,
		"a23456789b123456789c123456789d1234567890x": `"a23456789b123456789c123456789d1234567890"...`,
	} {
		if got := quote(text); got != want {
			t.Errorf("quote(%q): got %s, want %s", text, got, want)
		}
	}
}
