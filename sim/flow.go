package sim

import (
	"math"
	"time"
)

// flow is one direction of a connection. Its bytes lie once, in ring, from the write until the
// read; four counters of the whole stream say how far each has come:
//
//	read <= arrived <= sent <= written
type flow struct {
	n        *Network
	link     *link // nil in the Unix domain: nothing between the ends
	index    int   // in link.flows
	from, to *sock

	ring                         []byte // a power of two, or nil when empty
	read, arrived, sent, written uint64
	sndBuf, rcvBuf               int

	lastAt   time.Duration // nothing may arrive before this
	inflight int
	epoch    uint32 // events of earlier ones were lost

	synSent, synArrived bool // the last leg of the handshake, carried by the connecting side's flow
	ended               bool // a FIN follows the bytes
	finSent, finArrived bool
	rstSent             bool

	deaf       bool // nobody will read: bytes are counted, not kept
	windowShut bool // the sender waits for the reader
	windowTold bool // and has been told of room; the news are under way
	severed    bool
	over       bool // nothing more will be delivered
	timing     bool // an evAckTimeout is under way
	shutEpoch  uint32
}

func (n *Network) newFlow(l *link, from, to *sock, snd, rcv int) *flow {
	f := &flow{n: n, link: l, from: from, to: to, sndBuf: snd, rcvBuf: rcv}
	if l == nil {
		f.rcvBuf = math.MaxInt // the sender's buffer is the only one
	}
	f.attach()
	return f
}

// attach lists the flow with its link, so that cutting and healing find it.
func (f *flow) attach() {
	f.over = false
	if l := f.link; l != nil {
		f.index = len(l.flows)
		l.flows = append(l.flows, f)
	}
}

// passable says whether what is sent now gets through, or at least to the machine's successor.
func (f *flow) passable() bool {
	return f.link == nil || !f.severed && !f.link.cut && !f.from.h.dead && (!f.to.h.dead || f.successor())
}

// successor: the receiving host was killed, and somebody else has its address now.
func (f *flow) successor() bool {
	h := f.n.byAddr[f.to.local.IP.Addr()]
	return f.to.h.dead && h != nil && !h.dead
}

// undelivered says whether the sender waits for an acknowledgement.
func (f *flow) undelivered() bool {
	return f.written > f.arrived || f.ended && !f.finArrived
}

// stalled: it waits, and none can come.
func (f *flow) stalled() bool { return f.undelivered() && !f.passable() }

// space is how many bytes the send buffer takes.
func (f *flow) space() int {
	held := f.written - f.arrived
	if f.link == nil {
		held = f.written - f.read
	}
	return f.sndBuf - int(held)
}

// writable is the kernel's idea of enough space to wake a writer: a third of the buffer.
func (f *flow) writable() bool { return 3*f.space() >= f.sndBuf }

// pump sends what can be sent: the handshake's last leg, bytes as the window allows, the end.
func (f *flow) pump() {
	if f.over || f.rstSent || f.from.state == connecting {
		return
	}
	if !f.passable() {
		f.stall()
		return
	}
	if f.successor() {
		f.from.receiveReset()
		return
	}
	if f.to.state == waiting && !f.synSent {
		f.synSent = true
		f.post(evAck, 0, 0)
	}
	for f.sent < f.written && !f.over && !f.rstSent {
		window := f.rcvBuf - int(f.sent-f.read)
		if window <= 0 {
			f.shutWindow()
			return
		}
		size := min(window, int(f.written-f.sent), f.segment())
		f.sent += uint64(size)
		f.post(evData, f.sent, size)
	}
	if f.ended && !f.finSent && !f.over && !f.rstSent {
		f.finSent = true
		f.post(evFin, 0, 0)
	}
}

// shutWindow stops the sender until the reader makes room, for TCP_USER_TIMEOUT at most if that is set.
func (f *flow) shutWindow() {
	if f.windowShut {
		return
	}
	f.windowShut = true
	f.shutEpoch++
	if d := f.from.opts.UserTimeout; d > 0 && f.link != nil {
		f.n.schedule(d, event{kind: evWindowTimeout, flow: f, epoch: f.shutEpoch})
	}
}

// segment is how much travels at once: about ten milliseconds' worth, so that a slow link delivers
// steadily and not in one lump.
func (f *flow) segment() int {
	if f.link == nil {
		return math.MaxInt
	}
	if bw := f.link.opts().Bandwidth; bw > 0 {
		return max(bw/100, 536)
	}
	return math.MaxInt
}

// post has something arrive at the other end, behind all that was posted before.
func (f *flow) post(k kind, upto uint64, size int) {
	e := event{kind: k, flow: f, upto: upto, epoch: f.epoch}
	at := f.n.now
	if f.link != nil {
		if bw := f.link.opts().Bandwidth; bw > 0 && size > 0 {
			start := max(at, f.link.busy)
			f.link.busy = start + time.Duration(float64(size)/float64(bw)*float64(time.Second))
			at = f.link.busy
		}
		at = max(at+f.link.delay(), f.lastAt)
	}
	if at <= f.n.now && f.inflight == 0 {
		f.n.happen(&e)
		return
	}
	f.lastAt = at
	f.inflight++
	e.at = at
	f.n.agenda.push(e)
}

