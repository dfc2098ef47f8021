package ss

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/sim"
)

// TestNames: numbers and names are libwebsockets'.
func TestNames(t *testing.T) {
	for s, want := range map[State]string{0: "(unset)", 1: "LWSSSCS_CREATING", 2: "LWSSSCS_DISCONNECTED", 3: "LWSSSCS_UNREACHABLE",
		4: "LWSSSCS_AUTH_FAILED", 5: "LWSSSCS_CONNECTED", 6: "LWSSSCS_CONNECTING", 7: "LWSSSCS_DESTROYING", 8: "LWSSSCS_POLL",
		9: "LWSSSCS_ALL_RETRIES_FAILED", 10: "LWSSSCS_QOS_ACK_REMOTE", 11: "LWSSSCS_QOS_NACK_REMOTE", 12: "LWSSSCS_QOS_ACK_LOCAL",
		13: "LWSSSCS_QOS_NACK_LOCAL", 14: "LWSSSCS_TIMEOUT", 15: "LWSSSCS_SERVER_TXN", 16: "LWSSSCS_SERVER_UPGRADE",
		17: "LWSSSCS_EVENT_WAIT_CANCELLED", 18: "LWSSSCS_UPSTREAM_LINK_RETRY", 19: "LWSSSCS_SINK_JOIN", 20: "LWSSSCS_SINK_PART",
		21: "unknown", 999: "unknown", 1000: "user state", 1404: "user state", 1 << 31: "user state"} {
		if got := s.String(); got != want {
			t.Errorf("state %d: got %q, want %q", uint32(s), got, want)
		}
	}
	for r, want := range map[Ret]string{0: "LWSSSSRET_OK", 1: "LWSSSSRET_TX_DONT_SEND", -1: "LWSSSSRET_DISCONNECT_ME",
		-2: "LWSSSSRET_DESTROY_ME", -3: "LWSSSSRET_SS_HANDLE_DESTROYED", 2: "unknown"} {
		if got := r.String(); got != want {
			t.Errorf("answer %d: got %q, want %q", int8(r), got, want)
		}
	}
	if SOM != 1 || EOM != 2 || FlagPoll != 4 || RelatedStart != 8 || RelatedEnd != 16 || Rideshare != 32 || PerfJSON != 64 {
		t.Error("payload flags are not the reference's")
	}
}

// TestTables: each of our moves is also in libwebsockets' table, or has an event of it in between; every
// state can be reached and every state but the last can be left.
func TestTables(t *testing.T) {
	// Moves that libwebsockets allows only after an event.
	only := map[[2]State]State{{Connected, Connected}: Timeout}
	from, to := map[State]bool{}, map[State]bool{}
	for _, m := range Transitions() {
		from[m.From], to[m.To] = true, true
		if m.Why == "" {
			t.Errorf("%v to %v: no reason given", m.From, m.To)
		}
		if via, odd := only[[2]State{m.From, m.To}]; odd {
			if LegalInReference(m.From, m.To) || !LegalInReference(m.From, via) || !LegalInReference(via, m.To) {
				t.Errorf("%v to %v: want it legal by way of %v alone", m.From, m.To, via)
			}
		} else if !LegalInReference(m.From, m.To) {
			t.Errorf("%v to %v: the reference does not have it", m.From, m.To)
		}
	}
	for s := range to {
		if s != Destroying && !from[s] {
			t.Errorf("%v cannot be left", s)
		}
	}
	if from[Destroying] {
		t.Error("something follows DESTROYING")
	}
	for e, states := range events {
		if to[e] {
			t.Errorf("%v is both a move and an event", e)
		}
		for _, s := range states {
			if !to[s] {
				t.Errorf("event %v in %v, which is no state of life", e, s)
			}
		}
	}
	Transitions()[0].To = Destroying
	if Transitions()[0].To == Destroying {
		t.Error("Transitions gives its own table away")
	}
	for _, s := range []State{0, Creating, Destroying, SinkPart, 21, 500} {
		for _, pass := range []State{UserBase, UserBase + 77, EventWaitCancel, UpstreamLinkRetry} {
			if !LegalInReference(s, pass) {
				t.Errorf("%v after %v: want it to pass", pass, s)
			}
		}
		if LegalInReference(s, 21) || LegalInReference(21, s) || LegalInReference(Destroying, s) {
			t.Errorf("%v: unknown states and what follows DESTROYING must not be legal", s)
		}
	}
}

// TestIllegalMove: a move that no program can cause. Tests see a panic; in production it is logged, counted,
// and not delivered.
func TestIllegalMove(t *testing.T) {
	for _, hard := range []bool{true, false} {
		pol, err := policy.Parse([]byte(`{"s":[{"c":{"endpoint":"10.0.0.2","port":80}}]}`))
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		told := 0
		r, err := New(Config{Loop: loop.New(sim.New(0, sim.Options{}).Host("h"), loop.Config{}), Policy: pol,
			Log: slog.New(slog.NewTextHandler(&log, nil)), PanicOnIllegal: hard,
			Observe: func(*Handle, State, Notice) { told++ }})
		if err != nil {
			t.Fatal(err)
		}
		h, err := r.Create(Info{StreamType: "c"})
		if err != nil {
			t.Fatal(err)
		}
		p := func() (p any) {
			defer func() { p = recover() }()
			h.tell(Connected, Notice{})
			return nil
		}()
		const want = "ss: stream c: illegal move from LWSSSCS_CREATING to LWSSSCS_CONNECTED"
		var m *IllegalMove
		if e, _ := p.(error); hard && (!errors.As(e, &m) || !strings.HasPrefix(e.Error(), want)) {
			t.Errorf("panic: got %v, want %q", p, want)
		} else if !hard && (p != nil || !strings.Contains(log.String(), want)) {
			t.Errorf("in production: got panic %v and log %q, want %q in the log", p, log.String(), want)
		}
		if r.Counters.Illegal != 1 || told != 1 || h.Life() != Creating {
			t.Errorf("counted %d, told %d, life %v; want 1, 1 (CREATING) and CREATING", r.Counters.Illegal, told, h.Life())
		}
	}
}
