package h1

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/machine/machinetest"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

var machines = []struct {
	name, title string
	table       *table
}{
	{"h1-send", "HTTP/1.1: sending half of an exchange", sendTable},
}

// moves records the moves that machines make.
type moves map[*table][]uint32

func (m moves) watch(t *table, from, to uint8) {
	if m[t] == nil {
		m[t] = make([]uint32, len(t.states))
	}
	m[t][from] |= 1 << to
}

// check returns the moves that were made but are in no table, and, if all is true, those that are in a table but were
// not made.
func (m moves) check(all bool) (wrong []string) {
	for _, c := range machines {
		for from, s := range c.table.states {
			made := uint32(0)
			if m[c.table] != nil {
				made = m[c.table][from]
			}
			for to, next := range c.table.states {
				did, may := made>>to&1 != 0, c.table.masks[from]>>to&1 != 0
				switch {
				case did && !may:
					wrong = append(wrong, fmt.Sprintf("%s: the tests moved from %s to %s: this move is not in the table", c.name, s.Name, next.Name))
				case may && !did && all:
					wrong = append(wrong, fmt.Sprintf("%s: no test moves from %s to %s", c.name, s.Name, next.Name))
				}
			}
		}
	}
	return wrong
}

// TestMain watches the moves of all tests: each must be in a table, and if all tests run, each move of a table must be
// made.
func TestMain(m *testing.M) {
	flag.Parse()
	all := true
	for _, f := range []string{"test.run", "test.skip", "test.fuzz", "test.list"} {
		all = all && flag.Lookup(f).Value.String() == ""
	}
	made := moves{}
	watchMove = made.watch
	code := m.Run()
	for _, s := range made.check(all && code == 0) {
		fmt.Fprintln(os.Stderr, s)
		code = 1
	}
	os.Exit(code)
}

func TestMachines(t *testing.T) {
	for _, c := range machines {
		machinetest.Section(t, "../../docs/machines.md", c.name, c.title, c.table.states)
	}
}

// unwatched calls f without the watch over moves.
func unwatched(f func()) {
	defer func(w func(*table, uint8, uint8)) { watchMove = w }(watchMove)
	watchMove = nil
	f()
}

// TestIllegalMove: a move that is not in a table resets the connection, is counted, and reaches the handler as the cause.
func TestIllegalMove(t *testing.T) {
	sh, h := NewShared(DefaultConfig()), &recorder{}
	h.onHead = func(x http.Exchange, _ *http.Message) {
		unwatched(func() { x.(*exchange).moveSend(awaitLastRoom) })
	}
	_, l := serve(sh, h)
	l.Feed([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	if !l.Over || l.Mode != roles.Reset || sh.Counters.Illegal != 1 {
		t.Errorf("server, after an illegal move: over %v, mode %v, %d counted; want true, Reset, 1", l.Over, l.Mode, sh.Counters.Illegal)
	}
	if want := "h1: illegal move from awaitHead to awaitLastRoom"; h.dones != 1 || !strings.Contains(errText(h.cause), want) || !errors.Is(h.cause, l.Cause) {
		t.Errorf("server, after an illegal move: Done %d times with %v, want once with %s", h.dones, h.cause, want)
	}

	sh, h = NewShared(DefaultConfig()), &recorder{}
	k, l := dial(sh)
	h.writable = func(x http.Exchange) {
		unwatched(func() { x.(*exchange).moveSend(awaitLastRoom) })
	}
	if _, err := k.Do(h); err != nil {
		t.Fatal(err)
	}
	l.Service()
	if !l.Over || l.Mode != roles.Reset || sh.Counters.Illegal != 1 || h.dones != 1 {
		t.Errorf("client, after an illegal move: over %v, mode %v, %d counted, Done %d times; want true, Reset, 1, 1", l.Over, l.Mode, sh.Counters.Illegal, h.dones)
	}
}
