package wsi

import (
	"net/netip"
	"slices"
	"time"

	"github.com/millrace/millrace/loop"
)

// Trace tells when the steps of a dial were over, in the time of the loop's System. A step that was not
// needed, or not reached, has the time 0.
type Trace struct {
	Began     time.Duration
	Resolved  time.Duration // the resolver's answer, or the address that stood in place of a name
	Connected time.Duration
	// Addrs are what the name stands for, in the order in which they are tried.
	Addrs []netip.Addr
	// NameError is why there are none.
	NameError error
	// Peer is the address that took the connection.
	Peer loop.Addr
}

// The methods take a nil Trace for one that nobody asked for.

func (t *Trace) begin(n *Net) {
	if t != nil {
		*t = Trace{Began: n.sys.Now()}
	}
}

func (t *Trace) resolved(n *Net, addrs []netip.Addr, err error) {
	if t != nil {
		t.Resolved, t.Addrs, t.NameError = n.sys.Now(), slices.Clone(addrs), err
	}
}

func (t *Trace) connected(n *Net, peer loop.Addr) {
	if t != nil {
		t.Connected, t.Peer = n.sys.Now(), peer
	}
}
