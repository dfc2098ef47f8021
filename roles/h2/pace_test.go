package h2

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles/http"
)

// holdOff makes a handler that sends nothing.
func holdOff(_ int, r *recorder) { r.head.Status, r.quiet = 0, true }

// TestSlowRequestBodies: a request's body has a least rate and a total time, on by default; only its stream ends.
func TestSlowRequestBodies(t *testing.T) {
	frames := func(each, n int) string { return strings.Repeat(data(1, 0, strings.Repeat("x", each)), n) }
	for _, c := range []struct {
		name   string
		piece  string
		every  time.Duration
		lives  time.Duration // at least
		ends   time.Duration // at most; 0: it does not end
		cause  string
		change func(*Config)
	}{
		{name: "a byte each 29 s", piece: frames(1, 1), every: 29 * time.Second, lives: 29 * time.Second, ends: 31 * time.Second, cause: "body: slower"},
		{name: "a byte a second", piece: frames(1, 1), every: time.Second, lives: 29 * time.Second, ends: 31 * time.Second, cause: "body: slower"},
		{name: "frames of a byte, 100 a second", piece: frames(1, 10), every: 100 * time.Millisecond, lives: 29 * time.Second, ends: 55 * time.Second, cause: "body: slower"},
		{name: "padding", piece: data(1, flagPadded, "\xfax"+strings.Repeat("\x00", 250)), every: time.Second, lives: 29 * time.Second, ends: 31 * time.Second, cause: "body: slower"},
		{name: "240 bytes a second", piece: frames(240, 1), every: time.Second, lives: 4 * time.Hour},
		{name: "frames of a byte, 240 a second", piece: frames(1, 240), every: time.Second, lives: 5 * time.Minute},
		{name: "bursts, with gaps of 25 s", piece: frames(8000, 1), every: 25 * time.Second, lives: 4 * time.Hour},
		{name: "total", piece: frames(5000, 1), every: 20 * time.Second, lives: 24*time.Hour - time.Minute, ends: 24*time.Hour + time.Minute, cause: "body: not complete in time"},
		{name: "no rate", piece: frames(1, 1), every: 29 * time.Second, lives: time.Hour, change: func(c *Config) { c.Limits.BodyRate = 0 }},
		{name: "nothing", piece: "", every: time.Second, lives: 29 * time.Second, ends: 31 * time.Second, cause: "body: nothing arrived"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := DefaultConfig()
			if c.change != nil {
				c.change(&cfg)
			}
			v := ready(t, cfg)
			v.setup = holdOff
			v.feed(t, postReq(1))
			begin, out := v.l.Clock, ""
			for r := v.made[0]; !r.done && v.l.Clock-begin < max(c.lives, c.ends)+time.Minute; {
				v.l.Sleep(c.every)
				if out = verdict(v.out(t)); !r.done {
					out = verdict(v.feed(t, c.piece))
				}
			}
			took := v.l.Clock - begin
			if c.ends == 0 {
				if v.made[0].done {
					t.Errorf("ended after %v for %v, want it to go on", took, v.made[0].cause)
				}
				return
			}
			if r := v.made[0]; !r.done || took < c.lives || took-c.every > c.ends || out != "reset 1 CANCEL" ||
				!errors.Is(r.cause, http.ErrTimeout) || !strings.Contains(fmt.Sprint(r.cause), c.cause) {
				t.Errorf("done %v after %v with %v, sent %q; want the end between %v and %v, for %q, reset 1 CANCEL", r.done, took, r.cause, out, c.lives, c.ends, c.cause)
			}
			slow := uint64(1)
			if strings.Contains(c.cause, "nothing") {
				slow = 0
			}
			if n := v.sh.Counters; n.Timeouts != 1 || n.Slow != slow {
				t.Errorf("counted %d timeouts, %d slow, want 1, %d", n.Timeouts, n.Slow, slow)
			}
			if v.feed(t, getReq(3)); v.l.Over {
				t.Errorf("the connection ended too: %v", v.l.Cause)
			}
			v.over(t)
		})
	}
}

