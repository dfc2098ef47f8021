package tls

import (
	"time"

	"github.com/millrace/millrace/roles"
)

// openRecord is the record that is being filled, in the transport's room: several commits during one call become one
// record.
type openRecord = roles.Claim[*Session]

// farewellTime is how long a transport may refuse our last alert.
const farewellTime = 5 * time.Second

// held is output that the transport refused, in order, and what is to happen when it has gone.
type held struct {
	b     []byte // bytes of crypto/tls, charged
	due   time.Duration
	alert Alert
	last  bool // alert is to be sent, and then the transport closed
	said  bool // alert was sent
	mode  roles.CloseMode
	cause error
}

// Room is roles.Lower's. It is space in one record, so at most MaxRoom.
func (s *Session) Room(min int) []byte {
	if s.flags&(stands|closing|outDone|finAsked) != stands || s.held != nil {
		return nil
	}
	o := &s.end.sh.open
	if o.Is(s) && o.N > 0 {
		if free := s.capacity(o.Room) - o.N; free >= max(min, 1) {
			return o.Room[headerLen+o.N : headerLen+o.N+free]
		}
	}
	s.end.sh.sealOpen()
	if s.conn == nil {
		if s.out.seq >= s.end.sh.limit {
			s.flags |= owesKeys
		}
		if s.flags&owesKeys != 0 && !s.updateKeys() {
			return nil
		}
	}
	r := s.low.Room(min + s.overhead())
	if r == nil || s.capacity(r) < max(min, 1) {
		return nil
	}
	o.Give(s, r)
	return r[headerLen : headerLen+s.capacity(r)]
}

// capacity is how much plaintext one record made in r can hold.
func (s *Session) capacity(r []byte) int { return min(len(r)-s.overhead(), maxPlain) }

// overhead is what a record has beside its plaintext at the most.
func (s *Session) overhead() int {
	if s.conn != nil {
		return keptExtra
	}
	return sealedExtra
}

// Commit is roles.Lower's.
func (s *Session) Commit(n int) {
	o := &s.end.sh.open
	if !o.Check("tls", s, n, s.capacity(o.Room)-o.N) {
		return
	}
	o.N += n
	if s.flags&inside == 0 || o.N == maxPlain {
		s.seal()
	}
}

// seal makes the open record of s one that the transport may send.
func (s *Session) seal() {
	o := &s.end.sh.open
	if !o.Is(s) {
		return
	}
	n := o.N
	buf := o.Take(s)
	switch {
	case n == 0:
	case s.conn != nil:
		s.writeKept(buf[headerLen : headerLen+n])
	default:
		s.low.Commit(s.wakeOut().seal(buf, n, typeData, s.out.seq, &s.end.sh.nonce))
		s.out.seq++
		s.end.sh.Counters.RecordsOut++
	}
}

// roomy says whether upper may be promised MaxRoom behind what it has committed.
func (s *Session) roomy() bool {
	if s.held != nil {
		return false
	}
	if o := &s.end.sh.open; o.Is(s) && o.N > 0 {
		return len(o.Room)-o.N-s.overhead() >= roles.MaxRecord
	}
	return s.low.Room(roles.MaxRecord) != nil
}

// send seals a record of its own for a message that is not data. It reports false when the transport
// takes no more for now.
func (s *Session) send(typ recordType, m ...byte) bool {
	s.end.sh.sealOpen()
	r := s.low.Room(len(m) + sealedExtra)
	if r == nil {
		return false
	}
	n := copy(r[headerLen:], m)
	s.low.Commit(s.wakeOut().seal(r, n, typ, s.out.seq, &s.end.sh.nonce))
	s.out.seq++
	s.end.sh.Counters.RecordsOut++
	return true
}

// updateKeys sends a KeyUpdate, the last message under the present key (RFC 8446 s.4.6.3).
func (s *Session) updateKeys() bool {
	if !s.send(typeHandshake, keyUpdate, 0, 0, 1, 0) {
		return false
	}
	s.flags &^= owesKeys
	s.out.update(&suites[s.suite])
	s.aw.out.wipe()
	s.end.sh.Counters.KeyUpdatesOut++
	return true
}

// settle sends what is owed to the peer, or asks for Writable to do it.
func (s *Session) settle() {
	if s.flags&(closing|outDone) != 0 || s.held != nil {
		return
	}
	if s.flags&owesKeys != 0 && s.conn == nil && !s.updateKeys() {
		s.low.WantWrite()
		return
	}
	if s.flags&finAsked != 0 {
		if !s.sayAlert(AlertCloseNotify) {
			s.low.WantWrite()
			return
		}
		if s.held == nil {
			s.low.CloseWrite()
		}
	}
}

// sayAlert sends an alert, if there is room for it or crypto/tls has buffered it.
func (s *Session) sayAlert(a Alert) bool {
	if s.flags&outDone != 0 {
		return true
	}
	s.seal()
	if s.conn != nil {
		s.closeKept(a)
	} else {
		level := byte(2)
		if a == AlertCloseNotify {
			level = 1
		}
		if !s.send(typeAlert, level, byte(a)) {
			return false
		}
	}
	s.flags |= outDone
	if a != AlertCloseNotify {
		s.end.sh.Counters.AlertsOut++
	}
	return true
}

// WantWrite is roles.Lower's.
func (s *Session) WantWrite() {
	s.flags |= wants
	if s.flags&(inside|stands) == stands {
		s.low.WantWrite()
	}
}

// Pause is roles.Lower's.
func (s *Session) Pause() {
	s.flags |= paused
	s.low.Pause()
}

