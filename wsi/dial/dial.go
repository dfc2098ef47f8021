package dial

import (
	"net/netip"
	"syscall"
	"time"

	"github.com/millrace/millrace/loop"
)

// Options say how a connection is made.
type Options struct {
	Socket  loop.SocketOptions
	Timeout time.Duration // of the whole dial; 0 for none
	Trace   *Trace        // nil, or what is filled as the dial proceeds
}

// Owner learns how a dial ends. It is called once, by Connected or by DialFailed, unless the dial is halted first.
type Owner interface {
	// Connected reports a connected socket. The owner takes it with Take before it returns. ready is what the socket has
	// shown since connect(2); again is that of loop.Handler's Ready, for the owner's source.
	Connected(now time.Duration, ready loop.Ready) (again bool)
	// DialFailed reports that no address is left. It may be called from inside Start.
	DialFailed(err *Error)
	// Label names the owner in reports.
	Label() string
}

// state is what a dial waits for.
type state uint8

const (
	awaitStart   state = iota // Start
	awaitAddrs                // the resolver's answer
	awaitConnect              // the system's answer to connect(2)
	ended                     // nothing: connected, failed or cancelled
)

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
	timer    loop.Timer    // the attempt's share, or the resolver's time
	stop     func()        // cancels the resolver's work; nil if there is none
	addrs    []loop.Addr   // still to be tried
	try      attempt       // the present one
	failed   []Attempt
}

// attempt is one address that is being tried, with the descriptor that it owns.
type attempt struct {
	src   loop.Source
	d     *Dial
	addr  loop.Addr
	ready loop.Ready // all that was reported
}

// Start begins the dial on loop l. Names are resolved by r.
func (d *Dial) Start(l *loop.Loop, r Resolver, owner Owner, t Target, o Options) {
	d.loop, d.sys, d.owner, d.target, d.socket, d.trace = l, l.System(), owner, t, o.Socket, o.Trace
	d.try.d = d
	d.trace.start(d.sys)
	if o.Timeout > 0 {
		// Not the loop's time, which is that of its last turn: a caller between turns may come long after it.
		d.deadline = d.sys.Now() + o.Timeout
	}
	d.state = awaitAddrs
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

// Target returns what is dialled.
func (d *Dial) Target() Target { return d.target }

// State names what the dial does, for reports: "resolving" or "connecting".
func (d *Dial) State() string {
	if d.state == awaitConnect {
		return "connecting"
	}
	return "resolving"
}

// TimedOut reports whether the dial failed because Options.Timeout ran out.
func (d *Dial) TimedOut() bool { return d.timedOut }

// Halt keeps the dial from calling its owner, now and later. Descriptors stay open until Cancel, so it may be called
// from any callback.
func (d *Dial) Halt() { d.halted = true }

// Cancel ends the dial: it cancels the resolver's work and closes the descriptor that is being connected. It reports
// whether there was one.
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

// Take moves the registration of the connected socket to src, to be handled by h, and returns the address of the peer.
// It costs no system call. The dial is over.
func (d *Dial) Take(src *loop.Source, h loop.Handler) loop.Addr {
	d.loop.Move(src, &d.try.src, h)
	d.end()
	return d.try.addr
}

// end is the end of the dial, however it came.
func (d *Dial) end() {
	d.loop.Disarm(&d.timer)
	d.state, d.stop = ended, nil
}

// resolved is called with the resolver's answer.
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

// next tries the addresses that are left, in order, until the system accepts one for a connect. Each may use its share
// of the time that is left.
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
		d.state = awaitConnect
		if now := d.sys.Now(); d.deadline != 0 {
			share := (d.deadline - now) / time.Duration(len(d.addrs)+1)
			d.loop.Arm(&d.timer, now+share, d)
		}
		return
	}
	d.end()
	d.owner.DialFailed(&Error{Target: d.target.String(), Attempts: d.failed})
}

// fail notes why the present address failed.
func (d *Dial) fail(err error) {
	d.failed = append(d.failed, Attempt{Step: stepConnect, Addr: d.try.addr, Err: err})
}

// drop closes the descriptor of the present attempt.
func (d *Dial) drop() {
	fd := d.try.src.FD()
	d.loop.Unwatch(&d.try.src)
	d.sys.Close(fd)
}

// giveUp ends the present attempt and starts the next.
func (d *Dial) giveUp(err error) {
	d.drop()
	d.fail(err)
	d.next()
}

// Expired implements loop.Expirer: the resolver, or the present address, has used its time.
func (d *Dial) Expired(now time.Duration) {
	switch {
	case d.halted || d.state == ended:
	case d.deadline == 0 || now < d.deadline:
		d.giveUp(ErrTimeout)
	default:
		d.timedOut, d.addrs = true, nil
		if d.state == awaitConnect {
			d.giveUp(ErrTimeout)
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

// Ready implements loop.Handler: the system has answered connect(2), or shows what the peer has sent already.
func (a *attempt) Ready(now time.Duration, r loop.Ready) (again bool) {
	d := a.d
	a.ready |= r
	if r&(loop.Writable|loop.Broken) == 0 || d.halted {
		return false
	}
	if e := d.sys.SocketError(a.src.FD()); e != 0 {
		d.giveUp(e)
		return false
	}
	d.trace.connected(d.sys, a.addr)
	return d.owner.Connected(now, a.ready)
}

// Label names the attempt in reports.
func (a *attempt) Label() string { return a.d.owner.Label() }

// Label names the dial in reports.
func (d *Dial) Label() string { return d.owner.Label() }
