package wsi

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

// Acceptor provides for the connections that a Listener takes.
type Acceptor interface {
	// Accept provides a new Wsi, embedded where the owner wants it, and the protocol for it, whose
	// Opened is called in the same turn. A nil Wsi refuses the connection.
	Accept(l *Listener) (*Wsi, roles.Upper)
}

// Bind says where to listen.
type Bind struct {
	// Host is an address, the name of a network interface (all its addresses that are not link-local),
	// or "" for every address of the machine.
	Host string
	Port uint16 // 0: the system picks one
	Path string // a Unix socket instead; '@' in front for the abstract namespace
}

// String prints the place as an operator would type it.
func (b Bind) String() string {
	if b.Path == "" && b.Host == "" {
		return fmt.Sprintf("*:%d", b.Port)
	}
	return Target(b).String()
}

// ListenError says what could not be listened on and why.
type ListenError struct {
	Bind Bind
	Err  error
}

// Error implements error.
func (e *ListenError) Error() string { return "wsi: listen: " + e.Bind.String() + ": " + e.Err.Error() }

// Unwrap implements errors.Is and errors.As.
func (e *ListenError) Unwrap() error { return e.Err }

// starved is how long a listener waits after the system had no descriptor or memory for a connection,
// unless one is given back here before.
const starved = 100 * time.Millisecond

// Listener takes connections for an Acceptor.
type Listener struct {
	net      *Net
	acceptor Acceptor
	times    *Timeouts
	sockets  []*listening
	task     loop.Task
	closed   bool
}

// listening is one socket of a Listener.
type listening struct {
	l     *Listener
	src   loop.Source
	retry loop.Timer
	addr  loop.Addr
	more  bool // connections may be waiting
	hungs bool // on Net.starving
}

// Listen opens the sockets that b stands for. times nil, and a zero o.KeepAlive, mean the Net's.
func (n *Net) Listen(b Bind, o loop.ListenOptions, times *Timeouts, a Acceptor) (*Listener, error) {
	addrs, err := n.bindAddrs(b)
	if err != nil {
		return nil, &ListenError{b, err}
	}
	o.KeepAlive = cmp.Or(o.KeepAlive, n.cfg.KeepAlive)
	l := &Listener{net: n, acceptor: a, times: n.timeouts(times)}
	for _, a := range addrs {
		if len(l.sockets) > 0 { // one port for all of them
			a.IP = netip.AddrPortFrom(a.IP.Addr(), l.sockets[0].addr.IP.Port())
		}
		fd, got, err := n.sys.Listen(a, o)
		if err != nil {
			l.shut()
			return nil, &ListenError{b, err}
		}
		s := &listening{l: l, addr: got}
		if err := n.loop.Watch(&s.src, fd, s); err != nil {
			n.sys.Close(fd)
			l.shut()
			return nil, &ListenError{b, err}
		}
		l.sockets = append(l.sockets, s)
		n.listening++
	}
	return l, nil
}

// bindAddrs are the addresses that b stands for.
func (n *Net) bindAddrs(b Bind) ([]loop.Addr, error) {
	if b.Path != "" {
		return []loop.Addr{{Network: loop.Unix, Path: b.Path}}, nil
	}
	if b.Host == "" {
		return []loop.Addr{{IP: netip.AddrPortFrom(netip.Addr{}, b.Port)}}, nil
	}
	if b.Host == "localhost" {
		b.Host = "127.0.0.1"
	}
	if a, err := netip.ParseAddr(b.Host); err == nil {
		return []loop.Addr{{IP: netip.AddrPortFrom(a, b.Port)}}, nil
	}
	ips, err := n.sys.InterfaceAddrs(b.Host)
	if err != nil {
		return nil, fmt.Errorf("%q is neither an address nor an interface: %w", b.Host, err)
	}
	var addrs []loop.Addr
	for _, ip := range ips {
		if !ip.IsLinkLocalUnicast() {
			addrs = append(addrs, loop.Addr{IP: netip.AddrPortFrom(ip, b.Port)})
		}
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("interface %q has no address to listen on", b.Host)
	}
	return addrs, nil
}

