package h1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/rolestest"
)

// TestRequests gives the input of a connection, in all ways to split it, to a server that responds 200 to each request, and
// compares the calls. A refused request gets its status, and the connection closes.
func TestRequests(t *testing.T) {
	const host = "Host: x\r\n"
	for _, c := range []struct {
		name, in string
		calls    []string // joined by newlines
		status   int      // of the refusal; 0: none
		fault    string   // what it is refused for
	}{
		// Request lines (RFC 9112 s.3).
		{name: "origin form", in: "GET /a/b?c=d?e HTTP/1.1\r\n" + host + "\r\n",
			calls: []string{"head GET /a/b?c=d?e for=x HTTP/1.1 length=0", "end", "done"}},
		{name: "empty query", in: "GET /a? HTTP/1.1\r\n" + host + "\r\n",
			calls: []string{"head GET /a? for=x HTTP/1.1 length=0", "end", "done"}},
		{name: "absolute form overrules Host", in: "GET http://other:81/a?b HTTP/1.1\r\n" + host + "\r\n",
			calls: []string{"head GET /a?b scheme=http for=other:81 HTTP/1.1 length=0", "end", "done"}},
		{name: "absolute form without path", in: "GET HTTPS://other HTTP/1.1\r\n" + host + "\r\n",
			calls: []string{"head GET / scheme=HTTPS for=other HTTP/1.1 length=0", "end", "done"}},
		{name: "absolute form, query only", in: "GET http://other?q HTTP/1.1\r\n" + host + "\r\n",
			calls: []string{"head GET /?q scheme=http for=other HTTP/1.1 length=0", "end", "done"}},
		{name: "asterisk form", in: "OPTIONS * HTTP/1.1\r\n" + host + "\r\n",
			calls: []string{"head OPTIONS * for=x HTTP/1.1 length=0", "end", "done"}},
		{name: "any token is a method", in: "BREW-IT! / HTTP/1.1\r\n" + host + "\r\n",
			calls: []string{"head BREW-IT! / for=x HTTP/1.1 length=0", "end", "done"}},
		{name: "a higher minor version is 1.1", in: "GET / HTTP/1.7\r\n" + host + "\r\n",
			calls: []string{"head GET / for=x HTTP/1.1 length=0", "end", "done"}},
		{name: "empty lines at the start", in: "\r\n\r\nGET / HTTP/1.1\r\n" + host + "\r\n",
			calls: []string{"head GET / for=x HTTP/1.1 length=0", "end", "done"}},
		{name: "asterisk without OPTIONS", in: "GET * HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "target *"},
		{name: "relative target", in: "GET a HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "neither a path"},
		{name: "other scheme", in: "GET ftp://x/ HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "neither a path"},
		{name: "absolute form without host", in: "GET http:///a HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "neither a path"},
		{name: "userinfo", in: "GET http://u:p@x/ HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "neither a path"},
		{name: "fragment", in: "GET /a#b HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "backslash in a target", in: "GET /a\\b HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "backslash in a query", in: "GET /a?b\\c HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "double quote in a target", in: "GET /a\"b HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "double quote in a query", in: "GET /a?b\"c HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "bar in a target", in: "GET /a|b HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "bar in a query", in: "GET /a?b|c HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "angle bracket in a target", in: "GET /a<b HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "angle bracket in a query", in: "GET /a?b<c HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "closing angle bracket in a target", in: "GET /a>b HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "closing angle bracket in a query", in: "GET /a?b>c HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "caret in a target", in: "GET /a^b HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "caret in a query", in: "GET /a?b^c HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "backquote in a target", in: "GET /a`b HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "backquote in a query", in: "GET /a?b`c HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "brace in a target", in: "GET /a{b HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "brace in a query", in: "GET /a?b{c HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "closing brace in a target", in: "GET /a}b HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "closing brace in a query", in: "GET /a?b}c HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "bracket in a target", in: "GET /a[b HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "bracket in a target with a query", in: "GET /a[b?c HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "bracket in a query", in: "GET /a?b[c HTTP/1.1\r\n" + host + "\r\n",
			calls: []string{"head GET /a?b[c for=x HTTP/1.1 length=0", "end", "done"}},
		{name: "closing bracket in a target", in: "GET /a]b HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "closing bracket in a query", in: "GET /a?b]c HTTP/1.1\r\n" + host + "\r\n",
			calls: []string{"head GET /a?b]c for=x HTTP/1.1 length=0", "end", "done"}},
		{name: "percent sign alone", in: "GET /100% HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "percent sign before no hex", in: "GET /%2x HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "brackets in the query of absolute form", in: "GET http://x?a[]=b HTTP/1.1\r\n" + host + "\r\n",
			calls: []string{"head GET /?a[]=b scheme=http for=x HTTP/1.1 length=0", "end", "done"}},
		{name: "bar in absolute form", in: "GET http://x/a|b HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "IPv6 address in absolute form", in: "GET http://[::1]:80/a HTTP/1.1\r\n" + host + "\r\n",
			calls: []string{"head GET /a scheme=http for=[::1]:80 HTTP/1.1 length=0", "end", "done"}},
		{name: "all that a target may hold", in: "GET /-._~!$&'()*+,;=:@/%2F?-._~!$&'()*+,;=:@/?%2f HTTP/1.1\r\n" + host + "\r\n",
			calls: []string{"head GET /-._~!$&'()*+,;=:@/%2F?-._~!$&'()*+,;=:@/?%2f for=x HTTP/1.1 length=0", "end", "done"}},
		{name: "8-bit target", in: "GET /\xc3\xa4 HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "tab in request line", in: "GET /\tHTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "illegal octet in target"},
		{name: "space in target", in: "GET /a b HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "malformed version"},
		{name: "two spaces", in: "GET  / HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "not METHOD SP target"},
		{name: "space at end", in: "GET / HTTP/1.1 \r\n" + host + "\r\n", status: 400, fault: "malformed version"},
		{name: "space at the start", in: " GET / HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "not a token"},
		{name: "no version", in: "GET /\r\n", status: 400, fault: "not METHOD SP target"},
		{name: "no target", in: "GET\r\n", status: 400, fault: "not a token"},
		{name: "method no token", in: "G(T / HTTP/1.1\r\n", status: 400, fault: "not a token"},
		{name: "lower-case http", in: "GET / http/1.1\r\n", status: 400, fault: "malformed version"},
		{name: "version 2", in: "GET / HTTP/2.0\r\n" + host + "\r\n", status: 505, fault: "version"},
		{name: "h2 preface", in: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: 505, fault: "version"},
		{name: "version 0.9", in: "GET / HTTP/0.9\r\n\r\n", status: 505, fault: "version"},
		{name: "version of two digits", in: "GET / HTTP/1.10\r\n\r\n", status: 400, fault: "malformed version"},
		{name: "CONNECT", in: "CONNECT x:80 HTTP/1.1\r\n" + host + "\r\n", status: 501, fault: "CONNECT"},
		{name: "TLS", in: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", status: 400, fault: "not a token"},

		// Host (RFC 9112 s.3.2).
		{name: "no Host in 1.0", in: "GET / HTTP/1.0\r\n\r\n",
			calls: []string{"head GET / for= HTTP/1.0 length=0 close", "end", "done"}},
		{name: "empty Host", in: "GET / HTTP/1.1\r\nHost:\r\n\r\n",
			calls: []string{"head GET / for= HTTP/1.1 length=0", "end", "done"}},
		{name: "no Host in 1.1", in: "GET / HTTP/1.1\r\nA: b\r\n\r\n", status: 400, fault: "host: missing"},
		{name: "no Host with absolute form", in: "GET http://x/ HTTP/1.1\r\nA: b\r\n\r\n", status: 400, fault: "host: missing"},
		{name: "two Hosts", in: "GET / HTTP/1.1\r\n" + host + host + "\r\n", status: 400, fault: "host: given twice"},
		{name: "two Hosts in 1.0", in: "GET / HTTP/1.0\r\n" + host + host + "\r\n", status: 400, fault: "host: given twice"},
		{name: "Host with path", in: "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", status: 400, fault: "host: not"},
		{name: "Host of a Unix socket", in: "GET / HTTP/1.1\r\nHost: +@x\r\n\r\n", status: 400, fault: "host: not"},
		{name: "Host with userinfo", in: "GET / HTTP/1.1\r\nHost: u@x\r\n\r\n", status: 400, fault: "host: not"},

		// Field lines (RFC 9112 s.5).
		{name: "whitespace around values", in: "GET / HTTP/1.1\r\n" + host + "A:b\r\nC: \t d e\t \r\nF:\r\nG: \xfc\r\n\r\n",
			calls: []string{"head GET / for=x HTTP/1.1 length=0 [A: b] [C: d e] [F: ] [G: \xfc]", "end", "done"}},
		{name: "folded", in: "GET / HTTP/1.1\r\n" + host + "A: b\r\n c\r\n\r\n", status: 400, fault: "folded"},
		{name: "folded with tab", in: "GET / HTTP/1.1\r\n" + host + "A: b\r\n\tc\r\n\r\n", status: 400, fault: "folded"},
		{name: "whitespace before fields", in: "GET / HTTP/1.1\r\n " + host + "\r\n", status: 400, fault: "whitespace before"},
		{name: "space before colon", in: "GET / HTTP/1.1\r\n" + host + "A : b\r\n\r\n", status: 400, fault: "name is not"},
		{name: "tab before colon", in: "GET / HTTP/1.1\r\n" + host + "A\t: b\r\n\r\n", status: 400, fault: "name is not"},
		{name: "no colon", in: "GET / HTTP/1.1\r\n" + host + "Abc\r\n\r\n", status: 400, fault: "name is not"},
		{name: "empty name", in: "GET / HTTP/1.1\r\n" + host + ": b\r\n\r\n", status: 400, fault: "name is not"},
		{name: "name no token", in: "GET / HTTP/1.1\r\n" + host + "A/b: c\r\n\r\n", status: 400, fault: "name is not"},
		{name: "8-bit name", in: "GET / HTTP/1.1\r\n" + host + "\xe4: c\r\n\r\n", status: 400, fault: "name is not"},
		{name: "NUL in value", in: "GET / HTTP/1.1\r\n" + host + "A: b\x00c\r\n\r\n", status: 400, fault: "control octet"},
		{name: "DEL in value", in: "GET / HTTP/1.1\r\n" + host + "A: b\x7fc\r\n\r\n", status: 400, fault: "control octet"},
		{name: "bare CR in value", in: "GET / HTTP/1.1\r\n" + host + "A: b\rc\r\n\r\n", status: 400, fault: "CR without LF"},
		{name: "bare LF", in: "GET / HTTP/1.1\r\n" + host + "A: b\nC: d\r\n\r\n", status: 400, fault: "LF without CR"},
		{name: "bare LF ends the head", in: "GET / HTTP/1.1\r\n" + host + "\n", status: 400, fault: "LF without CR"},
		{name: "LF alone", in: "GET / HTTP/1.1\nHost: x\n\n", status: 400, fault: "LF without CR"},
		{name: "LF at the start", in: "\nGET / HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "LF without CR"},
		{name: "CR at the start", in: "\rGET / HTTP/1.1\r\n" + host + "\r\n", status: 400, fault: "CR without LF"},
		{name: "CR CR LF", in: "GET / HTTP/1.1\r\r\n" + host + "\r\n", status: 400, fault: "CR without LF"},

		// Content-Length (RFC 9110 s.8.6, RFC 9112 s.6.2).
		{name: "counted body", in: "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello",
			calls: []string{"head POST / for=x HTTP/1.1 length=5", "body hello", "end", "done"}},
		{name: "length of 0", in: "POST / HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\n",
			calls: []string{"head POST / for=x HTTP/1.1 length=0", "end", "done"}},
		{name: "GET with a body", in: "GET / HTTP/1.1\r\n" + host + "content-length: 02\r\n\r\nhi",
			calls: []string{"head GET / for=x HTTP/1.1 length=2", "body hi", "end", "done"}},
		{name: "two lengths", in: "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", status: 400, fault: "content-length: given twice"},
		{name: "two equal lengths", in: "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", status: 400, fault: "content-length: given twice"},
		{name: "list of lengths", in: "POST / HTTP/1.1\r\n" + host + "Content-Length: 5, 5\r\n\r\nhello", status: 400, fault: "not a number"},
		{name: "plus", in: "POST / HTTP/1.1\r\n" + host + "Content-Length: +5\r\n\r\nhello", status: 400, fault: "not a number"},
		{name: "minus", in: "POST / HTTP/1.1\r\n" + host + "Content-Length: -5\r\n\r\nhello", status: 400, fault: "not a number"},
		{name: "hexadecimal length", in: "POST / HTTP/1.1\r\n" + host + "Content-Length: 0x5\r\n\r\nhello", status: 400, fault: "not a number"},
		{name: "empty length", in: "POST / HTTP/1.1\r\n" + host + "Content-Length:\r\n\r\nhello", status: 400, fault: "not a number"},
		{name: "length of 2^63", in: "POST / HTTP/1.1\r\n" + host + "Content-Length: 9223372036854775808\r\n\r\n", status: 400, fault: "not a number"},
		{name: "length of 2^64+5", in: "POST / HTTP/1.1\r\n" + host + "Content-Length: 18446744073709551621\r\n\r\n", status: 400, fault: "not a number"},

		// Transfer-Encoding (RFC 9112 s.6.1, s.6.3).
		{name: "chunked and counted", in: "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: 400, fault: "together"},
		{name: "counted and chunked", in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", status: 400, fault: "together"},
		{name: "chunked in 1.0", in: "POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: 400, fault: "HTTP/1.0"},
		{name: "chunked twice", in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", status: 400, fault: "end in chunked"},
		{name: "two codings fields", in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: 400, fault: "given twice"},
		{name: "chunked not last", in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", status: 400, fault: "end in chunked"},
		{name: "identity", in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n", status: 400, fault: "end in chunked"},
		{name: "empty coding", in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding:\r\n\r\n0\r\n\r\n", status: 400, fault: "end in chunked"},
		{name: "quoted coding", in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", status: 400, fault: "end in chunked"},
		{name: "coding with parameter", in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", status: 400, fault: "end in chunked"},
		{name: "vertical tab before coding", in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", status: 400, fault: "control octet"},
		{name: "unknown coding", in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", status: 501, fault: "other than chunked"},

		// Connection (RFC 9112 s.9) and Expect (RFC 9110 s.10.1.1).
		{name: "close among others", in: "GET / HTTP/1.1\r\n" + host + "Connection: foo, CLOSE\r\n\r\nGET /2 HTTP/1.1\r\n" + host + "\r\n",
			calls: []string{"head GET / for=x HTTP/1.1 length=0 close", "end", "done"}},
		{name: "close in the second field", in: "GET / HTTP/1.1\r\n" + host + "Connection: foo\r\nConnection: close\r\n\r\n",
			calls: []string{"head GET / for=x HTTP/1.1 length=0 close", "end", "done"}},
		{name: "closed is not close", in: "GET / HTTP/1.1\r\n" + host + "Connection: closed\r\n\r\n",
			calls: []string{"head GET / for=x HTTP/1.1 length=0", "end", "done"}},
		{name: "keep-alive in 1.0", in: "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n",
			calls: []string{"head GET / for= HTTP/1.0 length=0", "end", "done", "head GET /2 for= HTTP/1.0 length=0 close", "end", "done"}},
		{name: "upgrade", in: "GET / HTTP/1.1\r\n" + host + "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
			calls: []string{"head GET / for=x HTTP/1.1 length=0 upgrade=websocket", "end", "done"}},
		{name: "upgrade not listed", in: "GET / HTTP/1.1\r\n" + host + "Upgrade: websocket\r\n\r\n",
			calls: []string{"head GET / for=x HTTP/1.1 length=0", "end", "done"}},
		{name: "expectation", in: "POST / HTTP/1.1\r\n" + host + "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi",
			calls: []string{"head POST / for=x HTTP/1.1 length=2 continue", "body hi", "end", "done"}},
		{name: "expectation in 1.0 is ignored", in: "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
			calls: []string{"head POST / for= HTTP/1.0 length=2 close", "body hi", "end", "done"}},
		{name: "other expectation", in: "GET / HTTP/1.1\r\n" + host + "Expect: cake\r\n\r\n", status: 417, fault: "expect"},
		{name: "empty expectation", in: "GET / HTTP/1.1\r\n" + host + "Expect:\r\n\r\n", status: 417, fault: "expect"},

		// Pipelining.
		{name: "three in a row", in: "GET /1 HTTP/1.1\r\n" + host + "\r\nPOST /2 HTTP/1.1\r\n" + host + "Content-Length: 2\r\n\r\nhi\r\nGET /3 HTTP/1.1\r\n" + host + "\r\n",
			calls: []string{"head GET /1 for=x HTTP/1.1 length=0", "end", "done",
				"head POST /2 for=x HTTP/1.1 length=2", "body hi", "end", "done",
				"head GET /3 for=x HTTP/1.1 length=0", "end", "done"}},
		{name: "a bad one after a good one", in: "GET /1 HTTP/1.1\r\n" + host + "\r\nGET /2\r\n\r\n",
			calls: []string{"head GET /1 for=x HTTP/1.1 length=0", "end", "done"}, status: 400, fault: "not METHOD SP target"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rolestest.Splits(t, []byte(c.in), 8, func(how string, feed func(func([]byte))) {
				h := (&recorder{}).answer(200, "")
				sh := NewShared(DefaultConfig())
				_, l := serve(sh, h)
				feed(l.Feed)
				if got, want := h.String(), strings.Join(c.calls, "\n"); got != want {
					t.Fatalf("%s: got the calls\n%s\nwant\n%s\nbytes: %q", how, got, want, c.in)
				}
				if l.Misuse != "" {
					t.Fatalf("%s: %s", how, l.Misuse)
				}
				if c.status == 0 {
					if l.Cause != nil {
						t.Fatalf("%s: refused: %v\nbytes: %q", how, l.Cause, c.in)
					}
					return
				}
				wantRefusal(t, how, sh, l, c.status, c.fault)
			})
		})
	}
}

// wantRefusal checks that the output ends with a refusal by the server, and that it is counted and closes the connection.
func wantRefusal(t *testing.T, how string, sh *Shared, l *rolestest.Lower, status int, fault string) {
	t.Helper()
	at := strings.LastIndex(string(l.Out), "HTTP/1.1 ")
	if at < 0 {
		t.Fatalf("%s: no response, closed with cause %v; want %d for %q", how, l.Cause, status, fault)
	}
	last := string(l.Out[at:])
	head, body, _ := strings.Cut(last, "\r\n\r\n")
	if !strings.HasPrefix(last, fmt.Sprintf("HTTP/1.1 %d ", status)) || !strings.Contains(head, "\r\nConnection: close") ||
		!strings.Contains(head, fmt.Sprintf("\r\nContent-Length: %d\r\n", len(body))) {
		t.Fatalf("%s: got the response\n%s\nwant status %d, the body's length, and close", how, last, status)
	}
	if l.Cause == nil || !strings.Contains(l.Cause.Error(), fault) || !strings.Contains(body, fault) {
		t.Fatalf("%s: closed with cause %v, body %q; want %q in both", how, l.Cause, body, fault)
	}
	if sh.Refused(status) != 1 {
		t.Fatalf("%s: counted %d refusals with %d, want 1", how, sh.Refused(status), status)
	}
}
