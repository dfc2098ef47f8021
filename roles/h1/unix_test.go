package h1

import (
	"testing"

	"github.com/millrace/millrace/roles/rolestest"
)

// TestHostOfAUnixSocket: a server on a Unix socket accepts a Host that starts with "+", and each Host that others accept.
func TestHostOfAUnixSocket(t *testing.T) {
	for _, c := range []struct {
		host   string
		status int // of the refusal, 0: accepted
	}{
		{"+@name", 0}, {"+/run/x.sock", 0}, {"+@a:b", 0}, {"+x", 0}, {"localhost", 0}, {"x:80", 0},
		{"+", 0}, // a name of RFC 3986 s.3.2.2, legal on any socket
		{"@name", 400}, {"/run/x.sock", 400}, {"+@a b", 400}, {"+@\xfc", 400}, {"u@x", 400},
	} {
		rolestest.Splits(t, []byte("GET / HTTP/1.1\r\nHost: "+c.host+"\r\n\r\n"), 4, func(how string, feed func(func([]byte))) {
			h := (&recorder{}).answer(200, "")
			sh, s, l := NewShared(DefaultConfig()), new(Server), rolestest.New()
			s.Init(sh, l, h)
			s.OnUnixSocket()
			l.Open(s)
			feed(l.Feed)
			if c.status != 0 {
				wantRefusal(t, how+", host "+c.host, sh, l, c.status, "host: not")
				return
			}
			if got, want := h.String(), "head GET / for="+c.host+" HTTP/1.1 length=0\nend\ndone"; got != want {
				t.Errorf("%s, host %s: got the calls\n%s\nwant\n%s", how, c.host, got, want)
			}
		})
	}
}
