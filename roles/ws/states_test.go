package ws

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/machine"
	"github.com/millrace/millrace/internal/machine/machinetest"
	"github.com/millrace/millrace/roles"
)

var machines = []*machine.Table{phases, readings}

// TestMain checks each move that any test makes, and that the tests make each move of the tables.
func TestMain(m *testing.M) { machinetest.Main(m, machines...) }

func TestMachines(t *testing.T) {
	for _, m := range machines {
		machinetest.Section(t, "../../docs/machines.md", m.Name, m.Title, m.States)
	}
}

// TestIllegalMove checks that a move that is not in a table resets the connection, is counted, and reaches the Handler as
// the cause.
func TestIllegalMove(t *testing.T) {
	for _, r := range []struct {
		move func(c *Conn)
		want string
	}{
		{func(c *Conn) { c.move(awaitPeerEnd) }, "ws: illegal move from opened to awaitPeerEnd"},
		{func(c *Conn) { c.expect(expectContinuation) }, "ws: illegal move from expectMessage to expectContinuation"},
	} {
		sh, h := newShared(), &recorder{}
		h.writable = func(c *Conn) { machinetest.Unwatched(func() { r.move(c) }) }
		c, l := open(sh, false, Agreed{}, h)
		c.WantWrite()
		l.Service()
		if !l.Over || l.Mode != roles.Reset || sh.Counters.Illegal != 1 || h.closed != 1 || !strings.Contains(errText(h.cause), r.want) {
			t.Errorf("%s: over %v, mode %v, %d counted, closed %d times with %v; want true, Reset, 1, once with that cause",
				r.want, l.Over, l.Mode, sh.Counters.Illegal, h.closed, h.cause)
		}
	}
}

// TestPeerWhileOurCloseWaits checks what the peer can do while our Close frame waits for room.
func TestPeerWhileOurCloseWaits(t *testing.T) {
	sides(func(side string, client bool) {
		for _, r := range []struct {
			name   string
			in     part
			sent   string
			cause  string
			closed bool // as soon as there is room
		}{
			{"the peer's Close frame", closeF(closeBody(1001, "")), "close 1000 done", "", !client},
			{"a fault", part{bitFin | 3, ""}, "close 1002", "opcode", true},
		} {
			h := &recorder{}
			c, l := open(newShared(), client, Agreed{}, h)
			l.Refuse = true
			if err := c.Close(Normal, "done"); err != nil {
				t.Fatal(err)
			}
			l.Feed(bytesOf(client, []part{r.in}))
			if l.Closing {
				t.Errorf("%s, %s: got closed with %v before there was room, want it open", side, r.name, l.Cause)
			}
			l.Refuse = false
			l.Service()
			wantSent(t, l, client, r.sent)
			if l.Over != r.closed {
				t.Errorf("%s, %s: got closed %v, want %v", side, r.name, l.Over, r.closed)
			}
			l.End()
			wantClosed(t, l, roles.Graceful, r.cause)
		}
	})
}

// TestAbortInCallbacks checks that nothing follows an Abort from inside a Handler's method.
func TestAbortInCallbacks(t *testing.T) {
	sides(func(side string, client bool) {
		for _, r := range []struct {
			name string
			in   part
			want []string
		}{
			{"in Closing", closeF(closeBody(1000, "")), []string{"closing 1000 normal closure ", "closed: gone"}},
			{"in Rx, before octets that are not UTF-8", text1("good\xff"), []string{"text [good", "closed: gone"}},
		} {
			h := &recorder{}
			gone := errors.New("gone")
			h.onRx = func(c *Conn, _ []byte, _ Flags) { c.Abort(gone) }
			h.onClose = func(c *Conn, _ Code) { c.Abort(gone) }
			sh := newShared()
			_, l := open(sh, client, Agreed{}, h)
			l.Feed(bytesOf(client, []part{r.in}))
			wantSent(t, l, client)
			wantCalls(t, h, r.want...)
			if sh.Counters.BadText != 0 {
				t.Errorf("%s, %s: got %d faults counted after Abort, want none", side, r.name, sh.Counters.BadText)
			}
		}
	})
}
