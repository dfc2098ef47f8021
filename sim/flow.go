package sim

import (
	"math"
	"time"
)

// flow is one direction of a connection. A byte is stored once, in ring, from its write until its read. Four counters
// of the whole stream give the position of each step:
//
// read <= arrived <= sent <= written
type flow struct {
	n        *Network
	link     *link // nil in the Unix domain
	index    int   // in link.flows
	from, to *sock

	ring                         []byte // its length is a power of two; nil when empty
	read, arrived, sent, written uint64
	sndBuf, rcvBuf               int

	lastAt   time.Duration // nothing may arrive before this
	inflight int
	epoch    uint32 // events of earlier epochs were lost

	synSent, synArrived bool // the last step of the handshake, carried by the connecting side's flow
	ended               bool // a FIN follows the bytes
	finSent, finArrived bool
	rstSent             bool

	noReader   bool // no reader: bytes are counted, not stored
	windowShut bool // the sender waits for the reader to open the window
	windowTold bool // an evWindow is scheduled
	severed    bool
	finished   bool // nothing more will be delivered
	timing     bool // an evAckTimeout is scheduled
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

// attach adds the flow to its link, so that cutting and healing find it.
func (f *flow) attach() {
	f.finished = false
	if l := f.link; l != nil {
		f.index = len(l.flows)
		l.flows = append(l.flows, f)
	}
}

// passable reports whether bytes sent now arrive, at the receiver or at a host that has taken over its address.
func (f *flow) passable() bool {
	return f.link == nil || !f.severed && !f.link.cut && !f.from.h.dead && (!f.to.h.dead || f.successor())
}

// successor reports whether the receiving host was killed and another host has its address now.
func (f *flow) successor() bool {
	h := f.n.byAddr[f.to.local.IP.Addr()]
	return f.to.h.dead && h != nil && !h.dead
}

// undelivered reports whether the sender waits for an acknowledgement.
func (f *flow) undelivered() bool {
	return f.written > f.arrived || f.ended && !f.finArrived
}

// stalled reports whether the sender waits for an acknowledgement that cannot arrive.
func (f *flow) stalled() bool { return f.undelivered() && !f.passable() }

// space returns how many bytes the send buffer accepts.
func (f *flow) space() int {
	held := f.written - f.arrived
	if f.link == nil {
		held = f.written - f.read
	}
	return f.sndBuf - int(held)
}

// writable reports whether there is enough space to wake a writer: a third of the buffer, as in the kernel.
func (f *flow) writable() bool { return 3*f.space() >= f.sndBuf }

// pump sends as much as possible: the last step of the handshake, bytes within the window, the FIN.
func (f *flow) pump() {
	if f.finished || f.rstSent || f.from.state == connecting {
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
	for f.sent < f.written && !f.finished && !f.rstSent {
		window := f.rcvBuf - int(f.sent-f.read)
		if window <= 0 {
			f.shutWindow()
			return
		}
		size := min(window, int(f.written-f.sent), f.segment())
		f.sent += uint64(size)
		f.post(evData, f.sent, size)
	}
	if f.ended && !f.finSent && !f.finished && !f.rstSent {
		f.finSent = true
		f.post(evFin, 0, 0)
	}
}

// shutWindow stops the sender until the reader frees space, for at most TCP_USER_TIMEOUT if that is set.
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

// segment returns how much is sent at once: the bytes of about ten milliseconds, so that a slow link delivers
// steadily and not in one burst.
func (f *flow) segment() int {
	if f.link == nil {
		return math.MaxInt
	}
	if bw := f.link.opts().Bandwidth; bw > 0 {
		return max(bw/100, 536)
	}
	return math.MaxInt
}

// post schedules an arrival at the other end, after all earlier ones.
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
	f.n.eventQueue.push(e)
}

// arrive handles an event of post at the receiving end.
func (f *flow) arrive(k kind, upto uint64) {
	s := f.to
	s.heard, f.from.heard = f.n.now, f.n.now // the acknowledgement arrives there
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
		s.releaseIfDelivered()
	case evRst:
		f.end()
		s.receiveReset()
	}
}

// refuseData answers bytes that have no reader.
func (s *sock) refuseData() {
	if s.state != closed {
		s.reset()
		return
	}
	if s.out.rstSent {
		return // the RST is on its way
	}
	if f := s.out; f.passable() {
		if f.finished { // ended on this side, but the peer does not know that
			f.attach()
		}
		f.rstSent = true
		f.post(evRst, 0, 0)
	}
}

// back returns the delay from the reader to the writer.
func (f *flow) back() time.Duration {
	if f.link == nil {
		return 0
	}
	return f.n.link(f.to.h, f.from.h).delay()
}

// reset drops unsent bytes and posts a RST after the sent ones.
func (f *flow) reset() {
	if f.finished {
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

// onRead frees the space of bytes that the reader has read.
func (f *flow) onRead() {
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

// put appends p to the ring. The caller has checked the space.
func (f *flow) put(p []byte) {
	if !f.noReader {
		f.reserve(int(f.written-f.read) + len(p))
		i := int(f.written) & (len(f.ring) - 1)
		k := copy(f.ring[i:], p)
		copy(f.ring, p[k:])
	}
	f.written += uint64(len(p))
}

// get moves arrived bytes into p.
func (f *flow) get(p []byte) {
	i := int(f.read) & (len(f.ring) - 1)
	k := copy(p, f.ring[i:])
	copy(p[k:], f.ring)
	f.read += uint64(len(p))
}

// reserve grows the ring to size bytes.
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

// abandonReader marks the flow as having no reader, now or later.
func (f *flow) abandonReader() {
	f.noReader = true
	f.n.pool.put(f.ring)
	f.ring = nil
}

// end removes the flow from its link: nothing more is delivered, but arrived bytes can still be read.
func (f *flow) end() {
	if f.finished {
		return
	}
	f.finished = true
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

// lose drops what is in flight. Bytes and the FIN are sent again when the link works; a RST is not.
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

// stall starts the timeout after which the sender gives up.
func (f *flow) stall() {
	if f.timing || !f.stalled() {
		return
	}
	f.timing = true
	f.n.schedule(or(f.from.opts.UserTimeout, or(f.n.opts.AckTimeout, ackTimeout)), event{kind: evAckTimeout, flow: f, epoch: f.epoch})
}
