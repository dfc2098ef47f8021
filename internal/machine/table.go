package machine

// Table is a state machine as data with its legal moves as bit sets, for a package that checks each of its moves. The
// first state is the one in which a machine begins.
type Table struct {
	Name   string // of the machine, unique in docs/machines.md, as in "ws-phase"
	Title  string // of its section
	States []State

	next [maxStates]uint32
}

// maxStates is the most states that a table has: a state's moves are the bits of one word.
const maxStates = 32

// New returns the table of a machine. It has at most 32 states.
func New(name, title string, states []State) *Table {
	t := &Table{Name: name, Title: title, States: states}
	copy(t.next[:], Masks(states))
	return t
}

// Row writes a state of a table.
func Row(name, waits string, moves ...Move) State { return State{name, waits, moves} }

// On writes a move of a table.
func On[S ~uint8](event string, to S) Move { return Move{event, int(to)} }

// Watch receives each move of each machine, legal or not, before it is made. Only tests set it: see machinetest.Main.
var Watch func(t *Table, from, to uint8)

// Allows reports whether the table has a move from one state to another. A package calls it before each move of its
// machine.
func (t *Table) Allows(from, to uint8) bool {
	if Watch != nil {
		Watch(t, from, to)
	}
	return t.next[from%maxStates]>>to&1 != 0
}
