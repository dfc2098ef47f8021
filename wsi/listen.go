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

// Acceptor provides the objects for accepted connections.
type Acceptor interface {
	// Accept returns a new Wsi, usually embedded in an object of the owner, and the protocol for it, whose Opened is
	// called in the same turn. A nil Wsi refuses the connection.
	Accept(l *Listener) (*Wsi, roles.Upper)
}

// Bind is an address to listen on.
type Bind struct {
	// Host is an address, the name of a network interface (all its addresses except link-local ones), or "" for every
	// address of the machine.
	Host string
	Port uint16 // 0: the system chooses one
	Path string // a Unix socket instead; '@' as the first character selects the abstract namespace
}

// String formats the address as an operator would type it.
func (b Bind) String() string {
	if b.Path == "" && b.Host == "" {
		return fmt.Sprintf("*:%d", b.Port)
	}
	return Target(b).String()
}

// ListenError is a failed Listen.
type ListenError struct {
	Bind Bind
	Err  error
}

// Error implements error.
func (e *ListenError) Error() string { return "wsi: listen: " + e.Bind.String() + ": " + e.Err.Error() }

// Unwrap implements errors.Is and errors.As.
func (e *ListenError) Unwrap() error { return e.Err }

// retryAccept is how long a listener waits after the system had no descriptor or memory for a connection, unless this
// process closes a descriptor before.
const retryAccept = 100 * time.Millisecond

// Listener accepts connections for an Acceptor.
type Listener struct {
	net      *Net
	acceptor Acceptor
	timeouts *Timeouts
	sockets  []*listening
	task     loop.Task
	closed   bool
}

// listening is one socket of a Listener.
type listening struct {
	l      *Listener
	src    loop.Source
	retry  loop.Timer
	addr   loop.Addr
	more   bool // connections may be waiting
	queued bool // in Net.waiting
}

// Listen opens the sockets for b. A nil times, and a zero o.KeepAlive, select the Net's.
func (n *Net) Listen(b Bind, o loop.ListenOptions, times *Timeouts, a Acceptor) (*Listener, error) {
	addrs, err := n.bindAddrs(b)
	if err != nil {
		return nil, &ListenError{b, err}
	}
	o.KeepAlive = cmp.Or(o.KeepAlive, n.cfg.KeepAlive)
	l := &Listener{net: n, acceptor: a, timeouts: n.timeouts(times)}
	for _, a := range addrs {
		if len(l.sockets) > 0 { // the other sockets use the same port
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

// bindAddrs returns the addresses for b.
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

// Addr returns the first address of the listener, with its actual port.
func (l *Listener) Addr() loop.Addr { return l.sockets[0].addr }

// Close ends listening at the end of the turn; the system resets connections that were not accepted. Accepted
// connections are not affected.
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

// shut closes the sockets.
func (l *Listener) shut() {
	for _, s := range l.sockets {
		fd := s.src.FD()
		l.net.loop.Disarm(&s.retry)
		l.net.loop.Unwatch(&s.src)
		l.net.sys.Close(fd)
	}
	l.net.listening -= len(l.sockets)
	l.net.detach()
	l.net.waiting = slices.DeleteFunc(l.net.waiting, func(s *listening) bool { return s.l == l })
}

// Label implements loop.Handler.
func (s *listening) Label() string { return "listener " + s.addr.String() }

// Ready implements loop.Handler: it accepts until no connection waits or the turn's budget is used up.
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
				s.waitUntil(0)
				return false
			}
		}
		if !n.loop.TakeAccept() {
			return true
		}
		fd, e := n.sys.Accept(s.src.FD())
		switch e {
		case 0:
			s.adopt(now, fd)
		case syscall.EAGAIN:
			s.more = false
		case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
			n.Counters.AcceptExhausted++
			s.waitUntil(now + retryAccept)
			return false
		case syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK:
			s.more = false // the listener is closed, so no connection waits
		default:
			// The connection was broken before it was accepted (accept(2)).
		}
	}
	return false
}

// adopt makes a connection from a descriptor.
func (s *listening) adopt(now time.Duration, fd loop.FD) {
	n := s.l.net
	if !n.admit(fd) {
		n.sys.Abort(fd) // an orderly close would keep the descriptor for a while
		return
	}
	w, u := s.l.acceptor.Accept(s.l)
	if w == nil {
		n.Counters.AcceptRefused++
		n.leave(fd)
		n.sys.Close(fd)
		return
	}
	w.net, w.holding, w.upper, w.timeouts = n, &n.none, u, s.l.timeouts
	if err := n.loop.Watch(&w.src, fd, w); err != nil {
		n.leave(fd)
		n.sys.Close(fd)
		w.move(phaseOpening)
		w.flags = closing | closedTold
		u.Closed(&Error{Op: "watch", Wsi: "accepted connection", Err: err})
		w.move(phaseClosed)
		return
	}
	n.open++
	n.Counters.Accepted++
	w.opened(now)
	n.loop.SetUnestablished(&w.src, true)
	n.loop.Kick(&w.src) // Opened runs in a separate callback, so that a panic in it is reported for the connection, not for the listener
}

// waitUntil makes the listener wait until at (0: no time) or until a descriptor or memory is released.
func (s *listening) waitUntil(at time.Duration) {
	n := s.l.net
	if !s.queued {
		s.queued = true
		n.waiting = append(n.waiting, s)
	}
	if at != 0 {
		n.loop.Arm(&s.retry, at, s)
	}
}

// Expired implements loop.Expirer: it tries again.
func (s *listening) Expired(time.Duration) { s.l.net.wakeListeners() }

// wakeListeners lets listeners that waited for a descriptor or for memory try again.
func (n *Net) wakeListeners() {
	if len(n.waiting) == 0 {
		return
	}
	for _, s := range n.waiting {
		s.queued = false
		n.loop.Disarm(&s.retry)
		if !s.l.closed {
			n.loop.Kick(&s.src)
		}
	}
	n.waiting = n.waiting[:0]
}
