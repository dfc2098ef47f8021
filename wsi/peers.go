package wsi

import (
	"net/netip"

	"github.com/millrace/millrace/loop"
)

// These are the charges for the table of peers, about the cost of a map entry.
const (
	peerCost     = 128 // for each address
	peerConnCost = 48  // for each connection
)

// peerBits is the prefix of an IPv6 address that identifies a peer: the network of a site, which can use any number
// of addresses in it.
const peerBits = 64

// peers counts accepted connections by the peer's address, for Config.PeerMax. It is nil without a limit.
type peers struct {
	count map[netip.Addr]int32
	of    map[loop.FD]netip.Addr
}

// admit counts an accepted connection. It returns false if its peer has too many already. Peers without an address,
// or whose address the system no longer knows, are not limited.
func (n *Net) admit(fd loop.FD) bool {
	if n.cfg.PeerMax <= 0 {
		return true
	}
	a, ok := n.sys.PeerAddr(fd)
	if !ok || a.Network != loop.TCP {
		return true
	}
	peer := onePeer(a.IP.Addr())
	p := &n.peers
	if p.count == nil {
		p.count, p.of = make(map[netip.Addr]int32), make(map[loop.FD]netip.Addr)
	}
	k := p.count[peer]
	if int(k) >= n.cfg.PeerMax {
		n.Counters.PeerRefused++
		return false
	}
	if k == 0 {
		n.account.Charge(peerCost)
	}
	n.account.Charge(peerConnCost)
	p.count[peer], p.of[fd] = k+1, peer
	return true
}

// leave removes a connection from the count. It is called for every connection, counted or not, before its descriptor
// is closed.
func (n *Net) leave(fd loop.FD) {
	p := &n.peers
	if p.of == nil {
		return
	}
	peer, ok := p.of[fd]
	if !ok {
		return
	}
	delete(p.of, fd)
	n.account.Release(peerConnCost)
	if p.count[peer]--; p.count[peer] == 0 {
		delete(p.count, peer)
		n.account.Release(peerCost)
	}
	if len(p.of) == 0 {
		p.count, p.of = nil, nil // a map never shrinks
	}
}

// onePeer returns the key of a peer: an IPv4 address, or the /64 network of an IPv6 address.
func onePeer(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a
	}
	p, _ := a.Prefix(peerBits)
	return p.Addr()
}
