package h1

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

func TestResponses(t *testing.T) {
	date := func() []byte { return []byte("Sun, 06 Nov 1994 08:49:37 GMT") }
	write := func(x http.Exchange, s string, end bool) { x.Commit(copy(x.Room(), s), end) }
	for _, c := range []struct {
		name, in string
		m        http.Message
		end      bool
		body     func(x http.Exchange)
		out      string
		closed   bool
	}{
		{name: "counted", in: getHead, m: http.Message{Status: 200, Length: 5},
			body: func(x http.Exchange) { write(x, "he", false); write(x, "llo", true) },
			out:  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "end is implied by the length", in: getHead, m: http.Message{Status: 200, Length: 5},
			body: func(x http.Exchange) { write(x, "hello", false) },
			out:  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "no body", in: getHead, m: http.Message{Status: 404, Length: http.UnknownLength}, end: true,
			out: "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"},
		{name: "unregistered status", in: getHead, m: http.Message{Status: 599}, end: true,
			out: "HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n"},
		{name: "status past the table", in: getHead, m: http.Message{Status: 999}, end: true,
			out: "HTTP/1.1 999 \r\nContent-Length: 0\r\n\r\n"},
		{name: "fields", in: getHead,
			m:   http.Message{Status: 200, Fields: []http.Field{{Name: []byte("A"), Value: []byte("b c")}, {Name: []byte("D")}}},
			end: true, out: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: b c\r\nD: \r\n\r\n"},
		{name: "chunked", in: getHead, m: http.Message{Status: 200, Length: http.UnknownLength},
			body: func(x http.Exchange) { write(x, "hello", false); write(x, "", false); write(x, " you", true) },
			out:  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0005\r\nhello\r\n0004\r\n you\r\n0\r\n\r\n"},
		{name: "chunked, end alone", in: getHead, m: http.Message{Status: 200, Length: http.UnknownLength},
			body: func(x http.Exchange) { write(x, "hello", false); x.Commit(0, true) },
			out:  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0005\r\nhello\r\n0\r\n\r\n"},
		{name: "trailers", in: getHead, m: http.Message{Status: 200, Length: http.UnknownLength},
			body: func(x http.Exchange) {
				write(x, "hello", false)
				if err := x.SendTrailers([]http.Field{{Name: []byte("Sum"), Value: []byte("1")}}); err != nil {
					t.Error(err)
				}
			},
			out: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0005\r\nhello\r\n0\r\nSum: 1\r\n\r\n"},
		{name: "trailers where none can be", in: "GET / HTTP/1.0\r\n\r\n", m: http.Message{Status: 200, Length: http.UnknownLength},
			body: func(x http.Exchange) {
				write(x, "hello", false)
				if err := x.SendTrailers([]http.Field{{Name: []byte("Sum"), Value: []byte("1")}}); err != nil {
					t.Error(err)
				}
			},
			out: "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", closed: true},
		{name: "delimited by close in 1.0", in: "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", m: http.Message{Status: 200, Length: http.UnknownLength},
			body: func(x http.Exchange) { write(x, "hello", true) },
			out:  "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", closed: true},
		{name: "kept alive in 1.0", in: "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", m: http.Message{Status: 200, Length: 5},
			body: func(x http.Exchange) { write(x, "hello", true) },
			out:  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello"},
		{name: "close asked for by the client", in: "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", m: http.Message{Status: 200}, end: true,
			out: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", closed: true},
		{name: "close asked for by the handler", in: getHead, m: http.Message{Status: 200, Close: true}, end: true,
			out: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", closed: true},
		{name: "HEAD, counted", in: "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", m: http.Message{Status: 200, Length: 5}, end: true,
			out: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
		{name: "HEAD, a body is dropped", in: "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", m: http.Message{Status: 200, Length: 5},
			body: func(x http.Exchange) { write(x, "he", false); write(x, "llo", true) },
			out:  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
		{name: "HEAD, unknown length", in: "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", m: http.Message{Status: 200, Length: http.UnknownLength},
			body: func(x http.Exchange) { write(x, "hello", true) },
			out:  "HTTP/1.1 200 OK\r\n\r\n"},
		{name: "204", in: getHead, m: http.Message{Status: 204}, end: true, out: "HTTP/1.1 204 No Content\r\n\r\n"},
		{name: "304", in: getHead, m: http.Message{Status: 304}, end: true, out: "HTTP/1.1 304 Not Modified\r\n\r\n"},
		{name: "304 with the length of a 200", in: getHead, m: http.Message{Status: 304, Length: 7}, end: true,
			out: "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"},
		{name: "426 offers another protocol", in: getHead, m: http.Message{Status: 426, Upgrade: []byte("h2c")}, end: true,
			out: "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &recorder{onEnd: func(x http.Exchange) { x.WantWrite() }}
			h.writable = func(x http.Exchange) {
				if err := x.SendHead(&c.m, c.end); err != nil {
					t.Fatal(err)
				}
				if c.body != nil {
					c.body(x)
				}
			}
			_, l := serve(NewShared(DefaultConfig()), h)
			l.Feed([]byte(c.in))
			wantOut(t, l, c.out)
			if h.dones != 1 || h.cause != nil || l.Closing != c.closed || l.Cause != nil {
				t.Errorf("Done called %d times, %v, closing %v for %v; want once, nil, %v, nil", h.dones, h.cause, l.Closing, l.Cause, c.closed)
			}
			_, l = serve(sharedWith(func(c *Config) { c.Date, c.ServerName = date, "mill" }), h)
			l.Feed([]byte(c.in))
			line, rest, _ := strings.Cut(c.out, "\r\n")
			wantOut(t, l, line+"\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: mill\r\n"+rest)
		})
	}
}

func TestInterimResponses(t *testing.T) {
	hint := http.Message{Status: 103, Fields: []http.Field{{Name: []byte("Link"), Value: []byte("</a>")}}}
	h := &recorder{onEnd: func(x http.Exchange) { x.WantWrite() }}
	h.writable = func(x http.Exchange) {
		for _, m := range []*http.Message{&hint, {Status: 102}, {Status: 200}} {
			if err := x.SendHead(m, m.Status == 200); err != nil {
				t.Fatal(err)
			}
		}
	}
	sh := NewShared(DefaultConfig())
	_, l := serve(sh, h)
	l.Feed([]byte(getHead))
	wantOut(t, l, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"+okEmpty)
	l.Feed([]byte("GET / HTTP/1.0\r\n\r\n"))
	wantOut(t, l, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	if sh.Counters.Interim != 2 || sh.Counters.Responses != 2 || sh.Counters.Reused != 1 {
		t.Errorf("counted %d interim, %d final, %d reused; want 2, 2, 1", sh.Counters.Interim, sh.Counters.Responses, sh.Counters.Reused)
	}
}

func TestContinue(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
	const go100 = "HTTP/1.1 100 Continue\r\n\r\n"
	t.Run("sent unasked", func(t *testing.T) {
		h := (&recorder{}).answer(200, "")
		_, l := serve(NewShared(DefaultConfig()), h)
		l.Feed([]byte(head))
		wantOut(t, l, go100)
		l.Feed([]byte("hi"))
		wantOut(t, l, okEmpty)
	})
	t.Run("held back by pausing", func(t *testing.T) {
		h := (&recorder{}).answer(200, "")
		h.onHead = func(x http.Exchange, _ *http.Message) { x.Pause() }
		_, l := serve(NewShared(DefaultConfig()), h)
		l.Feed([]byte(head))
		wantOut(t, l, "")
		h.x.Resume()
		l.Service()
		wantOut(t, l, go100)
		l.Feed([]byte("hi"))
		wantOut(t, l, okEmpty)
	})
	t.Run("refused, and closed", func(t *testing.T) {
		h := (&recorder{}).answer(401, "no")
		h.onHead = func(x http.Exchange, _ *http.Message) { x.WantWrite() }
		_, l := serve(NewShared(DefaultConfig()), h)
		l.Feed([]byte(head))
		wantOut(t, l, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
		wantClosed(t, l, roles.Graceful, "request body not read")
		if !errors.Is(h.cause, http.ErrUnread) {
			t.Errorf("Done with %v, want ErrUnread", h.cause)
		}
	})
	t.Run("no body, no 100", func(t *testing.T) {
		h := (&recorder{}).answer(200, "")
		_, l := serve(NewShared(DefaultConfig()), h)
		l.Feed([]byte("GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n"))
		wantOut(t, l, okEmpty)
	})
	t.Run("waits for room", func(t *testing.T) {
		h := (&recorder{}).answer(200, "")
		_, l := serve(NewShared(DefaultConfig()), h)
		l.Refuse = true
		l.Feed([]byte(head))
		l.Refuse = false
		l.Service()
		wantOut(t, l, go100)
	})
}

// taker is an Upper that records its input.
type taker struct {
	sink
	got []byte
}

func (k *taker) Rx(_ time.Duration, b []byte) int {
	k.got = append(k.got, b...)
	return len(b)
}

func TestUpgrade(t *testing.T) {
	const in = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
	m := &http.Message{Upgrade: []byte("echo"), Fields: []http.Field{{Name: []byte("A"), Value: []byte("b")}}}
	for _, late := range []bool{false, true} {
		rolestest.Splits(t, []byte(in+"for the next"), 4, func(how string, feed func(func([]byte))) {
			var s *Server
			u := &taker{}
			h := &recorder{}
			up := func(x http.Exchange) {
				if err := s.Upgrade(x, m, u); err != nil {
					t.Fatal(err)
				}
			}
			if late {
				h.onEnd = func(x http.Exchange) { x.WantWrite() }
				h.writable = up
			} else {
				h.onHead = func(x http.Exchange, _ *http.Message) { up(x) }
			}
			sh := NewShared(DefaultConfig())
			s, l := serveInto(sh, h, &s)
			feed(l.Feed)
			wantOut(t, l, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\nA: b\r\n\r\n")
			if string(u.got) != "for the next" || l.Upper() != roles.Upper(u) {
				t.Errorf("%s: the protocol after the upgrade got %q, want %q", how, u.got, "for the next")
			}
			if h.dones != 1 || h.cause != nil || sh.Counters.Upgraded != 1 || s.Busy() {
				t.Errorf("%s: Done called %d times with %v, %d upgrades; want once, nil, 1", how, h.dones, h.cause, sh.Counters.Upgraded)
			}
		})
	}
}

func TestUpgradeIsRefused(t *testing.T) {
	m := &http.Message{Upgrade: []byte("echo")}
	for name, in := range map[string]string{
		"with a body": "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\nContent-Length: 1\r\n\r\n",
		"in 1.0":      "GET / HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
	} {
		var s *Server
		h := &recorder{}
		h.onHead = func(x http.Exchange, _ *http.Message) {
			if err := s.Upgrade(x, m, sink{}); !errors.Is(err, http.ErrMisuse) {
				t.Errorf("%s: got %v, want ErrMisuse", name, err)
			}
		}
		_, l := serveInto(NewShared(DefaultConfig()), h, &s)
		l.Feed([]byte(in))
		wantOut(t, l, "")
	}
}

// serveInto is serve for a handler that needs the Server.
func serveInto(c *Shared, h http.Handler, to **Server) (*Server, *rolestest.Lower) {
	s, l := serve(c, h)
	*to = s
	return s, l
}