// arrive is the receiving end of post.
func (f *flow) arrive(k kind, upto uint64) {
	s := f.to
	s.heard, f.from.heard = f.n.now, f.n.now // with the acknowledgement
	switch k {
	case evAck:
		f.synArrived = true
		s.ready()
	case evData:
		if s.gone || s.state == closed {
			s.refuseData()
			return
		}
		f.arrived = upto
		if f.from.noSpace && f.writable() {
			f.from.noSpace = false
			f.n.schedule(f.back(), event{kind: evSpace, flow: f})
		}
		s.wake()
	case evFin:
		if s.state == closed {
			s.refuseData()
			return
		}
		f.finArrived = true
		s.rcvEnded, s.rcvShut = true, true
		s.wake()
		s.farewell()
	case evRst:
		f.end()
		s.receiveReset()
	}
}

// refuseData answers what nobody will read.
func (s *sock) refuseData() {
	if s.state != closed {
		s.reset()
		return
	}
	if s.out.rstSent {
		return // on its way
	}
	if f := s.out; f.passable() {
		if f.over { // for us, but the peer never heard of it
			f.attach()
		}
		f.rstSent = true
		f.post(evRst, 0, 0)
	}
}

// back is the delay of news from the reader to the writer.
func (f *flow) back() time.Duration {
	if f.link == nil {
		return 0
	}
	return f.n.link(f.to.h, f.from.h).delay()
}

// reset drops what was not sent and posts a RST behind what was.
func (f *flow) reset() {
	if f.over {
		return
	}
	f.written = f.sent
	f.ended = false
	if !f.passable() || f.successor() {
		f.end()
		return
	}
	f.rstSent = true
	f.post(evRst, 0, 0)
}

// took is told after the reader has taken bytes.
func (f *flow) took() {
	if f.read == f.written {
		f.n.pool.put(f.ring)
		f.ring = nil
	}
	if f.link == nil {
		if f.from.noSpace && f.writable() {
			f.from.noSpace = false
			f.from.wake()
		}
		return
	}
	// Half the buffer, as TCP waits before it opens a window again (RFC 9293 s.3.8.6.2.2).
	if f.windowShut && !f.windowTold && 2*(f.rcvBuf-int(f.sent-f.read)) >= f.rcvBuf {
		f.windowShut, f.windowTold = false, true
		f.n.schedule(f.back(), event{kind: evWindow, flow: f})
	}
}

// put copies p behind what was written before. There is space.
func (f *flow) put(p []byte) {
	if !f.deaf {
		f.reserve(int(f.written-f.read) + len(p))
		i := int(f.written) & (len(f.ring) - 1)
		k := copy(f.ring[i:], p)
		copy(f.ring, p[k:])
	}
	f.written += uint64(len(p))
}

// get copies bytes that have arrived into p and takes them out.
func (f *flow) get(p []byte) {
	i := int(f.read) & (len(f.ring) - 1)
	k := copy(p, f.ring[i:])
	copy(p[k:], f.ring)
	f.read += uint64(len(p))
}

// reserve makes the ring hold size bytes.
func (f *flow) reserve(size int) {
	if size <= len(f.ring) {
		return
	}
	old := f.ring
	f.ring = f.n.pool.get(size)
	for at := f.read; at < f.written; {
		from := old[int(at)&(len(old)-1):]
		from = from[:min(len(from), int(f.written-at))]
		at += uint64(copy(f.ring[int(at)&(len(f.ring)-1):], from))
	}
	f.n.pool.put(old)
}

// abandonReader: nobody will read, now or later.
func (f *flow) abandonReader() {
	f.deaf = true
	f.n.pool.put(f.ring)
	f.ring = nil
}

// end takes the flow out of its link: nothing will be delivered any more, though what has arrived
// can still be read.
func (f *flow) end() {
	if f.over {
		return
	}
	f.over = true
	f.epoch++
	f.inflight = 0
	f.rstSent = false
	f.written, f.sent = f.arrived, f.arrived
	if f.read == f.written {
		f.n.pool.put(f.ring)
		f.ring = nil
	}
	if l := f.link; l != nil {
		last := l.flows[len(l.flows)-1]
		l.flows[f.index], last.index = last, f.index
		l.flows[len(l.flows)-1] = nil
		l.flows = l.flows[:len(l.flows)-1]
		f.index = -1
	}
}

// lose drops what is in flight. Bytes and the end are sent again when the link lets them; a RST is
// not.
func (f *flow) lose() {
	f.epoch++
	f.inflight = 0
	f.lastAt = 0
	f.sent = f.arrived
	f.synSent = f.synArrived
	f.finSent = f.finArrived
	f.rstSent = false
	f.timing = false
	f.stall()
	f.from.probe()
	f.to.probe()
}

// stall starts the clock after which the sender gives up.
func (f *flow) stall() {
	if f.timing || !f.stalled() {
		return
	}
	f.timing = true
	f.n.schedule(or(f.from.opts.UserTimeout, or(f.n.opts.AckTimeout, ackTimeout)), event{kind: evAckTimeout, flow: f, epoch: f.epoch})
}
