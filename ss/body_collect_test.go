package ss_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
)

// verdicts are short forms of a Collector's reports.
type verdicts []string

func (v *verdicts) done(_ *ss.Handle, body []byte, err error) ss.Ret {
	switch {
	case err == nil:
		*v = append(*v, fmt.Sprintf("%d bytes", len(body)))
	case errors.Is(err, ss.ErrTooLong):
		*v = append(*v, "too long")
	case errors.Is(err, ss.ErrCutOff):
		*v = append(*v, "cut off")
	default:
		*v = append(*v, "failed")
	}
	if err != nil && body != nil {
		*v = append(*v, "a body with an error")
	}
	return ss.OK
}

func (v verdicts) String() string { return strings.Join(v, ", ") }

// A client's Collector: bodies that are complete, too long, incomplete or missing.
func TestCollectorOfClients(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for _, c := range []struct {
		name   string
		answer string // of an HTTP/1.1 server, each time; it hangs up after it
		limit  int
		second string // the answer to the second request, if another
		want   string
	}{
		{"complete", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 5, "", "5 bytes"},
		{"no body", "HTTP/1.1 204 No Content\r\n\r\n", 0, "", "0 bytes"},
		{"another status", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", 0, "", "2 bytes"},
		{"too long", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!", 5, "", "too long"},
		{"too long for the default", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + long, 0, "", "too long"},
		{"large", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + long, 100_000, "", "100000 bytes"},
		{"cut, then complete", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", 0,
			"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes", "cut off, 3 bytes"},
		{"cut, then empty", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", 0, "HTTP/1.1 204 No Content\r\n\r\n", "cut off, 0 bytes"},
		{"cut before its first byte", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 0, "HTTP/1.1 204 No Content\r\n\r\n", "cut off, 0 bytes"},
		{"refused for good", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 0, "", "failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, `{"retry":[{"r":{"backoff":[100],"conceal":2,"jitterpc":0}}],"s":[
				{"srv":{"server":true,"endpoint":"10.0.0.2","port":80,"protocol":"raw"}},
				{"cli":{"endpoint":"10.0.0.2","port":80,"protocol":"h1","http_url":"/","retry":"r"}}]}`, plan{})
			conns := 0
			w.Serve("srv", func(s *script) {
				text := c.answer
				if conns++; conns > 1 && c.second != "" {
					text = c.second
				}
				speak("\r\n\r\n", text, true)(s)
			})
			var got verdicts
			g := &ss.Collector{Limit: c.limit}
			g.Done = func(h *ss.Handle, body []byte, err error) ss.Ret {
				got.done(h, body, err)
				if errors.Is(err, ss.ErrTooLong) {
					return ss.DestroyMe
				}
				return ss.OK
			}
			h, err := w.Client.Runtime.Create(ss.Info{StreamType: "cli", New: func(*ss.Handle) ss.Stream { return g }})
			if err != nil {
				t.Fatal(err)
			}
			h.Connect()
			w.Advance(2 * time.Second)
			if got.String() != c.want {
				t.Errorf("reported\n  got  %v\n  want %s", got, c.want)
			}
			if used := w.Client.Loop.Account().Used(); used != 0 {
				t.Errorf("the account has %d bytes after the end, want 0", used)
			}
		})
	}
}

// A client that returns OK for ErrTooLong is disconnected.
func TestCollectorDisconnectsClients(t *testing.T) {
	w := newWorld(t, `{"s":[
		{"srv":{"server":true,"endpoint":"10.0.0.2","port":80,"protocol":"h1"}},
		{"cli":{"endpoint":"10.0.0.2","port":80,"protocol":"h1","http_url":"/","opportunistic":true}}]}`, plan{})
	w.Serve("srv", answer(200, strings.Repeat("x", 50_000)))
	var got verdicts
	h, err := w.Client.Runtime.Create(ss.Info{StreamType: "cli", New: func(*ss.Handle) ss.Stream { return &ss.Collector{Limit: 10, Done: got.done} }})
	if err != nil {
		t.Fatal(err)
	}
	h.Connect()
	w.Run("DISCONNECTED", func() bool { return h.Life() == ss.Disconnected })
	if got.String() != "too long" {
		t.Errorf("reported: got %v, want \"too long\" once", got)
	}
}

// A server's Collector reports every request, including incomplete ones; one that is too long can be answered.
func TestCollectorOfServers(t *testing.T) {
	for _, c := range []struct {
		name, requests string
		hangUp         bool
		want, status   string
	}{
		{"without a body", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", false, "0 bytes", "200"},
		{"two", "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: x\r\n\r\n", false, "5 bytes, 0 bytes", "200 200"},
		{"empty", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", false, "0 bytes", "200"},
		{"too long, then another", "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nhello hello!PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi",
			false, "too long, 2 bytes", "413 200"},
		{"cut off", "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nhell", true, "cut off", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, `{"s":[
				{"srv":{"server":true,"endpoint":"10.0.0.2","port":80,"protocol":"h1"}},
				{"cli":{"endpoint":"10.0.0.2","port":80,"protocol":"raw","opportunistic":true}}]}`, plan{})
			var got verdicts
			_, err := w.Server.Runtime.Create(ss.Info{StreamType: "srv", New: func(*ss.Handle) ss.Stream {
				return &ss.Collector{Limit: 10, Done: func(h *ss.Handle, body []byte, err error) ss.Ret {
					got.done(h, body, err)
					h.ServerAck(200)
					if err != nil {
						h.ServerAck(413)
					}
					return h.RequestTxLen(0)
				}}
			}})
			if err != nil {
				t.Fatal(err)
			}
			s := newScript()
			s.Say, s.NoEOM = []byte(c.requests), true
			s.When(ss.Connected, func(h *ss.Handle) ss.Ret { return h.RequestTx() })
			h := w.Create("cli", s)
			h.Connect()
			w.Advance(100 * time.Millisecond)
			if c.hangUp {
				h.Disconnect()
			}
			w.Advance(100 * time.Millisecond)
			var status []string
			for _, line := range strings.Split(string(s.Got), "\r\n") {
				if rest, ok := strings.CutPrefix(line, "HTTP/1.1 "); ok {
					status = append(status, rest[:3])
				}
			}
			if got.String() != c.want || strings.Join(status, " ") != c.status {
				t.Errorf("reported %v, answered %v; want %s and %s", got, status, c.want, c.status)
			}
		})
	}
}

// On raw connections the body is all bytes before the end of the peer's direction.
func TestCollectorOfRawStreams(t *testing.T) {
	w := newWorld(t, `{"s":[
		{"srv":{"server":true,"endpoint":"10.0.0.2","port":80,"protocol":"raw"}},
		{"cli":{"endpoint":"10.0.0.2","port":80,"protocol":"raw","opportunistic":true}}]}`, plan{})
	var got verdicts
	if _, err := w.Server.Runtime.Create(ss.Info{StreamType: "srv", New: func(*ss.Handle) ss.Stream { return &ss.Collector{Done: got.done} }}); err != nil {
		t.Fatal(err)
	}
	s := newScript()
	s.Say, s.NoEOM = []byte("twelve bytes"), true
	s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
		n, f, r := s.Give(h, buf)
		h.Disconnect()
		return n, f, r
	}
	s.When(ss.Connected, func(h *ss.Handle) ss.Ret { return h.RequestTx() })
	w.Create("cli", s).Connect()
	w.Run("a report", func() bool { return len(got) > 0 })
	w.Advance(time.Minute)
	if got.String() != "12 bytes" {
		t.Errorf("reported: got %v, want \"12 bytes\"", got)
	}
}
