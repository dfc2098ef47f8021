package multipart

import (
	"mime"
	"strings"
	"testing"
)

var contentTypes = []struct{ in, want string }{ // want: the boundary, or "!" and a part of the error
	{"multipart/form-data; boundary=abc", "abc"},
	{"Multipart/Mixed;BOUNDARY=abc", "abc"},
	{`multipart/related; boundary="abc"; type="text/xml"`, "abc"},
	{`multipart/related; type="a;boundary=no;"; boundary=abc`, "abc"},
	{`multipart/related; type="a\";boundary=no;"; boundary="abc"`, "abc"},
	{`multipart/form-data; boundary="gc0pJq0M:08jU534c0p"`, "gc0pJq0M:08jU534c0p"},
	{`multipart/form-data; boundary="a b"`, "a b"},
	{`multipart/form-data; boundary="a\bc"`, "abc"},
	{"multipart/form-data ; charset=utf-8 ; boundary = abc ", "abc"},
	{"multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW", "----WebKitFormBoundary7MA4YWxkTrZu0gW"},
	{"multipart/x; flag; boundary=abc", "abc"},
	{"multipart/x; boundary=" + strings.Repeat("x", 70), strings.Repeat("x", 70)},
	{"multipart/x; boundary=" + strings.Repeat("x", 71), "!longer"},
	{"multipart/form-data", "!no boundary"},
	{"multipart/form-data; boundary=", "!no boundary"},
	{`multipart/form-data; boundary=""`, "!empty"},
	{`multipart/form-data; boundary="abc`, "!unterminated"},
	{`multipart/form-data; boundary="abc "`, "!space"},
	{"multipart/form-data; boundary=a\"b", "!illegal byte"},
	{"multipart/form-data; boundary=a\x00b", "!illegal byte"},
	{"multipart/form-data; boundary=\"a\r\nb\"", "!illegal byte"},
	{"multipart/form-data; xboundary=abc", "!no boundary"},
	{"text/plain; boundary=abc", "!not multipart"},
	{"multipart/; boundary=abc", "!not multipart"},
	{"multipartx/form-data; boundary=abc", "!not multipart"},
	{"", "!not multipart"},
}

func TestBoundary(t *testing.T) {
	for _, c := range contentTypes {
		got, err := appendBoundary(nil, []byte(c.in))
		if want, bad := strings.CutPrefix(c.want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("appendBoundary(%q): got %q, %v; want an error with %q", c.in, got, err, want)
			}
			continue
		}
		if err != nil || string(got) != c.want {
			t.Errorf("appendBoundary(%q): got %q, %v; want %q", c.in, got, err, c.want)
		}
		if !IsMultipart([]byte(c.in)) {
			t.Errorf("IsMultipart(%q): got false, want true", c.in)
		}
	}
}

// TestBoundaryOracle compares with package mime where it accepts a Content-Type. It rejects more (parameters without a
// value), and keeps a backslash before a letter, since browsers once sent Windows paths in file names. In a boundary a
// backslash is an escape (RFC 9110 s.5.6.4).
func TestBoundaryOracle(t *testing.T) {
	compared := 0
	for _, c := range contentTypes {
		_, params, err := mime.ParseMediaType(c.in)
		if err != nil || c.want[0] == '!' || strings.Contains(c.in, `\b`) {
			continue
		}
		compared++
		if params["boundary"] != c.want {
			t.Errorf("boundary of %q: mime has %q, this package %q", c.in, params["boundary"], c.want)
		}
	}
	if compared < 10 {
		t.Errorf("compared %d content types, want at least 10", compared)
	}
}

func FuzzBoundary(f *testing.F) {
	for _, c := range contentTypes {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		b, err := appendBoundary([]byte("keep"), []byte(in))
		if string(b[:4]) != "keep" {
			t.Fatalf("appendBoundary(%q) changed what was in its buffer: got %q, want it to start with %q", in, b, "keep")
		}
		if err == nil && (checkBoundary(b[4:]) != nil || strings.ContainsAny(string(b[4:]), "\r\n")) {
			t.Fatalf("appendBoundary(%q): got the illegal boundary %q", in, b[4:])
		}
	})
}
