package h1

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/rolestest"
)

const chunkedHead = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

func TestChunked(t *testing.T) {
	for _, c := range []struct {
		name, in string
		body     string
		trailers string
		fault    string // refused for, after body
		status   int
	}{
		{name: "one chunk", in: "5\r\nhello\r\n0\r\n\r\n", body: "hello"},
		{name: "several", in: "1\r\na\r\n002\r\nbc\r\n0\r\n\r\n", body: "abc"},
		{name: "none", in: "0\r\n\r\n"},
		{name: "many zeros", in: "00000000000000000000001\r\na\r\n000\r\n\r\n", body: "a"},
		{name: "both cases", in: "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", body: "01234567890123456789"},
		{name: "line ends in data", in: "6\r\n\r\n0\r\n\r\r\n0\r\n\r\n", body: "\r\n0\r\n\r"},
		{name: "trailers", in: "1\r\na\r\n0\r\nA: b\r\nC:\td \r\n\r\n", body: "a", trailers: " [A: b] [C: d]"},
		{name: "extensions", in: "1;a;b=c;d=\"e;\\\"f\"\r\na\r\n0;x\r\n\r\n", body: "a"},
		{name: "empty size", in: "\r\n", fault: "size is not", status: 400},
		{name: "no number", in: "x\r\n", fault: "size is not", status: 400},
		{name: "0x", in: "0x5\r\nhello\r\n", fault: "size is not", status: 400},
		{name: "plus", in: "+5\r\nhello\r\n", fault: "size is not", status: 400},
		{name: "minus", in: "-5\r\nhello\r\n", fault: "size is not", status: 400},
		{name: "underscore", in: "1_0\r\nhello\r\n", fault: "size is not", status: 400},
		{name: "space at the start", in: " 5\r\nhello\r\n", fault: "size is not", status: 400},
		{name: "space after", in: "5 \r\nhello\r\n", fault: "size is not", status: 400},
		{name: "tab after", in: "5\t\r\nhello\r\n", fault: "size is not", status: 400},
		{name: "17 digits", in: "10000000000000000\r\n", fault: "out of range", status: 400},
		{name: "2^63", in: "8000000000000000\r\n", fault: "out of range", status: 400},
		{name: "sum over 2^63", in: "1\r\na\r\n7fffffffffffffff\r\n", body: "a", fault: "out of range", status: 400},
		{name: "over the limit", in: "7ffffffffffffffe\r\n", fault: "over the limit", status: 413},
		{name: "bare LF after size", in: "5\nhello\r\n0\r\n\r\n", fault: "LF without CR", status: 400},
		{name: "bare CR after size", in: "5\rhello\r\n0\r\n\r\n", fault: "CR without LF", status: 400},
		{name: "bare LF after data", in: "5\r\nhello\n0\r\n\r\n", body: "hello", fault: "not followed by CRLF", status: 400},
		{name: "bare CR after data", in: "5\r\nhello\r0\r\n\r\n", body: "hello", fault: "not followed by CRLF", status: 400},
		{name: "data too long", in: "4\r\nhello\r\n0\r\n\r\n", body: "hell", fault: "not followed by CRLF", status: 400},
		{name: "data too short", in: "6\r\nhello\r\n0\r\n\r\n", body: "hello\r", fault: "not followed by CRLF", status: 400},
		{name: "extension without name", in: "5;\r\nhello\r\n", fault: "malformed extension", status: 400},
		{name: "extension without value", in: "5;a=\r\nhello\r\n", fault: "malformed extension", status: 400},
		{name: "blank before an extension", in: "5 ;a\r\nhello\r\n", fault: "size is not", status: 400},
		{name: "tab before an extension", in: "5\t;a\r\nhello\r\n", fault: "size is not", status: 400},
		{name: "extension with space", in: "5; a\r\nhello\r\n", fault: "malformed extension", status: 400},
		{name: "blank before an equals sign", in: "5;a =b\r\nhello\r\n", fault: "malformed extension", status: 400},
		{name: "blank after an equals sign", in: "5;a= b\r\nhello\r\n", fault: "malformed extension", status: 400},
		{name: "blank between extensions", in: "5;a=b ;c\r\nhello\r\n", fault: "malformed extension", status: 400},
		{name: "blank after an extension", in: "5;a \r\nhello\r\n", fault: "malformed extension", status: 400},
		{name: "blank after an extension's value", in: "5;a=b \r\nhello\r\n", fault: "malformed extension", status: 400},
		{name: "two words in an extension", in: "5;a b\r\nhello\r\n", fault: "malformed extension", status: 400},
		{name: "blanks without extension", in: "5 \t\r\nhello\r\n", fault: "size is not", status: 400},
		{name: "blanks and no semicolon", in: "5 a\r\nhello\r\n", fault: "size is not", status: 400},
		{name: "extension with LF", in: "5;a\nb\r\nhello\r\n", fault: "LF without CR", status: 400},
		{name: "quote not closed", in: "5;a=\"b\r\nhello\r\n", fault: "malformed extension", status: 400},
		{name: "quote ends in backslash", in: "5;a=\"b\\\r\nhello\r\n", fault: "malformed extension", status: 400},
		{name: "junk after quote", in: "5;a=\"b\"c\r\nhello\r\n", fault: "malformed extension", status: 400},
		{name: "size line too long", in: "5;" + strings.Repeat("a", 300) + "\r\n", fault: "line too long", status: 400},
		{name: "endless zeros", in: strings.Repeat("0", 300), fault: "line too long", status: 400},
		{name: "bad trailer", in: "0\r\nA : b\r\n\r\n", fault: "name is not", status: 400},
		{name: "folded trailer", in: "0\r\nA: b\r\n c\r\n\r\n", fault: "folded", status: 400},
		{name: "length among trailers", in: "0\r\nContent-Length: 5\r\n\r\n", fault: "not allowed in trailers", status: 400},
		{name: "coding among trailers", in: "0\r\nTransfer-Encoding: chunked\r\n\r\n", fault: "not allowed in trailers", status: 400},
		{name: "trailers too long", in: "0\r\nA: " + strings.Repeat("b", 5000), fault: "trailers: too long", status: 431},
		{name: "too many trailers", in: "0\r\n" + strings.Repeat("a: b\r\n", 101) + "\r\n", fault: "too many fields", status: 431},
		{name: "too many extensions", in: strings.Repeat("1;"+strings.Repeat("e", 200)+"\r\na\r\n", 100), body: strings.Repeat("a", 81), fault: "too many extensions", status: 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			rolestest.Splits(t, []byte(chunkedHead+c.in), 8, func(how string, feed func(func([]byte))) {
				h := (&recorder{}).answer(200, "")
				sh := NewShared(DefaultConfig())
				_, l := serve(sh, h)
				feed(l.Feed)
				want := []string{"head POST / for=x HTTP/1.1 length=-1"}
				if c.body != "" {
					want = append(want, "body "+c.body)
				}
				if c.fault == "" {
					want = append(want, "end"+c.trailers, "done")
				} else {
					want = append(want, "done: "+errText(l.Cause))
				}
				if got, want := h.String(), strings.Join(want, "\n"); got != want {
					t.Fatalf("%s: got the calls\n%q\nwant\n%q\nbytes: %q", how, got, want, c.in)
				}
				if c.fault != "" {
					wantRefusal(t, how, sh, l, c.status, c.fault)
				}
				if l.Misuse != "" {
					t.Fatalf("%s: %s", how, l.Misuse)
				}
			})
		})
	}
}

