package h1

import (
	"testing"

	"github.com/millrace/millrace/roles/http"
)

func TestCoding(t *testing.T) {
	for in, want := range map[string]*fault{
		"chunked": nil, "Chunked": nil, "CHUNKED": nil, " , chunked,": nil,
		"gzip, chunked": errTEUnknown, "gzip,deflate,chunked": errTEUnknown,
		"": errTELast, "identity": errTELast, "chunked, gzip": errTELast, "chunked, chunked": errTELast,
		"xchunked": errTELast, "chunked;q=1": errTELast, "chunked gzip": errTELast, "gzip": errTELast,
	} {
		if got := coding([]byte(in)); got != want {
			t.Errorf("coding(%q) = %v, want %v", in, got, want)
		}
	}
}

// TestPersistence is the table of RFC 9112 s.9.3.
func TestPersistence(t *testing.T) {
	for _, c := range []struct {
		v     http.Version
		conn  string
		close bool
	}{
		{http.HTTP11, "", false}, {http.HTTP11, "keep-alive", false}, {http.HTTP11, "close", true}, {http.HTTP11, "keep-alive, close", true},
		{http.HTTP10, "", true}, {http.HTTP10, "keep-alive", false}, {http.HTTP10, "close", true}, {http.HTTP10, "keep-alive, close", true},
	} {
		m := http.Message{Version: c.v}
		m.Add([]byte("Connection"), []byte(c.conn))
		var g framing
		if f := g.read(&m); f != nil || m.Close != c.close {
			t.Errorf("%v with Connection: %q: close %v, %v; want %v", c.v, c.conn, m.Close, f, c.close)
		}
	}
}
