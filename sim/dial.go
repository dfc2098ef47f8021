package sim

import (
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/millrace/millrace/loop"
)

// Connect starts a connection: see loop.Sockets. TCP returns EINPROGRESS even if the answer is known already, as on
// Linux; a Unix socket is connected or refused at once.
func (h *Host) Connect(a loop.Addr, o loop.SocketOptions) (loop.FD, syscall.Errno) {
	h.calls.Connects++
	s, e := h.connect(a, o)
	fd := loop.NoFD
	if s != nil {
		fd = s.fd
	}
	h.note(opConnect, fd, int(a.IP.Port()), e, nil)
	return fd, e
}

func (h *Host) connect(a loop.Addr, o loop.SocketOptions) (*sock, syscall.Errno) {
	if h.full() {
		return nil, syscall.EMFILE
	}
	if a.Network == loop.Unix {
		return h.connectUnix(a, o)
	}
	to := netip.AddrPortFrom(a.IP.Addr().Unmap(), a.IP.Port())
	switch ip := to.Addr(); { // an unspecified address means this host
	case ip == netip.IPv4Unspecified():
		to = netip.AddrPortFrom(loopback4, to.Port())
	case !ip.IsValid() || ip.IsUnspecified():
		to = netip.AddrPortFrom(loopback6, to.Port())
	}
	from, e := h.source(to.Addr(), o.Interface)
	if e != 0 {
		return nil, e
	}
	port, ok := h.ephemeral(to)
	if !ok {
		return nil, syscall.EADDRNOTAVAIL
	}
	s := &sock{
		h: h, state: connecting, opts: o, bound: true,
		local: loop.Addr{IP: netip.AddrPortFrom(from, port)},
		peer:  loop.Addr{IP: to},
	}
	h.allocate(s)
	n := h.n
	dst := h.lookup(to.Addr())
	if dst == nil {
		n.schedule(arpTimeout, event{kind: evUnreachable, sock: s})
		return s, syscall.EINPROGRESS
	}
	l := n.link(h, dst).opts()
	s.refuse = n.roll(l.Refuse)
	s.blackHole = n.roll(l.BlackHole)
	n.sendSyn(s)
	if s.state == connecting {
		n.schedule(or(n.opts.ConnectTimeout, connectTimeout), event{kind: evConnTimeout, sock: s})
	}
	return s, syscall.EINPROGRESS
}

// lookup finds the host with address a, as seen from h.
func (h *Host) lookup(a netip.Addr) *Host {
	if h.has(a) {
		return h
	}
	return h.n.byAddr[a]
}

// source chooses the local address of a connection to to.
func (h *Host) source(to netip.Addr, bind string) (netip.Addr, syscall.Errno) {
	list := h.addrs
	switch {
	case bind == "lo":
		list = []netip.Addr{loopback4, loopback6}
	case bind == "eth0":
	case bind != "":
		a, err := netip.ParseAddr(bind)
		if err != nil {
			return a, syscall.ENODEV
		}
		if !h.has(a) {
			return a, syscall.EADDRNOTAVAIL
		}
		list = []netip.Addr{a}
	case h.has(to):
		return to, 0
	}
	for _, a := range list {
		if a.Is4() == to.Is4() {
			return a, 0
		}
	}
	return netip.Addr{}, syscall.ENETUNREACH
}

// sendSyn sends a SYN, and sends it again after one second, two more, four more.
func (n *Network) sendSyn(s *sock) {
	s.attempt++
	dst := s.h.lookup(s.peer.IP.Addr())
	l := n.link(s.h, dst)
	if !s.blackHole && !l.cut && !s.h.dead && !dst.dead {
		n.schedule(l.delay(), event{kind: evSyn, sock: s})
	}
	if s.state == connecting {
		n.schedule(time.Second<<min(s.attempt-1, 10), event{kind: evSynRetry, sock: s, epoch: s.attempt})
	}
}

