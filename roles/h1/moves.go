package h1

import (
	"fmt"

	"github.com/millrace/millrace/internal/machine"
)

// table is a state machine of this package as data, and the set of the legal moves of each state.
type table struct {
	states []machine.State
	masks  []uint32
}

func newTable(states []machine.State) *table {
	return &table{states: states, masks: machine.Masks(states)}
}

// row and on write a state and a move of a table.
func row(name, waits string, moves ...machine.Move) machine.State {
	return machine.State{Name: name, Waits: waits, Moves: moves}
}

func on[S ~uint8](event string, to S) machine.Move { return machine.Move{On: event, To: int(to)} }

// watchMove receives every move of every machine. Only tests set it.
var watchMove func(t *table, from, to uint8)

// allows reports whether a machine may move from one state to another.
func (t *table) allows(from, to uint8) bool {
	if watchMove != nil {
		watchMove(t, from, to)
	}
	return t.masks[from]>>to&1 != 0
}

// illegal returns the cause with which a connection is closed because of a move that t does not have: a bug of this
// package.
func (t *table) illegal(from, to uint8) error {
	return fmt.Errorf("h1: illegal move from %s to %s, a bug of this package", t.states[from].Name, t.states[to].Name)
}
