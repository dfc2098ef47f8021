package ws

import (
	"errors"
	"time"

	"github.com/klauspost/compress/flate"

	"github.com/millrace/millrace/internal/list"
	"github.com/millrace/millrace/roles"
)

// Deflate configures permessage-deflate (RFC 7692).
type Deflate struct {
	// On makes clients offer compression and servers accept it.
	On bool
	// KeepTx lets our messages refer to earlier ones (context takeover). A connection then stores up to 8 KiB between
	// messages, which the stateless writer reads again for each message: about 15 us and one allocation. A writer per
	// connection would avoid that and cost 830 KB. Without KeepTx nothing is stored between messages.
	KeepTx bool
	// KeepRx lets the peer's messages refer to its earlier ones. A connection then stores up to the negotiated window,
	// at most 32 KiB, between messages. Without KeepRx the handshake asks the peer not to do it.
	KeepRx bool
	// TxBits and RxBits are the base-2 logarithms of the largest windows, 8 to 15, for what we send and receive. 0 means
	// 15. With a peer that does not agree to RxBits there is no compression.
	TxBits, RxBits uint8
	// Min is the length in octets below which a message that is sent in one piece is not compressed.
	Min int
	// Ratio is the largest number of inflated octets per received octet, as an average over a message: 1009. The first
	// Free inflated octets of each message do not count. 0 means no limit.
	Ratio, Free uint64
	// Inflaters is the largest number of compressed messages that are incomplete at a time, over all connections; each
	// occupies about 55 KB. 0 means no limit except the transport's memory (roles.HoldInflater). When a new message
	// exceeds it, the message that has stalled for longest, and for at least a second, fails; if there is none, the new
	// one fails: 1013.
	Inflaters int
	// PerConnection is the largest number of compressed WebSockets over one HTTP/2 connection. Servers accept further
	// ones without compression. 0 means no limit.
	PerConnection int
}

// DefaultDeflate returns a configuration that is off and, when switched on, stores nothing between messages.
func DefaultDeflate() Deflate {
	return Deflate{
		TxBits:    15,
		RxBits:    15,
		Min:       64,      // below that the result is seldom shorter
		Ratio:     256,     // text and JSON stay below 50; the largest ratio of DEFLATE is 1,032
		Free:      1 << 20, // a blank picture is legitimate
		Inflaters: 1000,
		// A browser has one or two per page.
		PerConnection: 8,
	}
}

// Params are the negotiated parameters of permessage-deflate (RFC 7692 s.7.1).
type Params struct {
	ServerFresh, ClientFresh bool  // no context takeover: messages of this side do not refer to earlier ones
	ServerBits, ClientBits   uint8 // the base-2 logarithm of this side's window, 8 to 15
}

// packer is the permessage-deflate of a connection, in both directions.
type packer struct {
	txFresh, rxFresh bool
	txBits, rxBits   uint8
	txContext        []byte        // the end of our earlier messages, with context takeover
	rxContext        []byte        // the end of the peer's earlier messages, with context takeover; z has it while z is not nil
	z                *inflater     // nil between compressed messages
	in               uint64        // octets of the present message that z has read
	turnOutput       int           // octets inflated in the present turn of the loop
	turnTime         time.Duration // time of that turn

	// While there is z, the packer is in pool.busy.
	list.Links[packer]
	c       *Conn
	fed     time.Duration // time of the last input
	began   time.Duration // start of the message, plus the time in which we did not read
	stopped time.Duration // time when we stopped reading, 0 while we read
}

// turnShare is the number of octets that one connection may inflate in one turn of the loop: as many as the loop by default
// reads from a connection without compression. The rest waits in compressed form for the next turn.
const turnShare = 256 << 10

func newPacker(client bool, a Params) *packer {
	if client {
		return &packer{txFresh: a.ClientFresh, txBits: a.ClientBits, rxFresh: a.ServerFresh, rxBits: a.ServerBits}
	}
	return &packer{txFresh: a.ServerFresh, txBits: a.ServerBits, rxFresh: a.ClientFresh, rxBits: a.ClientBits}
}

