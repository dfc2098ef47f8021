package tls

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/millrace/millrace/internal/list"
	"github.com/millrace/millrace/roles"
)

// This file decides which handshakes hold a place, which is a coroutine and what crypto/tls keeps in it. A
// peer that begins a handshake and falls silent holds one for nothing, so:
//
//   - While at least half of the places are free, every handshake has one at once.
//   - From there on no source has more than its share: its further handshakes wait, until one of its own ends.
//   - When no place is free, the handshake that has waited longest for its peer is ended, one of a source with more
//     than its share first. It has had Config.Patience; the longer the next in line waits, the less. One whose answer has
//     come, and waits to be read, has lateShare times Config.Patience: a busy loop is not the peer's fault.
//   - Those that wait are served source by source in rotation, and in order within a source.

const (
	// handshakeCost is what a parked handshake was measured to hold: the coroutine's stack and the
	// state of crypto/tls.
	handshakeCost = 27 << 10
	// maxHandshakes is the default of Config.MaxHandshakes: 27 MiB of them. With a quarter of the default
	// account there are 606, which is a second of 600 half-open handshakes a second: longer than a
	// client needs to answer from anywhere on Earth.
	maxHandshakes = 1024
	// minHandshakes is the least that Config.Memory leaves.
	minHandshakes = 16
	// leastShare is the part of the places that a source may have however many sources there are: many
	// clients behind one address are no attack.
	leastShare = 16
	// scanMax bounds how many handshakes are looked at to find one to end. A source with more than
	// its share has at least one place in leastShare, so that it is found in far less.
	scanMax = 64
	// lateShare is how many times Config.Patience a peer has whose input waits for the loop. It is bounded, since a peer
	// that sends an octet at a time has input there most of the time.
	lateShare = 4
)

// source is where handshakes come from: an IPv4 address, or the first 64 bits of an IPv6 one, which is what a
// site has at the least (RFC 6177). The zero address is for those that are not counted: our own clients,
// and peers without an address, on Unix sockets.
type source struct {
	list.Links[source]
	addr   netip.Addr
	n      int        // handshakes that hold a place
	line   handshakes // those that wait for one, in order
	queued bool       // it is in places.line
}

// places are the handshakes of a loop that hold a place, and those that wait for one.
type places struct {
	max      int
	flight   int        // places in use
	running  handshakes // waiting for their peers, the longest first
	putOff   handshakes // paused until the next turn
	waiting  int
	line     list.List[source, *source] // sources with handshakes that wait
	sources  map[netip.Addr]*source
	exempt   source
	unnamed  int           // handshakes in running and putOff whose source was not looked up
	shifting bool          // shift runs
	alarm    time.Duration // when shift is to be called; 0 never
}

func (c *Config) places() int {
	n := cmp.Or(c.MaxHandshakes, maxHandshakes)
	if c.Memory > 0 {
		n = min(n, max(c.Memory/handshakeCost, minHandshakes))
	}
	return n
}

// admit gives h a place. If there is none for it, h waits and is paused.
func (sh *Shared) admit(h *handshake) bool {
	p := &sh.places
	switch {
	case h.granted:
		h.granted = false
		return true
	case h.in != nil:
		return false
	case p.max == 0:
		h.s.refuse(ErrShutdown)
		return false
	case 2*p.flight < p.max && p.waiting == 0:
		sh.take(h) // from anywhere: there are plenty
		return true
	}
	p.nameAll()
	h.from = p.sourceOf(h)
	over := p.full(h.from)
	if p.flight < p.max && !over {
		sh.take(h)
		return true
	}
	h.since = sh.clock()
	p.enqueue(h)
	h.s.low.Pause()
	if sh.shift(); h.granted {
		h.granted = false
		return true
	}
	sh.Counters.Waited++
	if over {
		sh.Counters.HeldBack++
	}
	return false
}

// take and leave count the places in use. Nothing else charges for handshakes.
func (sh *Shared) take(h *handshake) {
	if h.from == nil {
		sh.places.unnamed++
	} else {
		h.from.n++
	}
	sh.places.flight++
	h.s.low.Hold(roles.HoldHandshake, handshakeCost)
}

func (sh *Shared) leave(h *handshake) {
	p := &sh.places
	if h.from == nil {
		p.unnamed--
	} else {
		h.from.n--
		p.forget(h.from)
	}
	p.flight--
	h.s.low.Hold(roles.HoldHandshake, -handshakeCost)
	sh.shift()
}

