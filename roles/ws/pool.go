package ws

import (
	"time"

	"github.com/millrace/millrace/internal/list"
	"github.com/millrace/millrace/roles"
)

// pool has the inflaters of a Shared: those that no message needs, and the compressed messages under way.
type pool struct {
	free []*inflater
	busy list.List[packer, *packer] // those with an inflater, the one that has had no input for longest first
}

const (
	// maxIdle bounds the inflaters that wait: one is enough for messages that come in one piece.
	maxIdle = 4
	// evictAfter is how long a message must have brought nothing before it may be given up for another. It is more
	// than a line with losses needs to go on.
	evictAfter = time.Second
	// inflaterSize is what an inflater is charged with: its window, what has not been passed on, its tables.
	inflaterSize = window + chunk + 4*(litSize+distSize+lensSize) + 512
	// leastRate is how many octets of a compressed message must come in each second beyond Timeouts.Message. A
	// message in one piece, or any on a line that is of use, is far above it.
	leastRate = 1 << 10
)

// take gives c's message an inflater. It reports false when there is none.
func (l *pool) take(c *Conn) bool {
	sh := c.sh
	if !l.room(c) {
		v := l.busy.First()
		if v == nil || sh.now-v.fed < evictAfter || !c.low.MayHold(roles.HoldInflater, 0) {
			return false // an eviction would not make room
		}
		if w := v.c; w.reading != expectNothing {
			sh.Counters.Evicted++
			w.fail(errEvicted, 0)
			w.start() // what still comes is dropped
			w.low.Rearm()
		} else {
			w.forget() // its end has come in this turn, and Closed will follow
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

// handshakeSpare is how many inflaters there must be memory for when a handshake agrees on compression: those who
// have agreed before are not to be refused their messages for the sake of newcomers.
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

// stalled reports whether there is a message that would be given up for another.
func (l *pool) stalled(now time.Duration) bool {
	v := l.busy.First()
	return v != nil && now-v.fed >= evictAfter
}

// room reports whether there may be another inflater, for c.
func (l *pool) room(c *Conn) bool {
	most := c.sh.cfg.Deflate.Inflaters
	return (most <= 0 || l.busy.Len() < most) && c.low.MayHold(roles.HoldInflater, inflaterSize)
}

// touch notes that input has come for p's message.
func (l *pool) touch(p *packer, now time.Duration) {
	p.fed = now
	if l.busy.Last() != p {
		l.busy.Remove(p)
		l.busy.PushBack(p)
	}
}

// give takes p's inflater back.
func (l *pool) give(low roles.Lower, p *packer) {
	low.Hold(roles.HoldInflater, -inflaterSize)
	if len(l.free) < maxIdle {
		l.free = append(l.free, p.z)
	}
	p.z, p.c = nil, nil
	l.busy.Remove(p)
}

// messageDue is when the compressed message that has begun must be complete, 0 for never.
func (c *Conn) messageDue() time.Duration {
	p, most := c.packer, c.sh.cfg.Timeouts.Message
	if p == nil || p.z == nil || most <= 0 || p.stopped != 0 || c.is(stopped) {
		return 0
	}
	return p.began + most + time.Duration(p.in)*(time.Second/leastRate)
}

// deaf and listening note that we take no input, and do again, so that the peer is not blamed for the time between.
func (c *Conn) deaf() {
	if p := c.packer; p != nil && p.z != nil && p.stopped == 0 {
		p.stopped = c.low.Now()
	}
}

func (c *Conn) listening() {
	if p := c.packer; p != nil && p.z != nil && p.stopped != 0 {
		p.began += c.low.Now() - p.stopped
		p.stopped = 0
	}
}
