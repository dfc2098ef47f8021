package h2

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles/rolestest"
)

// TestConnectionEndsInEveryPhase breaks the transport, ends the peer's direction, and lets the peer miss a deadline, wherever
// the peer may be in its input: every handler gets Done, and no memory stays charged.
func TestConnectionEndsInEveryPhase(t *testing.T) {
	post, half := hello+postReq(1), data(1, 0, "0123456789")
	padded := fr(frameData, flagPadded, 1, "\x05abc\x00\x00\x00\x00\x00")
	for _, c := range []struct {
		in    string
		phase phase
		late  string // the answer to a late peer, "" if the phase has no deadline of its own
	}{
		{"PRI", expectPreface, "goaway 0 ENHANCE_YOUR_CALM\n"},
		{preface, expectSettings, "goaway 0 SETTINGS_TIMEOUT\n"},
		{hello, expectFrame, ""},
		{hello + fr(frameHeaders, 0, 1, blk(ask...)), expectContinuation, "goaway 0 ENHANCE_YOUR_CALM\n"},
		{post + half[:12], expectData, ""},
		{post + padded[:15], expectPadding, ""},
	} {
		name := phases.rows[c.phase].Name
		for _, how := range []string{"break", "end", "late"} {
			v := serve(DefaultConfig())
			v.setup = func(_ int, r *recorder) { r.head.Status = 0 }
			v.feed(t, c.in)
			if v.s.phase != c.phase {
				t.Fatalf("after %q: in %s, want %s", c.in, phases.rows[v.s.phase].Name, name)
			}
			switch {
			case how == "break":
				v.l.Break(errors.New("broken"))
			case how == "end":
				if v.l.End(); v.s.phase < expectClose {
					t.Errorf("%s, and the peer has ended its direction: in %s, want expectClose", name, phases.rows[v.s.phase].Name)
				}
			case c.late != "":
				v.l.Sleep(11 * time.Second)
				if got := v.out(t); !strings.HasSuffix(got, c.late) || v.s.phase < expectClose {
					t.Errorf("%s, and the peer is late: got %q, in %s; want %q", name, got, phases.rows[v.s.phase].Name, c.late)
				}
			}
			v.over(t)
		}
	}
	var s Server
	s.Init(NewShared(DefaultConfig()), rolestest.New(), acceptFunc(nil))
	s.Closed(errors.New("not established"))
	if s.phase != expectNothing {
		t.Errorf("Closed before Opened: in %s, want expectNothing", phases.rows[s.phase].Name)
	}
}

// TestExtendedConnectWithoutSettings: an extended CONNECT that waits for the server's SETTINGS ends with the connection, and
// is certainly not processed.
func TestExtendedConnectWithoutSettings(t *testing.T) {
	v := dial(t, DefaultConfig(), "")
	m := get("/")
	m.Method, m.Protocol = []byte("CONNECT"), []byte("websocket")
	r := v.ask(t, m, "")
	if x := v.c.streams[0]; x.out != awaitSettings {
		t.Fatalf("output is in %s, want awaitSettings", outStates.rows[x.out].Name)
	}
	v.l.Break(nil)
	if !r.done || !errors.Is(r.cause, errNotSent) {
		t.Errorf("done %v with %v, want %v", r.done, r.cause, errNotSent)
	}
	v.over(t)
}
