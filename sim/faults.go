package sim

import "github.com/millrace/millrace/loop"

// SetLink overrides Options.Link in both directions between a and b, which may be the same host; nil removes the
// override.
func (n *Network) SetLink(a, b *Host, l *Link) {
	n.SetPath(a, b, l)
	n.SetPath(b, a, l)
}

// SetPath overrides Options.Link only from a to b.
func (n *Network) SetPath(from, to *Host, l *Link) {
	k := n.link(from, to)
	k.own = nil
	if l != nil {
		c := *l
		k.own = &c
	}
}

// Partition cuts the links between a and b. Bytes in flight are lost, and sent again after Heal.
func (n *Network) Partition(a, b *Host) {
	n.cut(n.link(a, b))
	n.cut(n.link(b, a))
}

// Heal restores the links that Partition cut.
func (n *Network) Heal(a, b *Host) {
	for _, l := range [2]*link{n.link(a, b), n.link(b, a)} {
		l.cut = false
		n.pumpAll(l)
		for _, f := range l.flows {
			f.from.probe() // a host that no longer knows the connection answers with a reset
		}
	}
}

// Kill removes a host from the network as a power failure does: no peer receives a FIN or a RST. Its System still
// works, but sends and receives nothing.
func (n *Network) Kill(h *Host) {
	h.dead = true
	for _, o := range n.hosts {
		n.lose(n.link(h, o))
		n.lose(n.link(o, h))
	}
}

// ResetAll resets every established connection of h, at both ends.
func (n *Network) ResetAll(h *Host) {
	for _, s := range h.fds {
		if s != nil && s.state == open && !s.unix() {
			s.other.receiveReset()
			s.receiveReset()
		}
	}
}

func (n *Network) cut(l *link) {
	l.cut = true
	n.lose(l)
}

// lose drops the bytes in flight on l.
func (n *Network) lose(l *link) {
	for _, f := range l.flows {
		f.lose()
	}
}

// pumpAll sends the bytes that wait on l. Flows may end meanwhile, so the loop iterates over a copy of the list.
func (n *Network) pumpAll(l *link) {
	for _, f := range append([]*flow(nil), l.flows...) {
		f.pump()
	}
}

// retransmitTo makes the peers of a killed host send again, since another host now answers at its address.
func (n *Network) retransmitTo(old *Host) {
	for _, o := range n.hosts {
		if o != old {
			n.pumpAll(n.link(o, old))
		}
	}
}

// Established returns the descriptors of h's established TCP connections, lowest first. A script selects targets for
// faults from them.
func (h *Host) Established() []loop.FD {
	var list []loop.FD
	for _, s := range h.fds {
		if s != nil && s.state == open && !s.unix() {
			list = append(list, s.fd)
		}
	}
	return list
}

// Reset resets the connection of fd at both ends, as a middlebox does. It returns false if fd is not an established
// TCP connection.
func (h *Host) Reset(fd loop.FD) bool {
	s := h.at(fd)
	if s == nil || s.state != open || s.unix() {
		return false
	}
	s.other.receiveReset()
	s.receiveReset()
	return true
}

// Sever ends the connection of fd silently: no byte arrives any more, and neither end gets an error. It returns false
// if fd is not an established TCP connection.
func (h *Host) Sever(fd loop.FD) bool {
	s := h.at(fd)
	if s == nil || s.state != open || s.unix() {
		return false
	}
	s.sever()
	return true
}
