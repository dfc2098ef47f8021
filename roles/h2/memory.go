package h2

import (
	"math/bits"
	"slices"
	"unsafe"

	"github.com/millrace/millrace/roles"
)

const (
	// leastKept and mostKept are the smallest and the largest buffer that waits for its next use; each is twice as
	// large as the one before. The largest is a default window.
	leastKept = 512
	mostKept  = 256 << 10
	// kepts is how many sizes there are.
	kepts = 10
	// spareMax bounds the bytes of buffers that wait.
	spareMax = 512 << 10
)

const (
	// fewStreams is how many streams of a connection are not charged, so that ordinary requests pay nothing for it.
	fewStreams = 16
	// streamCost is what each further one is charged with.
	streamCost = int(unsafe.Sizeof(stream{}))
)

// mayAdd reports whether there is memory for another stream of the peer's.
func (c *conn) mayAdd() bool {
	return len(c.streams) < fewStreams || c.low.MayHold(roles.HoldStream, streamCost)
}

// buffers are what connections keep bytes in, in sizes that double: what a stream has outgrown serves the next, and
// the collector has little to do when a crowd fills its windows.
type buffers struct {
	spare [kepts][][]byte
	size  int
}

// sizeFor is the place in spare of buffers with a capacity of at least n, kepts if there is none.
func sizeFor(n int) int {
	return min(bits.Len(uint(max(n-1, 0)/leastKept)), kepts)
}

// get returns an empty buffer with a capacity of at least n.
func (p *buffers) get(n int) []byte {
	i := sizeFor(n)
	if i == kepts {
		return make([]byte, 0, n)
	}
	if k := len(p.spare[i]); k > 0 {
		b := p.spare[i][k-1]
		p.spare[i] = p.spare[i][:k-1]
		p.size -= cap(b)
		return b
	}
	return make([]byte, 0, leastKept<<i)
}

// put takes back what get gave.
func (p *buffers) put(b []byte) {
	n := cap(b)
	if i := sizeFor(n); i < kepts && n == leastKept<<i && p.size+n <= spareMax {
		p.spare[i] = append(p.spare[i], b[:0])
		p.size += n
	}
}

// keep copies b behind into, which may be nil, and charges for the growth.
func (c *conn) keep(k roles.Kind, into, b []byte) []byte {
	if n := len(into) + len(b); n > cap(into) {
		g := append(c.cfg.buffers.get(n), into...)
		c.low.Hold(k, cap(g)-cap(into))
		if into != nil {
			c.cfg.buffers.put(into)
		}
		into = g
	}
	return append(into, b...)
}

// forget gives up what keep made.
func (c *conn) forget(k roles.Kind, b []byte) {
	if cap(b) > 0 {
		c.low.Hold(k, -cap(b))
		c.cfg.buffers.put(b)
	}
}

// holds is the kind of what is kept for a stream.
func (x *stream) holds() roles.Kind {
	if x.is(tunnelled) {
		return roles.HoldTunnel
	}
	return roles.HoldBody
}

// mayLend reports whether windows may be given back for what is kept for x. If memory is too short for that,
// Config.Relieve sees to it later.
func (c *conn) mayLend(x *stream) bool {
	if c.low.MayHold(x.holds(), 0) {
		return true
	}
	if c.withheld == 0 {
		c.cfg.Counters.Withheld++
		c.cfg.withheld = append(c.cfg.withheld, c)
		c.withheld = int32(len(c.cfg.withheld))
	}
	return false
}

// forgive takes c off those for which windows are withheld.
func (c *conn) forgive() {
	if c.withheld == 0 {
		return
	}
	g := c.cfg
	last := g.withheld[len(g.withheld)-1]
	g.withheld[c.withheld-1], last.withheld = last, c.withheld
	g.withheld[len(g.withheld)-1] = nil
	g.withheld = g.withheld[:len(g.withheld)-1]
	c.withheld = 0
}

// Relieve gives the windows back that were withheld because there was too little memory: see roles.Lower.MayHold.
// Whoever learns that there is memory again calls it, outside of all calls of the connections' transports.
func (g *Config) Relieve() {
	// What is withheld again meanwhile waits for the next call.
	for _, c := range slices.Clone(g.withheld) {
		c.forgive()
		c.lend()
	}
}

// lend gives back the windows that may be given for what is kept.
func (c *conn) lend() {
	left := int64(c.cfg.Limits.Parked)
	for _, x := range c.streams {
		left -= x.lent
	}
	for _, x := range c.streams {
		n := int64(len(x.left()))
		if n > 0 && !c.mayLend(x) {
			return
		}
		if k := min(n-x.lent, left); k > 0 {
			x.lent += k
			left -= k
			c.takenConn(k)
		}
		if x.listens() && n > 0 {
			c.tunnelTook(x, 0)
		}
	}
}
