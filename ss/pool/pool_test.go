package pool_test

import (
	"fmt"
	"testing"

	"github.com/millrace/millrace/ss/pool"
)

// TestExclusive: on a route that is not shared each request has a connection, and leaves it to the next with the key.
func TestExclusive(t *testing.T) {
	b := newBench(t, 2, 4, nil)
	all := b.ask(false, "a", "b")
	b.want("two requests", "dial 1 alone for a, dial 2 alone for b")
	b.conns[1].up()
	b.conns[0].up()
	b.want("both connections are up", "b on 2, a on 1")
	all[0].done()
	all[1].done()
	b.want("both are done", "idle 1, idle 2")
	b.ask(false, "c", "d", "e")
	b.want("three more: the connection used last is first", "c on 2, d on 1, dial 3 alone for e")
	if b.pool.Warm() != 0 {
		t.Errorf("warm connections in use: got %d, want 0", b.pool.Warm())
	}
	other := &request{b: b, name: "other"}
	b.pool.Issue(&other.ticket, other)
	b.pool.Route("another key", false).Acquire(&other.ticket)
	b.want("another key", "dial 4 alone for other")
}

// TestExclusiveFails: the end of a connection that is made for one request is that request's alone.
func TestExclusiveFails(t *testing.T) {
	b := newBench(t, 2, 4, nil)
	b.ask(false, "a", "b")
	b.log = nil
	b.conns[0].close(errLink)
	b.want("the first connection cannot be made", "a unreachable: link down")
	b.conns[1].refuses = errLink
	b.conns[1].up()
	b.want("the second cannot start an exchange", "end 2 up=true, b unreachable: link down")
	b.conns[1].close(nil)
	if b.pool.Routes() != 0 {
		t.Errorf("routes without a connection: got %d, want 0", b.pool.Routes())
	}
}

// TestExclusiveCancel: a request that does not want its connection any more ends it, and learns nothing of it.
func TestExclusiveCancel(t *testing.T) {
	b := newBench(t, 2, 4, nil)
	b.ask(false, "a")
	b.conns[0].entry.Cancel()
	b.conns[0].close(errLink)
	b.want("cancelled", "dial 1 alone for a, end 1 up=false")
}

// TestStaleWarm: a warm connection that cannot start an exchange is ended, and the next one is tried.
func TestStaleWarm(t *testing.T) {
	b := newBench(t, 2, 4, nil)
	b.ask(false, "a", "b")
	b.conns[0].up()
	b.conns[1].up()
	for _, c := range b.conns {
		c.users[0].done()
		c.refuses = errLink
	}
	b.log = nil
	b.ask(false, "c")
	b.want("both are stale", "end 2 up=true, end 1 up=true, dial 3 alone for c")
	// A request whose connection was stale gets a new one, whatever is warm.
	b = newBench(t, 2, 4, nil)
	a := b.ask(false, "a")[0]
	b.conns[0].up()
	a.done()
	b.log = nil
	b.pool.Route("k", false).AcquireNew(&a.ticket)
	b.want("anew", "dial 2 alone for a")
}

// TestShared: the first request makes a connection, the others wait for it, in order.
func TestShared(t *testing.T) {
	for _, c := range []struct {
		name      string
		free, max int
		want      string
	}{
		{"room for all", 10, 2, "a on 1, b on 1, c on 1"},
		{"room for two", 2, 1, "a on 1, b on 1"},
		{"room for two, and for another connection", 2, 2, "a on 1, b on 1, dial 2 shared for c"},
		{"no room", 0, 1, ""},
		{"no room, and two connections", 0, 2, "dial 2 shared for a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.max, 4, func(k *conn) { k.free = c.free })
			b.ask(true, "a", "b", "c")
			b.want("three requests", "dial 1 shared for a")
			b.conns[0].up()
			b.want("up", c.want)
		})
	}
}

