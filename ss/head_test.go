package ss_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/ss"
)

// headPolicy declares no metadata for the fields that the test reads and sets.
const headPolicy = `{"s": [
  {"srv": {"server": true, "endpoint": "10.0.0.2", "port": 80, "protocol": %q, "metadata": [{"mime": "content-type:"}]}},
  {"cli": {"endpoint": "10.0.0.2", "port": 80, "protocol": %q, "http_method": "PUT", "http_url": "/a?b=c",
           "metadata": [{"tag": "x-tag:"}]}}
]}`

func TestHead(t *testing.T) {
	for _, protocol := range []string{"h1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			w := newWorld(t, fmt.Sprintf(headPolicy, protocol, protocol), plan{})
			var request, response []string
			w.Serve("srv", func(s *script) {
				s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
					m := h.Head()
					tag, _ := m.Get("x-tag")
					request = append(request, fmt.Sprintf("%s %s?%s tag=%s", m.Method, m.Path, m.Query, tag))
					if err := h.SetHeader("X-Answer", "42"); err != nil {
						t.Error(err)
					}
					if err := h.SetHeader("x-answer", "43"); err != nil {
						t.Error(err)
					}
					if err := h.SetHeader("Content-Type", "text/x"); err != nil {
						t.Error(err)
					}
					if v, _ := h.Metadata("mime"); string(v) != "text/x" {
						t.Errorf("metadata mapped to the field: got %q, want text/x", v)
					}
					for _, bad := range []string{"content-length", "no name", "transfer-encoding"} {
						if err := h.SetHeader(bad, "1"); !errors.Is(err, ss.ErrMisuse) {
							t.Errorf("SetHeader %q: got %v, want ErrMisuse", bad, err)
						}
					}
					if err := h.SetHeader("x-bad", "a\nb"); !errors.Is(err, ss.ErrMisuse) {
						t.Errorf("SetHeader with a line feed: got %v, want ErrMisuse", err)
					}
					return ss.OK
				})
				s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
					if m := h.Head(); m != nil {
						t.Errorf("Head in Rx: got %s, want nil", m.Method)
					}
					if f&ss.EOM == 0 {
						return ss.OK
					}
					h.ServerAck(200)
					return h.RequestTxLen(0)
				}
			})
			s := newScript()
			s.Say = []byte("body")
			s.When(ss.Connected, func(h *ss.Handle) ss.Ret {
				m := h.Head()
				v, _ := m.Get("x-answer")
				mime, _ := m.Get("content-type")
				response = append(response, fmt.Sprintf("%d x-answer=%s type=%s fields=%d", m.Status, v, mime, strings.Count(fmt.Sprint(m.Fields), "x-answer")))
				return ss.OK
			})
			h := w.Create("cli", s)
			if err := h.SetHeader("x-tag", "t"); !errors.Is(err, ss.ErrMisuse) {
				t.Errorf("SetHeader on a client: got %v, want ErrMisuse", err)
			}
			if err := h.SetMetadataString("tag", "T"); err != nil {
				t.Fatal(err)
			}
			for i := 1; i <= 2; i++ { // the second transaction finds nothing of the first
				h.Connect()
				w.Run("the answer", func() bool { return s.Told(ss.Disconnected) == i })
			}
			if h.Head() != nil {
				t.Error("Head between turns: want nil")
			}
			for _, r := range request {
				if want := "PUT /a?b=c tag=T"; r != want {
					t.Errorf("request: got %q, want %q", r, want)
				}
			}
			for _, r := range response {
				if want := "200 x-answer=43 type=text/x"; !strings.HasPrefix(r, want) {
					t.Errorf("response: got %q, want %q", r, want)
				}
			}
			if len(request) != 2 || len(response) != 2 {
				t.Errorf("got %d requests and %d responses, want 2 and 2", len(request), len(response))
			}
			h.Destroy()
			w.Settle()
			if err := h.SetHeader("x-tag", "t"); !errors.Is(err, ss.ErrDestroyed) {
				t.Errorf("SetHeader on a destroyed handle: got %v, want ErrDestroyed", err)
			}
		})
	}
}

// Peer of a client is the remote address of its connection, on every protocol, and only while there is one.
func TestClientPeer(t *testing.T) {
	for _, protocol := range []string{"h1", "h2", "ws", "raw"} {
		t.Run(protocol, func(t *testing.T) {
			w := newWorld(t, fmt.Sprintf(`{"s": [
				{"srv": {"server": true, "endpoint": "10.0.0.2", "port": 80, "protocol": %q}},
				{"cli": {"endpoint": "10.0.0.2", "port": 80, "protocol": %q}}]}`, protocol, protocol), plan{})
			w.Serve("srv", answer(200, "x"))
			s := newScript()
			got := ""
			s.When(ss.Connected, func(h *ss.Handle) ss.Ret {
				a, ok := h.Peer()
				got = fmt.Sprint(a, " ", ok)
				return ss.OK
			})
			h := w.Create("cli", s)
			if a, ok := h.Peer(); ok {
				t.Errorf("Peer without a connection: got %v", a)
			}
			h.Connect()
			w.Run("CONNECTED", func() bool { return got != "" })
			if want := "10.0.0.2:80 true"; got != want {
				t.Errorf("Peer in CONNECTED: got %s, want %s", got, want)
			}
			h.Destroy()
			w.Settle()
			if a, ok := h.Peer(); ok {
				t.Errorf("Peer of a destroyed stream: got %v", a)
			}
		})
	}
}
