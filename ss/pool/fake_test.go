package pool_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/ss/pool"
)

// bench is a pool with connections and requests that do nothing but write down what the pool wants of them.
type bench struct {
	*testing.T
	pool  pool.Pool[string, *conn, *request]
	conns []*conn
	log   []string
	quiet bool // nothing is written down
}

// conn is a connection. Its fields are what it answers.
type conn struct {
	b       *bench
	entry   pool.Conn[string, *conn, *request]
	free    int
	multi   bool
	endless bool
	useful  bool
	bytes   uint64
	refuses error // of Serve
	users   []*request
}

// request is something that wants a connection.
type request struct {
	b      *bench
	name   string
	ticket pool.Ticket[string, *conn, *request]
	on     *conn
	err    error
}

// newBench makes a pool with these limits; change makes the defaults of its connections something else.
func newBench(t *testing.T, maxShared, maxWarm int, change func(c *conn)) *bench {
	b := &bench{T: t}
	b.pool.Init(pool.Config[string, *conn, *request]{
		MaxShared: maxShared, MaxWarm: maxWarm,
		Dial: func(r *pool.Route[string, *conn, *request], q *request, alone bool) *pool.Conn[string, *conn, *request] {
			c := &conn{b: b, free: 1, multi: r.Shared()}
			if change != nil {
				change(c)
			}
			c.entry.Init(r, c)
			b.conns = append(b.conns, c)
			kind := "shared"
			if alone {
				kind = "alone"
			}
			b.note("dial %d %s for %s", c.entry.ID(), kind, q.name)
			return &c.entry
		},
	})
	return b
}

func (b *bench) note(format string, args ...any) { b.log = append(b.log, fmt.Sprintf(format, args...)) }

// want compares what the pool has asked for since the last want.
func (b *bench) want(what, want string) {
	b.Helper()
	if got := strings.Join(b.log, ", "); got != want {
		b.Errorf("%s: the pool asked for\n got: %s\nwant: %s", what, got, want)
	}
	b.log = nil
}

// ask makes requests with the key "k" acquire a connection.
func (b *bench) ask(shared bool, names ...string) (all []*request) {
	for _, name := range names {
		q := &request{b: b, name: name}
		b.pool.Issue(&q.ticket, q)
		b.pool.Route("k", shared).Acquire(&q.ticket)
		all = append(all, q)
	}
	return all
}

func (q *request) Unreachable(cause error) {
	q.err = cause
	q.b.note("%s unreachable: %v", q.name, cause)
}

func (c *conn) Serve(q *request) error {
	if c.refuses != nil {
		return c.refuses
	}
	if !c.b.quiet {
		c.b.note("%s on %d", q.name, c.entry.ID())
	}
	c.free--
	q.on = c
	c.users = append(c.users, q)
	return nil
}

func (c *conn) Free() int         { return c.free }
func (c *conn) Multiplexed() bool { return c.multi }
func (c *conn) Endless() bool     { return c.endless }
func (c *conn) Useful() bool      { return c.useful }
func (c *conn) BytesIn() uint64   { return c.bytes }
func (c *conn) Probe()            { c.b.note("probe %d", c.entry.ID()) }
func (c *conn) End(up bool)       { c.b.note("end %d up=%v", c.entry.ID(), up) }

func (c *conn) Idle() {
	if !c.b.quiet {
		c.b.note("idle %d", c.entry.ID())
	}
}

// up establishes the connection.
func (c *conn) up() {
	c.entry.Up()
	c.entry.Start()
}

// close ends the connection from outside.
func (c *conn) close(cause error) {
	c.entry.Gone()
	c.entry.Closed(cause)
}

// done ends the exchange of q in order.
func (q *request) done() {
	c := q.on
	c.free++
	c.entry.SetAnswered()
	q.on = nil
	c.entry.DropUser(false)
	if !c.multi {
		c.entry.Ready() // as the owner of an HTTP/1.1 connection says
	}
}

var errLink = errors.New("link down")
