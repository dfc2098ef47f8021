package h2

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/http"
)

// TestResetAfterACompleteResponse: a peer may reset each stream after the complete response instead of ending its
// request, for any number of requests at a time.
func TestResetAfterACompleteResponse(t *testing.T) {
	const many = 2000
	open := hdrs // without END_STREAM
	for _, c := range []struct {
		name   string
		round  func(i int) [2]string // what is sent before the response, and after it
		cause  string                // of Done
		calmed bool
	}{
		{"GET without END_STREAM, NO_ERROR", func(i int) [2]string { return [2]string{open(id(i), 0, ask...), rst(id(i), NoError)} }, "", false},
		{"GET without END_STREAM, CANCEL", func(i int) [2]string { return [2]string{open(id(i), 0, ask...), rst(id(i), Cancel)} }, "CANCEL", false},
		{"GET with END_STREAM, NO_ERROR", func(i int) [2]string { return [2]string{getReq(id(i)), rst(id(i), NoError)} }, "", false},
		{"POST whose body has begun, NO_ERROR", func(i int) [2]string {
			return [2]string{postReq(id(i)) + data(id(i), 0, "x"), rst(id(i), NoError)}
		}, "NO_ERROR", false},
		{"POST of a known length, NO_ERROR", func(i int) [2]string {
			return [2]string{open(id(i), 0, with(ps, "content-length", "1")...), rst(id(i), NoError)}
		}, "NO_ERROR", false},
		{"POST longer than the limit, after our reset", func(i int) [2]string {
			return [2]string{open(id(i), 0, with(ps, "content-length", "1000000")...), rst(id(i), NoError)}
		}, "not read to its end", false},
		{"before the response", func(i int) [2]string { return [2]string{open(id(i), 0, ask...) + rst(id(i), NoError), ""} }, "NO_ERROR", true},
		{"twice", func(i int) [2]string {
			return [2]string{open(id(i), 0, ask...), rst(id(i), NoError) + rst(id(i), NoError)}
		}, "", true},
	} {
		v := ready(t, DefaultConfig())
		v.setup = func(_ int, r *recorder) {
			r.log = nil
			r.onHead = func(x http.Exchange, _ *http.Message) { x.WantWrite() }
			r.onEnd = func(http.Exchange) {}
		}
		out := ""
		for i := range many {
			said := c.round(i)
			out = v.feed(t, said[0])
			if said[1] != "" && !strings.Contains(out, " end\n") {
				t.Fatalf("%s: round %d: unexpected response %q", c.name, i, out)
			}
			if out += v.feed(t, said[1]); v.l.Over {
				break
			}
		}
		if n := v.sh.Counters; v.l.Over != c.calmed || (n.Flooded == 0) == c.calmed || strings.Contains(out, "ENHANCE_YOUR_CALM") != c.calmed {
			t.Errorf("%s: connection ended with ENHANCE_YOUR_CALM: got %v, want %v; counted %+v", c.name, v.l.Over, c.calmed, n)
		}
		for i, r := range v.made {
			if !r.done {
				t.Fatalf("%s: handler %d did not get Done", c.name, i)
			}
			if text := causeText(r.cause); !strings.Contains(text, "too many streams reset") && (c.cause == "" != (text == "") || !strings.Contains(text, c.cause)) {
				t.Errorf("%s: handler %d: done with %q, want %q", c.name, i, text, c.cause)
				break
			}
		}
	}
}

func causeText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestServerThatResetsAfterItsResponse: a server may end each request in this way (RFC 9113 s.8.1), at any rate.
func TestServerThatResetsAfterItsResponse(t *testing.T) {
	v := dial(t, DefaultConfig())
	for i := range 2000 {
		r := v.ask(t, post("/", http.UnknownLength), "abc", func(r *recorder) { r.stuck = true })
		v.feed(t, hdrs(id(i), endS, ":status", "200")+rst(id(i), NoError))
		if !r.done || r.cause != nil || v.l.Over {
			t.Fatalf("round %d: done %v with %v, connection over %v (%v); want done without a cause", i, r.done, r.cause, v.l.Over, v.l.Cause)
		}
	}
	v.over(t)
}

// TestPauseAfterTheEnd: a handler that pauses once it has the whole request, and answers, gets End once, and Done.
func TestPauseAfterTheEnd(t *testing.T) {
	v := ready(t, DefaultConfig())
	v.setup = func(_ int, r *recorder) {
		r.onEnd = func(x http.Exchange) { x.Pause(); x.WantWrite() }
	}
	v.feed(t, getReq(1), postReq(3), data(3, endS, "abc"))
	v.l.Service()
	for _, r := range v.made {
		lines := only(v.log.String(), r.name+" ")
		if n := strings.Count(lines, " end\n"); n != 1 || !r.done || r.cause != nil {
			t.Errorf("handler %s: got End %d times, done %v with %v; want once, and done with nil:\n%s", r.name, n, r.done, r.cause, lines)
		}
	}
	v.over(t)
}

// TestHeadWaitsForASlot: a request that a handler sends outside of its turn does not pass the server's limit of streams.
func TestHeadWaitsForASlot(t *testing.T) {
	v := dial(t, DefaultConfig(), setting(settingStreams, 2), setack)
	v.l.Refuse = true
	v.ask(t, get("/1"), "")
	second := v.ask(t, get("/2"), "")
	v.feed(t, setting(settingStreams, 1))
	v.l.Refuse = false
	v.l.Service()
	x := v.c.streams[1]
	if x.out != awaitSlot {
		t.Fatalf("output of the second is in %s, want awaitSlot", outStates.rows[x.out].Name)
	}
	if err := x.SendHead(&second.head, true); err != http.ErrNoRoom {
		t.Errorf("SendHead of the second: got %v, want %v", err, http.ErrNoRoom)
	}
	v.l.Break(nil)
	v.over(t)
}
