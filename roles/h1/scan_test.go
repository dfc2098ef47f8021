package h1

import (
	"bytes"
	"testing"

	"github.com/millrace/millrace/roles/http"
)

// TestLineEndSeesEveryOctet tries each octet at each offset of a word, so that the scan by words and the scan by octets
// must both agree with the rules.
func TestLineEndSeesEveryOctet(t *testing.T) {
	for c := 0; c < 256; c++ {
		for at := 0; at < 24; at++ {
			b := bytes.Repeat([]byte("a"), 24)
			b[at] = byte(c)
			b = append(b, "\r\nnext"...)
			var want *fault
			switch {
			case c == '\r':
				want = errBareCR
			case c == '\n':
				want = errBareLF
			case c < 0x20 && c != '\t' || c == 0x7f:
				want = errControl
			}
			e, f := lineEnd(b, 0)
			if f != want || f == nil && e != 24 {
				t.Fatalf("octet %#02x at %d: got %d, %v; want 24 or %v", c, at, e, f, want)
			}
		}
	}
}

func TestLineEndResumes(t *testing.T) {
	line := []byte("0123456789\t0123456789\r\n")
	from := 0
	for n := range len(line) {
		e, f := lineEnd(line[:n], from)
		if f != nil || e >= 0 {
			t.Fatalf("lineEnd after %d of %d bytes: got %d, %v; want a negative number", n, len(line), e, f)
		}
		if seen := -e - 1; seen < from || seen > n || n > 0 && seen < n-1 {
			t.Fatalf("lineEnd after %d bytes: %d are scanned, want all except a CR", n, seen)
		} else {
			from = seen
		}
	}
	if e, f := lineEnd(line, from); e != len(line)-2 || f != nil {
		t.Errorf("got %d, %v; want %d", e, f, len(line)-2)
	}
}

func TestSectionResetsItsScan(t *testing.T) {
	sh := NewShared(DefaultConfig())
	var p scan
	var m http.Message
	in := []byte("GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\nrest")
	for n := range in {
		got, f := p.section(sh, requestHead, &m, in[:n])
		if f != nil {
			t.Fatal(f)
		}
		if got == 0 {
			continue
		}
		if want := len(in) - len("rest"); got != want || p != (scan{}) || len(m.Fields) != 2 || string(m.Target) != "/" {
			t.Fatalf("after %d bytes: length %d, scan %+v, %d fields, target %q; want %d, zero, 2, /", n, got, p, len(m.Fields), m.Target, want)
		}
		return
	}
	t.Error("section did not return the length of the head")
}
