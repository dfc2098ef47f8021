package ss_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// gaps are the times between UNREACHABLE and the POLL of the attempt that followed it.
func gaps(s *script) (list []time.Duration) {
	var failed time.Duration
	for i, st := range s.States {
		switch st {
		case ss.Unreachable:
			failed = s.At[i]
		case ss.Poll:
			if failed != 0 {
				list = append(list, s.At[i]-failed)
			}
			failed = 0
		}
	}
	return list
}

// TestDelays checks every delay against its window [T, T + J% of T], over many seeds: the table is used
// in order and its last entry is repeated.
func TestDelays(t *testing.T) {
	for _, c := range []struct {
		name  string
		retry string
		base  []time.Duration // milliseconds, of the retries in turn
		pc    int
	}{
		{"table", `{"backoff":[100,300,900],"conceal":5,"jitterpc":20}`, []time.Duration{100, 300, 900, 900, 900}, 20},
		{"jitter of zero", `{"backoff":[100,300],"conceal":3,"jitterpc":0}`, []time.Duration{100, 300, 300}, 0},
		{"jitter not given", `{"backoff":[1000],"conceal":2}`, []time.Duration{1000, 1000}, 30},
		{"jitter of 255", `{"backoff":[1000],"conceal":2,"jitterpc":255}`, []time.Duration{1000, 1000}, 255},
		{"no table", `{"conceal":1}`, []time.Duration{3000}, 30},
	} {
		t.Run(c.name, func(t *testing.T) {
			spread := map[time.Duration]bool{}
			for seed := range uint64(20) {
				w := newWorld(t, `{"retry":[{"r":`+c.retry+`}],"s":[{"c":{"endpoint":"10.0.0.2","port":80,"protocol":"raw","retry":"r"}}]}`, plan{Seed: seed})
				s := newScript()
				w.Create("c", s).Connect()
				w.Run("giving up", func() bool { return s.Told(ss.AllRetriesFailed) > 0 })
				got := gaps(s)
				if len(got) != len(c.base) {
					t.Fatalf("seed %d: got %d retries (%v), want %d", seed, len(got), got, len(c.base))
				}
				for i, d := range got {
					low := c.base[i] * time.Millisecond
					high := low + low*time.Duration(c.pc)/100
					if d < low || d > high {
						t.Errorf("seed %d: delay %d: got %v, want %v to %v", seed, i, d, low, high)
					}
				}
				spread[got[0]] = true
			}
			if (len(spread) > 1) != (c.pc > 0) {
				t.Errorf("first delays over 20 seeds: got %d different ones with jitter %d%%", len(spread), c.pc)
			}
		})
	}
}

// TestDefaultRetry: without a retry scheme there is one attempt.
func TestDefaultRetry(t *testing.T) {
	w := newWorld(t, `{"s":[{"c":{"endpoint":"10.0.0.2","port":80,"protocol":"raw"}}]}`, plan{})
	s := newScript()
	w.Create("c", s).Connect()
	w.Advance(time.Minute)
	w.WantLife("the stream", s, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
	w.WantCause(s, syscall.ECONNREFUSED)
}

// TestBudget: after ALL_RETRIES_FAILED RequestTx makes one more attempt and Connect renews the whole budget.
func TestBudget(t *testing.T) {
	const (
		all  = " CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED"
		more = " POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED"
	)
	for _, c := range []struct {
		name  string
		start func(h *ss.Handle)
		then  func(h *ss.Handle)
		want  string
	}{
		{"Connect, RequestTx", func(h *ss.Handle) { h.Connect() }, func(h *ss.Handle) { h.RequestTx() }, "CREATING" + all + more},
		{"Connect, Connect", func(h *ss.Handle) { h.Connect() }, func(h *ss.Handle) { h.Connect() }, "CREATING" + all + all},
		{"RequestTx, Connect", func(h *ss.Handle) { h.RequestTx() }, func(h *ss.Handle) { h.Connect() }, "CREATING POLL" + all + all},
		{"both at once is Connect", func(h *ss.Handle) { h.RequestTx(); h.Connect() }, func(h *ss.Handle) { h.RequestTx(); h.Connect() }, "CREATING" + all + all},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, clientDoc(`"protocol":"raw","retry":"three"`, ""), plan{})
			s := newScript()
			h := w.Create("c", s)
			c.start(h)
			w.Advance(time.Minute)
			c.then(h)
			w.Advance(time.Minute)
			w.WantLife("the stream", s, c.want)
		})
	}
}

