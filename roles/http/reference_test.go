package http

import (
	"net/url"
	"strings"
	"testing"
)

// TestReferenceTarget resolves the examples of RFC 3986 s.5.4 against its base, and what real servers send.
func TestReferenceTarget(t *testing.T) {
	const base = "/b/c/d;p?q"
	for in, want := range map[string]string{
		// s.5.4.1
		"g:h": "/h", "g": "/b/c/g", "./g": "/b/c/g", "g/": "/b/c/g/", "/g": "/g", "//g": "/", "?y": "/b/c/d;p?y", "g?y": "/b/c/g?y",
		"#s": "/b/c/d;p?q", "g#s": "/b/c/g", "g?y#s": "/b/c/g?y", ";x": "/b/c/;x", "g;x": "/b/c/g;x", "g;x?y#s": "/b/c/g;x?y",
		"": "/b/c/d;p?q", ".": "/b/c/", "./": "/b/c/", "..": "/b/", "../": "/b/", "../g": "/b/g", "../..": "/", "../../": "/", "../../g": "/g",
		// s.5.4.2
		"../../../g": "/g", "../../../../g": "/g", "/./g": "/g", "/../g": "/g", "g.": "/b/c/g.", ".g": "/b/c/.g", "g..": "/b/c/g..", "..g": "/b/c/..g",
		"./../g": "/b/g", "./g/.": "/b/c/g/", "g/./h": "/b/c/g/h", "g/../h": "/b/c/h", "g;x=1/./y": "/b/c/g;x=1/y", "g;x=1/../y": "/b/c/y",
		"g?y/./x": "/b/c/g?y/./x", "g?y/../x": "/b/c/g?y/../x", "g#s/./x": "/b/c/g",
		// An octet that is invalid in a target is encoded; a % is unchanged.
		"/100%": "/100%", "/50%-off?a=%": "/50%-off?a=%", "/%zz/%2": "/%zz/%2", "/a%20b": "/a%20b", "/a b%20c": "/a%20b%20c",
		"/\xc3\xa4?\xff": "/%C3%A4?%FF", "/a\tb": "/a%09b", "/x?": "/x?", "//h?q": "/?q", "http://h": "/", "HTTP://h/a//b": "/a//b",
		"a:b": "/b", "./a:b": "/b/c/a:b", "1:2": "/b/c/1:2", "/a:b": "/a:b",
	} {
		r := ParseReference(in)
		if got := string(r.AppendTarget(nil, base)); got != want {
			t.Errorf("target of %q from %s: got %q, want %q", in, base, got, want)
		}
	}
	r := ParseReference("b?c")
	if got := string(r.AppendTarget([]byte("> "), "/50%/a")); got != "> /50%/b?c" {
		t.Errorf("from a base with a stray %%: got %q, want %q", got, "> /50%/b?c")
	}
}

func TestParseReference(t *testing.T) {
	for in, want := range map[string]Reference{
		"HtTpS://Ex.Ample:443/a?b#c": {Scheme: "https", Authority: "Ex.Ample:443", Path: "/a", Query: "b", HasAuthority: true, HasQuery: true},
		"//h":                        {Authority: "h", HasAuthority: true},
		"http:///x":                  {Scheme: "http", Path: "/x", HasAuthority: true},
		"http:x":                     {Scheme: "http", Path: "x"},
		"http://u:p@h/":              {Scheme: "http", Authority: "u:p@h", Path: "/", HasAuthority: true},
		"http://h?x/y":               {Scheme: "http", Authority: "h", Query: "x/y", HasAuthority: true, HasQuery: true},
		":x":                         {Path: ":x"},
		"a b:c":                      {Path: "a b:c"},
	} {
		if got := ParseReference(in); got != want {
			t.Errorf("ParseReference(%q) = %+v, want %+v", in, got, want)
		}
	}
}

// FuzzReference compares with the standard library where that takes the reference at all, and always asks for a
// target that can be sent.
func FuzzReference(f *testing.F) {
	for _, s := range []string{"", "a", "../b?c", "//h/x", "/%", "http://h/a/../b?c#d", "?q", "a:b", "/a//../b", "//", "/..//x"} {
		f.Add(s)
	}
	base, _ := url.Parse("http://h/b/c/d;p?q")
	f.Fuzz(func(t *testing.T, s string) {
		r := ParseReference(s)
		got := string(r.AppendTarget(nil, "/b/c/d;p?q"))
		if got[0] != '/' || !ValidTarget([]byte(got)) {
			t.Fatalf("target of %q: got %q, want one that can be sent", s, got)
		}
		u, err := url.Parse(s)
		if err != nil || u.Opaque != "" || strings.ContainsAny(s, "%\\ \"<>^`{|}[]") || !isASCII(s) || r.Scheme != "" && !r.HasAuthority ||
			r.HasAuthority && r.Authority == "" || strings.Contains(r.Path, "//") {
			return
		}
		if want := base.ResolveReference(u).RequestURI(); got != want {
			t.Errorf("target of %q: got %q, want %q as net/url has it", s, got, want)
		}
	})
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
