package ss_test

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
)

// TestSniff: the first bytes on a port of both protocols select the protocol, however they are fragmented.
func TestSniff(t *testing.T) {
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	const settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	const h2, h1 = "\x00\x00", "HTTP/1.1 "
	for _, c := range []struct{ name, say, want string }{
		{"the preface", preface + settings, h2},
		{"a GET", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", h1 + "200"},
		{"a POST, which begins alike", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", h1 + "200"},
		{"a method that begins alike", "PRINT / HTTP/1.1\r\nHost: x\r\n\r\n", h1 + "200"},
		{"a preface that is none", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", h1},
		{"an upgrade to h2c is not taken up (RFC 9113 s.3.1)", "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n" +
			"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", h1 + "200"},
		{"an empty line before a request", "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", h1 + "200"},
		{"neither", "INVALID CONNECTION PREFACE\r\n\r\n", ""},
		{"a request line without end", "GET /" + strings.Repeat("x", 9000), h1 + "414"},
		{"a client of TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", h1 + "400"},
	} {
		for _, piece := range []int{0, 1, 5, 17} {
			if len(c.say) > 1000 && piece == 1 {
				continue
			}
			w := newWorld(t, webDoc, plan{})
			w.Serve("web", answer(0, ""))
			s := newScript()
			s.Say, s.NoEOM, s.Piece = []byte(c.say), true, piece
			s.When(ss.Connected, (*ss.Handle).RequestTx)
			w.Create("wire", s).Connect()
			w.Advance(time.Second)
			got := string(s.Got)
			if !strings.HasPrefix(got, c.want) || c.want == "" && (got != "" || s.Told(ss.Disconnected) == 0) || strings.Contains(got, " 101 ") || strings.Count(got, h1) > 1 {
				t.Errorf("%s, in pieces of %d: got %q, want it to begin with %q", c.name, piece, got, c.want)
			}
			if n := strings.Count(w.Accepted[0].Line(), "CREATING"); len(w.Accepted) != 1 || n != 1 {
				t.Errorf("%s, in pieces of %d: %d streams, told CREATING %d times, want one of each", c.name, piece, len(w.Accepted), n)
			}
			s.Handle.Disconnect()
		}
	}
}

// TestSniffOnH1: a port of HTTP/1.1 only does not accept the preface.
func TestSniffOnH1(t *testing.T) {
	w := newWorld(t, wireDoc, plan{})
	w.Serve("srv", nil)
	s := w.say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	w.Settle()
	if got := string(s.Got); !strings.HasPrefix(got, "HTTP/1.1 4") && !strings.HasPrefix(got, "HTTP/1.1 505") {
		t.Errorf("the preface on a port of h1: got %q, want it refused", got)
	}
}

// TestSniffEnds: connections whose protocol stays undecided time out, and their streams can end them like any other.
func TestSniffEnds(t *testing.T) {
	const life = "CREATING CONNECTING DISCONNECTED DESTROYING"
	for _, text := range []string{"", "PRI * HT"} {
		for name, end := range map[string]func(w *world, s *script){
			"time":                func(w *world, _ *script) { w.Advance(31 * time.Second) },
			"the peer":            func(_ *world, s *script) { s.Handle.Disconnect() },
			"the program":         func(w *world, _ *script) { w.Accepted[0].Handle.Destroy() },
			"a drain":             func(w *world, _ *script) { w.Server.Runtime.Drain(func() {}) },
			"the server's stream": func(w *world, _ *script) { w.Accepted[0].Handle.Server().Destroy() },
		} {
			w := newWorld(t, webDoc, plan{})
			w.Serve("web", nil)
			s := w.say(text)
			w.Settle()
			w.WantLife("a stream that waits", w.Accepted[0], "CREATING CONNECTING")
			end(w, s)
			w.Advance(100 * time.Millisecond)
			w.WantLife(name+" ends a connection that said "+text, w.Accepted[0], life)
			w.WantLife("its client", s, "CREATING CONNECTING CONNECTED DISCONNECTED")
		}
	}
	// A program that refuses the connection.
	for _, st := range []ss.State{ss.Creating, ss.Connecting} {
		w := newWorld(t, webDoc, plan{})
		w.Serve("web", func(s *script) { s.When(st, func(*ss.Handle) ss.Ret { return ss.DestroyMe }) })
		s := w.say("PRI * HT")
		w.Settle()
		w.WantLife("a client that is not wanted", s, "CREATING CONNECTING CONNECTED DISCONNECTED")
	}
}