// TestBudgetAfterSuccess: CONNECTED renews the budget.
func TestBudgetAfterSuccess(t *testing.T) {
	w := newWorld(t, `{"retry":[{"one":{"backoff":[1000],"conceal":1,"jitterpc":0}}],
		"s":[{"c":{"endpoint":"10.0.0.2","port":80,"protocol":"raw","retry":"one"}}`+rawServer+`]}`, plan{})
	s := newScript()
	w.Create("c", s).Connect()
	w.Settle()
	h, _ := w.Serve("srv", nil)
	w.Advance(2 * time.Second)
	h.Destroy()
	w.Advance(10 * time.Second)
	w.WantLife("the stream", s, `CREATING CONNECTING UNREACHABLE POLL CONNECTING CONNECTED DISCONNECTED
		POLL CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED`)
}

// TestDestroyDuringDelay: Destroy stops the delay's timer.
func TestDestroyDuringDelay(t *testing.T) {
	w := newWorld(t, `{"retry":[{"slow":{"backoff":[3600000],"conceal":9}}],"s":[{"c":{"endpoint":"10.0.0.2","port":80,"protocol":"raw","retry":"slow"}}]}`, plan{})
	s := newScript()
	h := w.Create("c", s)
	h.Connect()
	w.Settle()
	h.Destroy()
	w.Settle()
	w.WantLife("the stream", s, "CREATING CONNECTING UNREACHABLE DESTROYING")
	if n := w.Client.Loop.Stats().Timers; n != 0 {
		t.Errorf("timers armed: got %d, want none", n)
	}
}

// TestRequestWaitsForDelay: RequestTx during a delay does not end the backoff; Connect does.
func TestRequestWaitsForDelay(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw","retry":"three"`, ""), plan{})
	s := newScript()
	s.When(ss.Unreachable, (*ss.Handle).RequestTx)
	h := w.Create("c", s)
	h.Connect()
	w.Advance(999 * time.Millisecond)
	w.WantLife("the stream, before its delay is over", s, "CREATING CONNECTING UNREACHABLE")
	h.RequestTx()
	w.Advance(2 * time.Millisecond)
	w.WantLife("the stream, after", s, "CREATING CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE")
	h.Connect()
	w.Settle()
	w.WantLife("the stream, after Connect", s, "CREATING CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE CONNECTING UNREACHABLE")
}

// TestRequestInLastUnreachable: a request between UNREACHABLE and ALL_RETRIES_FAILED is carried out when the delay is
// over, and its Tx is not lost.
func TestRequestInLastUnreachable(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw","retry":"none","opportunistic":true`, rawServer), plan{})
	s := newScript()
	s.Say, s.NoEOM = []byte("late"), true
	s.When(ss.Unreachable, func(h *ss.Handle) ss.Ret {
		w.Serve("srv", nil)
		return h.RequestTx()
	})
	w.Create("c", s).Connect()
	w.Advance(699 * time.Millisecond)
	w.WantLine("the stream, before the scheme's delay is over", s, `CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED`)
	w.Advance(2 * time.Millisecond)
	w.WantLine("the stream", s, `CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED POLL CONNECTING CONNECTED tx("late"|SOM)`)
}

// TestOutage: a link is down for six hours of virtual time. The stream never receives ALL_RETRIES_FAILED, waits by
// its table, and reconnects by itself.
func TestOutage(t *testing.T) {
	w := newWorld(t, `{"retry":[{"r":{"backoff":[1000,60000],"conceal":65535,"jitterpc":10,"svalidping":0}}],
		"s":[{"c":{"endpoint":"10.0.0.2","port":80,"protocol":"raw","nailed_up":true,"retry":"r"}}`+rawServer+`]}`,
		plan{Net: sim.Options{Link: sim.Link{Latency: 5 * time.Millisecond}}})
	echo := func(s *script) { s.OnRx = echoRx(s) }
	w.Serve("srv", echo)
	s := newScript()
	s.Say, s.NoEOM = []byte("ping"), true
	s.When(ss.Connected, func(h *ss.Handle) ss.Ret { s.Said = 0; return h.RequestTx() })
	w.Create("c", s)
	w.Run("the echo", func() bool { return string(s.Got) == "ping" })
	w.Net.Partition(w.Client.Host, w.Server.Host)
	w.Client.Host.Reset(w.Client.Host.Established()[0])
	w.Advance(6 * time.Hour)
	if s.Told(ss.AllRetriesFailed) != 0 {
		t.Errorf("the stream gave up though its policy conceals every failure: %s", s.Life())
	}
	// An attempt takes 20 s to fail, and a minute and up to 10% passes between two of them.
	if n := s.Told(ss.Connecting); n < 6*3600/(20+66) || n > 6*3600/80+2 {
		t.Errorf("attempts in six hours: got %d, want 251 to 272", n)
	}
	w.Net.Heal(w.Client.Host, w.Server.Host)
	s.Got = nil
	w.Advance(90 * time.Second)
	if string(s.Got) != "ping" || s.Told(ss.Connected) != 2 {
		t.Errorf("after the outage: got %q and %d times CONNECTED, want \"ping\" and twice: ...%s", s.Got, s.Told(ss.Connected), s.Life()[max(0, len(s.Life())-80):])
	}
}

