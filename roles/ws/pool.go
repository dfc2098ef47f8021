package ws

import (
	"time"

	"github.com/millrace/millrace/internal/list"
	"github.com/millrace/millrace/roles"
)

// pool holds the inflaters of a Shared, unused and in use.
type pool struct {
	free []*inflater                // unused
	busy list.List[packer, *packer] // connections that have an inflater, the one whose last input is oldest first
}

const (
	// maxIdle bounds the unused inflaters. One suffices for messages that arrive in one piece.
	maxIdle = 4
	// evictAfter is the time without input after which a message may lose its inflater to another one. A network with
	// losses recovers in less.
	evictAfter = time.Second
	// inflaterSize is the memory charged for an inflater: its window, undelivered output, and tables.
	inflaterSize = window + chunk + 4*(litSize+distSize+lensSize) + 512
	// leastRate is the number of octets that prolong Timeouts.Message of a compressed message by a second. Any usable
	// network is far above it.
	leastRate = 1 << 10
)

// get gives c an inflater, if need be one of a stalled message, which fails. It reports whether there was one.
func (l *pool) get(c *Conn) bool {
	sh := c.sh
	if !l.room(c) {
		v := l.busy.First()
		if v == nil || sh.now-v.fed < evictAfter || !c.low.MayHold(roles.HoldInflater, 0) {
			return false // to evict a message would not make room
		}
		if w := v.c; w.reading != expectNothing {
			sh.Counters.Evicted++
			w.fail(errEvicted, 0)
			w.start() // to drop what still comes
			w.low.Rearm()
		} else {
			w.releaseDeflate() // it has ended in this turn, and Closed follows
		}
		if !l.room(c) {
			return false
		}
	}
	c.low.Hold(roles.HoldInflater, inflaterSize)
	p := c.packer
	if n := len(l.free); n > 0 {
		p.z, l.free = l.free[n-1], l.free[:n-1]
	} else {
		p.z = new(inflater)
	}
	p.c, p.fed, p.began, p.stopped = c, sh.now, sh.now, 0
	l.busy.PushBack(p)
	return true
}

// handshakeSpare is the number of inflaters for which there must be memory when a handshake agrees on compression, so
// that connections that have agreed before can use it.
const handshakeSpare = 16

// MayDeflate reports whether a connection over low may agree on compression now: fewer than Deflate.PerConnection are
// compressed already on the HTTP/2 connection (compressed is their number, 0 on others), and there is memory for an
// inflater, or a stalled message whose inflater the connection would get. A server calls NoDeflate after a refusal,
// which is counted as Declined.
func (s *Shared) MayDeflate(now time.Duration, low roles.Lower, compressed int) bool {
	if most := s.cfg.Deflate.PerConnection; most > 0 && compressed >= most {
		s.Counters.Declined++
		return false
	}
	spare := low.MayHold(roles.HoldInflater, handshakeSpare*inflaterSize)
	if (spare || s.pool.stalled(now)) && low.MayHold(roles.HoldSession, window) {
		return true
	}
	s.Counters.Declined++
	return false
}

// stalled reports whether a message has stalled for long enough to lose its inflater.
func (l *pool) stalled(now time.Duration) bool {
	v := l.busy.First()
	return v != nil && now-v.fed >= evictAfter
}

// room reports whether c may have one more inflater.
func (l *pool) room(c *Conn) bool {
	most := c.sh.cfg.Deflate.Inflaters
	return (most <= 0 || l.busy.Len() < most) && c.low.MayHold(roles.HoldInflater, inflaterSize)
}

// touch notes that input has come for the message of p.
func (l *pool) touch(p *packer, now time.Duration) {
	p.fed = now
	if l.busy.Last() != p {
		l.busy.Remove(p)
		l.busy.PushBack(p)
	}
}

// put puts the inflater of p back into the pool.
func (l *pool) put(low roles.Lower, p *packer) {
	low.Hold(roles.HoldInflater, -inflaterSize)
	if len(l.free) < maxIdle {
		l.free = append(l.free, p.z)
	}
	p.z, p.c = nil, nil
	l.busy.Remove(p)
}

// messageDue returns the deadline of the compressed message that has begun, 0 if there is none.
func (c *Conn) messageDue() time.Duration {
	p, most := c.packer, c.sh.cfg.Timeouts.Message
	if p == nil || p.z == nil || most <= 0 || p.stopped != 0 || c.is(stopped) {
		return 0
	}
	return p.began + most + time.Duration(p.in)*(time.Second/leastRate)
}

// stopMessageTimer and restartMessageTimer stop and restart the time of a compressed message while we do not read.
func (c *Conn) stopMessageTimer() {
	if p := c.packer; p != nil && p.z != nil && p.stopped == 0 {
		p.stopped = c.low.Now()
	}
}

func (c *Conn) restartMessageTimer() {
	if p := c.packer; p != nil && p.z != nil && p.stopped != 0 {
		p.began += c.low.Now() - p.stopped
		p.stopped = 0
	}
}
