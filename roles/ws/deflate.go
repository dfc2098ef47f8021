package ws

import (
	"errors"
	"time"

	"github.com/klauspost/compress/flate"

	"github.com/millrace/millrace/internal/list"
	"github.com/millrace/millrace/roles"
)

// Deflate is what we want of permessage-deflate (RFC 7692), and what it may cost.
type Deflate struct {
	// On: clients offer it and servers take it. Off unless set.
	On bool
	// KeepTx lets a message refer to those sent before it. It costs a connection up to 8 KiB, which the
	// stateless writer is shown anew with each message: some 15 us, and an allocation of what it is shown. A
	// writer kept for each connection spares that and costs 830 KB. Off, each message stands alone, and
	// nothing is kept between them.
	KeepTx bool
	// KeepRx lets the peer refer to its earlier messages. It costs a connection up to the window that was
	// agreed upon, 32 KiB at the most. Off, the peer is told not to.
	KeepRx bool
	// TxBits and RxBits are the logarithms of the largest windows, 8 to 15, for what we send and what we
	// are sent. A peer that cannot be held to RxBits gets no compression.
	TxBits, RxBits uint8
	// Min is the least message that is worth compressing, in octets, if it is sent in one piece.
	Min int
	// Ratio is how many octets one that was received may become, on the average of a message. The first
	// Free octets of each are not counted. 0 means no limit. 1009.
	Ratio, Free uint64
	// Inflaters is how many compressed messages may be under way at a time, in all connections; each
	// costs some 55 KB. 0 means no limit but that of the transport's memory (roles.HoldInflater). When there is
	// no place for another, the one that has brought nothing for longest, and for at least a second, is given up for
	// it, and if there is none such, the newcomer. 1013.
	Inflaters int
	// PerConnection is how many WebSockets over one HTTP/2 connection may be compressed. Further ones are accepted
	// without compression. 0 means no limit.
	PerConnection int
}

// DefaultDeflate is off, and keeps nothing between messages if it is switched on.
func DefaultDeflate() Deflate {
	return Deflate{
		TxBits:    15,
		RxBits:    15,
		Min:       64,      // below it the result is seldom shorter
		Ratio:     256,     // text and JSON stay below 50; DEFLATE itself ends at 1,032
		Free:      1 << 20, // a blank picture is no bomb
		Inflaters: 1000,
		// A browser has one or two for each page that it shows.
		PerConnection: 8,
	}
}

// Params are what two ends agreed upon (RFC 7692 s.7.1).
type Params struct {
	ServerFresh, ClientFresh bool  // each message of this side stands alone: no context takeover
	ServerBits, ClientBits   uint8 // the logarithm of this side's window, 8 to 15
}

// packer is a connection's permessage-deflate, both ways.
type packer struct {
	txFresh, rxFresh bool
	txBits, rxBits   uint8
	sent             []byte // what we may refer to, if messages do not stand alone
	got              []byte // what the peer may refer to; not up to date while z is
	z                *inflater
	in               uint64        // octets that z has had of the present message
	made             int           // octets that have come out in the present turn of the loop
	at               time.Duration // when that began

	// While there is z, the packer is in pool.busy.
	list.Links[packer]
	c       *Conn
	fed     time.Duration // when input last came
	began   time.Duration // the message, less the time that we did not listen
	stopped time.Duration // when we stopped listening, 0 while we do
}

// share is how much may come out of one connection's input in one call of the loop's: as much as the loop by default
// reads of one that sends it as it is. The rest waits as it came, a thousandth of what it stands for at the worst, for
// the others to have their turns.
const share = 256 << 10

func newPacker(client bool, a Params) *packer {
	if client {
		return &packer{txFresh: a.ClientFresh, txBits: a.ClientBits, rxFresh: a.ServerFresh, rxBits: a.ServerBits}
	}
	return &packer{txFresh: a.ServerFresh, txBits: a.ServerBits, rxFresh: a.ClientFresh, rxBits: a.ClientBits}
}

// close gives back all memory.
func (p *packer) close(sh *Shared, low roles.Lower) {
	if p.z != nil {
		sh.pool.give(low, p)
	}
	low.Hold(roles.HoldSession, -cap(p.sent)-cap(p.got))
	p.sent, p.got = nil, nil
}