// echoRx echoes its input.
func echoRx(s *script) func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	s.NoEOM = true
	return func(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
		if s.Said == len(s.Say) {
			s.Say, s.Said = s.Say[:0], 0
		}
		s.Say = append(s.Say, b...)
		return h.RequestTx()
	}
}

// TestRetryAfter: 429 and 503 with a delay, in seconds or as a date; the longer of that and
// the table's delay applies.
func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		name, head string
		want       time.Duration
	}{
		{"seconds", "503 Busy\r\nRetry-After: 120", 120 * time.Second},
		{"429", "429 Slow\r\nRetry-After: 7", 7 * time.Second},
		{"less than the table says", "503 Busy\r\nRetry-After: 0", time.Second},
		{"a date half a minute ahead", "503 Busy\r\nRetry-After: Thu, 01 Jan 2026 00:00:30 GMT", 30 * time.Second},
		{"a date in the past", "503 Busy\r\nRetry-After: Thu, 01 Jan 2015 00:00:30 GMT", time.Second},
		{"a date years ahead", "503 Busy\r\nRetry-After: Thu, 01 Jan 2037 00:00:30 GMT", 24 * time.Hour},
		{"nonsense", "503 Busy\r\nRetry-After: tomorrow", time.Second},
		{"none", "503 Busy", time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, clientDoc(`"protocol":"h1","retry":"three"`, rawServer), plan{})
			w.Serve("srv", speak("\r\n\r\n", "HTTP/1.1 "+c.head+"\r\nContent-Length: 0\r\n\r\n", false))
			s := newScript()
			w.Create("c", s).Connect()
			w.Run("the second attempt", func() bool { return s.Told(ss.Connecting) == 2 })
			got := gaps(s)[0]
			if got < c.want-time.Second || got > c.want {
				t.Errorf("delay: got %v, want %v", got, c.want)
			}
			var se *ss.StatusError
			if !errors.As(s.Causes[0], &se) || (se.Status != 503 && se.Status != 429) {
				t.Errorf("cause: got %v, want a StatusError of 503 or 429", s.Causes[0])
			}
		})
	}
}

// TestConcealForever: with conceal 65535 ALL_RETRIES_FAILED is never delivered.
func TestConcealForever(t *testing.T) {
	w := newWorld(t, `{"retry":[{"r":{"backoff":[1],"conceal":65535,"jitterpc":0}}],"s":[{"c":{"endpoint":"10.0.0.2","port":80,"protocol":"raw","retry":"r"}}]}`, plan{})
	s := newScript()
	w.Create("c", s).Connect()
	w.Run("65,600 attempts", func() bool { return w.Client.Runtime.Counters.Attempts > policy.Forever+65 })
	if w.Client.Runtime.Counters.GivenUp != 0 || strings.Contains(s.Life(), "FAILED") {
		t.Errorf("gave up %d times, want never", w.Client.Runtime.Counters.GivenUp)
	}
}

// TestDisconnectWithTheDelay: Disconnect in the turn in which the delay ends has no effect, as there is no
// connection: the attempt is made.
func TestDisconnectWithTheDelay(t *testing.T) {
	w := newWorld(t, `{"retry":[{"r":{"backoff":[1000],"conceal":3,"jitterpc":0}}],"s":[{"c":{"endpoint":"10.0.0.2","port":80,"protocol":"h1","retry":"r"}}]}`, plan{})
	s := newScript()
	w.Create("c", s).Connect()
	w.Run("the first failure", func() bool { return s.Told(ss.Unreachable) == 1 })
	at := s.At[len(s.At)-1] + time.Second
	w.Net.At(at-w.Net.Now(), s.Handle.Disconnect)
	w.Advance(1500 * time.Millisecond)
	w.WantLife("the stream", s, "CREATING CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE")
}

