package ss

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/h1"
	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

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

// connPhase is where a connection stands.
type connPhase uint8

const (
	connConnecting connPhase = iota
	connUp
	connLeaving // exchanges in progress are finished, none is started
	connGone
)

// httpConn is a client's connection that serves HTTP exchanges: of one stream, of one after another, or of
// many at a time. It is the roles.Upper of its transport: its role does the protocol, the rest is about who
// uses it.
type httpConn struct {
	w     wsi.Wsi
	s     *tls.Session // nil without tls
	role  httpRole     // nil until ALPN has named it
	h2    *h2.Client   // role, if it is that
	rt    *Runtime
	route *route
	own   *httpClient   // connecting: the stream it is made for, nil if for any
	last  *kind         // of the latest user, or of who had it made
	since time.Duration // when it became warm; in use, on h1: since when silence counts at the earliest
	id    uint32        // names it in dumps
	users int           // streams with an exchange on it
	// How long the peer may be silent, as its users' retry schemes have it.
	ping, hup time.Duration
	heard     uint64
	// The route's list, and that of the warm ones.
	next, prev   *httpConn
	older, newer *httpConn

	phase    connPhase
	listed   bool
	warm     bool
	used     bool // an exchange was started on it
	answered bool // it has brought a response
	doubted  bool // it has brought nothing since heard
	paused   bool // h1: the program takes nothing
}

var _ roles.Upper = (*httpConn)(nil)

