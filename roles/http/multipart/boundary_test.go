package multipart

import (
	"mime"
	"strings"
	"testing"
)

var contentTypes = []struct{ in, want string }{ // want: "" or the boundary, "!" and a word of the error
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
	{`multipart/form-data; boundary="abc`, "!end"},
	{`multipart/form-data; boundary="abc "`, "!blank"},
	{"multipart/form-data; boundary=a\"b", "!byte"},
	{"multipart/form-data; boundary=a\x00b", "!byte"},
	{"multipart/form-data; boundary=\"a\r\nb\"", "!byte"},
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
				t.Errorf("%q: got %q, %v; want an error with %q", c.in, got, err, want)
			}
			continue
		}
		if err != nil || string(got) != c.want {
			t.Errorf("%q: got %q, %v; want %q", c.in, got, err, c.want)
		}
		if !IsMultipart([]byte(c.in)) {
			t.Errorf("IsMultipart(%q) = false", c.in)
		}
	}
}

// Where the standard library takes a Content-Type it names the same boundary. It refuses more, parameters that
// have no value, and leaves a backslash in front of a letter where it is: browsers once sent file names with
// Windows paths so. A boundary is no path (RFC 9110 s.5.6.4).
func TestBoundaryOracle(t *testing.T) {
	asked := 0
	for _, c := range contentTypes {
		_, params, err := mime.ParseMediaType(c.in)
		if err != nil || c.want[0] == '!' || strings.Contains(c.in, `\b`) {
			continue
		}
		asked++
		if params["boundary"] != c.want {
			t.Errorf("%q: mime has %q, we %q", c.in, params["boundary"], c.want)
		}
	}
	if asked < 10 {
		t.Errorf("only %d content types were compared", asked)
	}
}

func FuzzBoundary(f *testing.F) {
	for _, c := range contentTypes {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		b, err := appendBoundary([]byte("keep"), []byte(in))
		if string(b[:4]) != "keep" {
			t.Fatalf("%q: what was there is gone: %q", in, b)
		}
		if err == nil && (checkBoundary(b[4:]) != nil || strings.ContainsAny(string(b[4:]), "\r\n")) {
			t.Fatalf("%q: boundary %q", in, b[4:])
		}
	})
}
