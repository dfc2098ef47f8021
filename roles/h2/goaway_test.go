package h2

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// TestServerDrains ends a connection in order: requests that cross the first GOAWAY are accepted, those after the
// last one are ignored frame by frame, and the connection closes after the responses.
func TestServerDrains(t *testing.T) {
	v := ready(t, DefaultConfig())
	v.setup = func(_ int, r *recorder) { r.onEnd = func(http.Exchange) {} }
	v.feed(t, getReq(1))
	v.s.Drain()
	v.l.Sleep(0)
	if got := v.out(t); got != "goaway 2147483647 NO_ERROR\nping \"millrdrn\"\n" {
		t.Errorf("first GOAWAY: got %q", got)
	}
	v.feed(t, postReq(3))
	if got := v.feed(t, fr(framePing, flagAck, 0, "millrdrn")); got != "goaway 3 NO_ERROR\n" {
		t.Errorf("last GOAWAY: got %q", got)
	}
	if got := v.feed(t, postReq(5)+data(5, 0, "abc")+win(5, 1)+hdrs(5, endS, "a", "b")+rst(5, Cancel)+data(5, 0, "x")); got != "" || len(v.made) != 2 {
		t.Errorf("a request that crossed the first GOAWAY: got %q, %d handlers", got, len(v.made))
	}
	v.feed(t, data(3, endS, "x"))
	for _, r := range v.made {
		r.x.WantWrite()
	}
	v.l.Service()
	got := v.out(t)
	if !strings.Contains(got, "data 1 2 \"ok\" end") || !strings.Contains(got, "data 3 2 \"ok\" end") || !v.l.Over || v.l.Mode != roles.Graceful || v.l.Cause != nil {
		t.Errorf("the end: over %t, mode %d, %v:\n%s", v.l.Over, v.l.Mode, v.l.Cause, got)
	}
	v.over(t)
}

// TestServerDrainsAtOnce: a server without exchanges, and a peer that does not acknowledge.
func TestServerDrainsAtOnce(t *testing.T) {
	v := ready(t, DefaultConfig())
	v.s.Drain()
	v.l.Sleep(0)
	v.l.Service()
	if got := v.out(t); got != "goaway 0 NO_ERROR\n" || !v.l.Over {
		t.Errorf("idle: %q, over %t", got, v.l.Over)
	}
	v.over(t)

	v = ready(t, DefaultConfig())
	v.setup = func(_ int, r *recorder) { r.head.Status = 0 }
	v.feed(t, postReq(1))
	v.s.Drain()
	v.l.Sleep(DefaultTimeouts().Settings)
	if got := v.out(t); !strings.HasSuffix(got, "goaway 1 NO_ERROR\n") {
		t.Errorf("a peer that does not acknowledge: got %q", got)
	}
	v.over(t)
}

// TestClientAfterGoAway sorts requests by what the server may have processed of them.
func TestClientAfterGoAway(t *testing.T) {
	v := dial(t, DefaultConfig())
	seen, unseen := v.ask(t, get("/1"), ""), v.ask(t, get("/3"), "")
	v.l.Refuse = true
	unsent := v.ask(t, get("/5"), "")
	v.l.Refuse = false
	v.l.Feed([]byte(goaway(1, NoError)))
	for _, r := range []*recorder{unseen, unsent} {
		var g *GoAwayError
		if !r.done || !errors.Is(r.cause, http.ErrNotProcessed) || !errors.As(r.cause, &g) || !g.Unseen || g.Last != 1 {
			t.Errorf("request %s: done %t, %v", r.name, r.done, r.cause)
		}
	}
	if seen.done {
		t.Errorf("the first request ended early: %v", seen.cause)
	}
	if _, err := v.c.Do(&recorder{}); !errors.Is(err, ErrClosed) || v.c.Free() != 0 {
		t.Errorf("Do after GOAWAY: got %v, %d free", err, v.c.Free())
	}
	if len(v.events) != 1 || v.events[0] != "draining" {
		t.Errorf("calls of the owner: got %q", v.events)
	}
	v.feed(t, hdrs(1, endS, ":status", "200"))
	if !seen.done || seen.cause != nil || !v.l.Over || v.l.Cause != nil {
		t.Errorf("the first: done %t, %v; over %t, %v", seen.done, seen.cause, v.l.Over, v.l.Cause)
	}
	if len(v.events) != 2 || v.events[1] != "closed <nil>" {
		t.Errorf("calls of the owner: got %q", v.events)
	}
	v.over(t)
}