// keep has *kept end with b, and hold most octets at the most. It grows as there is something to keep.
func (c *Conn) keep(kept *[]byte, b []byte, most int) {
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

// inflate takes a piece of a compressed message, which is unmasked, passes on what comes out, and returns
// how much it used: less than len(b) if the handler wants no more for now, or the message is at fault.
func (c *Conn) inflate(b []byte) (used int) {
	p := c.packer
	if p.z == nil {
		if !c.sh.pool.take(c) {
			c.fail(errInflaters, 0)
			return 0
		}
		p.z.reset(p.got, p.rxBits)
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
		if st == starved {
			break
		}
		if st == corrupt {
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
		// It begins with what was kept before.
		p.got = p.got[:0]
		c.keep(&p.got, z.history(), 1<<p.rxBits)
	}
	// Nothing writes to z before the handler has returned: what it is given stays valid.
	c.sh.pool.give(c.low, p)
	c.inflated(last, true)
	return used
}

// inflated passes on what came out of z, as far as it is not too much. It tells whether the message goes
// on.
func (c *Conn) inflated(b []byte, last bool) bool {
	d, most := &c.sh.cfg.Deflate, c.sh.cfg.Limits.Message
	c.sh.Counters.Inflated += uint64(len(b))
	var f *fault
	if n := uint64(len(b)); most > 0 && n > most-c.size {
		f, b, last = errMessageBig, b[:most-c.size], false
	}
	c.size += uint64(len(b))
	p := c.packer
	if p.at != c.sh.now {
		p.at, p.made = c.sh.now, 0
	}
	p.made += len(b)
	if d.Ratio > 0 && c.size > d.Free && (c.size-d.Free)/d.Ratio > p.in {
		f, b = errDeflateRatio, nil
	}
	if len(b) > 0 || last {
		c.pass(b, last)
	}
	if f != nil && c.reading != expectNothing {
		c.fail(f, 0)
	}
	if p.made >= share && c.reading != expectNothing {
		c.flags |= resting
		c.stop()
		c.low.Wake()
	}
	return c.reading != expectNothing
}

const (
	// maxSent is as far back as the stateless writer looks.
	maxSent = 8 << 10
	// maxPlain is the most that is compressed at a time: with maxSent it stays within the 32,767 octets
	// that the writer takes as one block.
	maxPlain = 16 << 10
	// storedFront is a stored block's head with its lengths, and emptyPacked an empty one's first octet,
	// which ends a message once the tail is gone.
	storedFront = 5
	emptyPacked = 1
)

// plainRoom is Room for messages that may be compressed: what is written there is compressed by Commit.
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
	sh.room, sh.roomOf, sh.given = r, c, min(maxPlain, len(r)-front-storedFront-emptyPacked)
	return sh.plain[maxSent : maxSent+sh.given : maxSent+sh.given]
}

// deflate puts the first n octets of what plainRoom gave into r, compressed if that is of use, and returns
// how many there are then, and bits with what the frame's header has to say of it.
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
	out := c.pack(r, n, last)
	if f&First != 0 && last && out >= n {
		return copy(r, sh.plain[maxSent:maxSent+n]), bits &^ bitRSV1
	}
	sh.Counters.Deflated += uint64(n)
	if !p.txFresh {
		c.keep(&p.sent, sh.plain[maxSent:maxSent+n], c.maxSent())
	}
	return out, bits
}

// maxSent is how much of what was sent is worth keeping: it shares the window with what is compressed.
func (c *Conn) maxSent() int { return min(maxSent, 1<<c.packer.txBits/2) }

// pack compresses n octets into r, which has room for a stored block of them, and returns how many they are
// then, in blocks that end on the border of an octet.
func (c *Conn) pack(r []byte, n int, last bool) int {
	sh, p := c.sh, c.packer
	begin := maxSent - copy(sh.plain[maxSent-len(p.sent):], p.sent)
	s := &sh.sink
	s.b, s.n = r, 0
	for from, end := maxSent, maxSent+n; from < end; {
		// The writer refers to whatever it is given: that, and no more, must lie within the window.
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
	// It does not fit, and so is not worth it.
	out = storedFront + copy(r[storedFront:], sh.plain[maxSent:maxSent+n])
	r[0], r[1], r[2], r[3], r[4] = 0, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8)
	if last {
		r[out] = 0
		out += emptyPacked
	}
	return out
}

// sink is the writer's io.Writer: what does not fit is an error.
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
