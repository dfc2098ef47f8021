package machine_test

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/machine"
)

var door = []machine.State{
	{"closed", "A hand.", []machine.Move{{"push", 1}}},
	{"open", "A hand.", []machine.Move{{"pull", 0}, {"fire", 2}}},
	{"gone", "Nothing.", nil},
}

func TestMasks(t *testing.T) {
	got := machine.Masks(door)
	for i, want := range []uint32{0b010, 0b101, 0} {
		if got[i] != want {
			t.Errorf("state %s: got mask %03b, want %03b", door[i].Name, got[i], want)
		}
	}
}

func TestCheck(t *testing.T) {
	if err := machine.Check(door); err != nil {
		t.Fatalf("Check of a complete table: got %v, want nil", err)
	}
	for want, table := range map[string][]machine.State{
		"has no name":             {{"", "A hand.", nil}},
		"two states are named a":  {{"a", "A.", []machine.Move{{"x", 1}}}, {"a", "A.", nil}},
		"does not end with":       {{"a", "A", nil}},
		"leads to state 7 of 1":   {{"a", "A.", []machine.Move{{"x", 7}}}},
		"names no event":          {{"a", "A.", []machine.Move{{"", 0}}}},
		"b cannot be reached":     {{"a", "A.", nil}, {"b", "B.", nil}},
		"33 states, more than 32": make([]machine.State, 33),
	} {
		if err := machine.Check(table); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check: got %v, want an error with %q", err, want)
		}
	}
}