// close releases all memory.
func (p *packer) close(sh *Shared, low roles.Lower) {
	if p.z != nil {
		sh.pool.put(low, p)
	}
	low.Hold(roles.HoldSession, -cap(p.txContext)-cap(p.rxContext))
	p.txContext, p.rxContext = nil, nil
}

// appendContext appends b to *kept and drops octets from its front so that at most most remain. The memory grows as needed.
func (c *Conn) appendContext(kept *[]byte, b []byte, most int) {
	k := *kept
	if len(b) >= most {
		k, b = k[:0], b[len(b)-most:]
	} else if over := len(k) + len(b) - most; over > 0 {
		k = k[:copy(k, k[over:])]
	}
	if n := len(k) + len(b); n > cap(k) {
		size := 512
		for size < n {
			size *= 2
		}
		bigger := make([]byte, len(k), min(size, most))
		copy(bigger, k)
		c.low.Hold(roles.HoldSession, cap(bigger)-cap(k))
		k = bigger
	}
	*kept = append(k, b...)
}

// inflate inflates an unmasked piece of a compressed message, delivers the output, and returns the number of octets used:
// less than len(b) if the Handler has paused or asked to write, or the message is invalid.
func (c *Conn) inflate(b []byte) (used int) {
	p := c.packer
	if p.z == nil {
		if !c.sh.pool.get(c) {
			c.fail(errInflaters, 0)
			return 0
		}
		p.z.reset(p.rxContext, p.rxBits)
		p.in = 0
	} else if len(b) > 0 {
		c.sh.pool.touch(p, c.sh.now)
	}
	z := p.z
	for {
		n, st := z.feed(b[used:])
		used += n
		c.left -= uint64(n)
		p.in += uint64(n)
		if st == needInput {
			break
		}
		if st == invalid {
			if c.inflated(z.output(), false) {
				c.fail(errDeflate, 0)
			}
			return used
		}
		if !c.inflated(z.output(), false) || c.is(stopped|wants) {
			return used
		}
	}
	if c.left > 0 {
		c.inflated(z.output(), false)
		return used
	}
	c.endFrame()
	if c.in&Last == 0 {
		c.inflated(z.output(), false)
		return used
	}
	if !z.end() {
		if c.inflated(z.output(), false) {
			c.fail(errDeflateCut, 0)
		}
		return used
	}
	last := z.output()
	if !p.rxFresh {
		// The history of z begins with got.
		p.rxContext = p.rxContext[:0]
		c.appendContext(&p.rxContext, z.history(), 1<<p.rxBits)
	}
	// No other message can take z before the Handler returns, so last stays valid.
	c.sh.pool.put(c.low, p)
	c.inflated(last, true)
	return used
}

// inflated delivers output of z, up to the limits, and reports whether the connection still reads.
func (c *Conn) inflated(b []byte, last bool) bool {
	d, most := &c.sh.cfg.Deflate, c.sh.cfg.Limits.Message
	c.sh.Counters.Inflated += uint64(len(b))
	var f *fault
	if n := uint64(len(b)); most > 0 && n > most-c.size {
		f, b, last = errMessageBig, b[:most-c.size], false
	}
	c.size += uint64(len(b))
	p := c.packer
	if p.turnTime != c.sh.now {
		p.turnTime, p.turnOutput = c.sh.now, 0
	}
	p.turnOutput += len(b)
	if d.Ratio > 0 && c.size > d.Free && (c.size-d.Free)/d.Ratio > p.in {
		f, b = errDeflateRatio, nil
	}
	if len(b) > 0 || last {
		c.deliver(b, last)
	}
	if f != nil && c.reading != expectNothing {
		c.fail(f, 0)
	}
	if p.turnOutput >= turnShare && c.reading != expectNothing {
		c.flags |= throttled
		c.stop()
		c.low.Wake()
	}
	return c.reading != expectNothing
}

