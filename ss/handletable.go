package ss

import "slices"

// handleTable holds the live handles of a runtime: those that were accepted from a server stream in a table of that stream,
// so that a walk over its clients visits no others, and the rest in one of their own.
type handleTable struct {
	rest    slotTable
	groups  []*clientTable // by server stream, in the order of their first client
	live    int
	servers int // live handles that are listeners
	walks   int // calls of each
	// sources are those of TxFrom, for the few handles that have one.
	sources map[*Handle]Source
}

// clientTable holds the streams accepted from one server stream.
type clientTable struct {
	slotTable
	server *Handle
}

func (t *handleTable) add(h *Handle) {
	t.tableOf(h, true).add(h)
	t.live++
	if h.be.listens() {
		t.servers++
	}
}

func (t *handleTable) remove(h *Handle) {
	own := t.tableOf(h, false)
	own.remove(h)
	t.live--
	if h.be.listens() {
		t.servers--
	}
	if h.be.listens() || own.live == 0 && own != &t.rest {
		// A group lasts as long as its server stream, so that a server with few clients does not make it anew for each.
		t.groups = slices.DeleteFunc(t.groups, func(g *clientTable) bool { return g.live == 0 && g.server.flags&destroyed != 0 })
	}
}

// tableOf returns the table that h belongs to.
func (t *handleTable) tableOf(h *Handle, create bool) *slotTable {
	server := h.be.parentStream()
	if server == nil {
		return &t.rest
	}
	g := t.clientsOf(server)
	if g == nil && create {
		g = &clientTable{server: server}
		t.groups = append(t.groups, g)
	}
	return &g.slotTable
}

// clientsOf returns the table of a server stream's clients, nil if there are none.
func (t *handleTable) clientsOf(server *Handle) *clientTable {
	for _, g := range t.groups { // there are as many as server streams
		if g.server == server {
			return g
		}
	}
	return nil
}

// each calls f for the handles that are live at its start and still live at their turn.
func (t *handleTable) each(f func(h *Handle)) {
	t.walks++
	groups := slices.Clone(t.groups)
	t.rest.each(f)
	for _, g := range groups {
		g.each(f)
	}
}

// eachClient does the same for the streams accepted from one server stream.
func (t *handleTable) eachClient(server *Handle, f func(h *Handle)) {
	if g := t.clientsOf(server); g != nil {
		g.each(f)
	}
}
