package ss

import (
	"fmt"
	"io"

	"github.com/millrace/millrace/roles"
)

// Dump writes a line for every live handle: slot, stream type, the last move of its life, its connection, and its
// pending operations. It is for people: text from peers is escaped.
func (r *Runtime) Dump(w io.Writer) {
	fmt.Fprintf(w, "%d streams, %d connections, %d warm, %d bytes held, account %d bytes (%v)\n",
		r.table.live, r.net.Open(), r.http.pool.Warm(), r.net.Held(), r.loop.Account().Used(), r.loop.Account().Level())
	turns := r.loop.Stats()
	fmt.Fprintf(w, "%d turns, 99 of 100 took at most %v, the longest %v\n", turns.Turns, turns.Quantile(0.99), turns.Max)
	if a := r.loop.Account(); a.Used() > 0 {
		fmt.Fprint(w, "held for")
		for k := range roles.Kinds {
			if n := a.UsedBy(uint8(k)); n != 0 {
				fmt.Fprintf(w, " %v: %d;", k, n)
			}
		}
		fmt.Fprintf(w, " at most %d\n", a.Peak())
	}
	r.table.each(func(h *Handle) {
		line := fmt.Sprintf("%5d %-20s %-28v %s%s%s", h.slot, h.streamType.pol.Name, h.Life(), h.be.describe(h), h.pendingOps(), h.holds())
		io.WriteString(w, roles.Plain(line)+"\n")
	})
}

// holds describes the memory of the stream's connection.
func (h *Handle) holds() string {
	c := h.be.wsi()
	if c == nil || c.Held() == 0 {
		return ""
	}
	s := fmt.Sprintf(", its connection holds %d bytes", c.Held())
	if at, ok := c.StalledSince(); ok {
		s += fmt.Sprintf(", without progress for %v", h.rt.loop.Now()-at)
	}
	return s
}

func (h *Handle) pendingOps() string {
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
