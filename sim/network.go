package sim

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"
)

// Network is hosts, links, a clock and a seed. It is used by one goroutine; only Host.Wake may be
// called from others.
type Network struct {
	opts   Options
	now    time.Duration
	agenda agenda
	chance *rand.Rand // faults
	rand   *rand.Rand // Rand
	seed   uint64

	hosts  []*Host
	byAddr map[netip.Addr]*Host
	links  []*link // of host a to host b, at a.index*len+b.index; see link
	side   int     // hosts for which links has room

	pool   pool
	digest uint64
	trace  []string
}

// link is one direction between two hosts.
type link struct {
	n     *Network
	own   *Link // override, or nil
	cut   bool
	busy  time.Duration // until when the bandwidth is spoken for
	flows []*flow       // alive, to be cut and healed
}

// New returns an empty network. All its chance comes from seed.
func New(seed uint64, o Options) *Network {
	return &Network{
		opts:   o,
		now:    epoch,
		seed:   seed,
		chance: rand.New(rand.NewPCG(seed, 1)),
		rand:   rand.New(rand.NewPCG(seed, 2)),
		byAddr: make(map[netip.Addr]*Host),
		digest: seed,
	}
}

// Host adds a machine. It has 127.0.0.1 and ::1 as interface "lo", and addrs as "eth0", by which the
// others reach it. An address that a killed host had may be given again: to the peers of the old
// host that is a machine which rebooted, and it answers them with a reset. An address in use by a
// living host is a mistake in the test: Host panics. A host without addresses reaches only itself.
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

// growLinks makes room for every pair of hosts.
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

// delay is the time one small segment takes.
func (l *link) delay() time.Duration {
	o := l.opts()
	return o.Latency + l.n.upTo(o.Jitter)
}

// Now is the virtual clock, the same for all hosts.
func (n *Network) Now() time.Duration { return n.now }

// Advance lets d pass. What is due happens; no loop is driven.
func (n *Network) Advance(d time.Duration) { n.advance(n.now + d) }

// Rand is a source for the test's own choices, seeded with the network but apart from its faults.
func (n *Network) Rand() *rand.Rand { return n.rand }

// Seed returns what New was given.
func (n *Network) Seed() uint64 { return n.seed }

// At has f called when d has passed, whatever is waiting then. f may script faults; it must not wait.
func (n *Network) At(d time.Duration, f func()) {
	n.agenda.push(event{at: n.now + max(d, 0), kind: evCall, call: f})
}

// Options returns the faults in force.
func (n *Network) Options() Options { return n.opts }

// SetOptions changes the faults from now on. Buffers of open sockets keep their size.
func (n *Network) SetOptions(o Options) { n.opts = o }

// hit draws: true with probability p. Options that are off draw nothing, so that adding one later
// does not disturb runs without it.
func (n *Network) hit(p float64) bool { return p > 0 && n.chance.Float64() < p }

// upTo draws a duration in [0, d].
func (n *Network) upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(n.chance.Int64N(int64(d) + 1))
}

// part draws a number in [1, most].
func (n *Network) part(most int) int { return 1 + n.chance.IntN(most) }

// Dump describes every host, its open descriptors and what is under way: the text to read when a
// scenario does not end.
func (n *Network) Dump() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, time %v, %d events under way\n", n.seed, n.now, len(n.agenda.heap))
	for _, h := range n.hosts {
		fmt.Fprintf(&b, "%s %v\n", h.name, h.addrs)
		for _, line := range h.Open() {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	return b.String()
}
