package h2

import (
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// TestCloseWhilePeerReadsNothing: a peer that reads nothing delays the close of a connection for a limited time.
func TestCloseWhilePeerReadsNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		takes time.Duration // when output flows again; 0: never
		after time.Duration
		mode  roles.CloseMode
	}{
		{"deaf", 0, 10 * time.Second, roles.Immediate},
		{"slow", 9 * time.Second, 9 * time.Second, roles.Graceful},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(DefaultConfig(), DefaultConfig(), func(*Server) http.Handler { return nil })
			p.open()
			p.cl.Refuse = true
			began := p.cl.Clock
			p.c.Close()
			for !p.cl.Closing && p.cl.Clock < began+time.Minute {
				p.cl.Sleep(time.Second)
				p.cl.Refuse = c.takes == 0 || p.cl.Clock < began+c.takes
				p.cl.Service()
			}
			if got := p.cl.Clock - began; !p.cl.Closing || got != c.after || p.cl.Mode != c.mode {
				t.Errorf("closing %v after %v, mode %d; want after %v, mode %d", p.cl.Closing, got, p.cl.Mode, c.after, c.mode)
			}
			p.check(t)
		})
	}
}

// TestPing: a PING is answered; a Ping before the connection opens sends nothing.
func TestPing(t *testing.T) {
	k := DefaultConfig()
	p := newPair(k, DefaultConfig(), func(*Server) http.Handler { return nil })
	p.c.Ping()
	p.open()
	if p.c.sh.Counters.Pings != 0 {
		t.Errorf("pings before the connection opened: got %d, want none", p.c.sh.Counters.Pings)
	}
	heard := p.c.lastRx
	p.cl.Sleep(second)
	p.sl.Sleep(second)
	p.c.Ping()
	p.pump()
	if p.c.sh.Counters.Pings != 1 || p.c.lastRx <= heard {
		t.Errorf("pings: got %d, want 1; last heard at %v, want later than %v", p.c.sh.Counters.Pings, p.c.lastRx, heard)
	}
	p.check(t)
}
