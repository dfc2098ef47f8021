package ss_test

import (
	"fmt"
	"testing"

	"github.com/millrace/millrace/ss"
)

// TestWebSocketSubprotocol: both ends report the agreed subprotocol, the server before it accepts.
func TestWebSocketSubprotocol(t *testing.T) {
	for _, c := range []struct{ served, asked, agreed string }{
		{"chat", "chat", "chat"},
		{"a, b", "c,b, a", "b"}, // the client's first that is served
		{"a, b", "", ""},
		{"", "a,b", ""}, // a server that selects none is accepted
	} {
		for _, over := range []string{"", `,"ws_over_h2":true`} {
			key := func(names string) string {
				if names == "" {
					return ""
				}
				return fmt.Sprintf(`,"ws_subprotocol":%q`, names)
			}
			srv := `"protocol":"h2"`
			if c.served == "" {
				if over != "" {
					continue // a server of protocol ws speaks HTTP/1.1
				}
				srv = `"protocol":"ws"`
			}
			w := newWorld(t, fmt.Sprintf(`{"s":[{"srv":{"server":true,"port":80,%s%s}},
				{"cli":{"endpoint":"10.0.0.2","port":80,"protocol":"ws","opportunistic":true%s%s}}]}`,
				srv, key(c.served), key(c.asked), over), plan{})
			atServer := "not told"
			w.Serve("srv", func(s *script) {
				s.When(ss.ServerUpgrade, func(h *ss.Handle) ss.Ret { atServer = h.Subprotocol(); return ss.OK })
			})
			s := newScript()
			atClient := "not told"
			s.When(ss.Connected, func(h *ss.Handle) ss.Ret { atClient = h.Subprotocol(); return ss.OK })
			h := w.Create("cli", s)
			if got := h.Subprotocol(); got != "" {
				t.Errorf("%q before the handshake", got)
			}
			h.Connect()
			w.Run("CONNECTED", func() bool { return s.Told(ss.Connected) > 0 })
			if atServer != c.agreed || atClient != c.agreed {
				t.Errorf("served %q, asked %q%s: the server has %q, the client %q, want %q", c.served, c.asked, over, atServer, atClient, c.agreed)
			}
		}
	}
}