// newConn makes a connection on r's way, still to be dialled.
func (r *route) newConn(k *kind) *httpConn {
	p := r.pool
	p.made++
	r.refs++
	c := &httpConn{rt: p.rt, route: r, last: k, id: p.made}
	if r.key.secure == nil {
		// Without TLS there is nobody to ask: HTTP/2 begins by prior knowledge (RFC 9113 s.3.3).
		c.speak(r.key.protocol == policy.H2)
		return c
	}
	c.s = new(tls.Session)
	c.s.InitClient(r.key.secure, &c.w)
	c.s.SetUpper(c)
	if r.key.protocol == policy.H2 {
		c.s.SetChooser(c.choose)
	} else {
		c.speak(false)
	}
	return c
}

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
		if c.route.key.bareLF {
			one.AcceptBareLF()
		}
		c.role = one
		return
	}
	c.h2 = new(h2.Client)
	c.h2.Init(c.rt.h2, c.lower())
	c.h2.Owner = h2Owner{c}
	if c.route.key.tolerant {
		c.h2.Tolerate()
	}
	if w := c.route.key.window; w > 0 {
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

// dial begins to make the connection.
func (c *httpConn) dial(o wsi.DialOptions) {
	var up roles.Upper = c
	if c.s != nil {
		up = c.s
	}
	c.rt.net.Dial(&c.w, c.route.key.target, up, o)
}

// Label says whose connection it is.
func (c *httpConn) Label() string {
	name := c.last.pol.Name
	switch {
	case c.users > 1:
		return fmt.Sprintf("connection of %d streams, the latest %s", c.users, name)
	case c.users == 0 && c.phase != connConnecting:
		return "connection last used by stream " + name
	}
	return "stream " + name
}

// describe says which connection it is, for Dump.
func (c *httpConn) describe() string {
	if c.h2 == nil {
		return c.w.Label()
	}
	return fmt.Sprintf("%s, h2 connection %d, streams on it: %d", c.w.Label(), c.id, c.users)
}

// Opened is roles.Upper's.
func (c *httpConn) Opened(now time.Duration) {
	c.phase = connUp
	c.role.Opened(now)
	c.w.Established()
	if a := c.own; a != nil {
		c.own = nil
		if err := a.use(c); err != nil {
			c.discard()
			a.unreachable(err)
		}
		return
	}
	c.ready()
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
	if c.warm {
		d = shorter(d, c.since+c.rt.cfg.KeepWarm)
	}
	return d
}

// silentDue is when svalidhup ends a connection on which no byte moves, 0 for never. HTTP/2 does it by itself, since it
// can ask its peer. Silence does not count while the program has paused: it is ours.
func (c *httpConn) silentDue() time.Duration {
	if c.h2 != nil || c.hup == 0 || c.phase != connUp || c.paused {
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
	case c.warm && now >= c.since+c.rt.cfg.KeepWarm:
		c.discard()
	case silent != 0 && now >= silent:
		c.rt.Counters.Silent++
		c.withdraw()
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
	c.withdraw()
	left := c.phase == connLeaving
	c.phase = connGone
	if c.role != nil {
		c.role.Closed(cause)
	}
	if a := c.own; a != nil {
		c.own = nil
		a.unreachable(cause)
	}
	c.route.closed(c, cause, left)
}

// h1Owner and h2Owner tell a connection what its role has to say.
type (
	h1Owner struct{ c *httpConn }
	h2Owner struct{ c *httpConn }
)

func (o h1Owner) Idle(*h1.Client)          { o.c.ready() }
func (o h1Owner) Closed(*h1.Client, error) {}
func (o h2Owner) Ready(*h2.Client)         { o.c.ready() }
func (o h2Owner) Draining(*h2.Client)      { o.c.sentAway() }
func (o h2Owner) Closed(*h2.Client, error) {}

// ready is called when exchanges may be possible that were not.
func (c *httpConn) ready() {
	if c.phase != connUp {
		return
	}
	c.route.serve()
	if c.users == 0 && c.route.first == nil && !c.warm {
		c.park()
	}
}

// sentAway is called when the server has said that it takes no more on this connection.
func (c *httpConn) sentAway() {
	if c.phase != connUp {
		return
	}
	c.rt.Counters.GoneAway++
	c.withdraw()
	c.phase = connLeaving
	c.route.sentAway(c)
}

// lend notes that a stream of kind k begins an exchange.
func (c *httpConn) lend(k *kind) {
	n := &c.rt.Counters
	switch {
	case c.warm:
		n.Warm++
		c.unpark()
	case c.used:
		n.Shared++
	}
	c.used, c.last = true, k
	c.users++
	c.since, c.paused = c.rt.loop.Now(), false
	c.setValidity(k.pol.Retry)
}

// giveBack notes that a stream has no exchange on the connection any more. noReply says that the peer has been silent
// about it, and about all else.
func (c *httpConn) giveBack(noReply bool) {
	if noReply {
		c.doubt()
	}
	if c.users--; c.users == 0 && c.route.first == nil {
		c.park()
	}
}

// abandon ends one stream's exchange: over h2 that one alone. noReply is giveBack's.
func (c *httpConn) abandon(x http.Exchange, noReply bool) {
	x.SetHandler(nobody{})
	if c.h2 == nil {
		c.users--
		c.discard()
		return
	}
	x.Reset(nil)
	c.giveBack(noReply)
}

// silentSince says whether nothing has come since the connection had brought so much.
func (c *httpConn) silentSince(heard uint64) bool { return c.w.BytesIn() == heard }

// doubt has no stream join the connection until it has given a sign of life, which it is asked for. A peer that
// has vanished would otherwise take one attempt after another down with it for as long as TCP believes in it.
func (c *httpConn) doubt() {
	if c.h2 != nil && c.phase == connUp && c.trusted() {
		c.doubted, c.heard = true, c.w.BytesIn()
		c.h2.Ping()
	}
}

func (c *httpConn) trusted() bool {
	if c.doubted && !c.silentSince(c.heard) {
		c.doubted = false
	}
	return !c.doubted
}

// useful reports whether the server has done anything for a request on this connection: it has answered one, or its
// GOAWAY leaves some to be finished.
func (c *httpConn) useful() bool { return c.answered || c.h2 != nil && c.h2.Took() }

// takes says whether a stream can have an exchange now.
func (c *httpConn) takes() bool { return c.phase == connUp && c.trusted() && c.role.Free() > 0 }

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

// withdraw takes the connection out of its lists: no stream will find it.
func (c *httpConn) withdraw() {
	c.rt.pool.warm.remove(c)
	c.route.unlist(c)
}

// discard ends a connection that nobody uses.
func (c *httpConn) discard() {
	c.withdraw()
	switch {
	case c.phase == connUp && c.h2 != nil:
		c.h2.Close()
	case c.phase != connGone:
		c.lower().Close(roles.Immediate, nil)
	}
	if c.phase != connGone {
		c.phase = connLeaving
	}
}

// park keeps a connection that nobody uses any more for the next stream, if it can serve again.
func (c *httpConn) park() {
	r := c.rt
	switch {
	case c.phase == connLeaving && c.h2 != nil:
		// It ends by itself, in order.
	case c.phase != connUp, c.role.Free() == 0, r.cfg.KeepWarm < 0, r.cfg.WarmMax < 0, r.closed, r.drain != nil:
		c.discard()
	default:
		c.since, c.paused = r.loop.Now(), false
		r.pool.warm.put(c)
		if !c.listed {
			c.route.list(c)
		}
		c.w.Rearm()
	}
}

// unpark takes the connection into use.
func (c *httpConn) unpark() {
	c.rt.pool.warm.remove(c)
	if !c.route.shared() {
		c.route.unlist(c)
	}
}