// TestSharedOrder: who waits is served in the order of the tickets, also a request that comes back.
func TestSharedOrder(t *testing.T) {
	b := newBench(t, 1, 4, nil)
	all := b.ask(true, "a", "b", "c", "d")
	if got := fmt.Sprint(all[0].ticket.Before(9), all[3].ticket.Before(9), all[3].ticket.Before(2)); got != "0 3 2" {
		t.Errorf("requests before the first, the last, and the last counted to 2: got %s, want 0 3 2", got)
	}
	b.conns[0].up()
	b.want("room for one", "dial 1 shared for a, a on 1")
	a := all[0]
	a.on.entry.DropUser(false)
	b.pool.Route("k", true).AcquireNew(&a.ticket) // refused: it tries again
	b.conns[0].free++
	b.conns[0].entry.Ready()
	b.want("the request that was refused is the first again", "a on 1")
	a.done()
	b.conns[0].entry.Ready()
	b.want("then the next", "b on 1")
	all[2].ticket.Cancel()
	if all[2].ticket.Waits() || !all[3].ticket.Waits() {
		t.Errorf("waiting, cancelled and next: got %v and %v, want false and true", all[2].ticket.Waits(), all[3].ticket.Waits())
	}
	all[1].done()
	b.conns[0].entry.Ready()
	b.want("a request that has gone is passed over", "d on 1")
}

// TestSharedCancelsDial: when the last request that waits has gone, no connection is made for it.
func TestSharedCancelsDial(t *testing.T) {
	b := newBench(t, 1, 4, nil)
	all := b.ask(true, "a", "b")
	all[0].ticket.Cancel()
	b.want("one is left", "dial 1 shared for a")
	all[1].ticket.Cancel()
	b.want("none is left", "end 1 up=false")
	b.conns[0].close(nil)
	if b.pool.Routes() != 0 {
		t.Errorf("routes: got %d, want 0", b.pool.Routes())
	}
}

// TestSharedOneAtATime: a server that does not multiplex serves one request after another on one connection. Only a
// request that may last for as long as the connection has the others wait elsewhere.
func TestSharedOneAtATime(t *testing.T) {
	b := newBench(t, 3, 4, func(c *conn) { c.multi = false })
	all := b.ask(true, "a", "b", "c")
	b.conns[0].up()
	b.want("one connection", "dial 1 shared for a, a on 1")
	all[0].done()
	b.want("the next", "b on 1")
	b.conns[0].endless = true
	b.ask(true, "d")
	b.want("the exchange may never end", "dial 2 shared for c")
}

// TestWarm: warm connections are bounded, the oldest makes room, and none is kept that cannot serve again.
func TestWarm(t *testing.T) {
	for _, c := range []struct {
		name    string
		maxWarm int
		free    int // after the exchange
		closed  bool
		want    string
	}{
		{"kept", 4, 1, false, "idle 1"},
		{"none is to be kept", 0, 1, false, "end 1 up=true"},
		{"it cannot serve again", 4, 0, false, "end 1 up=true"},
		{"the pool is closed", 4, 1, true, "end 1 up=true"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, 1, c.maxWarm, nil)
			b.ask(false, "a")
			b.conns[0].up()
			b.log = nil
			if c.closed {
				b.pool.Close()
			}
			b.conns[0].free = c.free
			b.conns[0].entry.DropUser(false)
			b.want("the end of the exchange", c.want)
		})
	}
	b := newBench(t, 1, 2, nil)
	all := b.ask(false, "a", "b", "c")
	for _, c := range b.conns {
		c.up()
	}
	b.log = nil
	for _, q := range all {
		q.done()
	}
	b.want("three with room for two", "idle 1, idle 2, end 1 up=true, idle 3")
	b.conns[1].close(nil)
	b.pool.Close()
	b.want("closed", "end 3 up=true")
	if b.pool.Warm() != 0 {
		t.Errorf("warm connections of a closed pool: got %d, want 0", b.pool.Warm())
	}
}

