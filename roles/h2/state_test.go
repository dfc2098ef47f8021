package h2

import "testing"

// TestMoves walks the table: each state is reached from idle, each but the last is left for it, and what RFC 9113
// s.5.1 does not know the table does not have.
func TestMoves(t *testing.T) {
	seen := map[[2]int]bool{}
	for _, m := range moves {
		at := [2]int{int(m.from), int(m.on)}
		if seen[at] {
			t.Errorf("two rows for state %d, event %d", m.from, m.on)
		}
		if seen[at] = true; m.why == "" {
			t.Errorf("state %d, event %d: no reason", m.from, m.on)
		}
		if next[m.from][m.on] != m.to {
			t.Errorf("state %d, event %d: goes to %d, want %d", m.from, m.on, next[m.from][m.on], m.to)
		}
	}
	reach := func(from state) map[state]bool {
		got := map[state]bool{from: true}
		for grown := true; grown; {
			grown = false
			for _, m := range moves {
				if got[m.from] && !got[m.to] {
					got[m.to], grown = true, true
				}
			}
		}
		return got
	}
	if got := reach(idle); len(got) != int(numStates) {
		t.Errorf("from idle %d states are reached, want %d", len(got), numStates)
	}
	for s := range numStates {
		if !reach(s)[closed] {
			t.Errorf("state %d is never left for closed", s)
		}
	}
	for e := range numEvents {
		if next[closed][e] != illegal {
			t.Errorf("closed is left by event %d", e)
		}
	}
	for s := range numStates {
		// Who has ended its direction sends nothing more but a reset.
		local, remote := s == halfClosedLocal || s == closed, s == halfClosedRemote || s == closed
		if local && (next[s][sendHeaders] != illegal || next[s][sendEnd] != illegal) {
			t.Errorf("state %d: we send behind our end", s)
		}
		if remote && (next[s][recvHeaders] != illegal || next[s][recvEnd] != illegal) {
			t.Errorf("state %d: the peer sends behind its end", s)
		}
	}
}

// TestIllegalMove is one that nobody may survive.
func TestIllegalMove(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a second END_STREAM passed")
		}
	}()
	x := &stream{state: halfClosedLocal}
	x.move(sendEnd)
}