func TestBodyOverTheLimitAsItStreams(t *testing.T) {
	h := (&recorder{}).answer(200, "")
	sh := sharedWith(func(c *Config) { c.Limits.Body = 6 })
	_, l := serve(sh, h)
	l.Feed([]byte(chunkedHead + "4\r\nabcd\r\n3\r\nefg\r\n"))
	wantRefusal(t, "whole", sh, l, 413, "over the limit")

	_, l = serve(sh, h)
	l.Feed([]byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n"))
	if sh.Refused(413) != 2 {
		t.Errorf("Content-Length 7 with Limits.Body 6: got %d refusals, want 2; output %q", sh.Refused(413), l.Out)
	}
}

// TestSlowSenderIsLinear: a long head and a long chunk line that come byte by byte cost linear time. A scan that starts
// again at each byte would take minutes.
func TestSlowSenderIsLinear(t *testing.T) {
	sh := sharedWith(func(c *Config) {
		c.Limits.Head, c.Limits.StartLine, c.Limits.ChunkLine, c.Limits.ChunkExtra = 1<<20, 1<<20, 1<<20, 1<<20
	})
	long := strings.Repeat("x", 1<<18)
	var s Server
	l := rolestest.New()
	s.Init(sh, l, (&recorder{}).answer(200, ""))
	in := []byte("POST /" + long + " HTTP/1.1\r\nHost: x\r\nA: " + long + "\r\nTransfer-Encoding: chunked\r\n\r\n")
	for i := range in {
		if n := s.Rx(0, in[:i+1]); n != 0 && i+1 < len(in) {
			t.Fatalf("Rx used %d bytes after %d of %d, want 0", n, i+1, len(in))
		}
	}
	in = []byte("1;" + long + "\r\n")
	for i := range in {
		s.Rx(0, in[:i+1])
	}
	if sh.Counters.Malformed != 0 || sh.Counters.Requests != 1 {
		t.Errorf("got %d heads and %d faults, want 1 and 0", sh.Counters.Requests, sh.Counters.Malformed)
	}
}
