package dial

import (
	"net/netip"
	"slices"
	"time"

	"github.com/millrace/millrace/loop"
)

// Trace has the times at which the steps of a dial ended, on the clock of the loop's System. The time of a step that
// was skipped or not reached is 0.
type Trace struct {
	Began     time.Duration
	Resolved  time.Duration // time of the resolver's answer, or of the literal address
	Connected time.Duration
	// Addrs are the addresses of the name, in the order of the attempts.
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