// TestShortLivedConnections: a peer that accepts and closes is a failed attempt each time, except the first, which had no
// delay before it. Payload, or a life longer than the delay, renews the budget.
func TestShortLivedConnections(t *testing.T) {
	const s = time.Second
	closes := func(after time.Duration, says string) func(*script) {
		return func(a *script) {
			a.Say, a.NoEOM = []byte(says), true
			a.When(ss.Connected, func(h *ss.Handle) ss.Ret {
				a.World.Net.At(after, h.Destroy)
				if says != "" {
					return h.RequestTx()
				}
				return ss.OK
			})
		}
	}
	const gaveUp = "CREATING CONNECTING CONNECTED DISCONNECTED POLL CONNECTING CONNECTED DISCONNECTED POLL CONNECTING CONNECTED DISCONNECTED" +
		" POLL CONNECTING CONNECTED DISCONNECTED UNREACHABLE ALL_RETRIES_FAILED"
	for _, c := range []struct {
		name, proto string
		each        func(*script)
		life        string          // its beginning; the whole of it, if it ends
		ups         []time.Duration // of the first CONNECTEDs
	}{
		{"raw, at once", "raw", closes(0, ""), gaveUp, []time.Duration{0, 1 * s, 2 * s, 4 * s}},
		{"ws, 101 and Close 1013", "ws", switchAnd("\x88\x02\x03\xF5"), gaveUp, []time.Duration{0, 1 * s, 2 * s, 4 * s}},
		{"ws, a Ping first", "ws", switchAnd("\x89\x00\x88\x02\x03\xE8"), gaveUp, []time.Duration{0, 1 * s, 2 * s, 4 * s}},
		{"ws, a message first", "ws", switchAnd("\x81\x02hi\x88\x02\x03\xF5"), "", []time.Duration{0, 1 * s, 2 * s, 3 * s, 4 * s, 5 * s}},
		{"raw, payload first", "raw", closes(0, "x"), "", []time.Duration{0, 1 * s, 2 * s, 3 * s, 4 * s, 5 * s}},
		{"raw, after 1500 ms: longer than the first delay", "raw", closes(1500*time.Millisecond, ""), "",
			[]time.Duration{0, 2500 * time.Millisecond, 5 * s, 7500 * time.Millisecond}},
		{"h1, 200 and no body", "h1", speak("\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true), gaveUp, []time.Duration{0, 1 * s, 2 * s, 4 * s}},
		{"h1, 200 and half a body", "h1", speak("\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", true), "",
			[]time.Duration{0, 1 * s, 2 * s, 3 * s, 4 * s, 5 * s}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, `{"retry":[{"r":{"backoff":[1000,2000,4000],"conceal":2,"jitterpc":0}}],
				"s":[{"c":{"endpoint":"10.0.0.2","port":80,"nailed_up":true,"retry":"r","protocol":"`+c.proto+`"}}`+rawServer+`]}`, plan{})
			w.Serve("srv", c.each)
			st := newScript()
			st.OnRx = func(_ *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
				if c.proto == "raw" && f&ss.EOM != 0 {
					return ss.DisconnectMe // the peer has ended its direction
				}
				return ss.OK
			}
			w.Create("c", st)
			began := w.Net.Now()
			w.Advance(time.Minute)
			if c.life != "" {
				w.WantLife("the stream", st, c.life)
			}
			var ups []time.Duration
			for i, told := range st.States {
				if told == ss.Connected {
					ups = append(ups, (st.At[i] - began).Round(time.Millisecond))
				}
			}
			if got, want := fmt.Sprint(ups[:min(len(ups), len(c.ups))]), fmt.Sprint(c.ups); got != want || c.life != "" && len(ups) != len(c.ups) {
				t.Errorf("CONNECTED was delivered at: got %v, %d times; want %v", got, len(ups), want)
			}
			short := w.Client.Runtime.Counters.ShortLived
			if (short == 3) != (c.life != "") {
				t.Errorf("Counters.ShortLived: got %d, want 3 for a stream that gives up and 0 else", short)
			}
		})
	}
}
