package tls

import (
	"time"

	"github.com/millrace/millrace/internal/list"
)

// quietSteps limits how many sessions one Timeout examines: when very many sessions become quiet together, others are
// served in between.
const quietSteps = 512

// wakeIn returns the expanded keys of the receiving direction.
func (s *Session) wakeIn(now time.Duration) *cipherState {
	s.touch(now)
	h := &s.aw.in
	if h.aead == nil {
		h.expand(&suites[s.suite], &s.in.keys)
		s.endpoint.sh.Counters.Woken++
	}
	return h
}

// wakeOut returns the expanded keys of the sending direction.
func (s *Session) wakeOut() *cipherState {
	now := s.endpoint.sh.now
	if s.flags&inside == 0 {
		now = s.endpoint.sh.clock()
	}
	s.touch(now)
	h := &s.aw.out
	if h.aead == nil {
		h.expand(&suites[s.suite], &s.out.keys)
		s.endpoint.sh.Counters.Woken++
	}
	return h
}

// touch records the time of a record.
func (s *Session) touch(now time.Duration) {
	if s.aw == nil {
		s.aw = s.endpoint.sh.takeAwake(s, now)
	}
	s.aw.active = now
}

// awake is the additional state of a session in use. All awake structures are in one queue, and each waits equally
// long for its next check, so that the queue is in order of time and needs one timer for all: a timer per session
// would move through the loop's heap at each waking, past those of sleeping connections.
type awake struct {
	list.Links[awake]
	s       *Session
	due     time.Duration // when to check whether it is quiet
	active  time.Duration // time of the last record
	in, out cipherState
}

// takeAwake returns an awake structure for the keys of s.
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

// giveAwake releases an awake structure.
func (sh *Shared) giveAwake(a *awake) {
	sh.queue.Remove(a)
	*a = awake{}
	if len(sh.spare) < spareMax {
		sh.spare = append(sh.spare, a)
	}
}

func (sh *Shared) enqueue(a *awake, now time.Duration) {
	a.due = now + max(sh.checkInterval(), 1)
	sh.queue.PushBack(a)
}

// checkInterval is how long an awake session waits for its next check. A session that will exceed Config.Quiet before
// the next check sleeps now, since the next check would be too late.
func (sh *Shared) checkInterval() time.Duration { return sh.cfg.Quiet / 4 }

// arm requests Timeout for the due time of the first session, or for when a waiting handshake may displace another.
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

// Timeout puts sessions to sleep that were quiet for Config.Quiet, and ends handshakes that keep others waiting for
// too long. It is called at the time given to Config.Arm.
func (sh *Shared) Timeout(now time.Duration) {
	sh.armed = 0
	if at := sh.places.alarm; at != 0 && at <= now {
		sh.now = now
		sh.shift()
	}
	a := sh.queue.First()
	for n := 0; a != nil && a.due <= now && n < quietSteps; n++ {
		if a.active+sh.cfg.Quiet-sh.checkInterval() <= now {
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
