package h1

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// TestResponsesReceived feeds one response to a client that sent a request, every way it can be cut,
// then ends the connection, and compares the calls.
func TestResponsesReceived(t *testing.T) {
	for _, c := range []struct {
		name, in string
		method   string // GET if empty
		calls    []string
		warm     bool   // the connection can be used again in front of the end
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

		{name: "no status line", in: "hello\r\n\r\n", fault: "response: status line: not"},
		{name: "lower-case http", in: "http/1.1 200 OK\r\n\r\n", fault: "status line: not"},
		{name: "version 2", in: "HTTP/2.0 200 OK\r\n\r\n", fault: "version"},
		{name: "status of two digits", in: "HTTP/1.1 20 OK\r\n\r\n", fault: "status line: not"},
		{name: "status of four digits", in: "HTTP/1.1 2000 OK\r\n\r\n", fault: "status line: not"},
		{name: "status 099", in: "HTTP/1.1 099 OK\r\n\r\n", fault: "status line: not"},
		{name: "two spaces", in: "HTTP/1.1  200 OK\r\n\r\n", fault: "status line: not"},
		{name: "empty line in front", in: "\r\nHTTP/1.1 200 OK\r\n\r\n", fault: "status line: not"},
		{name: "bare LF", in: "HTTP/1.1 200 OK\nContent-Length: 0\n\n", fault: "LF without CR"},
		{name: "two lengths", in: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", fault: "given twice"},
		{name: "length and coding", in: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", fault: "together"},
		{name: "length of a list", in: "HTTP/1.1 200 OK\r\nContent-Length: 2,2\r\n\r\nhi", fault: "not a number"},
		{name: "coding in 1.0", in: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", fault: "HTTP/1.0"},
		{name: "coding not understood", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", fault: "other than chunked"},
		{name: "coding not chunked", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello", fault: "end in chunked"},
		{name: "line too long", in: "HTTP/1.1 200 " + strings.Repeat("x", 9000), fault: "status line: too long"},
		{name: "head too long", in: "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 17000), fault: "head: too long"},
		{name: "body over the limit", in: "HTTP/1.1 200 OK\r\nContent-Length: 1073741825\r\n\r\n", fault: "over the limit"},
		{name: "101 unasked", in: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", fault: "101 without"},
		{name: "endless interim", in: strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 17), fault: "too many informational"},
		{name: "cut in the head", in: "HTTP/1.1 200 OK\r\nContent-Le", fault: "head: connection ended"},
		{name: "cut in the body", in: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", fault: "body: connection ended"},
		{name: "cut in a chunk", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell", fault: "body: connection ended"},
		{name: "cut before the last chunk", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", fault: "body: connection ended"},
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
				k, l := dial(NewConfig())
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
						t.Errorf("%s: calls are\n%s\nwant\n%s\nbytes: %q", how, got, want, c.in)
					}
				} else if !strings.Contains(errText(l.Cause), c.fault) || h.dones != 1 || c.calls == nil && h.cause != l.Cause {
					t.Errorf("%s: closed for %v, done %d times with %v; want %q, once\nbytes: %q", how, l.Cause, h.dones, h.cause, c.fault, c.in)
				}
				if !l.Over || l.Misuse != "" {
					t.Errorf("%s: closed %v, misuse %q; want true, none", how, l.Over, l.Misuse)
				}
			})
		})
	}
}