// TestSharedFails: the end of a connection that was of no use is the end of all requests that waited for it, unless
// another may serve them.
func TestSharedFails(t *testing.T) {
	b := newBench(t, 2, 4, nil)
	b.ask(true, "a", "b")
	b.log = nil
	b.conns[0].close(errLink)
	b.want("the only connection", "a unreachable: link down, b unreachable: link down")

	b = newBench(t, 2, 4, func(c *conn) { c.free = 0 })
	b.ask(true, "a")
	b.conns[0].up()
	b.log = nil
	b.conns[1].close(errLink)
	b.want("the second of two", "")
	b.conns[0].free = 1
	b.conns[0].entry.Ready()
	b.want("the first serves", "a on 1")

	b = newBench(t, 1, 4, nil)
	all := b.ask(true, "a", "b")
	b.conns[0].up()
	b.conns[0].entry.SetAnswered()
	b.log = nil
	b.conns[0].entry.Gone()
	all[0].on.entry.DropUser(true)
	b.conns[0].entry.Closed(errLink)
	b.want("one that had answered: another is made", "dial 2 shared for b")
}

// TestGoingAway: a server that takes no more requests has those that wait look for another connection, and lose only
// so many that have done nothing.
func TestGoingAway(t *testing.T) {
	for _, useful := range []bool{false, true} {
		b := newBench(t, 1, 4, func(c *conn) { c.free, c.useful = 0, useful })
		q := b.ask(true, "a")[0]
		for i := range pool.MaxRefusals + 1 {
			b.conns[i].up()
			b.log = nil
			if !b.conns[i].entry.GoingAway() || b.conns[i].entry.GoingAway() {
				t.Fatal("GoingAway: want it to be news once")
			}
			if i < pool.MaxRefusals || useful {
				b.want("it goes away", fmt.Sprintf("dial %d shared for a", i+2))
			}
		}
		if useful {
			if q.err != nil {
				t.Errorf("servers that had done something: got %v, want the request to go on", q.err)
			}
			continue
		}
		b.want("once too often", "a unreachable: "+pool.ErrRefused.Error())
		q.ticket.ClearRefusals()
		if !q.ticket.CountRefusal() {
			t.Error("a new attempt: got no further refusal allowed, want one")
		}
	}
}

// TestSuspect: no request joins a connection whose peer has been silent about one, until it gives a sign of life.
func TestSuspect(t *testing.T) {
	b := newBench(t, 2, 4, func(c *conn) { c.free = 9 })
	all := b.ask(true, "a", "b")
	b.conns[0].up()
	b.log = nil
	all[0].on.entry.DropUser(true)
	b.want("silence", "probe 1")
	all[1].on.entry.DropUser(true)
	b.want("again: it was asked already, and is kept warm meanwhile", "idle 1")
	b.ask(true, "c")
	b.want("the next request", "dial 2 shared for c")
	b.conns[0].bytes++
	b.conns[0].entry.Ready()
	b.want("a sign of life", "c on 1")
}

// TestDetach: a request that takes the connection for itself leaves no entry behind.
func TestDetach(t *testing.T) {
	b := newBench(t, 1, 4, nil)
	b.ask(false, "a")
	c := b.conns[0]
	c.up()
	c.entry.Leave()
	b.log = nil
	b.ask(false, "b")
	b.want("the next finds another", "dial 2 alone for b")
	c.entry.Detach(errLink)
	b.conns[1].entry.Cancel()
	b.conns[1].close(nil)
	if c.entry.Users() != 0 || b.pool.Routes() != 0 {
		t.Errorf("got %d users and %d routes, want none", c.entry.Users(), b.pool.Routes())
	}
}

// TestNoAllocations: on a route that exists a request costs no memory.
func TestNoAllocations(t *testing.T) {
	b := newBench(t, 1, 4, nil)
	q := b.ask(false, "a")[0]
	c := b.conns[0]
	c.up()
	r := b.pool.Route("k", false)
	b.quiet = true
	if n := testing.AllocsPerRun(100, func() {
		c.users = c.users[:0]
		c.free++
		c.entry.SetAnswered()
		c.entry.DropUser(false)
		b.pool.Issue(&q.ticket, q)
		r.Acquire(&q.ticket)
	}); n != 0 {
		t.Errorf("allocations per request: got %v, want 0", n)
	}
}