// Resume is roles.Lower's.
func (s *Session) Resume() {
	s.flags &^= paused
	s.low.Resume()
}

// Credit is roles.Lower's. What records have beside data is credited as they are opened.
func (s *Session) Credit(n int) { s.low.Credit(n) }

// CloseWrite is roles.Lower's: close_notify, and then the end of the transport's direction.
func (s *Session) CloseWrite() {
	s.flags |= finAsked
	if s.flags&(inside|stands|closing) == stands {
		s.settle()
	}
}

// Close is roles.Lower's, but see Session for when Closed comes.
func (s *Session) Close(mode roles.CloseMode, cause error) {
	if s.flags&closing != 0 {
		if mode != roles.Graceful && s.flags&closed == 0 {
			s.low.Close(mode, cause)
		}
		return
	}
	s.finish(mode, cause)
}

// Replace is roles.Lower's.
func (s *Session) Replace(u roles.Upper) {
	s.upper = u
	s.flags &^= opened
	if s.flags&(inside|stands) == stands {
		// What the old one left, if anything, is offered by the transport.
		s.low.WantWrite()
	}
}

// Rearm is roles.Lower's.
func (s *Session) Rearm() {
	if s.flags&inside == 0 {
		s.low.Rearm()
	}
}

// Wake is roles.Lower's.
func (s *Session) Wake() {
	s.flags |= wakes
	s.low.Wake()
}

// Now is roles.Lower's.
func (s *Session) Now() time.Duration { return s.low.Now() }

// Info is roles.Lower's.
func (s *Session) Info() roles.Info {
	i := s.low.Info()
	i.Layer, i.TLS = roles.LayerTLS, s
	return i
}

// Hold is roles.Lower's.
func (s *Session) Hold(k roles.Kind, delta int) { s.low.Hold(k, delta) }

// MayHold is roles.Lower's.
func (s *Session) MayHold(k roles.Kind, n int) bool { return s.low.MayHold(k, n) }

// finish closes the session: in order, with a close_notify before the end.
func (s *Session) finish(mode roles.CloseMode, cause error) {
	if s.flags&stands == 0 || mode == roles.Reset {
		s.drop(mode, cause)
		return
	}
	if mode == roles.Immediate {
		s.seal()
		if s.held == nil {
			s.sayAlert(AlertCloseNotify)
		}
		s.drop(mode, cause)
		return
	}
	s.farewell(AlertCloseNotify, mode, cause)
}

// fail ends the session for a fault of the peer's, and tells it.
func (s *Session) fail(a Alert, cause error) { s.farewell(a, roles.Graceful, cause) }

// broken ends the session when there is nothing to tell.
func (s *Session) broken(cause error) {
	s.seal()
	s.drop(roles.Graceful, cause)
}

func (s *Session) drop(mode roles.CloseMode, cause error) {
	s.end.sh.open.Drop(s)
	s.flags |= closing
	s.low.Close(mode, cause)
}

// farewell sends an alert behind all that was committed, and then closes the transport.
func (s *Session) farewell(a Alert, mode roles.CloseMode, cause error) {
	s.seal()
	if s.held == nil && s.sayAlert(a) && s.held == nil {
		s.drop(mode, cause)
		return
	}
	s.flags |= closing
	h := s.hold()
	h.alert, h.last, h.mode, h.cause = a, true, mode, cause
	h.due = s.end.sh.clock() + farewellTime
	s.low.WantWrite()
	s.Rearm()
}

// hold returns the place for output that the transport refused.
func (s *Session) hold() *held {
	if s.held == nil {
		s.held = &held{}
	}
	return s.held
}

// flush gives the transport what crypto/tls has written meanwhile, and keeps what it refuses.
func (s *Session) flush() {
	sh := s.end.sh
	b := sh.scratch
	if s.held == nil {
		b = b[s.give(b):]
	}
	if len(b) > 0 {
		h := s.hold()
		was := cap(h.b)
		h.b = append(h.b, b...)
		s.low.Hold(roles.HoldOutput, cap(h.b)-was)
		s.low.WantWrite()
	}
	sh.emptied()
}

// give commits as much of b as there is room for.
func (s *Session) give(b []byte) (n int) {
	for n < len(b) {
		r := s.low.Room(min(len(b)-n, roles.MaxRoom))
		if r == nil {
			break
		}
		k := copy(r, b[n:])
		s.low.Commit(k)
		n += k
	}
	return n
}

// flushHeld sends what was refused before. It reports whether other output may follow.
func (s *Session) flushHeld() bool {
	h := s.held
	n := s.give(h.b)
	if h.b = h.b[:copy(h.b, h.b[n:])]; len(h.b) > 0 {
		s.low.WantWrite()
		return false
	}
	s.low.Hold(roles.HoldOutput, -cap(h.b))
	h.b = nil
	if !h.last {
		s.held = nil
		if s.flags&(finAsked|outDone|closing) == finAsked|outDone {
			s.low.CloseWrite()
		}
		return true
	}
	if !h.said {
		if !s.sayAlert(h.alert) {
			s.low.WantWrite()
			return false
		}
		h.said = true
		if len(h.b) > 0 { // the tls.Conn's alert was refused in its turn
			return false
		}
	}
	s.held = nil
	s.drop(h.mode, h.cause)
	return false
}

// giveUp closes a transport that takes nothing any more.
func (s *Session) giveUp() {
	h := s.held
	h.due = 0
	s.drop(h.mode, h.cause)
}
