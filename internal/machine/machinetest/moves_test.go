package machinetest

import (
	"slices"
	"testing"

	"github.com/millrace/millrace/internal/machine"
)

func TestMovesCheck(t *testing.T) {
	door := machine.New("door", "A door", []machine.State{
		machine.Row("closed", "A hand.", machine.On("push", uint8(1))),
		machine.Row("open", "A hand.", machine.On("pull", uint8(0))),
	})
	made := Moves{}
	machine.Watch = made.Watch
	defer func() { machine.Watch = nil }()
	legal, illegal := door.Allows(0, 1), door.Allows(1, 1)
	Unwatched(func() { door.Allows(1, 0) })
	if !legal || illegal {
		t.Errorf("push: allowed %v, want true; a move from open to open: allowed %v, want false", legal, illegal)
	}
	want := []string{
		"door: no test moves from open to closed, which the table has",
		"door: the tests moved from open to open: the table does not have this move",
	}
	if got := made.Check(true, door); !slices.Equal(got, want) {
		t.Errorf("all tests ran: got %q, want %q", got, want)
	}
	if got := made.Check(false, door); !slices.Equal(got, want[1:]) {
		t.Errorf("some tests ran: got %q, want %q", got, want[1:])
	}
}
