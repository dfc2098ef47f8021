package ss

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/h1"
	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/ss/pool"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// A connection of HTTP clients, as its pool and its transport see it.
//
// Uses http_client.go back: the types of the pool name the connection and the request that it serves.

// httpRole is the protocol of a connection: *h1.Client with one exchange at a time, or *h2.Client with many.
type httpRole interface {
	roles.Upper
	// Do starts an exchange.
	Do(h http.Handler) (http.Exchange, error)
	// Upgrade makes u the owner of an exchange's bytes, once its response has allowed that.
	Upgrade(x http.Exchange, u roles.Upper) error
	// Free is how many exchanges can be started now.
	Free() int
	// Close ends the connection in order.
	Close()
}

var (
	_ httpRole = (*h1.Client)(nil)
	_ httpRole = (*h2.Client)(nil)
)

// connKey must be equal for two streams to share a connection.
type connKey struct {
	target   wsi.Target
	secure   *tls.Client // the same trust, name and certificate; nil without tls
	protocol policy.Protocol
	tolerant bool  // a window that overflows is tolerated
	bareLF   bool  // lines of HTTP/1.1 may end with LF alone
	window   int32 // initial window of exchanges, 0 for the default
}

// The pool decides which connection serves which attempt: see package pool.
type (
	httpPool   = pool.Pool[connKey, *httpConn, *httpClient]
	httpRoute  = pool.Route[connKey, *httpConn, *httpClient]
	httpEntry  = pool.Conn[connKey, *httpConn, *httpClient]
	httpTicket = pool.Ticket[connKey, *httpConn, *httpClient]
)

// httpConn is a client's connection that serves HTTP exchanges: of one stream, of one after another, or of many at a
// time. It is the roles.Upper of its transport: the role does the protocol, httpConn accounts for the users.
type httpConn struct {
	w     wsi.Wsi
	entry httpEntry
	s     *tls.Session // nil without tls
	role  httpRole     // nil until ALPN has named it
	h2    *h2.Client   // role, if it is HTTP/2
	rt    *Runtime
	last  *streamType   // of the latest user, or of the stream that it was made for
	since time.Duration // when it became warm; in use, on h1: the earliest start of silence
	// How long the peer may be silent, by the retry schemes of its users.
	ping, hup time.Duration
	paused    bool // h1: the program has paused
}

var (
	_ roles.Upper            = (*httpConn)(nil)
	_ pool.Link[*httpClient] = (*httpConn)(nil)
)

// choose selects the role by ALPN, "" for none.
func (c *httpConn) choose(alpn string) roles.Upper {
	c.speak(alpn == "h2")
	return c
}

// speak sets the protocol.
func (c *httpConn) speak(two bool) {
	if !two {
		one := new(h1.Client)
		one.Init(c.rt.h1, c.lower())
		one.Owner = h1Owner{c}
		if c.entry.Key().bareLF {
			one.AcceptBareLF()
		}
		c.role = one
		return
	}
	c.h2 = new(h2.Client)
	c.h2.Init(c.rt.h2, c.lower())
	c.h2.Owner = h2Owner{c}
	if c.entry.Key().tolerant {
		c.h2.Tolerate()
	}
	if w := c.entry.Key().window; w > 0 {
		c.h2.SetWindow(w)
	}
	c.role = c.h2
}

func (c *httpConn) lower() roles.Lower {
	if c.s != nil {
		return c.s
	}
	return &c.w
}

// Label returns the names of the users for reports.
func (c *httpConn) Label() string {
	name := c.last.pol.Name
	switch n := c.entry.Users(); {
	case n > 1:
		return fmt.Sprintf("connection of %d streams, the latest %s", n, name)
	case n == 0 && !c.entry.Connecting():
		return "connection last used by stream " + name
	}
	return "stream " + name
}

// describe describes the connection, for Dump.
func (c *httpConn) describe() string {
	if c.h2 == nil {
		return c.w.Label()
	}
	return fmt.Sprintf("%s, h2 connection %d, streams on it: %d", c.w.Label(), c.entry.ID(), c.entry.Users())
}

// Opened implements roles.Upper.
func (c *httpConn) Opened(now time.Duration) {
	c.entry.Up()
	c.role.Opened(now)
	c.w.Established()
	c.entry.Start()
}

// Rx implements roles.Upper.
func (c *httpConn) Rx(now time.Duration, b []byte) int { return c.role.Rx(now, b) }

// RxEnd implements roles.Upper.
func (c *httpConn) RxEnd(now time.Duration, unused int) { c.role.RxEnd(now, unused) }

// Writable implements roles.Upper.
func (c *httpConn) Writable(now time.Duration) { c.role.Writable(now) }

// Deadline implements roles.Upper: the earliest of the role's, of KeepWarm and of svalidhup.
func (c *httpConn) Deadline() time.Duration {
	d := shorter(c.role.Deadline(), c.silentDue())
	if c.entry.Warm() {
		d = shorter(d, c.since+c.rt.cfg.KeepWarm)
	}
	return d
}

