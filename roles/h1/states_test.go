package h1

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/machine"
	"github.com/millrace/millrace/internal/machine/machinetest"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

var tables = []*machine.Table{serverTable, clientTable, sendTable}

func TestMain(m *testing.M) { machinetest.Main(m, tables...) }

func TestMachines(t *testing.T) {
	for _, m := range tables {
		machinetest.Section(t, "../../docs/machines.md", m.Name, m.Title, m.States)
	}
}

// TestIllegalMove: a move that is not in a table resets the connection, is counted, and reaches the handler as the cause.
func TestIllegalMove(t *testing.T) {
	for _, c := range []struct {
		server bool
		move   func(s *Server, k *Client, x *exchange)
		want   string
	}{
		{true, func(s *Server, _ *Client, _ *exchange) { s.move(drainBody) }, "h1: illegal move of h1-server from awaitAnswer to drainBody"},
		{true, func(_ *Server, _ *Client, x *exchange) { x.moveSend(awaitLastRoom) }, "h1: illegal move of h1-send from awaitHead to awaitLastRoom"},
		{false, func(_ *Server, k *Client, _ *exchange) { k.move(awaitSent) }, "h1: illegal move of h1-client from expectResponse to awaitSent"},
		{false, func(_ *Server, _ *Client, x *exchange) { x.moveSend(awaitLastRoom) }, "h1: illegal move of h1-send from awaitHead to awaitLastRoom"},
	} {
		sh, h := NewShared(DefaultConfig()), &recorder{}
		var s *Server
		var k *Client
		var l *rolestest.Lower
		move := func(x http.Exchange) {
			machinetest.Unwatched(func() { c.move(s, k, x.(*exchange)) })
		}
		if c.server {
			h.onHead = func(x http.Exchange, _ *http.Message) { move(x) }
			s, l = serve(sh, h)
			l.Feed([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		} else {
			h.writable = move
			k, l = dial(sh)
			if _, err := k.Do(h); err != nil {
				t.Fatal(err)
			}
			l.Service()
		}
		if !l.Over || l.Mode != roles.Reset || sh.Counters.Illegal != 1 {
			t.Errorf("%s: over %v, mode %v, %d counted; want true, Reset, 1", c.want, l.Over, l.Mode, sh.Counters.Illegal)
		}
		if h.dones != 1 || !errors.Is(h.cause, l.Cause) || !strings.Contains(errText(h.cause), c.want) {
			t.Errorf("Done %d times with %v, want once with %s", h.dones, h.cause, c.want)
		}
	}
}
