package tls

import "time"

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

// stir notes that a record moves. The deadline is set once and then looked at when it comes, for a timer
// that moved with every record would cost more than the record.
func (s *Session) stir(now time.Duration) {
	if s.aw == nil {
		s.aw = s.end.sh.takeAwake()
		s.aw.due = 0
		if q := s.end.sh.cfg.Quiet; q > 0 {
			s.aw.due = now + q
			if s.flags&inside == 0 {
				s.low.Rearm()
			}
		}
	}
	s.aw.active = now
}

// grewQuiet gives the expanded keys back if no record has moved for Config.Quiet.
func (s *Session) grewQuiet(now time.Duration) {
	if due := s.aw.active + s.end.sh.cfg.Quiet; due > now {
		s.aw.due = due
		return
	}
	s.end.sh.giveAwake(s.aw)
	s.aw = nil
	s.end.sh.Counters.Slept++
}
