package sim

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/loop"
)

// maxTurns is how many turns Run allows at one instant. Moving a gigabyte over a perfect link at one instant takes
// fewer; a spinning loop exceeds it in about a second.
const maxTurns = 1 << 20

// Driver is the part of a loop that Run needs; *loop.Loop implements it. A driver with a method System() is serviced
// when its own host has events. A driver without it is serviced when any host without a driver of its own has events.
type Driver interface {
	Service() error         // one turn that does not wait
	Timeout() time.Duration // time until the next turn: 0 now, loop.Forever never
}

// driver is a Driver with its state in Run.
type driver struct {
	Driver
	host *Host
	due  time.Duration // absolute; negative: never
}

// Run drives several loops on the one clock until the condition is true. It services, in seeded order, every loop
// that has work or whose host has events, and advances the time if there is none. limit is virtual time. The error is
// ErrLimit, ErrDeadlock or ErrLivelock, with a dump of the open descriptors, or an error of a loop.
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

// drivers finds the host of each loop.
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

// round runs a turn of every loop that needs one, in random order, and returns how many it ran.
func (n *Network) round(ds []*driver, claimed []bool) (worked int, err error) {
	if len(ds) > 1 {
		n.faultRNG.Shuffle(len(ds), func(i, j int) { ds[i], ds[j] = ds[j], ds[i] })
	}
	for _, d := range ds {
		d.updateDue(n.now)
		if d.host != nil && n.now < d.host.paused {
			continue
		}
		if (d.due < 0 || d.due > n.now) && !n.hasEvents(d, claimed) {
			continue
		}
		if err := d.Service(); err != nil {
			return worked, err
		}
		d.due = -1
		d.updateDue(n.now)
		worked++
	}
	return worked, nil
}

// updateDue sets due to an earlier time if the driver's timeout is earlier. A loop may count its timeout from its
// last turn, so the value read right after that turn is kept until the next.
func (d *driver) updateDue(now time.Duration) {
	if t := d.Timeout(); t >= 0 && (d.due < 0 || now+t < d.due) {
		d.due = now + t
	}
}

// hasEvents reports whether a host that d serves has events.
func (n *Network) hasEvents(d *driver, claimed []bool) bool {
	if d.host != nil {
		return d.host.pending()
	}
	for _, h := range n.hosts {
		// A host added after Run started has no driver of its own.
		if (h.index >= len(claimed) || !claimed[h.index]) && h.pending() {
			return true
		}
	}
	return false
}

// nextTurn returns the time of the next event, timeout, or end of a suspension.
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
