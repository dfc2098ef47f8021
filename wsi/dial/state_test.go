package dial

import (
	"testing"

	"github.com/millrace/millrace/internal/machine/machinetest"
)

// TestMain checks each move that any test makes, and that the tests make each move of the table.
func TestMain(m *testing.M) { machinetest.Main(m, states) }

func TestStates(t *testing.T) {
	machinetest.Section(t, "../../docs/machines.md", states.Name, states.Title, states.States)
}