// silentDue returns when svalidhup ends a connection on which no byte moves, 0 for never. HTTP/2 does that itself,
// since it can ping its peer. Silence does not count while the program has paused.
func (c *httpConn) silentDue() time.Duration {
	if c.h2 != nil || c.hup == 0 || !c.entry.IsUp() || c.paused {
		return 0
	}
	return max(c.w.Moved(), c.since) + c.hup
}

// Woken implements roles.Upper.
func (c *httpConn) Woken(now time.Duration) { c.role.Woken(now) }

// Timeout implements roles.Upper.
func (c *httpConn) Timeout(now time.Duration) {
	silent := c.silentDue()
	switch {
	case c.entry.Warm() && now >= c.since+c.rt.cfg.KeepWarm:
		c.entry.Discard()
	case silent != 0 && now >= silent:
		c.rt.Counters.Silent++
		c.entry.Withdraw()
		c.lower().Close(roles.Immediate, errSilent)
		return
	}
	c.role.Timeout(now)
}

// pause records that the program pauses or resumes on h1. now is the System's.
func (c *httpConn) pause(paused bool, now time.Duration) {
	if c.h2 == nil && c.hup != 0 {
		c.paused, c.since = paused, now
		c.w.Rearm()
	}
}

// Closed implements roles.Upper. Streams with an exchange are notified by it, those that wait by the pool.
func (c *httpConn) Closed(cause error) {
	c.entry.Gone()
	if c.role != nil {
		c.role.Closed(cause)
	}
	c.entry.Closed(cause)
}

// h1Owner and h2Owner pass the events of a role to its connection.
type (
	h1Owner struct{ c *httpConn }
	h2Owner struct{ c *httpConn }
)

func (o h1Owner) Idle(*h1.Client)          { o.c.entry.Ready() }
func (o h1Owner) Closed(*h1.Client, error) {}
func (o h2Owner) Ready(*h2.Client)         { o.c.entry.Ready() }
func (o h2Owner) Draining(*h2.Client)      { o.c.onGoAway() }
func (o h2Owner) Closed(*h2.Client, error) {}

// onGoAway is called when the server has sent GOAWAY.
func (c *httpConn) onGoAway() {
	if c.entry.GoingAway() {
		c.rt.Counters.GoneAway++
	}
}

// Free implements pool.Link.
func (c *httpConn) Free() int { return c.role.Free() }

// Multiplexed implements pool.Link.
func (c *httpConn) Multiplexed() bool { return c.h2 != nil }

// Endless implements pool.Link: the response to a long poll may never end.
func (c *httpConn) Endless() bool { return c.last.pol.HTTP.LongPoll }

// Useful implements pool.Link: after GOAWAY some requests may still be completed.
func (c *httpConn) Useful() bool { return c.h2 != nil && c.h2.Took() }

// BytesIn implements pool.Link.
func (c *httpConn) BytesIn() uint64 { return c.w.BytesIn() }

// Probe implements pool.Link.
func (c *httpConn) Probe() { c.h2.Ping() }

// Idle implements pool.Link: the connection is kept for Config.KeepWarm.
func (c *httpConn) Idle() {
	c.since, c.paused = c.rt.loop.Now(), false
	c.w.Rearm()
}

// End implements pool.Link.
func (c *httpConn) End(up bool) {
	if up && c.h2 != nil {
		c.h2.Close()
		return
	}
	c.lower().Close(roles.Immediate, nil)
}

// addUser records that a stream of type k starts an exchange.
func (c *httpConn) addUser(k *streamType) {
	n := &c.rt.Counters
	switch {
	case c.entry.Warm():
		n.Warm++
	case c.entry.Used():
		n.Shared++
	}
	c.last = k
	c.since, c.paused = c.rt.loop.Now(), false
	c.setValidity(k.pol.Retry)
}

// abandon ends one stream's exchange, over h2 only that one. noReply reports that no byte was received since it
// started.
func (c *httpConn) abandon(x http.Exchange, noReply bool) {
	x.SetHandler(discard{})
	if c.h2 == nil {
		c.entry.Abandon()
		return
	}
	x.Reset(nil)
	c.entry.DropUser(noReply)
}

// silentSince reports whether nothing was received since the connection's byte count was heard.
func (c *httpConn) silentSince(heard uint64) bool { return c.w.BytesIn() == heard }

// setValidity applies a retry scheme's probes and limits for a silent peer. The strictest of all users' schemes wins.
func (c *httpConn) setValidity(r *policy.Retry) {
	if r.ValidPing == 0 && r.ValidHup == 0 {
		return
	}
	ping, hup := shorter(c.ping, r.ValidPing), shorter(c.hup, r.ValidHup)
	if ping == c.ping && hup == c.hup {
		return
	}
	c.ping, c.hup = ping, hup
	if c.h2 != nil {
		c.h2.SetValidity(ping, hup)
	} else {
		c.w.Rearm()
	}
}

// shorter returns the lesser of two times; 0 means never.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

var errSilent = fmt.Errorf("ss: http: no byte for svalidhup: %w", http.ErrTimeout)
