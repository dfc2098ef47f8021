package wsi

import (
	"cmp"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/wsi/dial"
)

// These are the types of package dial that a program needs for dialling.
type (
	// Target is what to connect to.
	Target = dial.Target
	// Trace has the times of the steps of a dial.
	Trace = dial.Trace
	// DialError lists the failed attempts of a dial.
	DialError = dial.Error
	// Attempt is a failed step of a dial.
	Attempt = dial.Attempt
	// Resolver resolves names to addresses.
	Resolver = dial.Resolver
)

// DialOptions configure a dial.
type DialOptions struct {
	Socket   loop.SocketOptions // a zero KeepAlive selects the Net's
	Timeouts *Timeouts          // nil and zero fields select the Net's
	Trace    *Trace             // filled in as the dial proceeds, unless nil
}

// dialling is the owner of a connection's dial.
type dialling struct {
	dial.Dial
	w *Wsi
}

// Dial dials t for u on w, which must be new. It calls u later, never before it returns: u.Opened if the connection
// is established, or u.Closed with a *DialError.
func (n *Net) Dial(w *Wsi, t Target, u roles.Upper, o DialOptions) {
	w.net, w.holding, w.upper, w.timeouts = n, &n.none, u, n.timeouts(o.Timeouts)
	o.Socket.KeepAlive = cmp.Or(o.Socket.KeepAlive, n.cfg.KeepAlive)
	w.dial = &dialling{w: w}
	w.move(phaseDialling)
	w.dial.Start(n.loop, n.resolver, w.dial, t, dial.Options{
		Socket: o.Socket, Timeout: w.timeouts.Connect, Trace: o.Trace,
	})
}

// Connected implements dial.Owner.
func (d *dialling) Connected(now time.Duration, ready loop.Ready) (again bool) {
	w := d.w
	d.Take(&w.src, w)
	w.dial = nil
	w.net.open++
	w.net.Counters.Dialled++
	if ready&(loop.Readable|loop.HangUp|loop.Broken) != 0 {
		w.flags |= rdReady
		if ready&(loop.HangUp|loop.Broken) != 0 {
			w.flags |= hungUp
		}
	}
	w.opened(now)
	return w.serve(now, false)
}

// DialFailed implements dial.Owner.
func (d *dialling) DialFailed(err *DialError) {
	if d.TimedOut() {
		d.w.net.Counters.TimedOut++
	}
	d.w.Close(roles.Immediate, err)
}

// Label implements dial.Owner.
func (d *dialling) Label() string { return d.w.Label() }

// opened initialises an established connection. The Upper's Opened is called when the connection is served.
func (w *Wsi) opened(now time.Duration) {
	w.move(phaseOpening)
	w.activityOrDeadline = 0
	if w.timeouts.Establish > 0 {
		w.activityOrDeadline = now + w.timeouts.Establish
	}
	w.flags |= wrReady | unopened
}
