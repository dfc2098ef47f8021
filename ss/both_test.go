package ss_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// bothDoc has a client and a server of one protocol, h1 or h2, and keys for the client.
func bothDoc(proto, keys string) string {
	return fmt.Sprintf(`{"retry":[{"r":{"backoff":[1000],"conceal":1,"jitterpc":0}}],"s":[
		{"c":{"endpoint":"10.0.0.2","port":80,"protocol":%[1]q,"opportunistic":true,"retry":"r",%[2]s}},
		{"srv":{"server":true,"port":80,"protocol":%[1]q,"metadata":[{"mime":"content-type:"},{"path":""}]}}]}`, proto, keys)
}

// TestBothProtocols: a program sees the same on h1 and h2. Each case runs over both, with a slow link and small
// buffers too, and the stream's callbacks are the same.
func TestBothProtocols(t *testing.T) {
	body := strings.Repeat("0123456789", 30000)
	for _, c := range []struct {
		name, keys string
		server     func(w *world) func(*script)
		client     func(w *world, s *script)
		told       string // states
		got        string // payload
	}{
		{"GET", `"http_url":"/x"`, func(*world) func(*script) { return answer(0, "hello") }, nil,
			"CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED", "hello"},
		{"GET without a body", `"http_url":"/x"`, func(*world) func(*script) { return answer(204, "") }, nil,
			"CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED", ""},
		{"HEAD", `"http_method":"HEAD"`, func(*world) func(*script) { return answer(0, "hello") }, nil,
			"CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED", ""},
		{"a long body", `"http_url":"/x"`, func(*world) func(*script) { return answer(0, body) }, nil,
			"CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED", body},
		{"a long body, paused", `"http_url":"/x"`, func(*world) func(*script) { return answer(0, body) },
			func(w *world, s *script) {
				s.OnRx = func(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
					if len(b) > 0 {
						h.Pause()
						w.Net.At(20*time.Millisecond, h.Resume)
					}
					return ss.OK
				}
			}, "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED", body},
		{"POST, echoed", `"http_method":"POST"`,
			func(*world) func(*script) {
				return func(s *script) {
					s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
						if f&ss.EOM == 0 {
							return ss.OK
						}
						s.Say = s.Got
						h.ServerAck(200)
						return h.RequestTx()
					}
				}
			},
			func(w *world, s *script) { s.Say = []byte(body); s.Handle.RequestTxLen(int64(len(body))) },
			"CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED", body},
		{"404", `"http_url":"/x"`, func(*world) func(*script) { return answer(404, "no") }, nil,
			"CREATING CONNECTING CONNECTED QOS_NACK_REMOTE DISCONNECTED", "no"},
		{"503", `"http_url":"/x"`, func(*world) func(*script) { return answer(503, "") }, nil,
			"CREATING CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED", ""},
		{"cut in the middle", `"http_url":"/x"`,
			func(w *world) func(*script) {
				return func(s *script) {
					answer(0, body)(s)
					s.Piece = 1000
					w.Net.At(1000*time.Millisecond, func() { s.Handle.Destroy() })
					s.OnTx = func(h *ss.Handle, ordinal uint32, buf []byte) (int, ss.Flags, ss.Ret) {
						if ordinal > 0 {
							return 0, 0, ss.TxDontSend
						}
						return copy(buf, "part"), ss.SOM, ss.OK
					}
				}
			}, nil, "CREATING CONNECTING CONNECTED DISCONNECTED", "part"},
		{"never answered", `"http_url":"/x","timeout_ms":300`,
			func(*world) func(*script) { return func(*script) {} },
			func(w *world, s *script) {
				s.When(ss.Timeout, func(*ss.Handle) ss.Ret { return ss.DisconnectMe })
				s.When(ss.Connecting, func(h *ss.Handle) ss.Ret { h.StartTimeout(ss.TimeoutFromPolicy); return ss.OK })
			}, "CREATING CONNECTING TIMEOUT UNREACHABLE POLL CONNECTING TIMEOUT UNREACHABLE ALL_RETRIES_FAILED", ""},
		{"left in the middle", `"http_url":"/x"`, func(*world) func(*script) { return answer(0, body) },
			func(w *world, s *script) {
				s.OnRx = func(*ss.Handle, []byte, ss.Flags) ss.Ret { s.Got = s.Got[:4]; return ss.DisconnectMe }
			}, "CREATING CONNECTING CONNECTED DISCONNECTED", "0123"},
		{"long poll", `"http_url":"/x","long_poll":true`, slowly, nil,
			"CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED", "one two "},
		{"no long poll, answered late", `"http_url":"/x"`, slowly, nil,
			"CREATING CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED", ""},
		{"no long poll, a late body", `"http_url":"/x","http_response_timeout_ms":0`, slowly, nil, "CREATING CONNECTING CONNECTED DISCONNECTED", "one "},
	} {
		for _, proto := range []string{"h1", "h2"} {
			for i, o := range []sim.Options{{}, {Link: sim.Link{Latency: time.Millisecond}, SndBuf: 3000, RcvBuf: 3000, ReadMax: 700}} {
				t.Run(fmt.Sprintf("%s over %s, link %d", c.name, proto, i), func(t *testing.T) {
					w := newWorld(t, bothDoc(proto, c.keys), plan{Net: o})
					w.Serve("srv", c.server(w))
					s := newScript()
					s.QuietTx = true
					h := w.Create("c", s)
					if c.client != nil {
						c.client(w, s)
					}
					h.Connect()
					w.Advance(time.Hour)
					w.WantLife("the stream", s, c.told)
					if string(s.Got) != c.got {
						t.Errorf("payload: got %s, want %s", quoted(s.Got), quoted([]byte(c.got)))
					}
				})
			}
		}
	}
}

// slowly answers after ten minutes, and with five more between the pieces.
func slowly(w *world) func(*script) {
	return func(s *script) {
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
			h.ServerAck(200)
			w.Net.At(10*time.Minute, func() { h.RequestTx() })
			return ss.OK
		})
		s.OnTx = func(h *ss.Handle, ordinal uint32, buf []byte) (int, ss.Flags, ss.Ret) {
			if ordinal == 0 {
				w.Net.At(5*time.Minute, func() { h.RequestTx() })
				return copy(buf, "one "), ss.SOM, ss.OK
			}
			return copy(buf, "two "), ss.EOM, ss.OK
		}
	}
}
