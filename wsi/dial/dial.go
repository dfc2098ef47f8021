package dial

import (
	"net/netip"
	"syscall"
	"time"

	"github.com/millrace/millrace/loop"
)

// Options configure a dial.
type Options struct {
	Socket  loop.SocketOptions
	Timeout time.Duration // of the whole dial; 0 for none
	Trace   *Trace        // filled in as the dial proceeds, unless nil
}

// Owner receives the outcome of a dial. One of Connected and DialFailed is called once, unless the dial is halted
// first.
type Owner interface {
	// Connected reports a connected socket. The owner must call Take before Connected returns. ready is the readiness of
	// the socket since connect(2). again is the result of loop.Handler's Ready, for the owner's source.
	Connected(now time.Duration, ready loop.Ready) (again bool)
	// DialFailed reports that every address has failed. It may be called inside Start.
	DialFailed(err *Error)
	// Label names the owner in reports.
	Label() string
}

// Dial is one dial. The zero value is ready for Start.
type Dial struct {
	loop   *loop.Loop
	sys    loop.System
	owner  Owner
	target Target
	socket loop.SocketOptions
	trace  *Trace

	state    state
	halted   bool
	timedOut bool
	deadline time.Duration // of the whole dial; 0 for none
	timer    loop.Timer    // the present attempt's share of the time, or the resolver's
	stop     func()        // cancels the resolver's request; nil if there is none
	addrs    []loop.Addr   // addresses not tried yet
	try      attempt       // the present attempt
	failed   []Attempt
}

// attempt is a connect to one address, with its descriptor.
type attempt struct {
	src   loop.Source
	d     *Dial
	addr  loop.Addr
	ready loop.Ready // all readiness reported so far
}

// Start starts the dial on loop l. r resolves names.
func (d *Dial) Start(l *loop.Loop, r Resolver, owner Owner, t Target, o Options) {
	d.loop, d.sys, d.owner, d.target, d.socket, d.trace = l, l.System(), owner, t, o.Socket, o.Trace
	d.try.d = d
	d.trace.start(d.sys)
	if o.Timeout > 0 {
		// Use the system's clock, not the loop's time: between turns that may be much earlier.
		d.deadline = d.sys.Now() + o.Timeout
	}
	d.move(awaitAddrs)
	a, name := t.literal()
	if !name {
		if t.Path == "" {
			d.trace.resolved(d.sys, []netip.Addr{a.IP.Addr()}, nil)
		}
		d.addrs = []loop.Addr{a}
		d.next()
		return
	}
	if d.deadline != 0 {
		d.loop.Arm(&d.timer, d.deadline, d)
	}
	if stop := r.Resolve(t.Host, d.resolved); d.state == awaitAddrs {
		d.stop = stop
	}
}

// Target returns the target of the dial.
func (d *Dial) Target() Target { return d.target }

// State returns the step of the dial for reports: "resolving" or "connecting".
func (d *Dial) State() string {
	if d.state == awaitConnect {
		return "connecting"
	}
	return "resolving"
}

// TimedOut reports whether the dial failed because Options.Timeout ran out.
func (d *Dial) TimedOut() bool { return d.timedOut }

// Halt prevents any call of the owner from now on. Descriptors stay open until Cancel, so Halt may be called from any
// callback.
func (d *Dial) Halt() { d.halted = true }

// Cancel ends the dial: it cancels the resolver's request and closes the connecting descriptor. It reports whether
// there was one.
func (d *Dial) Cancel() (open bool) {
	open = d.state == awaitConnect
	if d.stop != nil {
		d.stop()
	}
	if open {
		d.drop()
	}
	d.end()
	return open
}

// Take moves the registration of the connected socket to src, with h as its handler, and returns the address of the
// peer. It makes no system call. It ends the dial.
func (d *Dial) Take(src *loop.Source, h loop.Handler) loop.Addr {
	d.loop.Move(src, &d.try.src, h)
	d.end()
	return d.try.addr
}

// end releases what the dial uses, after every outcome.
func (d *Dial) end() {
	d.loop.Disarm(&d.timer)
	d.stop = nil
	if d.state != ended {
		d.move(ended)
	}
}

// resolved receives the resolver's answer.
func (d *Dial) resolved(addrs []netip.Addr, err error) {
	if d.state != awaitAddrs {
		return
	}
	d.stop = nil
	if d.halted {
		return
	}
	if err == nil && len(addrs) == 0 {
		err = ErrNoName
	}
	d.trace.resolved(d.sys, addrs, err)
	if err != nil {
		d.failed = append(d.failed, Attempt{Step: stepResolve, Err: err})
	}
	for _, a := range addrs {
		d.addrs = append(d.addrs, loop.Addr{IP: netip.AddrPortFrom(a, d.target.Port)})
	}
	d.next()
}

// next tries the remaining addresses in order, until the system accepts one for a connect. Each gets its share of the
// remaining time.
func (d *Dial) next() {
	for len(d.addrs) > 0 {
		a := &d.try
		a.addr, a.ready = d.addrs[0], 0
		d.addrs = d.addrs[1:]
		fd, e := d.sys.Connect(a.addr, d.socket)
		if e != 0 && e != syscall.EINPROGRESS {
			d.fail(e)
			continue
		}
		if err := d.loop.Watch(&a.src, fd, a); err != nil {
			d.sys.Close(fd)
			d.fail(err)
			continue
		}
		d.loop.SetUnestablished(&a.src, true)
		d.move(awaitConnect)
		if now := d.sys.Now(); d.deadline != 0 {
			share := (d.deadline - now) / time.Duration(len(d.addrs)+1)
			d.loop.Arm(&d.timer, now+share, d)
		}
		return
	}
	d.end()
	d.owner.DialFailed(&Error{Target: d.target.String(), Attempts: d.failed})
}

// fail records why the present address failed.
func (d *Dial) fail(err error) {
	d.failed = append(d.failed, Attempt{Step: stepConnect, Addr: d.try.addr, Err: err})
}

// drop closes the descriptor of the present attempt.
func (d *Dial) drop() {
	fd := d.try.src.FD()
	d.loop.Unwatch(&d.try.src)
	d.sys.Close(fd)
}

// abandon ends the present attempt and starts the next.
func (d *Dial) abandon(err error) {
	d.drop()
	d.fail(err)
	d.next()
}

// Expired implements loop.Expirer: the time of the resolver or of the present attempt has run out.
func (d *Dial) Expired(now time.Duration) {
	switch {
	case d.halted || d.state == ended:
	case d.deadline == 0 || now < d.deadline:
		d.abandon(ErrTimeout)
	default:
		d.timedOut, d.addrs = true, nil
		if d.state == awaitConnect {
			d.abandon(ErrTimeout)
			return
		}
		d.failed = append(d.failed, Attempt{Step: stepResolve, Err: ErrTimeout})
		stop := d.stop
		d.next()
		if stop != nil {
			stop()
		}
	}
}

// Ready implements loop.Handler: connect(2) has an outcome, or the socket has further readiness.
func (a *attempt) Ready(now time.Duration, r loop.Ready) (again bool) {
	d := a.d
	a.ready |= r
	if r&(loop.Writable|loop.Broken) == 0 || d.halted {
		return false
	}
	if e := d.sys.SocketError(a.src.FD()); e != 0 {
		d.abandon(e)
		return false
	}
	d.trace.connected(d.sys, a.addr)
	return d.owner.Connected(now, a.ready)
}

// Label names the attempt in reports.
func (a *attempt) Label() string { return a.d.owner.Label() }

// Label names the dial in reports.
func (d *Dial) Label() string { return d.owner.Label() }
