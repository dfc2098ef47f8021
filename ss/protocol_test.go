package ss_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// TestProtocol: both ends report the protocol of their connection, while there is one.
func TestProtocol(t *testing.T) {
	for _, c := range []struct{ client, server, want string }{
		{"h1", "h1", "h1 true"}, {"h1", "h2", "h1 true"}, {"h2", "h2", "h2 true"}, {"raw", "raw", "raw true"},
	} {
		t.Run(c.client+" to "+c.server, func(t *testing.T) {
			w := newWorld(t, fmt.Sprintf(`{"s":[{"c":{"endpoint":"10.0.0.2","port":80,"protocol":%q,"opportunistic":true}},
				{"srv":{"server":true,"port":80,"protocol":%q}}]}`, c.client, c.server), plan{Net: slowLink})
			of := func(h *ss.Handle) string {
				p, ok := h.Protocol()
				return fmt.Sprint(p, " ", ok)
			}
			listener, _ := w.Serve("srv", func(s *script) {
				answer(0, "x")(s)
				if c.server == "raw" {
					return
				}
				s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
					if got := of(h); got != c.want {
						t.Errorf("the server's stream in SERVER_TXN: got %s, want %s", got, c.want)
					}
					h.ServerAck(200)
					return h.RequestTxLen(1)
				})
			})
			s := newScript()
			told := false
			s.When(ss.Connected, func(h *ss.Handle) ss.Ret {
				told = true
				if got := of(h); got != c.want {
					t.Errorf("in CONNECTED: got %s, want %s", got, c.want)
				}
				return ss.OK
			})
			h := w.Create("c", s)
			for what, h := range map[string]*ss.Handle{"before": h, "the listener": listener} {
				if _, ok := h.Protocol(); ok {
					t.Errorf("%s: got %s, want none", what, of(h))
				}
			}
			h.Connect()
			w.Advance(100 * time.Millisecond)
			if !told {
				t.Fatal("not CONNECTED")
			}
			h.Destroy()
			w.Settle()
			if _, ok := h.Protocol(); ok {
				t.Errorf("destroyed: got %s, want none", of(h))
			}
		})
	}
}

// TestProtocolOfWebSockets: both ends of a WebSocket report WS, also over HTTP/2, an accepted stream from
// SERVER_UPGRADE on, and not before its request.
func TestProtocolOfWebSockets(t *testing.T) {
	for _, cli := range []string{"one", "two"} {
		w := newWorld(t, wsDoc, plan{})
		of := func(h *ss.Handle) string {
			p, ok := h.Protocol()
			return fmt.Sprint(p, " ", ok)
		}
		w.Serve("srv", func(s *script) {
			s.When(ss.ServerUpgrade, func(h *ss.Handle) ss.Ret {
				if got := of(h); got != "ws true" {
					t.Errorf("%s: accepted, in SERVER_UPGRADE: got %s, want ws", cli, got)
				}
				return ss.OK
			})
		})
		s := newScript()
		h := w.Create(cli, s)
		h.Connect()
		w.Run("CONNECTED", func() bool { return h.Life() == ss.Connected })
		w.Settle()
		accepted := w.Accepted[len(w.Accepted)-1].Handle
		if got := of(h) + ", " + of(accepted); got != "ws true, ws true" {
			t.Errorf("%s: client and accepted stream: got %s, want ws twice", cli, got)
		}
		h.Disconnect()
		w.Settle()
		if _, ok := accepted.Protocol(); ok {
			t.Errorf("%s: accepted, destroyed: got %s, want none", cli, of(accepted))
		}
		w.Advance(10 * time.Second)
	}
	// A handshake that was refused leaves an HTTP stream.
	w := newWorld(t, wsDoc, plan{})
	w.Serve("srv", func(s *script) {
		s.When(ss.ServerUpgrade, func(h *ss.Handle) ss.Ret { h.ServerAck(403); return ss.OK })
	})
	w.Create("one", newScript()).Connect()
	w.Settle()
	if p, ok := w.Accepted[0].Handle.Protocol(); ok && p != policy.H1 {
		t.Errorf("after a refusal: got %v, want h1", p)
	}
}
