package h2

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// TestServerDeadlines makes a server wait in each way that has a limit: nothing happens before the deadline, and the
// stream or connection ends at it.
func TestServerDeadlines(t *testing.T) {
	d := DefaultTimeouts()
	silent := func(v *served) { v.setup = func(_ int, r *recorder) { r.head.Status = 0 } }
	for _, c := range []struct {
		name  string
		in    string // after the preface, if it does not begin with it
		after time.Duration
		want  string
		set   func(v *served)
	}{
		{"nothing at all: settings", "", d.Settings, "goaway 0 SETTINGS_TIMEOUT", nil},
		{"settings", preface + setting(), d.Settings, "goaway 0 SETTINGS_TIMEOUT", nil},
		{"half a preface", preface[:10], d.Frame, "goaway 0 ENHANCE_YOUR_CALM", nil},
		{"half a frame header", hello + "\x00\x00", d.Frame, "goaway 0 ENHANCE_YOUR_CALM", nil},
		{"half a frame", hello + fr(framePing, 0, 0, "12345678")[:12], d.Frame, "goaway 0 ENHANCE_YOUR_CALM", nil},
		{"half a header block", hello + fr(frameHeaders, 0, 1, blk(ask...)), d.Frame, "goaway 0 ENHANCE_YOUR_CALM", nil},
		{"half of the padding's length", hello + postReq(1) + data(1, flagPadded, "\x01a")[:headerLen], d.Frame, "goaway 1 ENHANCE_YOUR_CALM", silent},
		{"a body", hello + postReq(1) + data(1, 0, "x"), d.Body, "reset 1 CANCEL", silent},
		{"half a DATA frame", hello + postReq(1) + data(1, 0, "xyz")[:headerLen+1], d.Body, "reset 1 CANCEL", silent},
		{"a window", preface + setting(settingWindow, 0) + setack + getReq(1), d.Window, "reset 1 CANCEL", nil},
		{"no request", hello, d.Idle, "goaway 0 NO_ERROR", nil},
		{"no other request", hello + getReq(1), d.Idle, "goaway 1 NO_ERROR", nil},
	} {
		v := serve(DefaultConfig())
		if c.set != nil {
			c.set(v)
		}
		v.out(t)
		v.l.Feed([]byte(c.in))
		v.l.Sleep(c.after - 1)
		if got := verdict(v.out(t)); got != "" {
			t.Errorf("%s: got %q before the deadline", c.name, got)
		}
		v.l.Sleep(1)
		if got := verdict(v.out(t)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if n := v.sh.Counters.Timeouts; (n == 1) == strings.Contains(c.want, "NO_ERROR") {
			t.Errorf("%s: %d timeouts counted", c.name, n)
		}
		v.over(t)
	}
}

// TestSlowHeaderBlock: a header block in many frames has one deadline.
func TestSlowHeaderBlock(t *testing.T) {
	v := ready(t, DefaultConfig())
	b := fr(frameHeaders, 0, 1, blk(ask...)) + fr(frameContinuation, 0, 1, blk("a", "b")) + fr(frameContinuation, endH, 1, blk("c", "d"))
	for i := range len(b) {
		v.l.Feed([]byte(b[i : i+1]))
		v.l.Sleep(DefaultTimeouts().Frame / 50)
		if v.l.Over {
			break
		}
	}
	if got := verdict(v.out(t)); got != "goaway 0 ENHANCE_YOUR_CALM" {
		t.Errorf("got %q", got)
	}
	v.over(t)
}

// TestPausedBodiesHaveNoDeadline: a peer is not late with a body that a handler has paused.
func TestPausedBodiesHaveNoDeadline(t *testing.T) {
	v := ready(t, DefaultConfig())
	v.setup = func(_ int, r *recorder) {
		r.head.Status = 0
		r.onHead = func(x http.Exchange, _ *http.Message) { x.Pause() }
	}
	v.feed(t, postReq(1)+data(1, 0, "abc"))
	v.l.Sleep(time.Hour)
	if v.s.Active() != 1 {
		t.Fatalf("the stream ended: %s", v.log.String())
	}
	v.made[0].x.Resume()
	v.l.Sleep(DefaultTimeouts().Body)
	if got := verdict(v.out(t)); got != "reset 1 CANCEL" || v.made[0].got != 3 || !errors.Is(v.made[0].cause, http.ErrTimeout) {
		t.Errorf("resumed: got %q, %d octets, %v", got, v.made[0].got, v.made[0].cause)
	}
	v.over(t)
}

// TestClientDeadlines does the same for what a client waits for. A pause before the head delays nothing.
func TestClientDeadlines(t *testing.T) {
	for _, paused := range []bool{false, true} {
		cfg := DefaultConfig()
		cfg.Timeouts.Response = 5 * second
		v := dial(t, cfg)
		r := v.ask(t, get("/"), "")
		if paused {
			r.x.Pause()
		}
		v.l.Sleep(5*second - 1)
		if r.done {
			t.Fatal("the request ended before its deadline")
		}
		v.l.Sleep(1)
		if !r.done || !errors.Is(r.cause, http.ErrTimeout) || verdict(v.out(t)) != "reset 1 CANCEL" {
			t.Errorf("paused %t: no response: done %t, %v", paused, r.done, r.cause)
		}
		r = v.ask(t, get("/"), "")
		v.feed(t, hdrs(3, 0, ":status", "200"))
		v.l.Sleep(cfg.Timeouts.Body)
		if !r.done || !errors.Is(r.cause, http.ErrTimeout) {
			t.Errorf("no body: done %t, %v", r.done, r.cause)
		}
		v.over(t)
	}
}

// TestContinue: both ends wait for 100 (Continue) as RFC 9110 s.10.1.1 requires.
func TestContinue(t *testing.T) {
	expecting := func() http.Message {
		m := post("/", 3)
		m.Continue = true
		return m
	}
	for _, c := range []struct {
		name string
		do   func(v *asked, r *recorder)
		want string // what is sent after the head
	}{
		{"100 arrives", func(v *asked, r *recorder) { v.l.Feed([]byte(hdrs(1, 0, ":status", "100"))) }, "data 1 3 \"abc\" end\n"},
		{"103 does not count", func(v *asked, r *recorder) { v.l.Feed([]byte(hdrs(1, 0, ":status", "103"))) }, ""},
		{"a final head arrives", func(v *asked, r *recorder) { v.l.Feed([]byte(hdrs(1, endS, ":status", "200"))) }, "data 1 3 \"abc\" end\n"},
		{"a refusal arrives", func(v *asked, r *recorder) { v.l.Feed([]byte(hdrs(1, endS, ":status", "417"))) }, "reset 1 CANCEL\n"},
		{"nothing arrives", func(v *asked, r *recorder) { v.l.Sleep(second) }, "data 1 3 \"abc\" end\n"},
		{"nothing arrives during a pause", func(v *asked, r *recorder) { r.x.Pause(); v.l.Sleep(second) }, "data 1 3 \"abc\" end\n"},
		{"nothing has arrived before the deadline", func(v *asked, r *recorder) { v.l.Sleep(second - 1) }, ""},
	} {
		v := dial(t, DefaultConfig())
		r := v.ask(t, expecting(), "abc")
		if got := v.out(t); !strings.Contains(got, "expect=100-continue") || strings.Contains(got, "data") {
			t.Errorf("%s: sent first\n%s", c.name, got)
		}
		c.do(v, r)
		if got := v.out(t); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		v.over(t)
	}
	req := hdrs(1, 0, with(ps, "expect", "100-continue")...)
	for _, c := range []struct {
		name, in, want string
		set            func(r *recorder)
	}{
		{"a handler that listens", req, "headers 1 :status=100\n", func(r *recorder) { r.head.Status = 0 }},
		{"the body arrives at once", req + data(1, 0, "x"), "", func(r *recorder) { r.head.Status = 0 }},
		{"a handler that has paused", req, "", func(r *recorder) {
			r.head.Status = 0
			r.onHead = func(x http.Exchange, _ *http.Message) { x.Pause() }
		}},
		{"one that answers", req, "headers 1 :status=200\ndata 1 2 \"ok\" end\nreset 1 NO_ERROR\n", func(r *recorder) {
			r.onHead = func(x http.Exchange, _ *http.Message) { x.WantWrite() }
		}},
		{"one that has no body to wait for", hdrs(1, 0, with(ps, "expect", "100-continue", "content-length", "0")...), "", func(r *recorder) { r.head.Status = 0 }},
	} {
		v := ready(t, DefaultConfig())
		v.setup = func(_ int, r *recorder) { c.set(r) }
		if got := v.feed(t, c.in); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		v.over(t)
	}
}

// TestValidity: a silent peer gets a PING, and the connection ends without an answer. Any input is an answer.
func TestValidity(t *testing.T) {
	v := dial(t, DefaultConfig())
	v.ask(t, get("/"), "")
	v.c.SetValidity(10*second, 15*second)
	v.out(t)
	v.l.Sleep(10 * second)
	if got := v.out(t); got != "ping \"validity\"\n" {
		t.Errorf("after 10 seconds: sent %q", got)
	}
	v.feed(t, fr(framePing, flagAck, 0, "validity"))
	v.l.Sleep(10 * second)
	if got := v.out(t); got != "ping \"validity\"\n" {
		t.Errorf("after 10 more: sent %q", got)
	}
	v.feed(t, hdrs(1, 0, ":status", "103"))
	v.l.Sleep(15*second - 1)
	if v.l.Over {
		t.Fatal("the connection ended before the hangup time")
	}
	v.l.Sleep(1)
	if !v.l.Over || v.l.Mode != roles.Immediate || !errors.Is(v.made[0].cause, http.ErrTimeout) {
		t.Errorf("after the hangup time: over %t, mode %d, %v", v.l.Over, v.l.Mode, v.made[0].cause)
	}
	v.over(t)
}
