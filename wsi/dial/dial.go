package wsi

import (
	"cmp"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

// Target is what to connect to: a host and port, or the path of a Unix socket ('@' in front for the
// abstract namespace).
type Target struct {
	Host string
	Port uint16
	Path string
}

// String prints the target as an operator would type it, escaped: a redirect may have named it.
func (t Target) String() string {
	if t.Path != "" {
		return "unix:" + roles.Plain(t.Path)
	}
	if a, err := netip.ParseAddr(t.Host); err == nil {
		return netip.AddrPortFrom(a, t.Port).String()
	}
	return roles.Plain(t.Host) + ":" + strconv.Itoa(int(t.Port))
}

// DialOptions say how a connection is made.
type DialOptions struct {
	Socket   loop.SocketOptions // a zero KeepAlive: the Net's
	Timeouts *Timeouts          // nil, or zero fields: the Net's
	Trace    *Trace             // nil, or what is to be filled as the dial goes on
}

// Steps of a dial, as Attempt.Step names them.
const (
	stepResolve = "resolve"
	stepConnect = "connect"
)

// dial is the state of a connection that does not stand yet.
type dial struct {
	w        *Wsi
	target   Target
	socket   loop.SocketOptions
	addrs    []loop.Addr // still to be tried
	failed   []Attempt
	trying   loop.Addr
	trace    *Trace
	stop     func() // ends the resolver's work
	answered bool   // by the resolver
}

// Dial begins a connection for u on w, which must be new. Whatever happens, happens later: u.Opened
// when the connection stands, or u.Closed with a *DialError.
func (n *Net) Dial(w *Wsi, t Target, u roles.Upper, o DialOptions) {
	w.net, w.holding, w.upper, w.times = n, &n.none, u, n.timeouts(o.Timeouts)
	d := &dial{w: w, target: t, socket: o.Socket, trace: o.Trace}
	d.socket.KeepAlive = cmp.Or(d.socket.KeepAlive, n.cfg.KeepAlive)
	d.trace.begin(n)
	w.dial = d
	w.phase = phaseResolving
	if w.times.Connect > 0 {
		// The loop's time is that of its last turn, which may be long ago for who calls between turns.
		w.clock = n.sys.Now() + w.times.Connect
	}
	switch a, err := netip.ParseAddr(t.Host); {
	case t.Path != "":
		d.addrs = []loop.Addr{{Network: loop.Unix, Path: t.Path}}
		d.next()
	case err == nil:
		d.addrs = []loop.Addr{{IP: netip.AddrPortFrom(a, t.Port)}}
		d.trace.resolved(n, []netip.Addr{a}, nil)
		d.next()
	default:
		if w.clock != 0 {
			n.loop.Arm(&w.timer, w.clock, w)
		}
		if stop := n.resolver.Resolve(t.Host, d.resolved); !d.answered {
			d.stop = stop
		}
	}
}

// resolved takes the resolver's answer.
func (d *dial) resolved(addrs []netip.Addr, err error) {
	w := d.w
	d.answered, d.stop = true, nil
	if w.dial != d || w.phase != phaseResolving || w.flags&closing != 0 {
		return
	}
	if err == nil && len(addrs) == 0 {
		err = ErrNoName
	}
	d.trace.resolved(w.net, addrs, err)
	if err != nil {
		d.failed = append(d.failed, Attempt{Step: stepResolve, Err: err})
	}
	for _, a := range addrs {
		d.addrs = append(d.addrs, loop.Addr{IP: netip.AddrPortFrom(a, d.target.Port)})
	}
	d.next()
}

// next tries the addresses that are left, in order, until the system takes one on. Each may use its
// share of the time that is left.
func (d *dial) next() {
	w := d.w
	n := w.net
	for len(d.addrs) > 0 {
		d.trying = d.addrs[0]
		d.addrs = d.addrs[1:]
		fd, e := n.sys.Connect(d.trying, d.socket)
		if e != 0 && e != syscall.EINPROGRESS {
			d.fail(e)
			continue
		}
		if err := n.loop.Watch(&w.src, fd, w); err != nil {
			n.sys.Close(fd)
			d.fail(err)
			continue
		}
		n.loop.Newcomer(&w.src, true)
		n.open++
		w.phase = phaseConnecting
		if now := n.sys.Now(); w.clock != 0 {
			share := (w.clock - now) / time.Duration(len(d.addrs)+1)
			n.loop.Arm(&w.timer, now+share, w)
		}
		return
	}
	w.Close(roles.Immediate, &DialError{Target: d.target.String(), Attempts: d.failed})
}

func (d *dial) fail(err error) {
	d.failed = append(d.failed, Attempt{Step: stepConnect, Addr: d.trying, Err: err})
}

// cancel ends work that is still going on for the dial.
func (d *dial) cancel() {
	if d.stop != nil {
		d.stop()
		d.stop = nil
	}
}

// connected learns what became of the connect. True: the connection stands.
func (w *Wsi) connected(now time.Duration) bool {
	n, d := w.net, w.dial
	if e := n.sys.SocketError(w.src.FD()); e != 0 {
		d.giveUp(e)
		return false
	}
	n.Counters.Dialled++
	d.trace.connected(n, d.trying)
	w.dial = nil
	w.opened(now)
	return true
}

// opened begins the life of a connection that stands. The Upper hears of it when it is served.
func (w *Wsi) opened(now time.Duration) {
	w.phase, w.clock = phaseOpening, 0
	if w.times.Establish > 0 {
		w.clock = now + w.times.Establish
	}
	w.flags |= wrReady | unopened
}

// giveUp ends the present attempt and goes on to the next address.
func (d *dial) giveUp(err error) {
	w := d.w
	n := w.net
	fd := w.src.FD()
	n.loop.Unwatch(&w.src)
	n.sys.Close(fd)
	n.open--
	w.flags &^= rdReady | wrReady | hungUp
	d.fail(err)
	d.next()
}

// dialTimedOut ends the whole dial.
func (w *Wsi) dialTimedOut() {
	d := w.dial
	a := Attempt{Step: stepResolve, Err: ErrTimeout}
	if w.phase == phaseConnecting {
		a = Attempt{Step: stepConnect, Addr: d.trying, Err: ErrTimeout}
	}
	d.failed = append(d.failed, a)
	w.Close(roles.Immediate, &DialError{Target: d.target.String(), Attempts: d.failed})
}
