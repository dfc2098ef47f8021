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

// httpRole is the protocol that a connection speaks: *h1.Client, which carries one exchange at a time, or
// *h2.Client, which carries many.
type httpRole interface {
	roles.Upper
	// Do starts an exchange.
	Do(h http.Handler) (http.Exchange, error)
	// Upgrade hands an exchange's bytes to u once its response has allowed that.
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

// connKey is what two streams must agree on to use one connection.
type connKey struct {
	target   wsi.Target
	secure   *tls.Client // judged alike and addressed alike, nil without tls
	protocol policy.Protocol
	tolerant bool  // windows that overflow are borne
	bareLF   bool  // lines of HTTP/1.1 may end with LF alone
	window   int32 // with which exchanges begin, 0 for the usual
}

// The pool decides which connection serves which attempt: see package pool.
type (
	httpPool   = pool.Pool[connKey, *httpConn, *httpClient]
	httpRoute  = pool.Route[connKey, *httpConn, *httpClient]
	httpEntry  = pool.Conn[connKey, *httpConn, *httpClient]
	httpTicket = pool.Ticket[connKey, *httpConn, *httpClient]
)

// httpConn is a client's connection that serves HTTP exchanges: of one stream, of one after another, or of
// many at a time. It is the roles.Upper of its transport: its role does the protocol, the rest is about who
// uses it.
type httpConn struct {
	w     wsi.Wsi
	entry httpEntry
	s     *tls.Session // nil without tls
	role  httpRole     // nil until ALPN has named it
	h2    *h2.Client   // role, if it is that
	rt    *Runtime
	last  *streamType   // of the latest user, or of who had it made
	since time.Duration // when it became warm; in use, on h1: since when silence counts at the earliest
	// How long the peer may be silent, as its users' retry schemes have it.
	ping, hup time.Duration
	paused    bool // h1: the program takes nothing
}

var (
	_ roles.Upper            = (*httpConn)(nil)
	_ pool.Link[*httpClient] = (*httpConn)(nil)
)

// choose takes the name that ALPN has settled on, "" for none.
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

// Label says whose connection it is.
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

// describe says which connection it is, for Dump.
func (c *httpConn) describe() string {
	if c.h2 == nil {
		return c.w.Label()
	}
	return fmt.Sprintf("%s, h2 connection %d, streams on it: %d", c.w.Label(), c.entry.ID(), c.entry.Users())
}

// Opened is roles.Upper's.
func (c *httpConn) Opened(now time.Duration) {
	c.entry.Up()
	c.role.Opened(now)
	c.w.Established()
	c.entry.Start()
}

// Rx is roles.Upper's.
func (c *httpConn) Rx(now time.Duration, b []byte) int { return c.role.Rx(now, b) }

// RxEnd is roles.Upper's.
func (c *httpConn) RxEnd(now time.Duration, unused int) { c.role.RxEnd(now, unused) }

// Writable is roles.Upper's.
func (c *httpConn) Writable(now time.Duration) { c.role.Writable(now) }

// Deadline is roles.Upper's: the role's, the end of being kept warm, and that of patience with a silent peer.
func (c *httpConn) Deadline() time.Duration {
	d := shorter(c.role.Deadline(), c.silentDue())
	if c.entry.Warm() {
		d = shorter(d, c.since+c.rt.cfg.KeepWarm)
	}
	return d
}

// silentDue is when svalidhup ends a connection on which no byte moves, 0 for never. HTTP/2 does it by itself, since it
// can ask its peer. Silence does not count while the program has paused: it is ours.
func (c *httpConn) silentDue() time.Duration {
	if c.h2 != nil || c.hup == 0 || !c.entry.IsUp() || c.paused {
		return 0
	}
	return max(c.w.Moved(), c.since) + c.hup
}

// Woken is roles.Upper's.
func (c *httpConn) Woken(now time.Duration) { c.role.Woken(now) }

// Timeout is roles.Upper's.
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

// pause notes that the program takes nothing on h1, or does again. now is the System's.
func (c *httpConn) pause(paused bool, now time.Duration) {
	if c.h2 == nil && c.hup != 0 {
		c.paused, c.since = paused, now
		c.w.Rearm()
	}
}

// Closed is roles.Upper's. Streams with an exchange learn it from their exchange, those that wait from here.
func (c *httpConn) Closed(cause error) {
	c.entry.Gone()
	if c.role != nil {
		c.role.Closed(cause)
	}
	c.entry.Closed(cause)
}

// h1Owner and h2Owner tell a connection what its role has to say.
type (
	h1Owner struct{ c *httpConn }
	h2Owner struct{ c *httpConn }
)

func (o h1Owner) Idle(*h1.Client)          { o.c.entry.Ready() }
func (o h1Owner) Closed(*h1.Client, error) {}
func (o h2Owner) Ready(*h2.Client)         { o.c.entry.Ready() }
func (o h2Owner) Draining(*h2.Client)      { o.c.onGoAway() }
func (o h2Owner) Closed(*h2.Client, error) {}

// onGoAway is called when the server has said that it takes no more on this connection.
func (c *httpConn) onGoAway() {
	if c.entry.GoingAway() {
		c.rt.Counters.GoneAway++
	}
}

// Free is pool.Link's.
func (c *httpConn) Free() int { return c.role.Free() }

// Multiplexed is pool.Link's.
func (c *httpConn) Multiplexed() bool { return c.h2 != nil }

// Endless is pool.Link's: the response to a long poll may never end.
func (c *httpConn) Endless() bool { return c.last.pol.HTTP.LongPoll }

// Useful is pool.Link's: a GOAWAY can leave some requests to be finished.
func (c *httpConn) Useful() bool { return c.h2 != nil && c.h2.Took() }

// BytesIn is pool.Link's.
func (c *httpConn) BytesIn() uint64 { return c.w.BytesIn() }

// Probe is pool.Link's.
func (c *httpConn) Probe() { c.h2.Ping() }

// Idle is pool.Link's: the connection is kept for Config.KeepWarm.
func (c *httpConn) Idle() {
	c.since, c.paused = c.rt.loop.Now(), false
	c.w.Rearm()
}

// End is pool.Link's.
func (c *httpConn) End(up bool) {
	if up && c.h2 != nil {
		c.h2.Close()
		return
	}
	c.lower().Close(roles.Immediate, nil)
}

// addUser notes that a stream of kind k begins an exchange.
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

// abandon ends one stream's exchange: over h2 that one alone. noReply reports that no byte has come since it began.
func (c *httpConn) abandon(x http.Exchange, noReply bool) {
	x.SetHandler(discard{})
	if c.h2 == nil {
		c.entry.Abandon()
		return
	}
	x.Reset(nil)
	c.entry.DropUser(noReply)
}

// silentSince says whether nothing has come since the connection had brought so much.
func (c *httpConn) silentSince(heard uint64) bool { return c.w.BytesIn() == heard }

// setValidity has a silent peer probed and given up as a retry scheme demands. The strictest of all users' schemes holds.
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

// shorter is the lesser of two times of which 0 means never.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

var errSilent = fmt.Errorf("ss: http: no byte for svalidhup: %w", http.ErrTimeout)
