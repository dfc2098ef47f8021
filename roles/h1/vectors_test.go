package h1

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// vector is a test case of llhttp (testdata/llhttp, under its own licence).
type vector struct {
	ID       string  `json:"id"`
	Type     string  `json:"type"`
	Input    []byte  `json:"input"`
	Error    *string `json:"error"`
	Complete int     `json:"complete"`
	Log      string  `json:"log"`
}

// deviations are the vectors for which this package gives another result than llhttp, by the rule that requires it. A line
// is the type and id of a vector, with quotes in place of backquotes.
var deviations = []struct{ reason, vectors string }{
	{"RFC 9112 s.9.6: what follows a message that closes is not looked at, so it is dropped, not refused", `
		request | request/connection.md: Setting flag / No restart when keep-alive is off (1.0)
		request | request/connection.md: 'close' / CRLF between requests, explicit 'close'
		request | request/connection.md: 'close' / CRLF between requests, explicit 'close' followed by tab
		request-lenient-keep-alive | request/connection.md: Setting flag / Resetting flags when keep-alive is off (1.0, lenient)
		request-lenient-keep-alive | request/connection.md: 'close' / CRLF between requests, explicit 'close' (lenient)
		response | response/connection.md: HTTP/1.1 with keep-alive disabled and 204 status
		response | response/connection.md: HTTP/1.1 with keep-alive disabled, content-length
		response-lenient-keep-alive | response/connection.md: HTTP/1.1 with keep-alive disabled and 204 status (lenient)
		response-lenient-data-after-close | response/connection.md: HTTP/1.1 with keep-alive disabled, content-length (lenient)`},
	{"RFC 9112 s.6.3: a declared body is a body; the vector has llhttp's caller skip it", `
		request | request/content-length.md: Content-Length reset when no body is received
		response | response/content-length.md: Content-Length reset when no body is received`},
	{"RFC 9110 s.9.1: a method is any token; whether it is implemented is for the handler to say", `
		request | request/invalid.md: ICE protocol, but not really / HTTP protocol and ANNOUNCE method
		request | request/invalid.md: ICE protocol, but not really / Invalid method`},
	{"RFC 9110 s.9.3.6: an origin server need not implement CONNECT, and this one answers 501", `
		request | request/method.md: CONNECT request
		request | request/method.md: CONNECT request / CONNECT request with CAPS
		request | request/method.md: CONNECT request / CONNECT with body
		request | request/uri.md: Underscore in hostname`},
	{"RFC 9112 s.3.2.4: asterisk-form is for OPTIONS alone", `
		request | request/method.md: CONNECT request / M-SEARCH request
		request | request/method.md: CONNECT request / PRI request HTTP2`},
	{"RFC 9112 s.2.3: the protocol's name is HTTP", `
		request | request/method.md: CONNECT request / SOURCE request with ICE
		request | request/method.md: CONNECT request / OPTIONS request with RTSP
		request | request/method.md: CONNECT request / ANNOUNCE request with RTSP
		response | response/sample.md: RTSP response
		response | response/sample.md: ICE response`},
	{"RFC 9112 s.2.3, s.3: there is no version 0.9 in this protocol, and no request line without a version", `
		request | request/sample.md: No HTTP version
		response | response/sample.md: HTTP version 0.9`},
	{"RFC 9112 s.3.2: a request-target has no fragment", `
		request | request/uri.md: Fragment in URI
		request | request/transfer-encoding.md: POST with 'chunked' as last transfer-encoding
		request | request/transfer-encoding.md: POST with 'chunked' as last transfer-encoding (multiple headers)`},
	{"RFC 9112 s.3.2, RFC 3986 s.3.3, s.3.4: no quote, backslash or bar in a path or query", `
		request | request/uri.md: Quotes in URI
		request | request/uri.md: Query URL with vertical bar character`},
	{"RFC 9110 s.4.2.4: userinfo in an http URI is an error", `
		request | request/uri.md: 'host:port' and basic auth`},
	{"RFC 9112 s.6.1, s.7: a coding that is not understood makes the body unreadable, whatever ends it", `
		response | response/transfer-encoding.md: 'chunked' before other transfer-encoding
		response | response/transfer-encoding.md: multiple transfer-encoding where chunked is not the last one
		response | response/transfer-encoding.md: 'chunkedchunked' transfer-encoding does not enable chunked enconding`},
}

var offset = regexp.MustCompile(`off=(\d+)(?: len=(\d+))?`)

// seen returns the number of octets that llhttp consumed.
func (v *vector) seen() (n int) {
	for _, m := range offset.FindAllStringSubmatch(v.Log, -1) {
		off, _ := strconv.Atoi(m[1])
		length, _ := strconv.Atoi(m[2])
		n = max(n, off+length)
	}
	return n
}

var (
	begins    = regexp.MustCompile(`off=(\d+) message begin`)
	completes = regexp.MustCompile(`off=(\d+) message complete`)
)

// bytes returns the input, repaired and completed. Many inputs of the collection lack the empty line at the end. llhttp
// checks octets, this package lines: where llhttp rejects an incomplete line, bytes adds its end. Most requests lack the
// Host that RFC 9112 s.3.2 requires, so bytes adds one.
func (v *vector) bytes() []byte {
	b := v.Input
	if v.seen() > len(b) {
		b = append(b, crlf...)
	}
	if v.refused() {
		b = append(b, "\r\n\r\n"...)
	}
	if !strings.HasPrefix(v.Type, "request") {
		return b
	}
	starts := begins.FindAllStringSubmatch(v.Log, -1)
	for i := len(starts) - 1; i >= 0; i-- {
		at, _ := strconv.Atoi(starts[i][1])
		if at > len(b) {
			continue
		}
		line, rest, ok := bytes.Cut(b[at:], []byte(" HTTP/1.1\r\n"))
		head, _, _ := bytes.Cut(rest, []byte("\r\n\r\n"))
		if !ok || bytes.Contains(line, []byte("\n")) && len(bytes.TrimSpace(line)) < 1 || bytes.Contains(bytes.ToLower(head), []byte("host:")) {
			continue
		}
		cut := at + len(line) + len(" HTTP/1.1\r\n")
		b = append(b[:cut:cut], append([]byte("Host: x\r\n"), b[cut:]...)...)
	}
	return b
}