// TestPausesDoNotCountAsSlow: time in which a handler pauses, or in which no window is open, does not count.
func TestPausesDoNotCountAsSlow(t *testing.T) {
	t.Run("paused", func(t *testing.T) {
		cfg := DefaultConfig()
		cfg.Timeouts.BodyTotal = time.Minute
		v := ready(t, cfg)
		v.setup = holdOff
		v.feed(t, postReq(1))
		r := v.made[0]
		for i := range 50 {
			v.l.Sleep(time.Second)
			v.feed(t, data(1, 0, strings.Repeat("x", 240)))
			if r.done {
				t.Fatalf("ended in round %d, before the pause, for %v", i, r.cause)
			}
			r.x.Pause()
			v.feed(t, data(1, 0, strings.Repeat("x", 240)))
			v.l.Sleep(time.Hour)
			r.x.Resume()
			v.l.Sleep(0)
			if r.done {
				t.Fatalf("ended in round %d for %v", i, r.cause)
			}
		}
		if r.got != 50*480 {
			t.Errorf("the handler got %d bytes, want %d", r.got, 50*480)
		}
		if v.l.Sleep(11 * time.Second); !r.done {
			t.Error("the stream is open after its total of a minute")
		}
	})
	t.Run("no window of the stream", func(t *testing.T) {
		cfg := DefaultConfig()
		cfg.Limits.Window = 1000
		v := ready(t, cfg)
		v.setup = func(n int, r *recorder) {
			holdOff(n, r)
			r.onHead = func(x http.Exchange, _ *http.Message) { x.(http.FlowControlled).ManualCredit() }
		}
		v.feed(t, postReq(1)+data(1, 0, strings.Repeat("x", 1000)))
		r := v.made[0]
		for i := range 30 {
			// An hour without a window, and then a window that the peer uses after 29 s.
			v.l.Sleep(time.Hour)
			r.x.Credit(100)
			v.l.Sleep(29 * time.Second)
			v.feed(t, data(1, 0, strings.Repeat("x", 100)))
			if r.done {
				t.Fatalf("ended in round %d for %v", i, r.cause)
			}
		}
		r.x.Credit(100)
		if v.l.Sleep(31 * time.Second); !r.done {
			t.Error("the stream is open although it has a window and gets nothing")
		}
	})
	t.Run("in the middle of a frame", func(t *testing.T) {
		cfg := DefaultConfig()
		cfg.Limits.Window = 1000
		v := ready(t, cfg)
		v.setup = func(n int, r *recorder) {
			holdOff(n, r)
			r.onHead = func(x http.Exchange, _ *http.Message) { x.(http.FlowControlled).ManualCredit() }
		}
		v.feed(t, postReq(1))
		f := data(1, 0, strings.Repeat("x", 1000)) // uses up the window
		v.l.Feed([]byte(f[:500]))
		if v.l.Sleep(31 * time.Second); !v.made[0].done {
			t.Error("the stream is open although the rest of its frame does not arrive")
		}
	})
	t.Run("no window of the connection", func(t *testing.T) {
		cfg := DefaultConfig()
		cfg.Limits.ConnWindow, cfg.Limits.Window, cfg.Limits.Kept = 65535, 1<<20, 0
		v := ready(t, cfg)
		v.setup = func(n int, r *recorder) {
			holdOff(n, r)
			if n == 1 {
				r.onHead = func(x http.Exchange, _ *http.Message) { x.Pause() }
			}
		}
		// The first stream, which is paused, has used all of it.
		v.feed(t, postReq(1)+postReq(3))
		for range 4 {
			v.feed(t, data(1, 0, strings.Repeat("x", 16383)))
		}
		v.feed(t, data(1, 0, "xxx"))
		if v.l.Sleep(time.Hour); v.made[1].done {
			t.Fatalf("the second stream ended for %v, though it could not send", v.made[1].cause)
		}
		v.made[0].x.Resume()
		v.l.Sleep(29 * time.Second)
		v.feed(t, data(3, 0, "x"))
		if v.made[1].done {
			t.Fatalf("the second stream ended for %v, 29 s after it had a window", v.made[1].cause)
		}
		if v.l.Sleep(31 * time.Second); !v.made[1].done {
			t.Error("the second stream is open although it has a window and gets nothing")
		}
	})
}

// TestSlowResponseBodies: a response has no least rate by default; if a program sets one, it does not apply to
// unhurried exchanges.
func TestSlowResponseBodies(t *testing.T) {
	for _, c := range []struct {
		name              string
		rate              int64
		unhurried, paused bool
		ends              bool
	}{
		{"by default", 0, false, false, false},
		{"with a rate", 100, false, false, true},
		{"with a rate, unhurried", 100, true, false, false},
		{"with a rate, paused", 100, false, true, false},
	} {
		cfg := DefaultConfig()
		cfg.Limits.ResponseRate = c.rate
		v := dial(t, cfg)
		r := v.ask(t, get("/"), "", func(r *recorder) { r.quiet = true })
		if c.unhurried {
			r.x.(http.NoDeadline).NoDeadline()
		}
		if c.paused {
			r.x.Pause()
		}
		v.feed(t, hdrs(1, 0, ":status", "200"))
		for range 100 {
			if v.l.Sleep(29 * time.Second); !r.done {
				v.feed(t, data(1, 0, "x"))
			}
		}
		if r.done != c.ends {
			t.Errorf("%s: done %v (%v), want %v", c.name, r.done, r.cause, c.ends)
		}
		if c.ends && (!strings.Contains(fmt.Sprint(r.cause), "body: slower") || v.sh.Counters.Slow != 1) {
			t.Errorf("%s: done with %v, counted %d slow; want the rate, 1", c.name, r.cause, v.sh.Counters.Slow)
		}
		v.over(t)
	}
}
