package h2

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"testing"

	"github.com/millrace/millrace/internal/machine/machinetest"
)

// machines are the tables of the package, with the titles of their sections in docs/machines.md.
var machines = []struct {
	table *stateTable
	title string
}{
	{&states, "HTTP/2: a stream (RFC 9113 section 5.1)"},
	{&phases, "HTTP/2: a connection"},
	{&drainPhases, "HTTP/2: the orderly end of a connection"},
	{&outStates, "HTTP/2: what the output of a stream waits for"},
	{&sendStates, "HTTP/2: our message on a stream"},
	{&recvStates, "HTTP/2: the peer's message on a stream"},
	{&tunnelStates, "HTTP/2: a tunnel over a stream (RFC 8441)"},
}

func TestMachines(t *testing.T) {
	for _, m := range machines {
		machinetest.Section(t, "../../docs/machines.md", "h2-"+m.table.name, m.title, m.table.rows)
	}
}

// TestRowsHaveTheNamesOfTheirStates compares the name in each row with the constant that is its index.
func TestRowsHaveTheNamesOfTheirStates(t *testing.T) {
	rows := 0
	for _, name := range []string{"state.go", "phase.go", "stream_states.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if kv, ok := n.(*ast.KeyValueExpr); ok {
				key, isName := kv.Key.(*ast.Ident)
				if call, ok := kv.Value.(*ast.CallExpr); ok && isName {
					rows++
					if lit, ok := call.Args[0].(*ast.BasicLit); !ok || lit.Value != strconv.Quote(key.Name) {
						t.Errorf("%s: the row of %s has the name %s", name, key.Name, lit.Value)
					}
				}
			}
			return true
		})
	}
	want := 0
	for _, m := range machines {
		want += len(m.table.rows)
	}
	if rows != want {
		t.Errorf("rows in the source: got %d, want %d", rows, want)
	}
}

// step is a move. Only the machine that is moved by events knows the event: the others have one move between two
// states.
type step struct {
	table    *stateTable
	from, to uint8
	on       string
}

func (s step) String() string {
	to := fmt.Sprintf("state %d", s.to)
	if int(s.to) < len(s.table.rows) {
		to = s.table.rows[s.to].Name
	}
	return fmt.Sprintf("%s: from %s to %s %s", s.table.name, s.table.rows[s.from].Name, to, s.on)
}

// made is the set of the moves that the tests of this package have made.
var made = map[step]bool{}

// legal holds the sets that watchMoves removed from the tables.
var legal = map[*stateTable][16]uint32{}

// legalByEvent is a copy of nextState.
var legalByEvent = nextState

// watchMoves makes seeMove see each move of each machine, or restores the machines as users run them.
func watchMoves(on bool) {
	if onMove = nil; on {
		onMove = seeMove
	}
	for _, m := range machines {
		if _, ok := legal[m.table]; !ok {
			legal[m.table] = m.table.next
		}
		if m.table.next = legal[m.table]; on {
			m.table.next = [16]uint32{}
		}
	}
	for s := range nextState {
		for e := range nextState[s] {
			if nextState[s][e] = legalByEvent[s][e]; on {
				nextState[s][e] = illegal
			}
		}
	}
}

func seeMove(t *stateTable, from, to uint8, on string) {
	v := step{t, from, to, on}
	if int(to) >= len(t.rows) || legal[t][from]>>to&1 == 0 {
		panic("h2: illegal move: " + v.String())
	}
	made[v] = true
}

// TestMain checks each move that a test makes, and, after all tests, that some test made each move of each table.
func TestMain(m *testing.M) {
	flag.Parse()
	watchMoves(flag.Lookup("test.bench").Value.String() == "") // a benchmark measures what users run
	code := m.Run()
	if code == 0 && all() {
		for _, m := range machines {
			for from, row := range m.table.rows {
				for _, v := range row.Moves {
					on := ""
					if m.table == &states {
						on = v.On
					}
					if s := (step{m.table, uint8(from), uint8(v.To), on}); !made[s] {
						fmt.Printf("FAIL: no test makes the move %s (%s)\n", s, v.On)
						code = 1
					}
				}
			}
		}
	}
	os.Exit(code)
}

// all reports whether this run is of all tests.
func all() bool {
	for name, value := range map[string]string{"test.run": "", "test.skip": "", "test.list": "", "test.fuzz": "", "test.bench": ""} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != value {
			return false
		}
	}
	return flag.Lookup("test.fuzzworker") == nil || flag.Lookup("test.fuzzworker").Value.String() == "false"
}
