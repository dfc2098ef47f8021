package wsi

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/machine/machinetest"
	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

// TestMain checks each move that any test makes, and that the tests make each move of the table.
func TestMain(m *testing.M) { machinetest.Main(m, phases) }

func TestPhases(t *testing.T) {
	machinetest.Section(t, "../docs/machines.md", phases.Name, phases.Title, phases.States)
}

// TestIllegalMove checks that a move that is not in the table closes the connection, is counted, and is the cause.
func TestIllegalMove(t *testing.T) {
	wd := plain(t)
	_, f := wd.connect(wd.listen())
	machinetest.Unwatched(func() { f.w.move(phaseDialling) })
	wd.settle()
	const want = "wsi: illegal move from open to dialling"
	if f.closed != 1 || f.cause == nil || !strings.Contains(f.cause.Error(), want) || wd.net.Counters.Illegal != 1 {
		t.Errorf("closed %d times with cause %v, %d counted; want once with %q, 1", f.closed, f.cause, wd.net.Counters.Illegal, want)
	}
	wd.settle()
	wd.wantEmpty(1)
}

// TestFalseAlarm checks that a connection which the poller reports as broken, and which is whole, goes on: established or
// not.
func TestFalseAlarm(t *testing.T) {
	for _, established := range []bool{false, true} {
		wd := plain(t)
		a := wd.listen()
		a.script = func(f *fake) { f.unestablished = !established }
		p, f := wd.connect(a)
		f.w.Pause()
		p.write("one")
		wd.settle()
		f.w.Ready(wd.n.Now(), loop.Broken)
		if f.w.phase != phaseUnread {
			t.Fatalf("established %v: reported as broken while paused: got phase %s, want unread", established, f.w.phase)
		}
		f.w.Established()
		f.w.Resume()
		wd.settle()
		p.write("two")
		wd.pass(time.Hour)
		if f.w.phase != phaseOpen || string(f.got) != "onetwo" || f.closed != 0 {
			t.Errorf("established %v: got phase %s, bytes %q, closed %d times; want open, \"onetwo\", 0", established, f.w.phase, f.got, f.closed)
		}
		f.w.Close(roles.Immediate, nil)
		p.close()
		wd.settle()
		wd.wantEmpty(1)
	}
}
