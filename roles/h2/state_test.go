package h2

import (
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles"
)

// TestStreamStates checks the table against RFC 9113 s.5.1: each event is in it, each state but the last can end in
// closed, and an end that has ended its direction sends nothing more but a reset.
func TestStreamStates(t *testing.T) {
	met := map[string]bool{}
	for s, row := range states.rows {
		to := map[string]bool{}
		for _, m := range row.Moves {
			if to[m.On] {
				t.Errorf("%s: two moves on %q", row.Name, m.On)
			}
			if to[m.On], met[m.On] = true, true; !slices.Contains(eventNames[:], m.On) {
				t.Errorf("%s: %q is not an event", row.Name, m.On)
			}
		}
		if s := state(s); s != closed && legalByEvent[s][drop] != closed {
			t.Errorf("%s: drop leads to state %d, want closed", row.Name, legalByEvent[s][drop])
		}
	}
	for e := range numEvents {
		if !met[e.String()] {
			t.Errorf("no state has a move on %q", e)
		}
		if legalByEvent[closed][e] != illegal {
			t.Errorf("closed is left on %q", e)
		}
	}
	for s := range numStates {
		local, remote := s == halfClosedLocal || s == closed, s == halfClosedRemote || s == closed
		if local && (legalByEvent[s][sendHeaders] != illegal || legalByEvent[s][sendEnd] != illegal) {
			t.Errorf("%s: we send after our END_STREAM", states.rows[s].Name)
		}
		if remote && (legalByEvent[s][recvHeaders] != illegal || legalByEvent[s][recvEnd] != illegal) {
			t.Errorf("%s: the peer sends after its END_STREAM", states.rows[s].Name)
		}
	}
}

// TestIllegalMove: a move that a table does not have ends the connection with INTERNAL_ERROR, and is counted. It does
// not panic: only the tests' own check of each move does, which is off here.
func TestIllegalMove(t *testing.T) {
	watchMoves(false)
	defer watchMoves(true)
	for name, move := range map[string]func(x *stream){
		"a second END_STREAM": func(x *stream) { x.move(sendEnd); x.move(sendEnd) },
		"a second head":       func(x *stream) { x.moveSend(headSent); x.moveSend(headSent) },
	} {
		v := ready(t, DefaultConfig())
		v.setup = func(_ int, r *recorder) { r.head.Status = 0 }
		v.feed(t, postReq(1))
		move(v.s.streams[0])
		v.l.Service()
		if out := v.out(t); !strings.Contains(out, "INTERNAL_ERROR") || v.sh.Counters.Illegal != 1 || v.l.Mode != roles.Graceful {
			t.Errorf("%s: got %q, mode %d, %d counted; want GOAWAY with INTERNAL_ERROR, mode %d, 1 counted", name, out, v.l.Mode, v.sh.Counters.Illegal, roles.Graceful)
		}
		v.over(t)
	}
}
