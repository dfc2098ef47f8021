package h1

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// TestResponsesReceived gives one response to a client that has sent a request, in all ways to split it, then ends the
// connection, and compares the calls.
func TestResponsesReceived(t *testing.T) {
	for _, c := range []struct {
		name, in string
		method   string // GET if empty
		calls    []string
		warm     bool   // Do can start an exchange before the input ends
		fault    string // refused for
	}{
		{name: "counted", in: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nhello", warm: true,
			calls: []string{"head 200 OK HTTP/1.1 length=5 [A: b]", "body hello", "end", "done"}},
		{name: "length of 0", in: "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", warm: true,
			calls: []string{"head 404 Not Found HTTP/1.1 length=0", "end", "done"}},
		{name: "chunked", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n", warm: true,
			calls: []string{"head 200 OK HTTP/1.1 length=-1", "body hello", "end [A: b]", "done"}},
		{name: "delimited by close", in: "HTTP/1.1 200 OK\r\n\r\nhello",
			calls: []string{"head 200 OK HTTP/1.1 length=-1 close", "body hello", "end", "done"}},
		{name: "delimited by close, empty", in: "HTTP/1.0 200 OK\r\n\r\n",
			calls: []string{"head 200 OK HTTP/1.0 length=-1 close", "end", "done"}},
		{name: "close announced", in: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
			calls: []string{"head 200 OK HTTP/1.1 length=2 close", "body hi", "end", "done"}},
		{name: "1.0 closes", in: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
			calls: []string{"head 200 OK HTTP/1.0 length=2 close", "body hi", "end", "done"}},
		{name: "1.0 kept alive", in: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi", warm: true,
			calls: []string{"head 200 OK HTTP/1.0 length=2", "body hi", "end", "done"}},
		{name: "HEAD", method: "HEAD", in: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", warm: true,
			calls: []string{"head 200 OK HTTP/1.1 length=5", "end", "done"}},
		{name: "HEAD, chunked", method: "HEAD", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", warm: true,
			calls: []string{"head 200 OK HTTP/1.1 length=-1", "end", "done"}},
		{name: "204", in: "HTTP/1.1 204 No Content\r\n\r\n", warm: true,
			calls: []string{"head 204 No Content HTTP/1.1 length=0", "end", "done"}},
		{name: "304 with a length", in: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", warm: true,
			calls: []string{"head 304 Not Modified HTTP/1.1 length=5", "end", "done"}},
		{name: "interim", in: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", warm: true,
			calls: []string{"head 100 Continue HTTP/1.1 length=0", "head 103 Early Hints HTTP/1.1 length=0 [Link: x]", "head 200 OK HTTP/1.1 length=0", "end", "done"}},
		{name: "no reason", in: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", warm: true,
			calls: []string{"head 200 HTTP/1.1 length=0", "end", "done"}},
		{name: "unknown status", in: "HTTP/1.1 799 \xfcbel\r\nContent-Length: 0\r\n\r\n", warm: true,
			calls: []string{"head 799 \xfcbel HTTP/1.1 length=0", "end", "done"}},

		// What the field sends (RFC 9112 s.2.2, s.5.2, s.6.3, s.7.1.1).
		{name: "folded", in: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: b\r\n c\r\nD: e\r\n\r\n", warm: true,
			calls: []string{"head 200 OK HTTP/1.1 length=0 [A: b   c] [D: e]", "end", "done"}},
		{name: "folded twice, with tabs", in: "HTTP/1.1 200 OK\r\nA: b \r\n\tc\r\n\t d\r\nContent-Length: 0\r\n\r\n", warm: true,
			calls: []string{"head 200 OK HTTP/1.1 length=0 [A: b   \tc  \t d]", "end", "done"}},
		{name: "folded after the colon", in: "HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\nA:\r\n  b\r\n\r\nhi", warm: true,
			calls: []string{"head 200 OK HTTP/1.1 length=2 [A: b]", "body hi", "end", "done"}},
		{name: "folded into nothing", in: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: b\r\n \t \r\n\r\n", warm: true,
			calls: []string{"head 200 OK HTTP/1.1 length=0 [A: b]", "end", "done"}},
		{name: "folded coding", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n", warm: true,
			calls: []string{"head 200 OK HTTP/1.1 length=-1", "end", "done"}},
		{name: "folded trailer", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n c\r\n\r\n", warm: true,
			calls: []string{"head 200 OK HTTP/1.1 length=-1", "end [A: b   c]", "done"}},
		{name: "folded, and still not legal", in: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n 2\r\n\r\n", fault: "not a number"},
		{name: "blank before the first field", in: "HTTP/1.1 200 OK\r\n A: b\r\n\r\n", fault: "field: folded"},
		{name: "control octet in a folded line", in: "HTTP/1.1 200 OK\r\nA: b\r\n \x01\r\n\r\n", fault: "control octet"},
		{name: "bare CR before a folded line", in: "HTTP/1.1 200 OK\r\nA: b\r c\r\n\r\n", fault: "CR without LF"},
		{name: "empty lines at the start", in: "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", warm: true,
			calls: []string{"head 200 OK HTTP/1.1 length=0", "end", "done"}},
		{name: "empty lines around interim heads", in: "\r\nHTTP/1.1 103 X\r\n\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", warm: true,
			calls: []string{"head 103 X HTTP/1.1 length=0", "head 204 No Content HTTP/1.1 length=0", "end", "done"}},
		{name: "empty lines after", in: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi\r\n\r\n", warm: true,
			calls: []string{"head 200 OK HTTP/1.1 length=2", "body hi", "end", "done"}},
		{name: "as many empty lines as are accepted", in: strings.Repeat("\r\n", 8) + "HTTP/1.1 204 No Content\r\n\r\n", warm: true,
			calls: []string{"head 204 No Content HTTP/1.1 length=0", "end", "done"}},
		{name: "endless empty lines", in: strings.Repeat("\r\n", 9), fault: "too many empty lines"},
		{name: "too many empty lines after", in: "HTTP/1.1 204 No Content\r\n\r\n" + strings.Repeat("\r\n", 9), fault: "too many empty lines",
			calls: []string{"head 204 No Content HTTP/1.1 length=0", "end", "done"}},
		{name: "CR at the start", in: "\rHTTP/1.1 200 OK\r\n\r\n", fault: "CR without LF"},
		{name: "CR alone at the start", in: "\r", fault: "missing when the connection ended"},
		{name: "blank at the start", in: " \r\nHTTP/1.1 200 OK\r\n\r\n", fault: "status line: not"},
		{name: "the same length twice", in: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", warm: true,
			calls: []string{"head 200 OK HTTP/1.1 length=2", "body hi", "end", "done"}},
		{name: "the same length as a list", in: "HTTP/1.1 200 OK\r\nContent-Length: 2 , 2,2\r\n\r\nhi", warm: true,
			calls: []string{"head 200 OK HTTP/1.1 length=2", "body hi", "end", "done"}},
		{name: "the same length as a list and a field", in: "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nhi", warm: true,
			calls: []string{"head 200 OK HTTP/1.1 length=2", "body hi", "end", "done"}},
		{name: "blanks in chunk extensions", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 ; a\t= b ;c = \"d\"\r\nhello\r\n0\t;x\r\n\r\n", warm: true,
			calls: []string{"head 200 OK HTTP/1.1 length=-1", "body hello", "end", "done"}},

		{name: "no status line", in: "hello\r\n\r\n", fault: "response: status line: not"},
		{name: "lower-case http", in: "http/1.1 200 OK\r\n\r\n", fault: "status line: not"},
		{name: "version 2", in: "HTTP/2.0 200 OK\r\n\r\n", fault: "version"},
		{name: "status of two digits", in: "HTTP/1.1 20 OK\r\n\r\n", fault: "status line: not"},
		{name: "status of four digits", in: "HTTP/1.1 2000 OK\r\n\r\n", fault: "status line: not"},
		{name: "status 099", in: "HTTP/1.1 099 OK\r\n\r\n", fault: "status line: not"},
		{name: "two spaces", in: "HTTP/1.1  200 OK\r\n\r\n", fault: "status line: not"},
		{name: "bare LF", in: "HTTP/1.1 200 OK\nContent-Length: 0\n\n", fault: `LF without CR: "http_lenient_lf" in the policy (h1.Config.BareLF) accepts it`},
		{name: "bare LF at the start", in: "\nHTTP/1.1 200 OK\r\n\r\n", fault: `"http_lenient_lf"`},
		{name: "bare LF after a field", in: "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n", fault: `"http_lenient_lf"`},
		{name: "bare LF after a chunk's size", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n", fault: `"http_lenient_lf"`},
		{name: "two lengths", in: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n", fault: "twice, with different values"},
		{name: "length and coding", in: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", fault: "together"},
		{name: "length of a list", in: "HTTP/1.1 200 OK\r\nContent-Length: 2,3\r\n\r\nhi", fault: "not a number"},
		{name: "length of a list with a word", in: "HTTP/1.1 200 OK\r\nContent-Length: 2,x\r\n\r\nhi", fault: "not a number"},
		{name: "blank after a chunk's size", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n", fault: "size is not"},
		{name: "coding in 1.0", in: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", fault: "HTTP/1.0"},
		{name: "coding not understood", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", fault: "other than chunked"},
		{name: "coding not chunked", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello", fault: "end in chunked"},
		{name: "line too long", in: "HTTP/1.1 200 " + strings.Repeat("x", 9000), fault: "status line: too long"},
		{name: "head too long", in: "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 17000), fault: "head: too long"},
		{name: "body over the limit", in: "HTTP/1.1 200 OK\r\nContent-Length: 1073741825\r\n\r\n", fault: "over the limit"},
		{name: "101 unasked", in: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", fault: "101 without"},
		{name: "endless interim", in: strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 17), fault: "too many informational"},
		{name: "cut in the head", in: "HTTP/1.1 200 OK\r\nContent-Le", fault: "head: incomplete"},
		{name: "cut in the body", in: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", fault: "body: incomplete"},
		{name: "cut in a chunk", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell", fault: "body: incomplete"},
		{name: "cut before the last chunk", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", fault: "body: incomplete"},
		{name: "bad chunk", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n", fault: "not followed by CRLF"},
		{name: "more than a response", in: "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", fault: "without a request",
			calls: []string{"head 204 No Content HTTP/1.1 length=0", "end", "done"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rolestest.Splits(t, []byte(c.in), 8, func(how string, feed func(func([]byte))) {
				method := c.method
				if method == "" {
					method = "GET"
				}
				k, l := dial(NewShared(DefaultConfig()))
				h := (&recorder{}).request(&http.Message{Method: []byte(method), Authority: []byte("x")}, "")
				if _, err := k.Do(h); err != nil {
					t.Fatal(err)
				}
				l.Service()
				feed(l.Feed)
				if warm := k.Reusable(); warm != c.warm {
					t.Errorf("%s: reusable %v, want %v", how, warm, c.warm)
				}
				l.End()
				if c.fault == "" {
					if got, want := h.String(), strings.Join(c.calls, "\n"); got != want {
						t.Errorf("%s: got the calls\n%s\nwant\n%s\nbytes: %q", how, got, want, c.in)
					}
				} else if !strings.Contains(errText(l.Cause), c.fault) || h.dones != 1 || c.calls == nil && !errors.Is(h.cause, l.Cause) {
					t.Errorf("%s: closed with cause %v, Done called %d times with %v; want %q, once\nbytes: %q", how, l.Cause, h.dones, h.cause, c.fault, c.in)
				}
				if !l.Over || l.Misuse != "" {
					t.Errorf("%s: closed %v, misuse %q; want true, none", how, l.Over, l.Misuse)
				}
			})
		})
	}
}

// TestResponsesWithBareLF: with Config.BareLF a client accepts LF without CR as any line end, also mixed with CRLF. Other
// faults stay faults.
func TestResponsesWithBareLF(t *testing.T) {
	for _, c := range []struct {
		name, in string
		calls    []string
		fault    string
	}{
		{name: "counted", in: "HTTP/1.1 200 OK\nContent-Length: 5\nA: b\n\nhello",
			calls: []string{"head 200 OK HTTP/1.1 length=5 [A: b]", "body hello", "end", "done"}},
		{name: "mixed", in: "\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\nA: b\r\n\nhello\n",
			calls: []string{"head 200 OK HTTP/1.1 length=5 [A: b]", "body hello", "end", "done"}},
		{name: "folded", in: "HTTP/1.1 200 OK\nContent-Length: 0\nA: b\n c\r\n d\n\n",
			calls: []string{"head 200 OK HTTP/1.1 length=0 [A: b  c   d]", "end", "done"}},
		{name: "chunked", in: "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5;a=b\nhello\n1\r\n!\n0\nA: b\nC: d\n e\n\n",
			calls: []string{"head 200 OK HTTP/1.1 length=-1", "body hello!", "end [A: b] [C: d  e]", "done"}},
		{name: "interim", in: "HTTP/1.1 103 X\n\nHTTP/1.1 204 No Content\n\n",
			calls: []string{"head 103 X HTTP/1.1 length=0", "head 204 No Content HTTP/1.1 length=0", "end", "done"}},
		{name: "CR without LF", in: "HTTP/1.1 200 OK\rA: b\n\n", fault: "CR without LF"},
		{name: "data too long", in: "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n4\nhello\n", fault: "not followed by CRLF"},
		{name: "endless empty lines", in: strings.Repeat("\n", 9), fault: "too many empty lines"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rolestest.Splits(t, []byte(c.in), 8, func(how string, feed func(func([]byte))) {
				sh := sharedWith(func(c *Config) { c.BareLF = true })
				k, l := dial(sh)
				h := start(t, k, l, method("GET"), "")
				feed(l.Feed)
				if c.fault != "" {
					if !strings.Contains(errText(l.Cause), c.fault) {
						t.Errorf("%s: closed with cause %v, want %q\nbytes: %q", how, l.Cause, c.fault, c.in)
					}
					return
				}
				if got, want := h.String(), strings.Join(c.calls, "\n"); got != want || !k.Reusable() {
					t.Errorf("%s: reusable %v, got the calls\n%s\nwant true,\n%s\nbytes: %q", how, k.Reusable(), got, want, c.in)
				}
			})
		})
	}
	// AcceptBareLF affects one client; BareLF never affects a server.
	k, l := dial(NewShared(DefaultConfig()))
	k.AcceptBareLF()
	h := start(t, k, l, method("GET"), "")
	l.Feed([]byte("HTTP/1.1 204 No Content\n\n"))
	wantCalls(t, h, "head 204 No Content HTTP/1.1 length=0", "end", "done")
	sh := sharedWith(func(c *Config) { c.BareLF = true })
	_, l = serve(sh, &recorder{})
	l.Feed([]byte("GET / HTTP/1.1\nHost: x\n\n"))
	wantRefusal(t, "a request, with Config.BareLF", sh, l, 400, "LF without CR")
}

// TestEmptyLinesBetweenResponses: an extra line end after a body breaks neither the connection nor the next response, at
// whatever time it comes.
func TestEmptyLinesBetweenResponses(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
	for _, pieces := range [][3]string{{ok + "\r\n", "", ok}, {ok, "\r\n", ok}, {ok, "", "\r\n" + ok}, {ok + "\r", "\n", ok}, {ok + "\r", "", "\n" + ok}} {
		k, l := dial(NewShared(DefaultConfig()))
		start(t, k, l, method("GET"), "")
		l.Feed([]byte(pieces[0]))
		l.Feed([]byte(pieces[1]))
		if !k.Reusable() {
			t.Errorf("%q: closed with cause %v, want it open", pieces, l.Cause)
			continue
		}
		h := start(t, k, l, method("GET"), "")
		l.Feed([]byte(pieces[2]))
		wantCalls(t, h, "head 200 OK HTTP/1.1 length=2", "body hi", "end", "done")
	}
}

// TestFoldedLinesAreLinear: a field with many folded lines costs linear time. Parsing the field again for each line would
// take minutes.
func TestFoldedLinesAreLinear(t *testing.T) {
	const lines = 1 << 19
	for _, c := range []struct{ name, front, line string }{
		{"blank lines", "A:", "\r\n "},
		{"blank lines after a value", "A: b", "\r\n\t"},
		{"lines with values", "A: b", "\r\n c"},
	} {
		sh := sharedWith(func(c *Config) { c.Limits.Head = 8 << 20 })
		in := []byte("HTTP/1.1 200 OK\r\n" + c.front + strings.Repeat(c.line, lines) + "\r\nContent-Length: 0\r\n\r\n")
		var s scan
		var m http.Message
		if n, f := s.section(sh, responseHead, &m, in); n != len(in) || f != nil || len(m.Fields) != 2 {
			t.Errorf("%s: got %d of %d bytes, %d fields, %v; want all, and 2", c.name, n, len(in), len(m.Fields), f)
		}
	}
}

// TestEndlessResponsesHaveNoBodyLimit: Limits.Body does not apply to a response whose type has no end.
func TestEndlessResponsesHaveNoBodyLimit(t *testing.T) {
	const chunks, bare = "Transfer-Encoding: chunked\r\n", ""
	for _, c := range []struct {
		head, framing string
		free          bool
	}{
		{"Content-Type: multipart/x-mixed-replace; boundary=b\r\n", chunks, true},
		{"Content-Type: Multipart/X-Mixed-Replace;boundary=b\r\n", bare, true},
		{"content-type: text/event-stream\r\n", chunks, true},
		{"Content-Type: text/event-stream\r\n", "Content-Length: 60\r\n", false},
		{"Content-Type: text/plain\r\n", chunks, false},
		{"Content-Type: multipart/mixed; boundary=b\r\n", bare, false},
		{"", bare, false},
	} {
		sh := sharedWith(func(c *Config) { c.Limits.Body = 50 })
		k, l := dial(sh)
		h := (&recorder{}).request(&http.Message{Method: []byte("GET"), Authority: []byte("x")}, "")
		if _, err := k.Do(h); err != nil {
			t.Fatal(err)
		}
		l.Service()
		l.Feed([]byte("HTTP/1.1 200 OK\r\n" + c.head + c.framing + "\r\n"))
		for range 6 {
			if c.framing == chunks {
				l.Feed([]byte("a\r\n0123456789\r\n"))
			} else {
				l.Feed([]byte("0123456789"))
			}
		}
		if over := strings.Contains(errText(l.Cause), "over the limit"); over == c.free || h.dones != 0 != !c.free {
			t.Errorf("%q %q: 60 bytes with a limit of 50: closed with cause %v, Done called %d times; want it to go on: %v", c.head, c.framing, l.Cause, h.dones, c.free)
		}
	}
	// For a request Limits.Body always applies.
	sh := sharedWith(func(c *Config) { c.Limits.Body = 50 })
	_, l := serve(sh, (&recorder{}).answer(200, ""))
	l.Feed([]byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n" + chunks + "\r\n3c\r\n"))
	wantRefusal(t, "request", sh, l, 413, "over the limit")
}
