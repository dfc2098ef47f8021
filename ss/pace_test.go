package ss

import (
	"testing"
	"time"

	"github.com/millrace/millrace/policy"
)

// TestPace: the effect of failures, losses and calls of the program on the index in the table, the budget and the time of
// the next attempt.
func TestPace(t *testing.T) {
	const s = time.Second
	scheme := &policy.Retry{Backoff: []time.Duration{1 * s, 2 * s, 4 * s}, Conceal: 2}
	const (
		fails   = "fails"
		answers = "503"     // with Retry-After: 60
		request = "request" // RequestTx
		connect = "connect" // Connect
		up      = "up"
		cut     = "cut"
		fed     = "fed, cut" // after payload
		closed  = "fed, closed"
		left    = "left"      // the program disconnects
		sent    = "sent, cut" // payload went out, none came
		gave    = "gave, left"
		done    = "done"
	)
	type step struct {
		at   time.Duration
		what string
		want time.Duration // when the next attempt may begin; of a loss: when the stream reconnects
		told string        // "" or what the stream hears
	}
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"the table, then its last entry", []step{
			{0, fails, 1 * s, "concealed"}, {1 * s, fails, 3 * s, "concealed"}, {3 * s, fails, 7 * s, "gives up"}, {8 * s, fails, 12 * s, "gives up"}}},
		{"RequestTx waits for the delay", []step{
			{0, fails, 1 * s, "concealed"}, {0, request, 1 * s, ""}, {5 * s, request, 5 * s, ""}}},
		{"Connect begins at once the first time only, and the table goes on", []step{
			{10 * s, fails, 11 * s, "concealed"}, {10 * s, connect, 10 * s, ""}, {10 * s, fails, 11 * s, "concealed"}, {10 * s, connect, 11 * s, ""},
			{11 * s, fails, 13 * s, "concealed"}, {11 * s, connect, 13 * s, ""}, {13 * s, fails, 17 * s, "concealed"}, {13 * s, connect, 17 * s, ""}}},
		{"Connect when the delay is over renews the budget", []step{
			{0, fails, 1 * s, "concealed"}, {1 * s, fails, 3 * s, "concealed"}, {3 * s, fails, 7 * s, "gives up"},
			{7 * s, connect, 7 * s, ""}, {7 * s, fails, 11 * s, "concealed"}}},
		{"Connect after twice the delay begins all anew", []step{
			{0, fails, 1 * s, "concealed"}, {1 * s, fails, 3 * s, "concealed"}, {3 * s, fails, 7 * s, "gives up"},
			{11 * s, connect, 11 * s, ""}, {11 * s, fails, 12 * s, "concealed"}}},
		{"Retry-After is kept", []step{{0, answers, 60 * s, "concealed"}, {1 * s, request, 60 * s, ""}}},
		{"a peer that accepts and closes", []step{
			{1 * s, up, 0, ""}, {1 * s, cut, 2 * s, "concealed"}, // the first had no delay before it
			{2 * s, up, 0, ""}, {2 * s, cut, 3 * s, "failed, concealed"},
			{3 * s, up, 0, ""}, {3 * s, sent, 5 * s, "failed, concealed"},
			{5 * s, up, 0, ""}, {6 * s, cut, 10 * s, "failed, gives up"}}},
		{"payload renews", []step{
			{0, fails, 1 * s, "concealed"}, {1 * s, fails, 3 * s, "concealed"}, {3 * s, up, 0, ""}, {3 * s, fed, 4 * s, "concealed"},
			{4 * s, fails, 5 * s, "concealed"}, {5 * s, fails, 7 * s, "concealed"}, {7 * s, fails, 11 * s, "gives up"}}},
		{"a life longer than the delay renews", []step{
			{0, fails, 1 * s, "concealed"}, {1 * s, fails, 3 * s, "concealed"}, {3 * s, up, 0, ""}, {5 * s, cut, 6 * s, "concealed"},
			{6 * s, fails, 7 * s, "concealed"}}},
		{"a loss in order, with payload, holds back nothing that is asked for", []step{
			{1 * s, up, 0, ""}, {1 * s, closed, 2 * s, "concealed"}, {1 * s, request, 1 * s, ""}}},
		{"a cut with payload does", []step{
			{1 * s, up, 0, ""}, {1 * s, fed, 2 * s, "concealed"}, {1 * s, request, 2 * s, ""}}},
		{"the program's own end of a connection that it used", []step{
			{1 * s, up, 0, ""}, {1 * s, gave, 2 * s, "concealed"}, {1 * s, request, 1 * s, ""}}},
		{"and of one that it did not use", []step{
			{0, fails, 1 * s, "concealed"}, {1 * s, up, 0, ""}, {1 * s, left, 3 * s, "failed, concealed"}, {1 * s, request, 3 * s, ""}}},
		{"a complete transaction", []step{
			{0, fails, 1 * s, "concealed"}, {1 * s, up, 0, ""}, {1 * s, done, 0, ""}, {1 * s, request, 1 * s, ""}, {1 * s, connect, 1 * s, ""}}},
	} {
		var p pace
		for i, x := range c.steps {
			now := x.at + time.Hour
			var at time.Duration
			told := ""
			result := func(d time.Duration, useful, concealed bool) {
				at = now + d
				told = map[bool]string{true: "concealed", false: "gives up"}[concealed]
				if !useful {
					told = "failed, " + told
				}
			}
			switch x.what {
			case fails, answers:
				least := time.Duration(0)
				if x.what == answers {
					least = 60 * s
				}
				d, concealed := p.failed(scheme, now, least, 0)
				result(d, true, concealed)
			case request:
				at = p.request(now)
			case connect:
				at = p.connect(now)
			case up:
				p.connected(now)
			case cut:
				result(p.lost(scheme, now, 0, endCut, false, false))
			case sent:
				result(p.lost(scheme, now, 0, endCut, false, true))
			case fed:
				result(p.lost(scheme, now, 0, endCut, true, false))
			case closed:
				result(p.lost(scheme, now, 0, endClosed, true, false))
			case left:
				result(p.lost(scheme, now, 0, endOwn, false, false))
			case gave:
				result(p.lost(scheme, now, 0, endOwn, false, true))
			case done:
				p.done()
			}
			want := x.want + time.Hour
			if x.want == 0 {
				want = 0
			}
			if at != want || told != x.told {
				t.Errorf("%s: step %d (%s at %v): got %v, %q; want %v, %q", c.name, i+1, x.what, x.at, at-time.Hour, told, x.want, x.told)
			}
		}
	}
}

// TestPaceSaturates: counts stop at policy.Forever.
func TestPaceSaturates(t *testing.T) {
	var p pace
	r := &policy.Retry{Backoff: []time.Duration{1}, Conceal: policy.Forever}
	for range policy.Forever + 10 {
		if _, concealed := p.failed(r, 0, 0, 0); !concealed {
			t.Fatalf("after %d failures: got given up, want never", p.tries)
		}
	}
	if p.tries != policy.Forever || p.step != policy.Forever {
		t.Errorf("counts: got %d and %d, want both %d", p.tries, p.step, policy.Forever)
	}
}
