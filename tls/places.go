package tls

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/millrace/millrace/internal/list"
	"github.com/millrace/millrace/roles"
)

// This file decides which handshakes have a place. A place is a coroutine with the state of crypto/tls in it. A peer
// that starts a handshake and falls silent occupies one without use, so these rules apply:
//
//   - While at least half of the places are free, every handshake gets one at once.
//   - From there on no source has more than its share: its further handshakes wait until one of its own ends.
//   - If no place is free, the handshake that has waited longest for its peer is ended, those of a source above its
//     share first. It had Config.Patience; the longer the next in line waits, the less. A handshake whose answer has
//     arrived but is not read yet has lateShare times Config.Patience: a busy loop is not the peer's fault.
//   - Waiting handshakes are served source by source in rotation, and in order within a source.

const (
	// handshakeCost is the measured memory of a suspended handshake: the coroutine's stack and the state of crypto/tls.
	handshakeCost = 27 << 10
	// maxHandshakes is the default of Config.MaxHandshakes: 27 MiB. A quarter of the default account allows 606, which
	// is one second of 600 half-open handshakes per second: longer than a round trip from anywhere on Earth.
	maxHandshakes = 1024
	// minHandshakes are always allowed, whatever Config.Memory is.
	minHandshakes = 16
	// leastShare: one source may always have 1/leastShare of the places, however many sources there are, since many
	// clients behind one address are not an attack.
	leastShare = 16
	// scanMax limits how many handshakes are examined to find one to end. A source above its share has at least
	// 1/leastShare of the places, so it is found much earlier.
	scanMax = 64
	// lateShare is the factor of Config.Patience for a peer whose input is not read yet. It is limited, since a peer
	// that sends one byte at a time almost always has input waiting.
	lateShare = 4
)

// source is the origin of handshakes: an IPv4 address, or the /64 of an IPv6 address, which is the minimum of a site
// (RFC 6177). The zero address is for handshakes that are not counted: those of our clients, and of peers on Unix
// sockets.
type source struct {
	list.Links[source]
	addr   netip.Addr
	n      int        // handshakes that have a place
	line   handshakes // handshakes that wait for a place, in order
	queued bool       // it is in places.line
}

// places are the handshakes of a loop that have a place, and those that wait for one.
type places struct {
	max      int
	flight   int        // places in use
	running  handshakes // waiting for their peers, in order of their waits
	putOff   handshakes // paused until the next turn
	waiting  int
	line     list.List[source, *source] // sources with waiting handshakes
	sources  map[netip.Addr]*source
	exempt   source
	unnamed  int           // handshakes in running and putOff without a source
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

// admit gives h a place. If there is none for it, h waits and its transport is paused.
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
		sh.take(h) // more than half are free: no check of the source
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

// take and leave count the places in use. No other code charges memory for handshakes.
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

// shift gives places to waiting handshakes, and ends others for it by the rules above.
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
		h.s.requestCall()
	}
	p.shifting = false
	sh.arm()
}

// slowest returns the handshake to end so that h gets a place. If none has used its time, slowest sets the alarm and
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
		// The alarm is when patience, which falls while h waits, meets the longest wait, which rises.
		since := p.running.First().since
		p.alarm = max(since+most/4, (most+since+h.since)/2, now+most/8+1)
	}
	return victim
}

// inputDue reports whether h's peer has sent bytes that the transport has not read yet.
func (h *handshake) inputDue() bool {
	return h.s.low.Info().Conn.InputDue()
}

// share is how many places one source may have while few are free: all divided by the number of sources plus one, but
// at least a fixed part.
func (p *places) share() int { return max(p.max/(len(p.sources)+1), p.max/leastShare, 1) }

// full reports whether f may have no further place now.
func (p *places) full(f *source) bool {
	return f != &p.exempt && 2*p.flight >= p.max && f.n >= p.share()
}

// exceeds reports whether f has more than its share. The first sources may have more until others arrive.
func (p *places) exceeds(f *source) bool { return f != &p.exempt && f.n > p.share() }

// nextUp returns the next handshake in line whose source may have a place.
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

// dequeue removes h from the line, and moves its source to the end.
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

// quit removes h from the line, if it waits.
func (p *places) quit(h *handshake) {
	if h.from != nil && h.in == &h.from.line {
		p.dequeue(h)
		p.forget(h.from)
		return
	}
	h.unlink()
}

// nameAll determines the sources of handshakes that got a place while many were free.
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
	if h.s.endpoint.client {
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

// forget drops a source without handshakes.
func (p *places) forget(f *source) {
	if f != &p.exempt && f.n == 0 && f.line.Len() == 0 {
		delete(p.sources, f.addr)
	}
}

// handshakes is a queue of handshakes. Each handshake knows its queue.
type handshakes struct {
	list.List[handshake, *handshake]
}

// PushBack adds h, which must be in no queue, at the end.
func (l *handshakes) PushBack(h *handshake) {
	h.in = l
	l.List.PushBack(h)
}

// unlink removes h from its queue, if any.
func (h *handshake) unlink() {
	if l := h.in; l != nil {
		h.in = nil
		l.Remove(h)
	}
}
