package sim

import (
	"fmt"
	"net/netip"
	"syscall"

	"github.com/millrace/millrace/loop"
)

// Listen opens a listening socket: see loop.Sockets. Port 0 selects an ephemeral port.
func (h *Host) Listen(a loop.Addr, o loop.ListenOptions) (loop.FD, loop.Addr, error) {
	h.calls.Listens++
	s, e := h.listen(a, o)
	if e != 0 {
		h.note(opListen, loop.NoFD, 0, e, nil)
		return loop.NoFD, loop.Addr{}, fmt.Errorf("sim: listen: on %s: %w", a, e)
	}
	h.note(opListen, s.fd, int(s.local.IP.Port()), 0, nil)
	return s.fd, s.local, nil
}

func (h *Host) listen(a loop.Addr, o loop.ListenOptions) (*sock, syscall.Errno) {
	if h.full() {
		return nil, syscall.EMFILE
	}
	backlog := o.Backlog
	if backlog <= 0 || backlog > maxBacklog {
		backlog = defaultBacklog
	}
	s := &sock{h: h, state: listening, backlog: backlog, reuse: o.ReusePort, v6only: o.V6Only}
	s.opts = loop.SocketOptions{KeepAlive: o.KeepAlive, UserTimeout: o.UserTimeout}
	if a.Network == loop.Unix {
		if a.Path == "" {
			return nil, syscall.EINVAL
		}
		if h.unix[a.Path] != nil {
			return nil, syscall.EADDRINUSE
		}
		s.local = a
		h.unix[a.Path] = s
		h.allocate(s)
		return s, 0
	}
	ip, port := a.IP.Addr().Unmap(), a.IP.Port()
	if !ip.IsValid() {
		ip = netip.IPv6Unspecified()
	}
	if !ip.IsUnspecified() && !h.has(ip) {
		return nil, syscall.EADDRNOTAVAIL
	}
	if port == 0 {
		var ok bool
		if port, ok = h.ephemeral(netip.AddrPort{}); !ok {
			return nil, syscall.EADDRINUSE
		}
		delete(h.conns, tuple{port: port}) // the table of listeners has the port
	}
	s.local = loop.Addr{IP: netip.AddrPortFrom(ip, port)}
	for _, l := range h.listeners[port] {
		if !(l.reuse && s.reuse) && l.overlaps(s) {
			return nil, syscall.EADDRINUSE
		}
	}
	h.listeners[port] = append(h.listeners[port], s)
	h.allocate(s)
	return s, 0
}

// match reports whether a listener with the address of s accepts connections to ip, and how specific it is: 0 no, 1
// by wildcard, 2 by exact address.
func (s *sock) match(ip netip.Addr) int {
	own := s.local.IP.Addr()
	switch {
	case own == ip:
		return 2
	case !own.IsUnspecified():
		return 0
	case own.Is4() == ip.Is4(), own.Is6() && !s.v6only:
		return 1
	}
	return 0
}

// overlaps reports whether two listeners on one port could both accept the same connection.
func (s *sock) overlaps(o *sock) bool {
	a, b := s.local.IP.Addr(), o.local.IP.Addr()
	wildA, wildB := a.IsUnspecified(), b.IsUnspecified()
	switch {
	case !wildA && !wildB:
		return a == b
	case wildA && wildB:
		for _, ip := range [2]netip.Addr{loopback4, loopback6} {
			if s.match(ip) > 0 && o.match(ip) > 0 {
				return true
			}
		}
		return false
	case wildA:
		return s.match(b) > 0
	}
	return o.match(a) > 0
}

// listenerFor finds the listener for an address: an exact address takes precedence over a wildcard. Among several
// listeners that share the port, it selects one randomly, as the kernel's hash does.
func (h *Host) listenerFor(a netip.AddrPort) *sock {
	var best *sock
	score, count := 0, 0
	for _, l := range h.listeners[a.Port()] {
		switch k := l.match(a.Addr()); {
		case k == 0 || k < score:
		case k > score:
			best, score, count = l, k, 1
		default:
			count++
			if h.n.faultRNG.IntN(count) == 0 {
				best = l
			}
		}
	}
	return best
}

// ready completes the handshake: s can be accepted now.
func (s *sock) ready() {
	if s.state != waiting {
		return
	}
	l := s.via
	l.pending--
	if l.state != listening {
		s.state = open
		s.gone = true
		s.reset()
		return
	}
	s.state = open
	l.queue = append(l.queue, s)
	l.wake()
}

// Accept accepts one connection: see loop.Sockets. Without a free descriptor it returns EMFILE, and the connection
// stays in the queue.
func (h *Host) Accept(fd loop.FD) (loop.FD, syscall.Errno) {
	h.calls.Accepts++
	got, e := h.accept(fd)
	if e == syscall.EAGAIN {
		h.calls.AcceptsEmpty++
	}
	h.note(opAccept, fd, int(got), e, nil)
	return got, e
}

func (h *Host) accept(fd loop.FD) (loop.FD, syscall.Errno) {
	l := h.at(fd)
	switch {
	case l == nil:
		return loop.NoFD, syscall.EBADF
	case l.state != listening:
		return loop.NoFD, syscall.EINVAL
	case h.full():
		return loop.NoFD, syscall.EMFILE
	case len(l.queue) == 0:
		l.told &^= loop.Readable
		return loop.NoFD, syscall.EAGAIN
	}
	s := l.queue[0]
	l.queue[0] = nil
	if l.queue = l.queue[1:]; len(l.queue) == 0 {
		l.queue = nil
	}
	return h.allocate(s), 0
}

// closeListener resets the connections that were not accepted.
func (h *Host) closeListener(l *sock) {
	l.state = closed
	if l.unix() {
		delete(h.unix, l.local.Path)
	} else {
		port := l.local.IP.Port()
		list := h.listeners[port]
		for i := range list {
			if list[i] == l {
				list = append(list[:i:i], list[i+1:]...)
				break
			}
		}
		if h.listeners[port] = list; len(list) == 0 {
			delete(h.listeners, port)
		}
	}
	for _, s := range l.queue {
		s.gone = true
		s.leave(true)
		if s.unix() && s.other.state == closed {
			s.other.err = syscall.ECONNRESET // on TCP the RST has set it
		}
	}
	l.queue = nil
}
