package machinetest

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/millrace/millrace/internal/machine"
)

// Moves records the moves that machines make, a bit per pair of states.
type Moves map[*machine.Table][]uint32

// Watch records a move. It is a machine.Watch.
func (m Moves) Watch(t *machine.Table, from, to uint8) {
	if m[t] == nil {
		m[t] = make([]uint32, len(t.States))
	}
	m[t][from] |= 1 << to
}

// Check returns a sentence for each recorded move that is not in its table and, if all is set, for each move of the
// tables that was not recorded.
func (m Moves) Check(all bool, tables ...*machine.Table) (wrong []string) {
	for _, t := range tables {
		legal, made := machine.Masks(t.States), m[t]
		for from, s := range t.States {
			for to, next := range t.States {
				did := made != nil && made[from]>>to&1 != 0
				may := legal[from]>>to&1 != 0
				switch {
				case did && !may:
					wrong = append(wrong, fmt.Sprintf("%s: the tests moved from %s to %s: the table does not have this move", t.Name, s.Name, next.Name))
				case may && !did && all:
					wrong = append(wrong, fmt.Sprintf("%s: no test moves from %s to %s, which the table has", t.Name, s.Name, next.Name))
				}
			}
		}
	}
	return wrong
}

// Main runs the tests of a package, as TestMain, with a watch over the moves of its machines. The run fails if a test
// made a move that is not in its table or, when all tests ran, if no test made a move that is in one. Benchmarks run
// without the watch, as programs do.
func Main(m *testing.M, tables ...*machine.Table) {
	flag.Parse()
	all := true
	for _, f := range []string{"test.run", "test.skip", "test.fuzz", "test.list"} {
		all = all && flag.Lookup(f).Value.String() == ""
	}
	made := Moves{}
	if flag.Lookup("test.bench").Value.String() == "" {
		machine.Watch = made.Watch
	} else {
		all = false
	}
	code := m.Run()
	for _, s := range made.Check(all && code == 0, tables...) {
		fmt.Fprintln(os.Stderr, s)
		code = 1
	}
	os.Exit(code)
}

// Unwatched calls f without the watch, for a test that makes an illegal move.
func Unwatched(f func()) {
	defer func(w func(*machine.Table, uint8, uint8)) { machine.Watch = w }(machine.Watch)
	machine.Watch = nil
	f()
}
