package h2

import (
	"errors"

	"github.com/millrace/millrace/internal/machine"
	"github.com/millrace/millrace/roles"
)

// stateTable is the table of one machine. It has at most 16 states.
type stateTable struct {
	name string
	rows []machine.State
	// next holds, per state, the set of the states that may follow. Tests clear it, so that check calls noMove for
	// each move.
	next [16]uint32
}

func newTable(name string, rows []machine.State) (t stateTable) {
	t.name, t.rows = name, rows
	copy(t.next[:], machine.Masks(rows))
	return t
}

func row(name, waits string, moves ...machine.Move) machine.State {
	return machine.State{Name: name, Waits: waits, Moves: moves}
}

func on[T ~uint8](event string, to T) machine.Move { return machine.Move{On: event, To: int(to)} }

// onMove is called for each move that is not in next, and decides whether it is legal. on is the event, if the
// machine knows it. Only tests set it.
var onMove func(t *stateTable, from, to uint8, on string)

// errIllegalMove is the cause of a connection's end after a move that a table does not have. Such a move is a bug of
// this package: the connection closes with INTERNAL_ERROR, and Counters.Illegal counts it.
var errIllegalMove = errors.New("h2: connection: illegal move of a state machine: this is a bug in Millrace")

// check is called before each move.
func (c *conn) check(t *stateTable, from, to uint8) {
	if t.next[from&15]>>(to&31)&1 == 0 {
		c.noMove(t, from, to, "")
	}
}

func (c *conn) noMove(t *stateTable, from, to uint8, on string) {
	if onMove != nil {
		onMove(t, from, to, on)
		return
	}
	c.illegalMove()
}

// illegalMove ends the connection after a move that a table does not have.
func (c *conn) illegalMove() {
	c.sh.Counters.Illegal++
	if c.phase < expectClose {
		c.sendGoAway(c.lastIn, InternalError, "")
		c.close(roles.Graceful, errIllegalMove)
	}
}