// refused reports whether llhttp rejects the input. A pause for an upgrade is no rejection.
func (v *vector) refused() bool {
	return v.Error != nil && !strings.HasPrefix(*v.Error, "Pause on")
}

func vectors(t testing.TB) (all []vector) {
	t.Helper()
	text, err := os.ReadFile("testdata/llhttp/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 251 {
		t.Fatalf("got %d vectors, want 251", len(all))
	}
	return all
}

// count returns the number of complete messages, informational responses included.
func count(lines []string) (n int) {
	for _, s := range lines {
		if s == "end" || strings.HasPrefix(s, "end ") || strings.HasPrefix(s, "head 1") {
			n++
		}
	}
	return n
}

// judgeRequest gives the input to a server whose handler answers each request. It returns the number of complete requests
// and the fault for which the server refused one.
func judgeRequest(_ *vector, feed func(func([]byte))) (complete int, fault error) {
	h := (&recorder{}).answer(200, "")
	_, l := serve(NewShared(DefaultConfig()), h)
	feed(l.Feed)
	return count(h.lines), l.Cause
}

// eager is the owner of a client that starts another request whenever it can.
type eager struct{ h *recorder }

func (e *eager) Idle(c *Client) {
	e.h.request(&http.Message{Method: []byte("GET"), Authority: []byte("x"), Upgrade: []byte("h2c")}, "")
	e.h.onHead = func(x http.Exchange, m *http.Message) {
		if m.Status == 101 {
			if err := c.Upgrade(x, sink{}); err != nil {
				panic(err)
			}
		}
	}
	if _, err := c.Do(e.h); err != nil {
		panic(err)
	}
}

// sink is an Upper that uses all its input.
type sink struct{ roles.Upper }

func (sink) Opened(time.Duration)                {}
func (sink) Rx(_ time.Duration, b []byte) int    { return len(b) }
func (sink) Deadline() time.Duration             { return 0 }
func (sink) RxEnd(now time.Duration, unused int) {}

func (e *eager) Closed(*Client, error) {}

// judgeResponse gives the input to a client that makes a request whenever it can. It gives the responses of a vector one by
// one, so that none comes before its request.
func judgeResponse(v *vector, feed func(func([]byte))) (complete int, fault error) {
	e := &eager{h: &recorder{}}
	c, l := dial(NewShared(DefaultConfig()))
	c.Owner = e
	e.Idle(c)
	l.Service()
	var ends []int
	for _, m := range completes.FindAllStringSubmatch(v.Log, -1) {
		at, _ := strconv.Atoi(m[1])
		ends = append(ends, at)
	}
	at := 0
	feed(func(b []byte) {
		for len(b) > 0 {
			n := len(b)
			for _, s := range ends {
				if s > at && s < at+n {
					n = s - at
				}
			}
			l.Feed(b[:n])
			at, b = at+n, b[n:]
		}
	})
	return count(e.h.lines), l.Cause
}

func TestVectors(t *testing.T) {
	known := map[string]string{}
	for _, d := range deviations {
		for line := range strings.Lines(d.vectors) {
			if line = strings.TrimSpace(line); line != "" {
				known[line] = d.reason
			}
		}
	}
	by, deviating := map[string]int{}, 0
	for _, v := range vectors(t) {
		name := v.Type + " | " + strings.ReplaceAll(v.ID, "`", "'")
		judge := judgeRequest
		if strings.HasPrefix(v.Type, "response") {
			judge = judgeResponse
		}
		in := v.bytes()
		complete, fault := judge(&v, func(f func([]byte)) { f(bytes.Clone(in)) })
		rolestest.Splits(t, in, 4, func(how string, feed func(func([]byte))) {
			n, err := judge(&v, feed)
			if n != complete || errText(err) != errText(fault) {
				t.Errorf("%s\n%s: got %d complete, %v\nwhole: %d complete, %v\nbytes: %s", name, how, n, err, complete, fault, visible(in))
			}
		})
		same := (fault != nil) == v.refused() && (fault != nil || complete == v.Complete)
		// What llhttp accepts in a lenient mode is there because strict ones refuse it.
		if strings.Contains(v.Type, "-lenient") {
			same = fault != nil
		}
		reason := known[name]
		delete(known, name)
		switch {
		case same && reason != "":
			t.Errorf("%s\nis listed as a deviation (%s), but agrees with llhttp: %d complete, %v", name, reason, complete, fault)
		case !same && reason == "":
			t.Errorf("%s\ngot: %d complete, refused for: %v\nllhttp: %d complete, %s\nbytes: %s", name, complete, fault, v.Complete, v.verdict(), visible(in))
		}
		if reason != "" {
			by[reason]++
			deviating++
		}
	}
	for name, reason := range known {
		t.Errorf("the deviation for %s names an unknown vector: %s", reason, name)
	}
	t.Logf("251 vectors; %d deviations for %d reasons", deviating, len(by))
}

func (v *vector) verdict() string {
	if v.Error != nil {
		return *v.Error
	}
	return "accepted"
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
