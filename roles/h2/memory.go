package h2

import (
	"math/bits"
	"slices"
	"unsafe"

	"github.com/millrace/millrace/roles"
)

const (
	// minBuffer and maxBuffer are the sizes of the smallest and the largest buffer in the pool; each size is twice
	// the one before. The largest is a default window.
	minBuffer = 512
	maxBuffer = 256 << 10
	// bufferSizes is the number of sizes.
	bufferSizes = 10
	// maxSpare bounds the bytes of the buffers in the pool.
	maxSpare = 512 << 10
)

const (
	// unchargedStreams is the number of streams of a connection that are not charged, so that ordinary requests cost
	// nothing.
	unchargedStreams = 16
	// streamCost is the charge for each further stream.
	streamCost = int(unsafe.Sizeof(stream{}))
)

// mayAdd reports whether there is memory for another stream of the peer.
func (c *conn) mayAdd() bool {
	return len(c.streams) < unchargedStreams || c.low.MayHold(roles.HoldStream, streamCost)
}

// buffers is the pool of the buffers in which connections keep bytes. Sizes double, so a buffer that one stream has
// outgrown serves another, and the collector has little work when many streams fill their windows.
type buffers struct {
	spare [bufferSizes][][]byte
	size  int
}

// sizeFor returns the index in spare for buffers with a capacity of at least n, or bufferSizes if there is none.
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

// put returns a buffer of get to the pool.
func (p *buffers) put(b []byte) {
	n := cap(b)
	if i := sizeFor(n); i < bufferSizes && n == minBuffer<<i && p.size+n <= maxSpare {
		p.spare[i] = append(p.spare[i], b[:0])
		p.size += n
	}
}

// store appends a copy of b to into, which may be nil, and charges for the growth.
func (c *conn) store(k roles.Kind, into, b []byte) []byte {
	if n := len(into) + len(b); n > cap(into) {
		// Above the pooled sizes it grows by a quarter, so that small pieces do not cause a copy each.
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

// drop frees a buffer that store made.
func (c *conn) drop(k roles.Kind, b []byte) {
	if cap(b) > 0 {
		c.low.Hold(k, -cap(b))
		c.sh.buffers.put(b)
	}
}

// memoryKind returns the kind of memory that keeps the bytes of x.
func (x *stream) memoryKind() roles.Kind {
	if x.tunnelled() {
		return roles.HoldTunnel
	}
	return roles.HoldBody
}

// mayCredit reports whether windows may be returned for what is kept for x. If memory is too short, Shared.Relieve
// does it later.
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

// dropWithheld removes c from the connections whose windows are withheld.
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

// Relieve returns the windows that were withheld because memory was short: see roles.Lower.MayHold. Call it when
// there is memory again, outside of all calls of the connections' transports.
func (sh *Shared) Relieve() {
	// What is withheld again during the loop waits for the next call.
	for _, c := range slices.Clone(sh.withheld) {
		c.dropWithheld()
		c.creditWithheld()
	}
}

// creditWithheld returns the windows for what is kept, as far as memory allows.
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
