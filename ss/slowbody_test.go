package ss_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
)

// TestSlowUploads: the callbacks for a client that sends its body too slowly, and for faster ones, over
// both protocols.
func TestSlowUploads(t *testing.T) {
	for _, c := range []struct {
		name   string
		piece  int
		every  time.Duration
		passes time.Duration
		paused bool // by the program, an hour after each piece
		lives  bool
	}{
		{"a byte each 29 s", 1, 29 * time.Second, 2 * time.Minute, false, false},
		{"100 bytes a second", 100, time.Second, 2 * time.Minute, false, false},
		{"500 bytes a second, for hours", 5000, 10 * time.Second, 5 * time.Hour, false, true},
		{"500 bytes a second, for more than a day", 10000, 20 * time.Second, 25 * time.Hour, false, false},
		{"a program that pauses", 5000, time.Second, 10 * time.Hour, true, true},
	} {
		for _, proto := range []string{"h1", "h2"} {
			w := newWorld(t, fmt.Sprintf(`{"s":[{"wire":{"endpoint":"10.0.0.2","port":80,"protocol":"raw","opportunistic":true}},
				{"srv":{"server":true,"port":80,"protocol":%q}}]}`, proto), plan{})
			got := 0
			w.Serve("srv", func(s *script) {
				s.OnRx = func(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
					s.Log, s.Got = nil, nil
					if got += len(b); c.paused {
						h.Pause()
						w.Net.At(time.Hour, func() {
							if s.Told(ss.Disconnected) == 0 {
								h.Resume()
							}
						})
					}
					return ss.OK
				}
			})
			out := []byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n")
			if proto == "h2" {
				out = frame(append([]byte(nil), h2Magic...), fSettings, 0, 0)
				out = frame(out, fSettings, 1, 0)
				out = frame(out, fHeaders, 4, 1, 0x83, 0x86, 0x84, 0x41, 1, 'x')
			}
			s := newScript()
			s.QuietTx = true
			s.OnRx = func(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.OK }
			s.OnTx = func(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
				n := copy(buf, out)
				if out = out[n:]; n == 0 {
					return 0, 0, ss.TxDontSend
				}
				return n, 0, ss.OK
			}
			s.When(ss.Connected, (*ss.Handle).RequestTx)
			w.Create("wire", s).Connect()
			w.Settle()
			sent := 0
			var send func()
			send = func() {
				if s.Told(ss.Disconnected) > 0 || len(w.Accepted) == 0 || w.Accepted[0].Told(ss.Disconnected) > 0 {
					return
				}
				if sent-got < 100<<10 { // as a client does that heeds windows
					p := []byte(strings.Repeat("x", c.piece))
					if sent += len(p); proto == "h2" {
						out = frame(out, fData, 0, 1, p...)
					} else {
						out = append(out, p...)
					}
					s.Handle.RequestTx()
				}
				w.Net.At(c.every, send)
			}
			send()
			for range 2 {
				w.Advance(c.passes / 2)
			}
			a := w.Accepted[0]
			if lives := a.Told(ss.Disconnected) == 0; lives != c.lives {
				t.Errorf("%s, %s: lives %v after %v, causes %v; want %v", c.name, proto, lives, c.passes, a.Causes, c.lives)
			}
			if !c.lives && (len(a.Causes) == 0 || !strings.Contains(a.Causes[0].Error(), "body: ")) {
				t.Errorf("%s, %s: causes %v, want the body", c.name, proto, a.Causes)
			}
			if proto == "h1" && !c.lives && !strings.HasPrefix(string(s.Got), "HTTP/1.1 408 ") {
				t.Errorf("%s, %s: the client got %q, want 408", c.name, proto, s.Got)
			}
		}
	}
}