const (
	// maxSent is the distance up to which the stateless writer refers back.
	maxSent = 8 << 10
	// maxPlain is the largest number of octets that are compressed at a time: with maxSent it is below the 32,767
	// octets that the writer puts into one block.
	maxPlain = 16 << 10
	// storedFront is the length of the header of a stored block. emptyPacked is the length of an empty stored block
	// without tail, which ends a message.
	storedFront = 5
	emptyPacked = 1
)

// plainRoom is Room for connections with compression: Commit compresses what the caller writes there.
func (c *Conn) plainRoom(least int) []byte {
	sh := c.sh
	front := c.front()
	r := c.low.Room(front + least + storedFront + emptyPacked)
	if r == nil {
		return nil
	}
	if sh.plain == nil {
		sh.plain = make([]byte, maxSent+maxPlain)
	}
	r = r[:min(len(r), front+maxFrame)]
	sh.room.Give(c, r)
	sh.given = min(maxPlain, len(r)-front-storedFront-emptyPacked)
	return sh.plain[maxSent : maxSent+sh.given : maxSent+sh.given]
}

// deflate writes the first n octets of plainRoom to r, compressed if that makes them shorter, and returns their number in
// r, and bits with RSV1 set if the message is compressed.
func (c *Conn) deflate(r []byte, n int, f Flags, bits byte) (int, byte) {
	sh, p := c.sh, c.packer
	last := f&Last != 0
	switch {
	case f&First == 0:
	case last && n == 0:
		return 0, bits
	case last && n < sh.cfg.Deflate.Min:
		return copy(r, sh.plain[maxSent:maxSent+n]), bits
	default:
		bits |= bitRSV1
	}
	switch {
	case n == 0 && last:
		r[0] = 0
		return emptyPacked, bits
	case n == 0:
		return 0, bits
	}
	out := c.compress(r, n, last)
	if f&First != 0 && last && out >= n {
		return copy(r, sh.plain[maxSent:maxSent+n]), bits &^ bitRSV1
	}
	sh.Counters.Deflated += uint64(n)
	if !p.txFresh {
		c.appendContext(&p.txContext, sh.plain[maxSent:maxSent+n], c.maxSent())
	}
	return out, bits
}

// maxSent returns the number of octets that are stored of what was sent. They share the window with what is compressed.
func (c *Conn) maxSent() int { return min(maxSent, 1<<c.packer.txBits/2) }

// compress compresses n octets into r, which has room for a stored block of them, and returns the number of octets written, in
// blocks that end at an octet boundary.
func (c *Conn) compress(r []byte, n int, last bool) int {
	sh, p := c.sh, c.packer
	begin := maxSent - copy(sh.plain[maxSent-len(p.txContext):], p.txContext)
	s := &sh.sink
	s.b, s.n = r, 0
	for from, end := maxSent, maxSent+n; from < end; {
		// The writer may refer to all that it receives, so all of it must be inside the window.
		begin = max(begin, from-c.maxSent())
		to := min(end, begin+1<<p.txBits)
		if to == begin+1<<15 {
			to--
		}
		if flate.StatelessDeflate(s, sh.plain[from:to], false, sh.plain[begin:from]) != nil {
			s.n = 0
			break
		}
		from = to
	}
	out := s.n
	s.b = nil
	if out > 0 {
		if last {
			out -= len(tail)
		}
		return out
	}
	// The compressed form does not fit, so it is longer than a stored block.
	out = storedFront + copy(r[storedFront:], sh.plain[maxSent:maxSent+n])
	r[0], r[1], r[2], r[3], r[4] = 0, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8)
	if last {
		r[out] = 0
		out += emptyPacked
	}
	return out
}

// sink is the io.Writer of the deflate writer. A write beyond b fails.
type sink struct {
	b []byte
	n int
}

var errSink = errors.New("ws: deflate: no room")

func (s *sink) Write(p []byte) (int, error) {
	n := copy(s.b[s.n:], p)
	s.n += n
	if n < len(p) {
		return n, errSink
	}
	return n, nil
}