// shift gives places to those that wait, and ends handshakes for it where the rules above say so.
func (sh *Shared) shift() {
	p := &sh.places
	if p.shifting || p.max == 0 {
		return
	}
	p.shifting, p.alarm = true, 0
	for p.waiting > 0 {
		h := p.nextUp()
		if p.flight >= p.max || p.full(h.from) {
			v := sh.slowest(h)
			if v == nil {
				break
			}
			sh.Counters.Displaced++
			if p.exceeds(v.from) || p.full(v.from) {
				sh.Counters.OverShare++
			}
			v.s.refuse(ErrDisplaced)
		}
		p.dequeue(h)
		sh.take(h)
		h.granted = true
		h.s.goOn()
	}
	p.shifting = false
	sh.arm()
}

// slowest is the handshake to end so that h has a place. When there is none yet, it sets the alarm and
// returns nil.
func (sh *Shared) slowest(h *handshake) (victim *handshake) {
	p, now, most := &sh.places, sh.clock(), sh.cfg.Patience
	patience := max(most-(now-h.since), most/4)
	own := p.full(h.from)
	v := p.running.First()
	for n := 0; v != nil && n < scanMax && now-v.since >= patience; n++ {
		switch {
		case now-v.since < lateShare*most && v.inputDue():
		case own && v.from == h.from, !own && p.exceeds(v.from):
			return v
		case !own && victim == nil:
			victim = v
		}
		v = p.running.Next(v)
	}
	if victim == nil && p.running.First() != nil {
		// When patience, which falls while h waits, will have met the longest wait, which rises.
		since := p.running.First().since
		p.alarm = max(since+most/4, (most+since+h.since)/2, now+most/8+1)
	}
	return victim
}

// inputDue reports whether h's peer has sent something that the transport has not read yet.
func (h *handshake) inputDue() bool {
	return h.s.low.Info().Conn.InputDue()
}

// share is how many places one source may have while they are short: all of them by the number of sources
// and one that may come, and never less than a fixed part.
func (p *places) share() int { return max(p.max/(len(p.sources)+1), p.max/leastShare, 1) }

// full reports whether f may have no further place now.
func (p *places) full(f *source) bool {
	return f != &p.exempt && 2*p.flight >= p.max && f.n >= p.share()
}

// exceeds reports whether f has more than its share, as the first sources may when others come.
func (p *places) exceeds(f *source) bool { return f != &p.exempt && f.n > p.share() }

// nextUp is the handshake that is next in line, of a source that may have a place if there is one.
func (p *places) nextUp() *handshake {
	for f := p.line.First(); f != nil; f = p.line.Next(f) {
		if !p.full(f) {
			return f.line.First()
		}
	}
	return p.line.First().line.First()
}

func (p *places) enqueue(h *handshake) {
	f := h.from
	f.line.PushBack(h)
	p.waiting++
	if !f.queued {
		f.queued = true
		p.line.PushBack(f)
	}
}

// dequeue takes h out of the line, and puts its source at the end.
func (p *places) dequeue(h *handshake) {
	f := h.from
	h.unlink()
	p.waiting--
	f.queued = false
	p.line.Remove(f)
	if f.line.Len() > 0 {
		f.queued = true
		p.line.PushBack(f)
	}
}

// quit ends h's waiting, if it waits.
func (p *places) quit(h *handshake) {
	if h.from != nil && h.in == &h.from.line {
		p.dequeue(h)
		p.forget(h.from)
		return
	}
	h.unlink()
}

// nameAll looks up the sources of those that had a place while there were plenty.
func (p *places) nameAll() {
	if p.unnamed == 0 {
		return
	}
	for _, l := range []*handshakes{&p.running, &p.putOff} {
		for h := l.First(); h != nil; h = l.Next(h) {
			if h.from == nil {
				h.from = p.sourceOf(h)
				h.from.n++
				p.unnamed--
			}
		}
	}
}

func (p *places) sourceOf(h *handshake) *source {
	if h.s.end.client {
		return &p.exempt
	}
	if ip := h.s.low.Info().Conn.PeerIP().Addr(); ip.IsValid() {
		return p.at(ip)
	}
	return &p.exempt
}

func (p *places) at(ip netip.Addr) *source {
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		site, _ := ip.Prefix(64)
		ip = site.Addr()
	}
	f := p.sources[ip]
	if f == nil {
		f = &source{addr: ip}
		if p.sources == nil {
			p.sources = make(map[netip.Addr]*source)
		}
		p.sources[ip] = f
	}
	return f
}

// forget drops a source that has nothing any more.
func (p *places) forget(f *source) {
	if f != &p.exempt && f.n == 0 && f.line.Len() == 0 {
		delete(p.sources, f.addr)
	}
}

// handshakes is a queue of handshakes; each knows the queue that it is in.
type handshakes struct {
	list.List[handshake, *handshake]
}

// PushBack adds h, which is in no queue, at the end.
func (l *handshakes) PushBack(h *handshake) {
	h.in = l
	l.List.PushBack(h)
}

// unlink removes h from the queue that it is in, if it is in one.
func (h *handshake) unlink() {
	if l := h.in; l != nil {
		h.in = nil
		l.Remove(h)
	}
}