// TestClientOutcome: what either end implies for a request without a response: certainly not processed, or unknown,
// and neither after the final head.
func TestClientOutcome(t *testing.T) {
	for _, c := range []struct {
		name         string
		end          func(v *asked)
		not, unknown bool
	}{
		{"REFUSED_STREAM", func(v *asked) { v.l.Feed([]byte(rst(1, RefusedStream))) }, true, false},
		{"CANCEL", func(v *asked) { v.l.Feed([]byte(rst(1, Cancel))) }, false, true},
		{"GOAWAY below it", func(v *asked) { v.l.Feed([]byte(goaway(0, NoError))) }, true, false},
		{"GOAWAY above it, then the end", func(v *asked) { v.l.Feed([]byte(goaway(1, NoError))); v.l.End() }, false, true},
		{"the end", func(v *asked) { v.l.End() }, false, true},
		{"it breaks", func(v *asked) { v.l.Break(errors.New("cable pulled")) }, false, true},
		{"an interim head, then the end", func(v *asked) { v.l.Feed([]byte(hdrs(1, 0, ":status", "103"))); v.l.End() }, false, true},
		{"a fault of the peer's", func(v *asked) { v.l.Feed([]byte(fr(frameData, 0, 1, "early"))) }, false, true},
		{"answered, then the end", func(v *asked) { v.l.Feed([]byte(hdrs(1, 0, ":status", "200"))); v.l.End() }, false, false},
		{"answered, then CANCEL", func(v *asked) { v.l.Feed([]byte(hdrs(1, 0, ":status", "200") + rst(1, Cancel))) }, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := dial(t, DefaultConfig())
			r := v.ask(t, get("/"), "")
			c.end(v)
			v.l.Service()
			not, unknown := errors.Is(r.cause, http.ErrNotProcessed), errors.Is(r.cause, http.ErrOutcomeUnknown)
			if !r.done || r.cause == nil || not != c.not || unknown != c.unknown {
				t.Errorf("done %t with %v: not processed %t, unknown %t; want %t, %t", r.done, r.cause, not, unknown, c.not, c.unknown)
			}
		})
	}
}

// TestGoAwayGivesReasons: a later GOAWAY does not revoke an earlier one, and its reason is in the cause when the
// connection breaks.
func TestGoAwayGivesReasons(t *testing.T) {
	v := dial(t, DefaultConfig())
	r, second := v.ask(t, get("/1"), ""), v.ask(t, get("/3"), "")
	v.feed(t, fr(frameGoAway, 0, 0, u32(1)+u32(uint32(EnhanceYourCalm))+"too hot\x01"+strings.Repeat("!", 1000))+goaway(7, EnhanceYourCalm))
	var g *GoAwayError
	if !errors.As(second.cause, &g) || !g.Unseen || !strings.Contains(g.Error(), `too hot\x01!`) || len(g.Debug) > maxDebug {
		t.Errorf("the unseen: %v", second.cause)
	}
	v.l.End()
	g = nil
	if !r.done || !errors.As(r.cause, &g) || g.Code != EnhanceYourCalm || g.Last != 1 || errors.Is(r.cause, http.ErrNotProcessed) {
		t.Errorf("the seen: %v", r.cause)
	}
	v.over(t)
}

// TestEndsOfPeers: a peer ends its direction: what it has completed is served, and the rest is cut.
func TestEndsOfPeers(t *testing.T) {
	v := ready(t, DefaultConfig())
	v.setup = func(_ int, r *recorder) { r.onEnd = func(http.Exchange) {} }
	v.feed(t, getReq(1)+postReq(3))
	v.l.End()
	if v.made[0].done || !v.made[1].done || v.made[1].cause == nil || v.l.Over {
		t.Fatalf("done %t and %t, over %t", v.made[0].done, v.made[1].done, v.l.Over)
	}
	v.made[0].x.WantWrite()
	v.l.Service()
	if got := v.out(t); !strings.Contains(got, `data 1 2 "ok" end`) || !v.l.Over || v.made[0].cause != nil {
		t.Errorf("the answer: over %t, %v\n%s", v.l.Over, v.made[0].cause, got)
	}
	v.over(t)

	k := dial(t, DefaultConfig())
	pauses := func(r *recorder) { r.onHead = func(x http.Exchange, _ *http.Message) { x.Pause() } }
	whole, part := k.ask(t, get("/1"), "", pauses), k.ask(t, get("/3"), "", pauses)
	k.feed(t, hdrs(1, 0, ":status", "200")+data(1, 0, "abc")+hdrs(1, endS, "sum", "5")+hdrs(3, 0, ":status", "200")+data(3, 0, "abc"))
	k.l.End()
	if !part.done || part.cause == nil || whole.done || k.l.Over {
		t.Fatalf("done %t and %t, over %t", whole.done, part.done, k.l.Over)
	}
	whole.x.Resume()
	k.l.Sleep(0)
	k.l.Service()
	if got := only(k.log.String(), "1:"); !strings.HasSuffix(got, "1: body \"abc\"\n1: end sum=5\n1: done <nil>\n") || !k.l.Over {
		t.Errorf("the complete one, over %t:\n%s", k.l.Over, got)
	}
	k.over(t)
}

