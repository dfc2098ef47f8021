package ss

import (
	"fmt"
	"io"

	"github.com/millrace/millrace/roles"
)

// Dump writes a line for every live handle: slot, stream type, the last move of its life, its
// connection, and what it asks for. It is for people: what peers have said is escaped.
func (r *Runtime) Dump(w io.Writer) {
	fmt.Fprintf(w, "%d streams, %d connections, %d warm, %d bytes held, account %d bytes (%v)\n",
		r.table.live, r.net.Open(), r.pool.warm.n, r.net.Held(), r.loop.Account().Used(), r.loop.Account().Level())
	r.table.each(func(h *Handle) {
		line := fmt.Sprintf("%5d %-20s %-28v %s%s", h.slot, h.kind.pol.Name, h.Life(), h.be.describe(h), h.wishes())
		io.WriteString(w, roles.Plain(line)+"\n")
	})
}

func (h *Handle) wishes() string {
	s := ""
	for _, f := range []struct {
		f    handleFlags
		name string
	}{{isPaused, "paused"}, {txWanted, "wants tx"}, {wantDisconnect, "disconnecting"}, {wantDestroy, "destroying"}} {
		if h.flags&f.f != 0 {
			s += ", " + f.name
		}
	}
	return s
}
