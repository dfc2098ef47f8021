package tls

import (
	"time"

	"github.com/millrace/millrace/roles"
)

// openRecord is the record being filled in the transport's buffer: several commits during one call become one record.
type openRecord = roles.Claim[*Session]

// alertTimeout is how long a transport may refuse our last alert.
const alertTimeout = 5 * time.Second

// pendingOut is output that the transport refused, in order, and the action after it is sent.
type pendingOut struct {
	b         []byte // bytes of crypto/tls, charged
	due       time.Duration
	alert     Alert
	last      bool // send alert, and then close the transport
	alertSent bool // alert was sent
	mode      roles.CloseMode
	cause     error
}

// Room implements roles.Lower. It returns space in one record, so at most MaxRoom.
func (s *Session) Room(min int) []byte {
	if s.flags&(established|closing|outDone|finAsked) != established || s.pendingOut != nil {
		return nil
	}
	o := &s.endpoint.sh.open
	if o.Is(s) && o.N > 0 {
		if free := s.capacity(o.Room) - o.N; free >= max(min, 1) {
			return o.Room[headerLen+o.N : headerLen+o.N+free]
		}
	}
	s.endpoint.sh.sealOpen()
	if s.conn == nil {
		if s.out.seq >= s.endpoint.sh.limit {
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

// capacity is how much plaintext one record in r can contain.
func (s *Session) capacity(r []byte) int { return min(len(r)-s.overhead(), maxPlain) }

// overhead is the maximal size of a record without its plaintext.
func (s *Session) overhead() int {
	if s.conn != nil {
		return stdExtra
	}
	return sealedExtra
}

// Commit implements roles.Lower.
func (s *Session) Commit(n int) {
	o := &s.endpoint.sh.open
	if !o.Check("tls", s, n, s.capacity(o.Room)-o.N) {
		return
	}
	o.N += n
	if s.flags&inside == 0 || o.N == maxPlain {
		s.seal()
	}
}

// seal completes the open record of s, so that the transport may send it.
func (s *Session) seal() {
	o := &s.endpoint.sh.open
	if !o.Is(s) {
		return
	}
	n := o.N
	buf := o.Take(s)
	switch {
	case n == 0:
	case s.conn != nil:
		s.writeStd(buf[headerLen : headerLen+n])
	default:
		s.low.Commit(s.wakeOut().seal(buf, n, typeData, s.out.seq, &s.endpoint.sh.nonce))
		s.out.seq++
		s.endpoint.sh.Counters.RecordsOut++
	}
}

// roomy reports whether upper can get MaxRoom after its committed bytes.
func (s *Session) roomy() bool {
	if s.pendingOut != nil {
		return false
	}
	if o := &s.endpoint.sh.open; o.Is(s) && o.N > 0 {
		return len(o.Room)-o.N-s.overhead() >= roles.MaxRecord
	}
	return s.low.Room(roles.MaxRecord) != nil
}

// send makes a record for a message that is not data. It returns false if the transport accepts no more output now.
func (s *Session) send(typ recordType, m ...byte) bool {
	s.endpoint.sh.sealOpen()
	r := s.low.Room(len(m) + sealedExtra)
	if r == nil {
		return false
	}
	n := copy(r[headerLen:], m)
	s.low.Commit(s.wakeOut().seal(r, n, typ, s.out.seq, &s.endpoint.sh.nonce))
	s.out.seq++
	s.endpoint.sh.Counters.RecordsOut++
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
	s.endpoint.sh.Counters.KeyUpdatesOut++
	return true
}

// sendPending sends pending messages to the peer, or asks for Writable to do it.
func (s *Session) sendPending() {
	if s.flags&(closing|outDone) != 0 || s.pendingOut != nil {
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
		if s.pendingOut == nil {
			s.low.CloseWrite()
		}
	}
}

// sayAlert sends an alert if there is space for it or crypto/tls has buffered it.
func (s *Session) sayAlert(a Alert) bool {
	if s.flags&outDone != 0 {
		return true
	}
	s.seal()
	if s.conn != nil {
		s.closeStd(a)
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
		s.endpoint.sh.Counters.AlertsOut++
	}
	return true
}

// WantWrite implements roles.Lower.
func (s *Session) WantWrite() {
	s.flags |= wantsWritable
	if s.flags&(inside|established) == established {
		s.low.WantWrite()
	}
}

// Pause implements roles.Lower.
func (s *Session) Pause() {
	s.flags |= paused
	s.low.Pause()
}

// Resume implements roles.Lower.
func (s *Session) Resume() {
	s.flags &^= paused
	s.low.Resume()
}

// Credit implements roles.Lower. The overhead of records is credited when they are opened.
func (s *Session) Credit(n int) { s.low.Credit(n) }

// CloseWrite implements roles.Lower: it sends close_notify, and then ends the transport's direction.
func (s *Session) CloseWrite() {
	s.flags |= finAsked
	if s.flags&(inside|established|closing) == established {
		s.sendPending()
	}
}

// Close implements roles.Lower. See Session for the time of Closed.
func (s *Session) Close(mode roles.CloseMode, cause error) {
	if s.flags&closing != 0 {
		if mode != roles.Graceful && s.flags&closed == 0 {
			s.low.Close(mode, cause)
		}
		return
	}
	s.finish(mode, cause)
}

// Replace implements roles.Lower.
func (s *Session) Replace(u roles.Upper) {
	s.upper = u
	s.flags &^= opened
	if s.flags&(inside|established) == established {
		// The transport offers the bytes that the old protocol did not use.
		s.low.WantWrite()
	}
}

// Rearm implements roles.Lower.
func (s *Session) Rearm() {
	if s.flags&inside == 0 {
		s.low.Rearm()
	}
}

// Wake implements roles.Lower.
func (s *Session) Wake() {
	s.flags |= wantsWoken
	s.low.Wake()
}

// Now implements roles.Lower.
func (s *Session) Now() time.Duration { return s.low.Now() }

// Info implements roles.Lower.
func (s *Session) Info() roles.Info {
	i := s.low.Info()
	i.Layer, i.TLS = roles.LayerTLS, s
	return i
}

// Hold implements roles.Lower.
func (s *Session) Hold(k roles.Kind, delta int) { s.low.Hold(k, delta) }

// MayHold implements roles.Lower.
func (s *Session) MayHold(k roles.Kind, n int) bool { return s.low.MayHold(k, n) }

// finish closes the session; a graceful close sends a close_notify first.
func (s *Session) finish(mode roles.CloseMode, cause error) {
	if s.flags&established == 0 || mode == roles.Reset {
		s.drop(mode, cause)
		return
	}
	if mode == roles.Immediate {
		s.seal()
		if s.pendingOut == nil {
			s.sayAlert(AlertCloseNotify)
		}
		s.drop(mode, cause)
		return
	}
	s.sendAlertAndClose(AlertCloseNotify, mode, cause)
}

// fail ends the session for an error of the peer, and sends the alert.
func (s *Session) fail(a Alert, cause error) { s.sendAlertAndClose(a, roles.Graceful, cause) }

// broken ends the session without an alert.
func (s *Session) broken(cause error) {
	s.seal()
	s.drop(roles.Graceful, cause)
}

func (s *Session) drop(mode roles.CloseMode, cause error) {
	s.endpoint.sh.open.Drop(s)
	s.flags |= closing
	s.low.Close(mode, cause)
}

// sendAlertAndClose sends an alert after all committed output, and then closes the transport.
func (s *Session) sendAlertAndClose(a Alert, mode roles.CloseMode, cause error) {
	s.seal()
	if s.pendingOut == nil && s.sayAlert(a) && s.pendingOut == nil {
		s.drop(mode, cause)
		return
	}
	s.flags |= closing
	h := s.pending()
	h.alert, h.last, h.mode, h.cause = a, true, mode, cause
	h.due = s.endpoint.sh.clock() + alertTimeout
	s.low.WantWrite()
	s.Rearm()
}

// pending returns s.pendingOut, which it creates if necessary.
func (s *Session) pending() *pendingOut {
	if s.pendingOut == nil {
		s.pendingOut = &pendingOut{}
	}
	return s.pendingOut
}

// flush passes the output of crypto/tls to the transport, and stores the part that the transport refuses.
func (s *Session) flush() {
	sh := s.endpoint.sh
	b := sh.scratch
	if s.pendingOut == nil {
		b = b[s.give(b):]
	}
	if len(b) > 0 {
		h := s.pending()
		was := cap(h.b)
		h.b = append(h.b, b...)
		s.low.Hold(roles.HoldOutput, cap(h.b)-was)
		s.low.WantWrite()
	}
	sh.emptied()
}

// give commits as much of b as the transport has space for.
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

// flushPending sends output that the transport refused before. It reports whether other output may follow.
func (s *Session) flushPending() bool {
	h := s.pendingOut
	n := s.give(h.b)
	if h.b = h.b[:copy(h.b, h.b[n:])]; len(h.b) > 0 {
		s.low.WantWrite()
		return false
	}
	s.low.Hold(roles.HoldOutput, -cap(h.b))
	h.b = nil
	if !h.last {
		s.pendingOut = nil
		if s.flags&(finAsked|outDone|closing) == finAsked|outDone {
			s.low.CloseWrite()
		}
		return true
	}
	if !h.alertSent {
		if !s.sayAlert(h.alert) {
			s.low.WantWrite()
			return false
		}
		h.alertSent = true
		if len(h.b) > 0 { // the transport refused the alert of the tls.Conn too
			return false
		}
	}
	s.pendingOut = nil
	s.drop(h.mode, h.cause)
	return false
}

// abandon closes a transport that accepts no more output.
func (s *Session) abandon() {
	h := s.pendingOut
	h.due = 0
	s.drop(h.mode, h.cause)
}
