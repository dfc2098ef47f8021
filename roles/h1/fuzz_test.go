package h1

import (
	"bytes"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// outcome is the result of a connection: the calls of the handler, the output, and the cause of the close.
type outcome struct{ calls, out, cause string }

// fuzzed runs a connection with the input b, whole and in pieces, and compares the results. For any bytes, the unused
// input stays within the limits, and the result does not depend on the pieces.
func fuzzed(t *testing.T, b []byte, seed uint64, run func(feed func(func([]byte))) (outcome, *rolestest.Lower)) {
	t.Helper()
	check := func(how string, feed func(func([]byte))) outcome {
		o, l := run(feed)
		if l.Misuse != "" {
			t.Fatalf("%s: %s\nbytes: %q", how, l.Misuse, b)
		}
		if d := DefaultLimits(); !l.Over && !l.Paused && len(l.Unused()) > max(d.Head, d.Trailers, d.ChunkLine) {
			t.Fatalf("%s: %d bytes of input are unused, more than any limit allows\nbytes: %q", how, len(l.Unused()), b)
		}
		return o
	}
	whole := check("whole", func(f func([]byte)) { f(bytes.Clone(b)) })
	for how, feed := range map[string]func(func([]byte)){
		"byte by byte": func(f func([]byte)) {
			for i := range b {
				f(b[i : i+1])
			}
		},
		"pieces": func(f func([]byte)) { rolestest.Pieces(seed, b, f) },
	} {
		if got := check(how, feed); got != whole {
			t.Fatalf("%s:\n%+v\nwhole:\n%+v\nbytes: %q", how, got, whole, b)
		}
	}
}

// seed adds the vectors of one end to the corpus.
func seed(f *testing.F, side string) {
	f.Helper()
	for _, v := range vectors(f) {
		if strings.HasPrefix(v.Type, side) {
			f.Add(v.bytes(), uint64(1))
		}
	}
}

func FuzzRequest(f *testing.F) {
	seed(f, "request")
	f.Add([]byte(getHead+postHead+"0123456789"+chunkedHead+"5;a=\"b\"\r\nhello\r\n0\r\nA: b\r\n\r\n"+getHead), uint64(2))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		fuzzed(t, b, seed, func(feed func(func([]byte))) (outcome, *rolestest.Lower) {
			h := (&recorder{}).answer(200, "ok")
			_, l := serve(NewShared(DefaultConfig()), h)
			feed(l.Feed)
			l.End()
			return outcome{h.String(), string(l.Out), errText(l.Cause)}, l
		})
	})
}

func FuzzResponse(f *testing.F) {
	seed(f, "response")
	f.Add([]byte("\r\nHTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2, 2\r\n\t\r\n\r\nhi\r\n"), uint64(2))
	f.Add([]byte("\nHTTP/1.1 200 OK\nA: b\n c\r\n d\nTransfer-Encoding:\n chunked\n\n1 ; a = b\nx\n0\nT: u\n v\n\n"), uint64(3))
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\n\r\n"), uint64(2))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		fuzzed(t, b, seed, func(feed func(func([]byte))) (outcome, *rolestest.Lower) {
			sh := sharedWith(func(c *Config) { c.BareLF = seed%2 == 1 })
			k, l := dial(sh)
			h := (&recorder{}).request(&http.Message{Method: []byte("GET"), Authority: []byte("x")}, "")
			if _, err := k.Do(h); err != nil {
				t.Fatal(err)
			}
			l.Service()
			feed(l.Feed)
			l.End()
			return outcome{h.String(), string(l.Out), errText(l.Cause)}, l
		})
	})
}

// FuzzChunked fuzzes the chunked body after a legal head.
func FuzzChunked(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"), uint64(1))
	f.Add([]byte("5;a=b;c=\"d\\\"e\"\r\nhello\r\n00\r\nA: b\r\n\r\n"), uint64(2))
	f.Add([]byte("ffffffffffffffff\r\n"), uint64(3))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		fuzzed(t, b, seed, func(feed func(func([]byte))) (outcome, *rolestest.Lower) {
			h := (&recorder{}).answer(200, "ok")
			_, l := serve(NewShared(DefaultConfig()), h)
			l.Feed([]byte(chunkedHead))
			feed(l.Feed)
			return outcome{h.String(), string(l.Out), errText(l.Cause)}, l
		})
	})
}