// onSyn handles a SYN that has reached the other host.
func (n *Network) onSyn(s *sock) {
	dst := s.h.lookup(s.peer.IP.Addr())
	back := n.link(dst, s.h)
	if n.link(s.h, dst).cut || dst.dead {
		return
	}
	// The other host dropped the connection after a missing last step, or rebooted, before it was established.
	if s.other != nil && (s.other.h.dead || s.other.state == closed) {
		s.out.end()
		s.in.end()
		s.other, s.out, s.in = nil, nil, nil
	}
	if s.other == nil {
		l := dst.listenerFor(s.peer.IP)
		if s.refuse || l == nil {
			if !back.cut {
				n.schedule(back.delay(), event{kind: evRefused, sock: s})
			}
			return
		}
		if len(l.queue)+l.pending > l.backlog {
			return // Linux drops the SYN, and the other side sends it again
		}
		n.join(s, l, back)
	}
	if !back.cut {
		n.schedule(back.delay(), event{kind: evSynAck, sock: s})
	}
	if s.other.state == waiting {
		n.schedule(halfOpenTime, event{kind: evHalfOpen, sock: s.other})
	}
}

// join makes the listener's end of a connection and the flows between the ends.
func (n *Network) join(s, l *sock, back *link) {
	c := &sock{h: l.h, fd: loop.NoFD, state: waiting, opts: l.opts, via: l, local: s.peer, peer: s.local}
	there := n.link(s.h, l.h)
	if s.unix() {
		there, back = nil, nil
		c.local, c.peer = l.local, loop.Addr{Network: loop.Unix}
	}
	s.other, c.other = c, s
	s.out = n.newFlow(there, s, c, n.buffer(s.opts.SndBuf, n.opts.SndBuf, defaultSndBuf), n.buffer(0, n.opts.RcvBuf, defaultRcvBuf))
	s.in = n.newFlow(back, c, s, n.buffer(0, n.opts.SndBuf, defaultSndBuf), n.buffer(s.opts.RcvBuf, n.opts.RcvBuf, defaultRcvBuf))
	c.in, c.out = s.out, s.in
	l.pending++
}

// buffer selects a size: the socket's, the network's, or the default.
func (n *Network) buffer(socket, network, def int) int {
	return max(or(socket, or(network, def)), minBuf)
}

// onSynAck handles the answer that accepts the connection.
func (n *Network) onSynAck(s *sock) {
	switch {
	case s.other == nil: // the sender was killed, and another host has its address
	case s.other.h.dead || n.link(s.other.h, s.h).cut: // the answer was lost
	case s.state == connecting && s.other.state == waiting:
		s.state = open
		s.out.pump()
		s.wake()
		n.planFaults(s)
	case s.other.state == waiting:
		s.other.abandon(0)
	}
}

// planFaults decides whether a fault hits a new connection.
func (n *Network) planFaults(s *sock) {
	o := n.link(s.h, s.other.h).opts()
	within := or(o.FaultWithin, time.Second)
	if n.roll(o.Reset) {
		n.schedule(max(1, n.upTo(within)), event{kind: evReset, sock: s})
	}
	if n.roll(o.Die) {
		n.schedule(max(1, n.upTo(within)), event{kind: evDie, sock: s})
	}
}

// connectUnix connects both ends at once: a Unix socket has no handshake.
func (h *Host) connectUnix(a loop.Addr, o loop.SocketOptions) (*sock, syscall.Errno) {
	l := h.unix[a.Path]
	switch {
	case a.Path == "":
		return nil, syscall.EINVAL
	case l == nil && strings.HasPrefix(a.Path, "@"):
		return nil, syscall.ECONNREFUSED
	case l == nil:
		return nil, syscall.ENOENT // a listener removes its file when it closes
	case len(l.queue) > l.backlog:
		return nil, syscall.EAGAIN
	}
	s := &sock{h: h, state: open, opts: o, local: loop.Addr{Network: loop.Unix}, peer: a}
	h.allocate(s)
	h.n.join(s, l, nil)
	s.out.pump()
	return s, 0
}
