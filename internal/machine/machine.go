package machine

import (
	"errors"
	"fmt"
	"strings"
)

// State is one row of a table. The index of the row is the state's value, so a table is written with keyed elements:
//
//	var phases = []machine.State{
//		awaitHead: {"awaitHead", "The head of the next request.", []machine.Move{{"head", awaitBody}, {"close", closed}}},
//	}
type State struct {
	Name  string // the name of the constant
	Waits string // one sentence: what the machine waits for in this state
	Moves []Move // the moves that leave the state; none in a final state
}

// Move is one arrow of the diagram.
type Move struct {
	On string // the event, in two or three words
	To int    // the index of the next state
}

// Masks returns, per state, the set of states that may follow, one bit each, for a check that costs one AND. A table
// has at most 32 states.
func Masks(table []State) []uint32 {
	masks := make([]uint32, len(table))
	for i, s := range table {
		for _, m := range s.Moves {
			masks[i] |= 1 << m.To
		}
	}
	return masks
}

// Check returns what is wrong with a table: a state without a name or a sentence, a name used twice, a move to a state
// that does not exist, or a state that cannot be reached from the first.
func Check(table []State) error {
	var errs []error
	if len(table) > 32 {
		errs = append(errs, fmt.Errorf("%d states, more than 32", len(table)))
	}
	names := make(map[string]bool)
	for i, s := range table {
		switch {
		case s.Name == "":
			errs = append(errs, fmt.Errorf("state %d has no name", i))
		case names[s.Name]:
			errs = append(errs, fmt.Errorf("two states are named %s", s.Name))
		}
		names[s.Name] = true
		if !strings.HasSuffix(s.Waits, ".") {
			errs = append(errs, fmt.Errorf("%s: the sentence %q does not end with a period", s.Name, s.Waits))
		}
		for _, m := range s.Moves {
			if m.To < 0 || m.To >= len(table) {
				errs = append(errs, fmt.Errorf("%s: the move on %q leads to state %d of %d", s.Name, m.On, m.To, len(table)))
				return errors.Join(errs...)
			}
			if m.On == "" {
				errs = append(errs, fmt.Errorf("%s: the move to %s names no event", s.Name, table[m.To].Name))
			}
		}
	}
	reached := make([]bool, len(table))
	reach(table, reached, 0)
	for i, s := range table {
		if !reached[i] {
			errs = append(errs, fmt.Errorf("%s cannot be reached", s.Name))
		}
	}
	return errors.Join(errs...)
}

func reach(table []State, reached []bool, i int) {
	if i >= len(table) || reached[i] {
		return
	}
	reached[i] = true
	for _, m := range table[i].Moves {
		reach(table, reached, m.To)
	}
}
