package ss

import (
	"fmt"
	"testing"
)

// tableBackend is the backend of a handle that only a table sees.
type tableBackend struct {
	backend // nil: whatever else is called ends the test
	parent  *Handle
	server  bool
}

func (b *tableBackend) parentStream() *Handle { return b.parent }
func (b *tableBackend) listens() bool         { return b.server }

// TestHandleTable compares a table with sets over the life of two servers, their clients and other streams: a walk over
// a server's clients visits those alone, a walk over all visits each once, also those of a server that is gone.
func TestHandleTable(t *testing.T) {
	var table handleTable
	visits := func(walk func(f func(*Handle))) map[*Handle]int {
		m := make(map[*Handle]int)
		walk(func(h *Handle) { m[h]++ })
		return m
	}
	check := func(when string, walk func(f func(*Handle)), want ...[]*Handle) {
		t.Helper()
		got := visits(walk)
		n := 0
		for _, list := range want {
			for _, h := range list {
				n++
				if got[h] != 1 {
					t.Errorf("%s: a handle was visited %d times, want once", when, got[h])
				}
			}
		}
		if len(got) != n {
			t.Errorf("%s: %d handles visited, want %d", when, len(got), n)
		}
	}
	add := func(n int, parent *Handle, server bool) (list []*Handle) {
		for range n {
			h := &Handle{be: &tableBackend{parent: parent, server: server}}
			table.add(h)
			list = append(list, h)
		}
		return list
	}
	remove := func(list []*Handle) {
		for _, h := range list {
			h.flags |= destroyed
			table.remove(h)
		}
	}
	others := add(2*handlePageSize, nil, false)
	servers := add(2, nil, true)
	first, second := add(handlePageSize+3, servers[0], false), add(5, servers[1], false)
	clients := func(i int) func(f func(*Handle)) {
		return func(f func(*Handle)) { table.eachClient(servers[i], f) }
	}
	check("clients of the first server", clients(0), first)
	check("clients of the second server", clients(1), second)
	check("all", table.each, others, servers, first, second)
	if table.servers != 2 || table.live != len(others)+2+len(first)+len(second) {
		t.Errorf("got %d servers, %d live, want 2, %d", table.servers, table.live, len(others)+2+len(first)+len(second))
	}
	remove(second)
	check("clients of the second server after their end", clients(1))
	if n := testing.AllocsPerRun(10, func() { table.remove(first[0]); table.add(first[0]) }); n != 0 {
		t.Errorf("a client that ends and one that comes: got %v allocations, want 0", n)
	}
	remove(servers)
	check("all without the servers", table.each, others, first)
	remove(first)
	remove(others)
	check("all at the end", table.each)
	if got := fmt.Sprint(len(table.groups), table.live, table.servers); got != "0 0 0" {
		t.Errorf("groups, live and servers at the end: got %s, want 0 0 0", got)
	}
}
