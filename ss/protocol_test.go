package ss_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
)

// TestProtocol: both ends know what their connection speaks, while there is one.
func TestProtocol(t *testing.T) {
	for _, c := range []struct{ client, server, want string }{
		{"h1", "h1", "h1 true"}, {"h1", "h2", "h1 true"}, {"h2", "h2", "h2 true"}, {"raw", "raw", "raw true"},
	} {
		t.Run(c.client+" to "+c.server, func(t *testing.T) {
			w := newWorld(t, fmt.Sprintf(`{"s":[{"c":{"endpoint":"10.0.0.2","port":80,"protocol":%q,"opportunistic":true}},
				{"srv":{"server":true,"port":80,"protocol":%q}}]}`, c.client, c.server), plan{net: slowLink})
			of := func(h *ss.Handle) string {
				p, ok := h.Protocol()
				return fmt.Sprint(p, " ", ok)
			}
			listener, _ := w.serve("srv", func(s *script) {
				answer(0, "x")(s)
				if c.server == "raw" {
					return
				}
				s.when(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
					if got := of(h); got != c.want {
						t.Errorf("the server's stream in SERVER_TXN: got %s, want %s", got, c.want)
					}
					h.ServerAck(200)
					return h.RequestTxLen(1)
				})
			})
			s := newScript()
			told := false
			s.when(ss.Connected, func(h *ss.Handle) ss.Ret {
				told = true
				if got := of(h); got != c.want {
					t.Errorf("in CONNECTED: got %s, want %s", got, c.want)
				}
				return ss.OK
			})
			h := w.create("c", s)
			for what, h := range map[string]*ss.Handle{"before": h, "the listener": listener} {
				if _, ok := h.Protocol(); ok {
					t.Errorf("%s: got %s, want none", what, of(h))
				}
			}
			h.Connect()
			w.pass(100 * time.Millisecond)
			if !told {
				t.Fatal("not CONNECTED")
			}
			h.Destroy()
			w.settle()
			if _, ok := h.Protocol(); ok {
				t.Errorf("destroyed: got %s, want none", of(h))
			}
		})
	}
}
