package h1

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// endlessHead announces a body of 1 GiB.
const endlessHead = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n"

// TestSlowRequestBodies: by default the body of a request has a least rate and a total time.
func TestSlowRequestBodies(t *testing.T) {
	for _, c := range []struct {
		name   string
		head   string
		piece  string
		every  time.Duration
		lives  time.Duration // at least
		ends   time.Duration // at most; 0: it does not
		fault  string
		change func(*Config)
	}{
		{name: "a byte each 29 s", piece: "x", every: 29 * time.Second, lives: 29 * time.Second, ends: 31 * time.Second, fault: "body: slower"},
		{name: "a byte a second", piece: "x", every: time.Second, lives: 29 * time.Second, ends: 31 * time.Second, fault: "body: slower"},
		{name: "200 bytes a second", piece: strings.Repeat("x", 200), every: time.Second, lives: 170 * time.Second, ends: 4 * time.Minute, fault: "body: slower"},
		{name: "a chunk of a byte a second, with extensions", head: chunkedHead, piece: "1;name=value;name=value;name=value\r\nx\r\n", every: time.Second, lives: 29 * time.Second, ends: 31 * time.Second, fault: "body: slower"},
		{name: "240 bytes a second", piece: strings.Repeat("x", 240), every: time.Second, lives: 4 * time.Hour},
		{name: "bursts, with gaps of 25 s", piece: strings.Repeat("x", 8000), every: 25 * time.Second, lives: 4 * time.Hour},
		{name: "total", piece: strings.Repeat("x", 5000), every: 20 * time.Second, lives: 24*time.Hour - time.Minute, ends: 24*time.Hour + time.Minute, fault: "body: not complete in time"},
		{name: "no rate", piece: "x", every: 29 * time.Second, lives: time.Hour, change: func(c *Config) { c.Limits.BodyRate = 0 }},
		{name: "rate of 1000", piece: strings.Repeat("x", 900), every: time.Second, lives: time.Minute, ends: 6 * time.Minute, fault: "body: slower", change: func(c *Config) { c.Limits.BodyRate = 1000 }},
		{name: "grace of 10 s", piece: "x", every: time.Second, lives: 9 * time.Second, ends: 11 * time.Second, fault: "body: slower", change: func(c *Config) { c.Timeouts.BodyGrace = 10 * time.Second }},
		{name: "total of a minute", piece: strings.Repeat("x", 5000), every: time.Second, lives: 59 * time.Second, ends: 61 * time.Second, fault: "body: not complete in time", change: func(c *Config) { c.Timeouts.BodyTotal = time.Minute }},
		{name: "nothing", piece: "", every: time.Second, lives: 29 * time.Second, ends: 31 * time.Second, fault: "body: nothing came"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := DefaultConfig()
			if c.change != nil {
				c.change(&cfg)
			}
			sh := NewShared(cfg)
			h := &recorder{}
			_, l := serve(sh, h)
			begin := l.Clock
			if c.head == "" {
				c.head = endlessHead
			}
			l.Feed([]byte(c.head))
			for !l.Over && l.Clock-begin < max(c.lives, c.ends)+time.Minute {
				l.Sleep(c.every)
				if !l.Over {
					l.Feed([]byte(c.piece))
					h.lines, h.body = nil, false
				}
			}
			took := l.Clock - begin
			if c.ends == 0 {
				if l.Over {
					t.Errorf("ended after %v with %v, want no end", took, l.Cause)
				}
				return
			}
			if !l.Over || took < c.lives || took-c.every > c.ends {
				t.Fatalf("over %v after %v, want the end between %v and %v", l.Over, took, c.lives, c.ends)
			}
			wantRefusal(t, c.name, sh, l, 408, c.fault)
			slow := uint64(1)
			if strings.Contains(c.fault, "nothing") {
				slow = 0
			}
			if n := sh.Counters; n.Timeouts != 1 || n.Slow != slow || !errors.Is(l.Cause, http.ErrTimeout) {
				t.Errorf("counted %d timeouts, %d slow, cause %v; want 1, %d, ErrTimeout", n.Timeouts, n.Slow, l.Cause, slow)
			}
		})
	}
}

// TestPauseDoesNotCountAsSlow: the time in which the handler has paused counts neither for the rate nor for the total time.
func TestPauseDoesNotCountAsSlow(t *testing.T) {
	sh := sharedWith(func(c *Config) { c.Timeouts.BodyTotal = time.Minute })
	h := &recorder{}
	_, l := serve(sh, h)
	l.Feed([]byte(endlessHead))
	for i := range 50 {
		l.Sleep(time.Second)
		if l.Over {
			t.Fatalf("ended in round %d, before the pause, with %v", i, l.Cause)
		}
		l.Feed([]byte(strings.Repeat("x", 240)))
		h.x.Pause()
		l.Feed([]byte(strings.Repeat("x", 240)))
		l.Sleep(time.Hour)
		h.x.Resume()
		l.Service()
		if l.Over {
			t.Fatalf("ended in round %d with %v", i, l.Cause)
		}
	}
	l.Sleep(11 * time.Second)
	wantClosed(t, l, roles.Graceful, "body: not complete in time")
}

// TestSlowRestOfARequest: the rate also applies to the rest of a request whose response is complete, whether or not the
// handler has paused.
func TestSlowRestOfARequest(t *testing.T) {
	for _, pause := range []bool{false, true} {
		h := (&recorder{}).answer(200, "")
		h.onHead = func(x http.Exchange, _ *http.Message) {
			if x.WantWrite(); pause {
				x.Pause()
			}
		}
		_, l := serve(NewShared(DefaultConfig()), h)
		l.Feed([]byte(chunkedHead))
		begin := l.Clock
		for !l.Over && l.Clock-begin < time.Hour {
			l.Sleep(20 * time.Second)
			l.Feed([]byte("1\r\nx\r\n"))
		}
		if took := l.Clock - begin; !l.Over || took > time.Minute {
			t.Errorf("paused %v: over %v after %v, want the end within a minute", pause, l.Over, took)
		}
	}
}

// TestSlowResponseBodies: a response has a least rate only if Limits.ResponseRate is set, and never with NoDeadline.
func TestSlowResponseBodies(t *testing.T) {
	for _, c := range []struct {
		name      string
		rate      int64
		unhurried bool
		paused    bool
		ends      bool
	}{
		{"by default", 0, false, false, false},
		{"with a rate", 100, false, false, true},
		{"with a rate, unhurried", 100, true, false, false},
		{"with a rate, paused", 100, false, true, false},
	} {
		sh := sharedWith(func(cfg *Config) { cfg.Limits.ResponseRate = c.rate })
		k, l := dial(sh)
		h := start(t, k, l, method("GET"), "")
		if c.unhurried {
			h.onHead = func(x http.Exchange, _ *http.Message) { x.(http.NoDeadline).NoDeadline() }
		}
		l.Feed([]byte("HTTP/1.1 200 OK\r\n\r\n"))
		if c.paused {
			h.x.Pause()
		}
		for range 100 {
			if l.Sleep(29 * time.Second); !l.Over {
				l.Feed([]byte("x"))
			}
		}
		if l.Over != c.ends {
			t.Errorf("%s: over %v (%v), want %v", c.name, l.Over, l.Cause, c.ends)
		}
		if c.ends && (!strings.Contains(errText(h.cause), "response: body: slower") || sh.Counters.Slow != 1) {
			t.Errorf("%s: Done with %v, counted %d slow; want the rate, 1", c.name, h.cause, sh.Counters.Slow)
		}
	}
}
