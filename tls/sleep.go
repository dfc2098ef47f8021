package tls

import (
	"time"

	"github.com/millrace/millrace/internal/list"
)

// quietSteps bounds how many sessions one Timeout looks at: when a whole crowd goes quiet at once, others
// are served in between.
const quietSteps = 512

// wakeIn returns the expanded keys of what comes in.
func (s *Session) wakeIn(now time.Duration) *half {
	s.stir(now)
	h := &s.aw.in
	if h.aead == nil {
		h.expand(&suites[s.suite], &s.in.keys)
		s.end.sh.Counters.Woken++
	}
	return h
}

// wakeOut returns the expanded keys of what goes out.
func (s *Session) wakeOut() *half {
	now := s.end.sh.now
	if s.flags&inside == 0 {
		now = s.end.sh.clock()
	}
	s.stir(now)
	h := &s.aw.out
	if h.aead == nil {
		h.expand(&suites[s.suite], &s.out.keys)
		s.end.sh.Counters.Woken++
	}
	return h
}

// stir notes that a record moves.
func (s *Session) stir(now time.Duration) {
	if s.aw == nil {
		s.aw = s.end.sh.takeAwake(s, now)
	}
	s.aw.active = now
}

// awake is what a session holds in addition while it is in use. It stands in a queue in which each waits
// equally long to be looked at, so that the queue is in order of time and needs one timer for all: a timer
// per session would be moved through the loop's heap at each waking, past those of connections that sleep.
type awake struct {
	list.Links[awake]
	s       *Session
	due     time.Duration // when to see whether it has gone quiet
	active  time.Duration // when a record last moved
	in, out half
}

// takeAwake gives s somewhere to expand its keys.
func (sh *Shared) takeAwake(s *Session, now time.Duration) *awake {
	var a *awake
	if k := len(sh.spare); k > 0 {
		a, sh.spare = sh.spare[k-1], sh.spare[:k-1]
	} else {
		a = new(awake)
	}
	a.s = s
	sh.enqueue(a, now)
	if sh.armed == 0 || a.due < sh.armed {
		sh.arm()
	}
	return a
}

// giveAwake takes back what takeAwake gave.
func (sh *Shared) giveAwake(a *awake) {
	sh.queue.Remove(a)
	*a = awake{}
	if len(sh.spare) < spareMax {
		sh.spare = append(sh.spare, a)
	}
}

func (sh *Shared) enqueue(a *awake, now time.Duration) {
	a.due = now + max(sh.look(), 1)
	sh.queue.PushBack(a)
}

// look is how long an awake session waits to be looked at. One that has been quiet for all but a look of
// Config.Quiet sleeps now, since the next look would be too late.
func (sh *Shared) look() time.Duration { return sh.cfg.Quiet / 4 }

// arm asks for Timeout at the first session's due time, or when a waiting handshake may displace another.
func (sh *Shared) arm() {
	at := sh.places.alarm
	if a := sh.queue.First(); a != nil && sh.cfg.Quiet > 0 && (at == 0 || a.due < at) {
		at = a.due
	}
	if at != 0 && (sh.armed == 0 || at < sh.armed) && sh.cfg.Arm != nil {
		sh.armed = at
		sh.cfg.Arm(at)
	}
}

// Timeout puts the sessions to sleep that have been quiet for Config.Quiet, and ends handshakes that wait too long
// for their peers while others wait. It is called when the time has come that was given to Config.Arm.
func (sh *Shared) Timeout(now time.Duration) {
	sh.armed = 0
	if at := sh.places.alarm; at != 0 && at <= now {
		sh.now = now
		sh.shift()
	}
	a := sh.queue.First()
	for n := 0; a != nil && a.due <= now && n < quietSteps; n++ {
		if a.active+sh.cfg.Quiet-sh.look() <= now {
			a.s.aw = nil
			sh.giveAwake(a)
			sh.Counters.Slept++
		} else {
			sh.queue.Remove(a)
			sh.enqueue(a, now)
		}
		a = sh.queue.First()
	}
	sh.arm()
}
