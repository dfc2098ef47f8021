package h1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/rolestest"
)

// TestHeadLimits: a head at each limit is accepted, and one above it is refused.
func TestHeadLimits(t *testing.T) {
	line := func(n int) string {
		return "GET /" + strings.Repeat("a", n-len("GET / HTTP/1.1\r\n")) + " HTTP/1.1\r\n"
	}
	fields := func(n int) string {
		s := "GET / HTTP/1.1\r\nHost: x\r\n"
		for i := 1; i < n; i++ {
			s += fmt.Sprintf("a%d: b\r\n", i)
		}
		return s + "\r\n"
	}
	head := func(n int) string {
		s := "GET / HTTP/1.1\r\nHost: x\r\nA: "
		return s + strings.Repeat("b", n-len(s)-4) + "\r\n\r\n"
	}
	for _, c := range []struct {
		name, in string
		status   int
		fault    string
	}{
		{name: "line within", in: line(8192) + "Host: x\r\n\r\n"},
		{name: "line past", in: line(8193) + "Host: x\r\n\r\n", status: 414, fault: "request line: too long"},
		{name: "line far past", in: line(30000) + "Host: x\r\n\r\n", status: 414, fault: "request line: too long"},
		{name: "endless line", in: "GET /" + strings.Repeat("a", 9000), status: 414, fault: "request line: too long"},
		{name: "endless method", in: strings.Repeat("A", 9000), status: 501, fault: "method is too long"},
		{name: "method over the limit", in: strings.Repeat("A", 8193) + " / HTTP/1.1\r\nHost: x\r\n\r\n", status: 501, fault: "method is too long"},
		{name: "method that fills the line", in: strings.Repeat("A", 8190) + " / HTTP/1.1\r\nHost: x\r\n\r\n", status: 501, fault: "method is too long"},
		{name: "no token for a method", in: "(" + strings.Repeat("A", 9000), status: 400, fault: "not a token"},
		{name: "fault before the limit", in: "GET /" + strings.Repeat("a", 8000) + "\x00" + strings.Repeat("a", 9000), status: 400, fault: "control octet"},
		{name: "fault after the limit", in: "GET /" + strings.Repeat("a", 9000) + "\x00", status: 414, fault: "request line: too long"},
		{name: "fields within", in: fields(100)},
		{name: "fields past", in: fields(101), status: 431, fault: "too many fields"},
		{name: "head within", in: head(16384)},
		{name: "head past", in: head(16385), status: 431, fault: "head: too long"},
		{name: "endless head", in: head(16000)[:15000] + strings.Repeat("c", 5000), status: 431, fault: "head: too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rolestest.Splits(t, []byte(c.in), 3, func(how string, feed func(func([]byte))) {
				sh := NewShared(DefaultConfig())
				h := (&recorder{}).answer(200, "")
				_, l := serve(sh, h)
				feed(l.Feed)
				if c.status != 0 {
					wantRefusal(t, how, sh, l, c.status, c.fault)
					if len(h.lines) != 0 {
						t.Fatalf("%s: the handler got the calls %s, want none", how, h)
					}
					return
				}
				if l.Cause != nil || sh.Counters.Responses != 1 {
					t.Fatalf("%s: got %d responses, closed with cause %v; want 1 and open", how, sh.Counters.Responses, l.Cause)
				}
			})
		})
	}
}
