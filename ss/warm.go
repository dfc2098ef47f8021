package ss

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/h1"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// connKey is what two streams must agree on to use one connection after another.
type connKey struct {
	target wsi.Target
	secure *tls.Client // judged alike and addressed alike, nil without tls
}

// httpConn is a client's HTTP/1.1 connection, in use by one stream or warm in the pool. It is its own
// roles.Upper: h1 does the protocol, the rest is about who uses it.
type httpConn struct {
	h1.Client
	w     wsi.Wsi
	s     *tls.Session // nil without tls
	rt    *Runtime
	key   connKey
	user  *httpClient // nil while nobody uses it
	last  *kind       // of the latest user
	since time.Duration
	// The pool's list of connections with the same key, latest first, and of all, oldest first.
	next         *httpConn
	older, newer *httpConn
	warm         bool
	gone         bool
}

var _ roles.Upper = (*httpConn)(nil)

// newHTTPConn makes a connection for u, still to be dialled.
func newHTTPConn(u *httpClient, key connKey) *httpConn {
	r := u.o.h.rt
	c := &httpConn{rt: r, key: key}
	c.lend(u)
	c.Client.Init(r.h1, &c.w)
	if key.secure != nil {
		c.s = new(tls.Session)
		c.s.InitClient(key.secure, &c.w)
		c.s.SetUpper(c)
		c.Client.Init(r.h1, c.s)
	}
	return c
}

// dial begins to make the connection.
func (c *httpConn) dial(o wsi.DialOptions) {
	var up roles.Upper = c
	if c.s != nil {
		up = c.s
	}
	c.rt.net.Dial(&c.w, c.key.target, up, o)
}

// lend gives the connection to u for a transaction.
func (c *httpConn) lend(u *httpClient) { c.user, c.last = u, u.o.h.kind }

// Label names the stream that uses the connection, or did.
func (c *httpConn) Label() string {
	if c.user == nil {
		return "connection last used by stream " + c.last.pol.Name
	}
	return c.user.o.h.Label()
}

// Opened is roles.Upper's.
func (c *httpConn) Opened(now time.Duration) {
	c.Client.Opened(now)
	c.w.Established()
	if c.user == nil {
		c.discard(nil)
		return
	}
	c.user.opened(c)
}

// Deadline is roles.Upper's: h1's, and the end of being kept warm.
func (c *httpConn) Deadline() time.Duration {
	d := c.Client.Deadline()
	if c.warm {
		if w := c.since + c.rt.cfg.KeepWarm; d == 0 || w < d {
			d = w
		}
	}
	return d
}

// Timeout is roles.Upper's.
func (c *httpConn) Timeout(now time.Duration) {
	if c.warm && now >= c.since+c.rt.cfg.KeepWarm {
		c.discard(nil)
		return
	}
	c.Client.Timeout(now)
}

// Closed is roles.Upper's.
func (c *httpConn) Closed(cause error) {
	c.gone = true
	c.rt.warm.remove(c)
	u := c.user
	c.Client.Closed(cause)
	if u != nil && c.user == u && u.conn == c && u.x == nil {
		// It never stood, so there is no exchange to say so.
		c.user = nil
		u.unreachable(cause)
	}
}

// discard ends a connection that nobody uses.
func (c *httpConn) discard(cause error) {
	c.rt.warm.remove(c)
	if !c.gone {
		c.Lower().Close(roles.Immediate, cause)
	}
}

// park puts a connection that nobody uses any more into the pool, if it can serve again.
func (c *httpConn) park() {
	r := c.rt
	if c.gone || !c.Client.Reusable() || r.cfg.KeepWarm < 0 || r.cfg.WarmMax < 0 || r.closed || r.drain != nil {
		c.discard(nil)
		return
	}
	c.since = r.loop.Now()
	r.warm.put(c)
	c.Lower().Rearm()
}

// warmPool holds connections that wait for their next stream.
type warmPool struct {
	rt             *Runtime
	byKey          map[connKey]*httpConn
	oldest, newest *httpConn
	n              int
}

func (p *warmPool) init(r *Runtime) { p.rt, p.byKey = r, make(map[connKey]*httpConn) }

// take returns the connection with that key that was used last, which is the least likely to have been
// closed by its server, or nil.
func (p *warmPool) take(key connKey) *httpConn {
	c := p.byKey[key]
	if c != nil {
		p.remove(c)
	}
	return c
}

func (p *warmPool) put(c *httpConn) {
	for p.n >= p.rt.cfg.WarmMax {
		p.oldest.discard(nil)
	}
	c.warm = true
	c.next = p.byKey[c.key]
	p.byKey[c.key] = c
	c.older = p.newest
	if p.newest != nil {
		p.newest.newer = c
	} else {
		p.oldest = c
	}
	p.newest = c
	p.n++
}

func (p *warmPool) remove(c *httpConn) {
	if !c.warm {
		return
	}
	c.warm = false
	p.n--
	if at := p.byKey[c.key]; at != c {
		for at.next != c {
			at = at.next
		}
		at.next = c.next
	} else if c.next != nil {
		p.byKey[c.key] = c.next
	} else {
		delete(p.byKey, c.key)
	}
	c.next = nil
	if c.older != nil {
		c.older.newer = c.newer
	} else {
		p.oldest = c.newer
	}
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		p.newest = c.older
	}
	c.older, c.newer = nil, nil
}

func (p *warmPool) closeAll() {
	for p.oldest != nil {
		p.oldest.discard(nil)
	}
}
