package dial

import (
	"net/netip"
	"slices"
	"time"

	"github.com/millrace/millrace/loop"
)

// Trace holds the times at which the steps of a dial ended, in the time of the loop's System. The time of a step that was
// not needed, or not reached, is 0.
type Trace struct {
	Began     time.Duration
	Resolved  time.Duration // the resolver's answer, or the address that was given in place of a name
	Connected time.Duration
	// Addrs are the addresses of the name, in the order in which they are tried.
	Addrs []netip.Addr
	// NameError is the resolver's error.
	NameError error
	// Peer is the address that accepted the connection.
	Peer loop.Addr
}

// The methods accept a nil Trace: most dials are not traced.

func (t *Trace) start(c loop.Clock) {
	if t != nil {
		*t = Trace{Began: c.Now()}
	}
}

func (t *Trace) resolved(c loop.Clock, addrs []netip.Addr, err error) {
	if t != nil {
		t.Resolved, t.Addrs, t.NameError = c.Now(), slices.Clone(addrs), err
	}
}

func (t *Trace) connected(c loop.Clock, peer loop.Addr) {
	if t != nil {
		t.Connected, t.Peer = c.Now(), peer
	}
}