// TestResponseBeforeTheEndOfTheRequest ends a request's body before its end: because of its length, of the bytes that still arrive, or by
// RST_STREAM.
func TestResponseBeforeTheEndOfTheRequest(t *testing.T) {
	at := func(r *recorder) { r.onHead = func(x http.Exchange, _ *http.Message) { x.WantWrite() } }
	answer := "headers 1 :status=200\ndata 1 2 \"ok\" end\n"
	for _, c := range []struct {
		name, in, want string
		unread         bool
	}{
		{"the rest is read", postReq(1) + data(1, endS, "abc"), answer, false},
		{"the rest is long", hdrs(1, 0, with(ps, "content-length", "300000")...), answer + "reset 1 NO_ERROR\n", true},
		{"the rest is not long", hdrs(1, 0, with(ps, "content-length", "3")...) + data(1, 0, "abc") + data(1, endS, ""), answer, false},
		{"the rest becomes long", postReq(1) + strings.Repeat(data(1, 0, strings.Repeat("x", 16384)), 10) + fr(framePing, 0, 0, "12345678"), "window 1 131072\nping \"12345678\" ack\n" + answer, false},
	} {
		v := ready(t, DefaultConfig())
		v.setup = func(_ int, r *recorder) { at(r); r.quiet = true; r.onEnd = func(http.Exchange) {} }
		if got := v.feed(t, c.in); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if strings.Contains(c.name, "becomes") {
			out := ""
			for range 17 {
				out += v.feed(t, data(1, 0, strings.Repeat("x", 16384)))
			}
			if verdict(out) != "reset 1 NO_ERROR" {
				t.Errorf("%s: then %q", c.name, out)
			}
			c.unread = true
		}
		if errors.Is(v.made[0].cause, http.ErrUnread) != c.unread || !v.made[0].done {
			t.Errorf("%s: done %t, %v", c.name, v.made[0].done, v.made[0].cause)
		}
		v.over(t)
	}
	// A handler that pauses and answers discards its request.
	v := ready(t, DefaultConfig())
	v.setup = func(_ int, r *recorder) {
		r.onHead = func(x http.Exchange, _ *http.Message) { x.Pause(); x.WantWrite() }
		r.onEnd = func(http.Exchange) {}
	}
	if got := v.feed(t, postReq(1)+data(1, endS, "abc")); got != answer || !v.made[0].done || v.made[0].cause != nil {
		t.Errorf("a paused handler: got %q, done %t, %v", got, v.made[0].done, v.made[0].cause)
	}
	v.over(t)

	for _, paused := range []bool{false, true} {
		k := dial(t, DefaultConfig())
		r := k.ask(t, post("/", http.UnknownLength), "abc", func(r *recorder) { r.stuck = true })
		if paused {
			r.x.Pause()
		}
		k.feed(t, hdrs(1, 0, ":status", "200")+data(1, endS, "whole")+rst(1, NoError))
		if paused {
			r.x.Resume()
			k.l.Sleep(0)
		}
		if got := k.log.String(); !strings.HasSuffix(got, "1: body \"whole\"\n1: end\n1: done <nil>\n") {
			t.Errorf("paused %t: RST_STREAM after a complete response: %s", paused, got)
		}
		k.over(t)
	}
}

// TestRefusedStreamsCountAsEnded: streams that were refused or reset count as ended, so that others are accepted.
func TestRefusedStreamsCountAsEnded(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Limits.Streams = 2
	v := ready(t, cfg)
	v.setup = func(_ int, r *recorder) { r.head.Status = 0 }
	if got := v.feed(t, postReq(1)+postReq(3)+postReq(5)+data(5, 0, "x")+rst(1, Cancel)+postReq(7)+postReq(9)); got != "reset 5 REFUSED_STREAM\nreset 9 REFUSED_STREAM\n" {
		t.Errorf("got %q", got)
	}
	if v.s.Active() != 2 || v.sh.Counters.Refused != 2 {
		t.Errorf("%d streams, counted %+v", v.s.Active(), v.sh.Counters)
	}
	v.over(t)
}
