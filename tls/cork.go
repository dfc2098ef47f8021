package tls

// Cork implements roles.Lower. Outside of the session's own calls its records are kept separate from those of the
// session being served.
func (s *Session) Cork() bool {
	if s.flags&(established|closing|outDone|finAsked) != established || s.pendingOut != nil || !s.low.Cork() {
		return false
	}
	if s.flags&inside == 0 {
		sh := s.endpoint.sh
		sh.aside, sh.open = sh.open, openRecord{}
		s.flags |= inside | corked
	}
	return true
}

// Uncork implements roles.Lower.
func (s *Session) Uncork() {
	if s.flags&corked == 0 {
		s.low.Uncork()
		return
	}
	s.seal()
	sh := s.endpoint.sh
	sh.open, sh.aside = sh.aside, openRecord{}
	s.flags &^= inside | corked
	s.low.Uncork()
	if s.flags&wantsWritable != 0 {
		s.low.WantWrite()
	}
}

// Lendable implements roles.Lower. It returns 0: a record ends with its type inside the encrypted part (RFC 8446
// s.5.2), and the AEADs of the standard library accept plaintext in one slice, so it must be copied first.
func (s *Session) Lendable(int) int { return 0 }

// Lend implements roles.Lower.
func (s *Session) Lend([]byte) int { return 0 }
