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
	minBuffer = 512
	maxBuffer = 256 << 10
	// kepts is how many sizes there are.
	bufferSizes = 10
	// spareMax bounds the bytes of buffers that wait.
	maxSpare = 512 << 10
)

const (
	// fewStreams is how many streams of a connection are not charged, so that ordinary requests pay nothing for it.
	unchargedStreams = 16
	// streamCost is what each further one is charged with.
	streamCost = int(unsafe.Sizeof(stream{}))
)

// mayAdd reports whether there is memory for another stream of the peer's.
func (c *conn) mayAdd() bool {
	return len(c.streams) < unchargedStreams || c.low.MayHold(roles.HoldStream, streamCost)
}

// buffers are what connections keep bytes in, in sizes that double: what a stream has outgrown serves the next, and
// the collector has little to do when a crowd fills its windows.
type buffers struct {
	spare [bufferSizes][][]byte
	size  int
}

// sizeFor returns the place in spare of buffers with a capacity of at least n, kepts if there is none.
func sizeFor(n int) int {
	return min(bits.Len(uint(max(n-1, 0)/minBuffer)), bufferSizes)
}

// get returns an empty buffer with a capacity of at least n.
func (p *buffers) get(n int) []byte {
	i := sizeFor(n)
	if i == bufferSizes {
		return make([]byte, 0, n)
	}
	if k := len(p.spare[i]); k > 0 {
		b := p.spare[i][k-1]
		p.spare[i] = p.spare[i][:k-1]
		p.size -= cap(b)
		return b
	}
	return make([]byte, 0, minBuffer<<i)
}

// put takes back what get gave.
func (p *buffers) put(b []byte) {
	n := cap(b)
	if i := sizeFor(n); i < bufferSizes && n == minBuffer<<i && p.size+n <= maxSpare {
		p.spare[i] = append(p.spare[i], b[:0])
		p.size += n
	}
}

// keep copies b behind into, which may be nil, and charges for the growth.
func (c *conn) store(k roles.Kind, into, b []byte) []byte {
	if n := len(into) + len(b); n > cap(into) {
		// Beyond the sizes that are kept it grows by a quarter, so that what comes in pieces is not copied for each.
		if sizeFor(n) == bufferSizes {
			n = max(n, cap(into)+cap(into)/4)
		}
		g := append(c.sh.buffers.get(n), into...)
		c.low.Hold(k, cap(g)-cap(into))
		if into != nil {
			c.sh.buffers.put(into)
		}
		into = g
	}
	return append(into, b...)
}

// forget gives up what keep made.
func (c *conn) drop(k roles.Kind, b []byte) {
	if cap(b) > 0 {
		c.low.Hold(k, -cap(b))
		c.sh.buffers.put(b)
	}
}

// holds returns the kind of memory that keeps x's bytes.
func (x *stream) memoryKind() roles.Kind {
	if x.tunnelled() {
		return roles.HoldTunnel
	}
	return roles.HoldBody
}

// mayCredit reports whether windows may be given back for what is kept for x. If memory is too short for that,
// Shared.Relieve does it later.
func (c *conn) mayCredit(x *stream) bool {
	if c.low.MayHold(x.memoryKind(), 0) {
		return true
	}
	if c.withheld == 0 {
		c.sh.Counters.Withheld++
		c.sh.withheld = append(c.sh.withheld, c)
		c.withheld = int32(len(c.sh.withheld))
	}
	return false
}

// dropWithheld takes c off those for which windows are withheld.
func (c *conn) dropWithheld() {
	if c.withheld == 0 {
		return
	}
	g := c.sh
	last := g.withheld[len(g.withheld)-1]
	g.withheld[c.withheld-1], last.withheld = last, c.withheld
	g.withheld[len(g.withheld)-1] = nil
	g.withheld = g.withheld[:len(g.withheld)-1]
	c.withheld = 0
}

// Relieve gives the windows back that were withheld because there was too little memory: see roles.Lower.MayHold.
// It is called when there is memory again, outside of all calls of the connections' transports.
func (sh *Shared) Relieve() {
	// What is withheld again meanwhile waits for the next call.
	for _, c := range slices.Clone(sh.withheld) {
		c.dropWithheld()
		c.creditWithheld()
	}
}

// creditWithheld gives back the windows that may be given for what is kept.
func (c *conn) creditWithheld() {
	for _, x := range c.streams {
		if len(x.unread()) == 0 {
			continue
		}
		if !c.mayCredit(x) {
			return
		}
		c.creditKept(x)
		if x.listens() {
			c.tunnelUsed(x, 0)
		}
	}
}
