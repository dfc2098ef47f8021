package sim

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/loop"
)

// maxTurns is how many turns Run allows at one instant. Moving a gigabyte over a perfect link within
// one takes fewer; a loop that spins takes more in about a second.
const maxTurns = 1 << 20

// Driver is a loop as Run sees it; *loop.Loop is one. A driver that also has System() is serviced when
// its own host has news; one without it, when any host has that no other driver claims.
type Driver interface {
	Service() error         // one turn that does not wait
	Timeout() time.Duration // until it wants a turn: 0 now, loop.Forever never
}

// driver is a Driver with what Run knows of it.
type driver struct {
	Driver
	host *Host
	due  time.Duration // absolute; negative: never
}

// Run drives several loops on the one clock until the condition holds: it services, in seeded order,
// every loop that has work or whose host has events, and lets time pass when none has. limit is
// virtual time. The error is ErrLimit, ErrDeadlock or ErrLivelock with a dump of what is open, or a
// loop's own.
func (n *Network) Run(until func() bool, limit time.Duration, loops ...Driver) error {
	end := n.now + limit
	ds, claimed := n.drivers(loops)
	turns, instant := 0, n.now
	for !until() {
		n.advance(n.now)
		worked, err := n.round(ds, claimed)
		switch {
		case err != nil:
			return err
		case n.now != instant:
			turns, instant = 0, n.now
		}
		if turns += worked; turns > maxTurns*max(1, len(ds)) {
			return fmt.Errorf("sim: run: at %v: %w\n%s", n.now, ErrLivelock, n.Dump())
		}
		if worked > 0 {
			if n.now <= end {
				continue
			}
			return n.overrun(limit, until)
		}
		at, ok := n.nextTurn(ds)
		if !ok {
			if until() {
				return nil
			}
			return fmt.Errorf("sim: run: at %v: %w\n%s", n.now, ErrDeadlock, n.Dump())
		}
		if at > end {
			n.advance(end)
			return n.overrun(limit, until)
		}
		n.advance(at)
	}
	return nil
}

func (n *Network) overrun(limit time.Duration, until func() bool) error {
	if until() {
		return nil
	}
	return fmt.Errorf("sim: run: for %v: %w\n%s", limit, ErrLimit, n.Dump())
}

// drivers finds each loop's host.
func (n *Network) drivers(loops []Driver) (ds []*driver, claimed []bool) {
	claimed = make([]bool, len(n.hosts))
	for _, l := range loops {
		d := &driver{Driver: l, due: -1}
		if s, ok := l.(interface{ System() loop.System }); ok {
			if h, ok := s.System().(*Host); ok && h.n == n {
				d.host = h
				claimed[h.index] = true
			}
		}
		ds = append(ds, d)
	}
	return ds, claimed
}

// round gives every loop that wants one a turn, in random order, and returns how many did.
func (n *Network) round(ds []*driver, claimed []bool) (worked int, err error) {
	if len(ds) > 1 {
		n.chance.Shuffle(len(ds), func(i, j int) { ds[i], ds[j] = ds[j], ds[i] })
	}
	for _, d := range ds {
		d.look(n.now)
		if d.host != nil && n.now < d.host.paused {
			continue
		}
		if (d.due < 0 || d.due > n.now) && !n.news(d, claimed) {
			continue
		}
		if err := d.Service(); err != nil {
			return worked, err
		}
		d.due = -1
		d.look(n.now)
		worked++
	}
	return worked, nil
}

// look brings due forward to what the driver says now. A loop may count from its last turn, so what
// it said right after that turn is kept until the next.
func (d *driver) look(now time.Duration) {
	if t := d.Timeout(); t >= 0 && (d.due < 0 || now+t < d.due) {
		d.due = now + t
	}
}

// news says whether a host that d is responsible for has events.
func (n *Network) news(d *driver, claimed []bool) bool {
	if d.host != nil {
		return d.host.pending()
	}
	for _, h := range n.hosts {
		// A host that came after Run began is nobody's yet.
		if (h.index >= len(claimed) || !claimed[h.index]) && h.pending() {
			return true
		}
	}
	return false
}

// nextTurn is when something happens next: an event, a timeout, or a suspended host's return.
func (n *Network) nextTurn(ds []*driver) (at time.Duration, ok bool) {
	at, ok = n.next()
	for _, d := range ds {
		due := d.due
		if d.host != nil && d.host.paused > n.now {
			switch {
			case d.host.pending():
				due = d.host.paused
			case due >= 0:
				due = max(due, d.host.paused)
			}
		}
		if due >= 0 && (!ok || due < at) {
			at, ok = due, true
		}
	}
	return at, ok
}
