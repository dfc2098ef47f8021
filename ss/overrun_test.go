package ss_test

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/ss"
)

// TestOverrunIsTolerated: a client of HTTP/2 that slightly exceeds its window is served, unless the loop's account is
// above its normal level.
func TestOverrunIsTolerated(t *testing.T) {
	for _, short := range []bool{false, true} {
		w := newWorld(t, `{"s":[{"wire":{"endpoint":"10.0.0.2","port":80,"protocol":"raw","opportunistic":true}},
			{"srv":{"server":true,"port":80,"protocol":"h2"}}]}`, plan{Loop: loop.Config{Memory: 1 << 20}, Server: func(c *ss.Config) {
			cfg := h2.DefaultConfig()
			cfg.Limits.Window = 100
			c.H2 = &cfg
		}})
		w.Serve("srv", nil)
		if short {
			w.Server.Loop.Account().Charge(600 << 10)
		}
		b := frame([]byte(h2Magic), fSettings, 0, 0)
		b = frame(b, fSettings, 1, 0)
		b = frame(b, fHeaders, 4, 1, 0x83, 0x86, 0x84, 0x41, 1, 'x')
		b = frame(b, fData, 1, 1, []byte(strings.Repeat("x", 150))...)
		s := w.say(string(b))
		w.Settle()
		if got := len(w.Accepted[0].Got); (got == 150) == short {
			t.Errorf("memory is short %v: the server got %d bytes of body, the client %q", short, got, s.Got)
		}
		if short {
			w.Server.Loop.Account().Release(600 << 10)
		}
	}
}