// Addr is the first address that is listened on, with the port that the system picked.
func (l *Listener) Addr() loop.Addr { return l.sockets[0].addr }

// Close ends listening at the end of the turn; connections that wait to be accepted are reset by the
// system. Connections taken before are not touched.
func (l *Listener) Close() {
	if !l.closed {
		l.closed = true
		l.net.loop.Defer(&l.task, l)
	}
}

// RunTask implements loop.Runner: see Close.
func (l *Listener) RunTask(time.Duration) { l.shut() }

// Label names the listener in reports.
func (l *Listener) Label() string { return l.sockets[0].Label() }

// shut gives the sockets back.
func (l *Listener) shut() {
	for _, s := range l.sockets {
		fd := s.src.FD()
		l.net.loop.Disarm(&s.retry)
		l.net.loop.Unwatch(&s.src)
		l.net.sys.Close(fd)
	}
	l.net.listening -= len(l.sockets)
	l.net.letGo()
	l.net.starving = slices.DeleteFunc(l.net.starving, func(s *listening) bool { return s.l == l })
}

// Label implements loop.Handler.
func (s *listening) Label() string { return "listener " + s.addr.String() }

// Ready implements loop.Handler: it accepts until nobody waits, or the turn's share is used up.
func (s *listening) Ready(now time.Duration, r loop.Ready) (again bool) {
	n := s.l.net
	if r != 0 {
		s.more = true
	}
	for s.more && !s.l.closed {
		if n.account.Level() >= loop.LevelStopAccepting {
			if n.short() {
				return true
			}
			if !n.evictable() && !n.onlyLasting() {
				s.starve(0)
				return false
			}
		}
		if !n.loop.TakeAccept() {
			return true
		}
		fd, e := n.sys.Accept(s.src.FD())
		switch e {
		case 0:
			s.take(now, fd)
		case syscall.EAGAIN:
			s.more = false
		case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
			n.Counters.AcceptExhausted++
			s.starve(now + starved)
			return false
		case syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK:
			s.more = false // not a listener any more, so nobody can wait here
		default:
			// The connection died before it was taken (accept(2)): its own affair.
		}
	}
	return false
}

// take makes a connection of a descriptor.
func (s *listening) take(now time.Duration, fd loop.FD) {
	n := s.l.net
	if !n.admit(fd) {
		n.sys.Abort(fd) // a close in order would leave each of them with us for a while
		return
	}
	w, u := s.l.acceptor.Accept(s.l)
	if w == nil {
		n.Counters.AcceptRefused++
		n.leave(fd)
		n.sys.Close(fd)
		return
	}
	w.net, w.holding, w.upper, w.times = n, &n.none, u, s.l.times
	if err := n.loop.Watch(&w.src, fd, w); err != nil {
		n.leave(fd)
		n.sys.Close(fd)
		w.phase, w.flags = phaseOpening, closing|closedTold
		u.Closed(&Error{Op: "watch", Wsi: "accepted connection", Err: err})
		w.phase = phaseClosed
		return
	}
	n.open++
	n.Counters.Accepted++
	w.opened(now)
	n.loop.SetUnestablished(&w.src, true)
	n.loop.Kick(&w.src) // Opened in a call of its own: a panic there is the connection's, not the listener's
}

// starve waits until at (0: no time) or until something is given back.
func (s *listening) starve(at time.Duration) {
	n := s.l.net
	if !s.hungs {
		s.hungs = true
		n.starving = append(n.starving, s)
	}
	if at != 0 {
		n.loop.Arm(&s.retry, at, s)
	}
}

// Expired implements loop.Expirer: try again.
func (s *listening) Expired(time.Duration) { s.l.net.wakeListeners() }

// wakeListeners lets listeners that waited for a descriptor or for memory try again.
func (n *Net) wakeListeners() {
	if len(n.starving) == 0 {
		return
	}
	for _, s := range n.starving {
		s.hungs = false
		n.loop.Disarm(&s.retry)
		if !s.l.closed {
			n.loop.Kick(&s.src)
		}
	}
	n.starving = n.starving[:0]
}
