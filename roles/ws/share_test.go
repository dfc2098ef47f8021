package ws

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/rolestest"
)

// greedy reads everything and, if asks is set, calls WantWrite each time without sending.
type greedy struct {
	counting
	asks bool
}

func (h *greedy) Rx(c *Conn, b []byte, f Flags) {
	h.counting.Rx(c, b, f)
	if h.asks {
		c.WantWrite()
	}
}

// TestInflationIsShared checks that input that inflates to more than a connection's share is spread over several turns of
// the loop, and that only the input and an inflater are stored meanwhile.
func TestInflationIsShared(t *testing.T) {
	const size = 4 << 20
	one := []part{{rsvBinary, deflated(strings.Repeat("\x00", size), "")}}
	var many []part
	for range 1024 {
		many = append(many, part{rsvBinary, deflated(strings.Repeat("\x00", size/1024), "")})
	}
	for _, r := range []struct {
		name string
		in   []part
		asks bool
	}{{"one message", one, false}, {"one message, to one who asks to write", one, true}, {"many messages", many, false}, {"many, to one who asks", many, true}} {
		sides(func(side string, client bool) {
			var acc account
			cfg := newConfig()
			cfg.Deflate.Ratio = 0
			sh := acc.shared(cfg)
			got := 0
			_, l := open(sh, client, packed(), &greedy{counting{&got}, r.asks})
			l.Feed(append(bytesOf(client, r.in), frame(!client, bitFin|opPing, "")...))
			if got >= turnShare+chunk {
				t.Errorf("%s, %s: %d octets at first, want up to %d", side, r.name, got, turnShare)
			}
			turns := 0
			for ; got < size; turns++ {
				was := got
				if !l.Paused || !l.Wakes() {
					t.Fatalf("%s, %s: %d octets in, paused %v, asked for Woken %v; want both", side, r.name, got, l.Paused, l.Wakes())
				}
				if acc.held > inflaterSize {
					t.Fatalf("%s, %s: %d octets held", side, r.name, acc.held)
				}
				l.Service()
				if n := got - was; n == 0 || n >= turnShare+chunk {
					t.Fatalf("%s, %s: %d octets in one turn, want up to %d", side, r.name, n, turnShare)
				}
			}
			if turns < size/(turnShare+chunk) {
				t.Errorf("%s, %s: %d turns", side, r.name, turns)
			}
			l.Sleep(0)
			wantSent(t, l, client, "pong []")
			if l.Cause != nil || l.Paused || len(l.Unused()) > 0 {
				t.Errorf("%s, %s: cause %v, paused %v, %d octets left", side, r.name, l.Cause, l.Paused, len(l.Unused()))
			}
		})
	}
}

// TestThrottledEnds checks that a connection that has input for a later turn can be paused, closed and lost.
func TestThrottledEnds(t *testing.T) {
	rest := func(h Handler) (*Conn, *rolestest.Lower, *account) {
		acc := new(account)
		cfg := newConfig()
		cfg.Deflate.Ratio = 0
		sh := acc.shared(cfg)
		c, l := open(sh, false, packed(), h)
		l.Feed(frame(true, rsvBinary, deflated(strings.Repeat("\x00", 4*turnShare), "")))
		if !l.Paused {
			t.Fatal("got no pause after more than the share, want one")
		}
		return c, l, acc
	}
	got := 0
	c, l, _ := rest(&counting{&got})
	c.Pause()
	was := got
	l.Sleep(0)
	if got != was || !l.Paused {
		t.Errorf("paused, %d octets came, %v", got-was, l.Paused)
	}
	c.Resume()
	l.Service()
	if l.Sleep(0); got != 4*turnShare {
		t.Errorf("resumed, %d octets came in all, want %d", got, 4*turnShare)
	}

	c, l, acc := rest(&counting{new(int)})
	c.Close(Normal, "")
	l.Service()
	l.Sleep(0)
	l.Feed(frame(true, bitFin|opClose, closeBody(1000, "")))
	if wantSent(t, l, false, "close 1000"); !l.Over || l.Cause != nil || acc.held != 0 {
		t.Errorf("closed: over %v, cause %v, %d octets held", l.Over, l.Cause, acc.held)
	}

	_, l, acc = rest(&counting{new(int)})
	l.Break(errGone)
	if l.Sleep(0); acc.held != 0 || l.Misuse != "" {
		t.Errorf("lost: %d octets held, misuse %q", acc.held, l.Misuse)
	}
}
