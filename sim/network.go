package sim

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"
)

// Network has hosts, links, a clock and a seed. One goroutine uses it; only Host.Wake may be called from others.
type Network struct {
	opts       Options
	now        time.Duration
	eventQueue eventQueue
	faultRNG   *rand.Rand // faults
	rand       *rand.Rand // Rand
	seed       uint64

	hosts  []*Host
	byAddr map[netip.Addr]*Host
	links  []*link // from host a to host b, at a.index*side+b.index; see link
	side   int     // number of hosts that links has space for

	pool   pool
	digest uint64
	trace  []string
}

// link is one direction between two hosts.
type link struct {
	n     *Network
	own   *Link // override of Options.Link, or nil
	cut   bool
	busy  time.Duration // the bandwidth is used until this time
	flows []*flow       // active, to be cut and healed
}

// New returns an empty network. All its randomness comes from seed.
func New(seed uint64, o Options) *Network {
	return &Network{
		opts:     o,
		now:      epoch,
		seed:     seed,
		faultRNG: rand.New(rand.NewPCG(seed, 1)),
		rand:     rand.New(rand.NewPCG(seed, 2)),
		byAddr:   make(map[netip.Addr]*Host),
		digest:   seed,
	}
}

// Host adds a host. Its interface "lo" has 127.0.0.1 and ::1, and its interface "eth0" has addrs, by which the others
// reach it. An address of a killed host may be used again: for the peers of the old host that is a rebooted machine,
// which answers them with a reset. Host panics if a living host has the address. A host without addresses reaches
// only itself.
func (n *Network) Host(name string, addrs ...netip.Addr) *Host {
	h := &Host{n: n, name: name, index: len(n.hosts), wake: make(chan struct{}, 1)}
	for _, a := range addrs {
		h.addrs = append(h.addrs, a.Unmap())
	}
	h.init()
	for _, a := range h.addrs {
		if old := n.byAddr[a]; old != nil && !old.dead {
			panic(fmt.Sprintf("sim: host %s: address %s belongs to living host %s", name, a, old.name))
		}
	}
	n.hosts = append(n.hosts, h)
	n.growLinks()
	for _, a := range h.addrs {
		old := n.byAddr[a]
		n.byAddr[a] = h
		if old != nil {
			n.retransmitTo(old)
		}
	}
	return h
}

// growLinks extends links to every pair of hosts.
func (n *Network) growLinks() {
	if len(n.hosts) <= n.side {
		return
	}
	side := max(4, 2*n.side)
	links := make([]*link, side*side)
	for i := range n.side {
		copy(links[i*side:], n.links[i*n.side:(i+1)*n.side])
	}
	n.links, n.side = links, side
}

func (n *Network) link(a, b *Host) *link {
	p := &n.links[a.index*n.side+b.index]
	if *p == nil {
		*p = &link{n: n}
	}
	return *p
}

func (l *link) opts() *Link {
	if l.own != nil {
		return l.own
	}
	return &l.n.opts.Link
}

// delay returns the transmission time of one small segment.
func (l *link) delay() time.Duration {
	o := l.opts()
	return o.Latency + l.n.upTo(o.Jitter)
}

// Now returns the virtual time, which is the same for all hosts.
func (n *Network) Now() time.Duration { return n.now }

// Advance advances the time by d and processes the due events. It drives no loop.
func (n *Network) Advance(d time.Duration) { n.advance(n.now + d) }

// Rand returns a random source for the test, seeded with the network's seed but independent of its faults.
func (n *Network) Rand() *rand.Rand { return n.rand }

// Seed returns the seed given to New.
func (n *Network) Seed() uint64 { return n.seed }

// At calls f after d, during any wait. f may script faults; it must not wait.
func (n *Network) At(d time.Duration, f func()) {
	n.eventQueue.push(event{at: n.now + max(d, 0), kind: evCall, call: f})
}

// Options returns the present faults.
func (n *Network) Options() Options { return n.opts }

// SetOptions replaces the faults. Buffers of open sockets keep their size.
func (n *Network) SetOptions(o Options) { n.opts = o }

// roll returns true with probability p. It uses no random number if p is 0, so that adding an option later does not
// change runs without it.
func (n *Network) roll(p float64) bool { return p > 0 && n.faultRNG.Float64() < p }

// upTo returns a random duration in [0, d].
func (n *Network) upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(n.faultRNG.Int64N(int64(d) + 1))
}

// part returns a random number in [1, most].
func (n *Network) part(most int) int { return 1 + n.faultRNG.IntN(most) }

// Dump describes every host, its open descriptors and the number of scheduled events. It helps to find out why a
// scenario does not end.
func (n *Network) Dump() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, time %v, %d events scheduled\n", n.seed, n.now, len(n.eventQueue.heap))
	for _, h := range n.hosts {
		fmt.Fprintf(&b, "%s %v\n", h.name, h.addrs)
		for _, line := range h.Open() {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	return b.String()
}
