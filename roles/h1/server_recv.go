package h1

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// Opened is roles.Upper's.
func (s *Server) Opened(now time.Duration) {
	s.sh.now = now
	s.due = s.sh.deadline(s.sh.cfg.Timeouts.Idle)
}

// Rx is roles.Upper's.
func (s *Server) Rx(now time.Duration, b []byte) (used int) {
	s.sh.now = now
	s.pipelined = false
	for used < len(b) {
		n := 0
		switch s.state {
		case expectRequest, expectRequestHead:
			n = s.rxHead(b[used:])
		case owe100, expectBody, drainBody, discardBody:
			n = s.rxBody(b[used:])
		case awaitAnswer:
			s.pipelined = true
			if !s.x.wantsWrite {
				s.x.pauseLower()
			}
		case serverClosing:
			n = len(b) - used
		}
		if n == 0 {
			break
		}
		used += n
	}
	if s.state.hasBody() && s.x.progress {
		s.due = s.x.countBody(s.sh, s.sh.requestPace())
	}
	if s.peer == peerEnded && !s.pipelined {
		s.inputEnded()
	}
	return used
}

// rxHead consumes a complete head and returns its length, or 0 if the head is incomplete.
func (s *Server) rxHead(b []byte) int {
	if s.state == expectRequest {
		switch {
		case b[0] == '\r':
			// An empty line before a request is ignored (RFC 9112 s.2.2).
			if len(b) == 1 {
				return 0
			}
			if b[1] != '\n' {
				return s.refuse(errBareCR, b)
			}
			return 2
		case b[0] == '\n':
			return s.refuse(errBareLF, b)
		case !http.IsTokenByte(b[0]):
			// A TLS client on a plain port gets its refusal now, not after Timeouts.Head.
			return s.refuse(errMethod, b)
		}
	}
	sh := s.sh
	whole := s.state == expectRequest // b starts with the first byte of the head
	if whole {
		if n := sh.requests.match(b); n > 0 {
			s.startExchange(&sh.requests.msg)
			return n
		}
	}
	n, f := s.scan.section(sh, requestHead, &sh.msg, b)
	if f != nil {
		return s.refuse(f, b)
	}
	if n == 0 {
		if s.state == expectRequest {
			s.move(expectRequestHead)
			s.due = sh.deadline(sh.cfg.Timeouts.Head)
		}
		return 0
	}
	if f = request(sh, &sh.msg, s.traits&unixSocket != 0); f != nil {
		return s.refuse(f, b)
	}
	if whole {
		sh.requests.offer(sh, b[:n], &sh.msg)
	}
	s.startExchange(&sh.msg)
	return n
}

// startExchange starts the exchange of a request with head m.
func (s *Server) startExchange(m *http.Message) {
	sh := s.sh
	sh.Counters.Requests++
	if s.traits&served != 0 {
		sh.Counters.Reused++
	}
	x := sh.newExchange()
	x.h, x.low, x.side = s.h, s.low, s
	x.version, x.close = m.Version, m.Close
	x.headRequest = len(m.Method) == 4 && string(m.Method) == "HEAD"
	s.x = x
	if s.peer != peerSends {
		x.halfClosedDue = sh.deadline(sh.cfg.Timeouts.HalfClosed)
	}
	if m.Length == 0 {
		s.move(awaitAnswer)
		s.due = 0
		x.h.Head(x, m)
		if s.state == awaitAnswer {
			x.h.End(x, nil)
		}
		s.endIfDone()
		return
	}
	if m.Continue {
		s.move(owe100)
	} else {
		s.move(expectBody)
	}
	x.progress = true
	x.in = body{framing: bodyLength, left: m.Length}
	if m.Length < 0 {
		x.in.framing = bodyChunked
	}
	x.h.Head(x, m)
	if s.state == owe100 && !x.paused {
		s.low.WantWrite()
	}
	s.endIfDone()
}

// rxBody consumes a piece of the body and returns how many bytes it used.
func (s *Server) rxBody(b []byte) int {
	sh, x := s.sh, s.x
	if x.paused {
		return 0
	}
	n, p, done, f := x.in.next(sh, b)
	if f != nil {
		return s.refuse(f, b)
	}
	if n > 0 {
		x.progress = true
		x.received += len(p)
	}
	if x.out.done() {
		if x.drained += int64(n); x.drained > sh.cfg.Limits.Drain {
			s.close(roles.Graceful, errUnread)
			return len(b)
		}
	}
	if len(p) > 0 && s.state != discardBody {
		x.h.Body(x, p)
	}
	if done && s.state.hasBody() {
		s.bodyDone()
	}
	s.endIfDone()
	return n
}

// bodyDone handles the end of the request.
func (s *Server) bodyDone() {
	x := s.x
	var t []http.Field
	if x.in.framing == bodyChunked {
		t = s.sh.msg.Fields
	}
	if s.state == drainBody || s.state == discardBody {
		if x.h.End(x, t); s.state.hasBody() {
			s.next()
		}
		return
	}
	s.move(awaitAnswer)
	s.due = 0
	x.h.End(x, t)
}

// Writable is roles.Upper's.
func (s *Server) Writable(now time.Duration) {
	s.sh.now = now
	x := s.x
	if x == nil || s.state >= serverClosing {
		return
	}
	if x.out.state == awaitLastRoom {
		x.sendLast()
	} else if x.wantsWrite {
		x.wantsWrite = false
		x.h.Writable(x)
	}
	if s.state == owe100 && !x.paused && !x.out.begun() {
		s.send100()
	}
	s.endIfDone()
}

// endIfDone ends the exchange if both messages are complete, or if another protocol has taken the connection over. If
// only the response is complete, it decides about the rest of the request. It is the last step after each call of the
// handler, since the exchange may be gone afterwards.
func (s *Server) endIfDone() {
	x := s.x
	switch {
	case x == nil || s.state == serverClosing:
	case s.state == serverGone:
		s.endExchange(x)
	case !x.out.done():
	case s.state == awaitAnswer:
		s.next()
	case s.state == owe100, s.state == expectBody && x.in.framing == bodyLength && x.in.left > s.sh.cfg.Limits.Drain:
		s.close(roles.Graceful, errUnread)
	case s.state == expectBody && x.paused:
		s.move(discardBody)
		if x.paused = false; x.paced {
			s.due = x.startClock(s.sh, s.sh.requestPace())
		}
		x.resumeLower()
	case s.state == expectBody:
		s.move(drainBody)
	}
}

// next ends the exchange, whose messages are complete, and expects the next request or closes the connection.
func (s *Server) next() {
	x := s.x
	if x.close || s.peer == peerEnded && !s.pipelined {
		s.close(roles.Graceful, nil)
	} else {
		s.move(expectRequest)
		s.due = s.sh.deadline(s.sh.cfg.Timeouts.Idle)
	}
	x.resumeLower()
	s.endExchange(x)
}

func (s *Server) endExchange(x *exchange) {
	s.x = nil
	s.traits |= served
	x.h.Done(x, nil)
	s.sh.freeExchange(x)
}

// RxEnd is roles.Upper's.
func (s *Server) RxEnd(now time.Duration, unused int) {
	s.sh.now = now
	had := s.peer
	s.peer = peerEnded
	// A client that has ended its direction still gets its responses, also to the requests that wait in the transport.
	s.pipelined = s.state == awaitAnswer && unused > 0
	s.inputEnded()
	if had == peerSends {
		s.halfClosed()
	}
}

// HungUp is roles.HangUpWatcher's. The bytes that wait in the transport, and the end after them, stay there until the
// current exchange is over.
func (s *Server) HungUp(now time.Duration) {
	s.sh.now = now
	if s.peer == peerSends {
		s.peer = peerHungUp
		s.halfClosed()
		s.low.Rearm()
	}
}

// halfClosed sets the deadline for the response to a client that has ended its direction, and informs the handler.
func (s *Server) halfClosed() {
	x := s.x
	if x == nil || s.state >= serverClosing || x.out.done() {
		return
	}
	x.halfClosedDue = s.sh.deadline(s.sh.cfg.Timeouts.HalfClosed)
	if w, ok := x.h.(http.HalfCloseWatcher); ok {
		w.HalfClosed(x)
	}
}

// inputEnded closes the connection, or refuses the request, if the client can no longer complete what the server expects.
func (s *Server) inputEnded() {
	switch s.state {
	case expectRequest:
		s.close(roles.Graceful, nil)
	case expectRequestHead:
		s.refuse(errHeadCut, nil)
	case owe100, expectBody, drainBody, discardBody:
		if !s.x.paused {
			s.refuse(errBodyCut, nil)
		}
	}
}

// Woken is roles.Upper's. A Server never calls Wake.
func (s *Server) Woken(time.Duration) {}

// Deadline is roles.Upper's.
func (s *Server) Deadline() time.Duration {
	switch x := s.x; {
	case s.state >= serverClosing:
		return 0
	case x == nil:
		return s.due
	case x.halfClosedDue != 0 && (x.paused || s.due == 0 || x.halfClosedDue < s.due):
		return x.halfClosedDue
	case x.paused:
		return 0
	}
	return s.due
}

// Timeout is roles.Upper's.
func (s *Server) Timeout(now time.Duration) {
	s.sh.now = now
	if d := s.Deadline(); d == 0 || now < d {
		return
	}
	if x := s.x; x != nil && x.halfClosedDue != 0 && now >= x.halfClosedDue {
		s.refuse(errHalfSlow, nil)
		return
	}
	s.due = 0
	switch s.state {
	case expectRequest:
		s.close(roles.Graceful, nil)
	case expectRequestHead:
		s.refuse(errHeadSlow, nil)
	case owe100, expectBody, drainBody, discardBody:
		s.refuse(s.sh.slowBody(s.x, s.sh.requestPace()), nil)
	}
}

// Closed is roles.Upper's.
func (s *Server) Closed(cause error) {
	s.move(serverGone)
	x := s.x
	if x == nil {
		return
	}
	s.x = nil
	if cause == nil {
		cause = errGone
	}
	x.h.Done(x, cause)
	s.sh.freeExchange(x)
}

// suspend stops the clock of the body when the handler pauses. It returns false in drainBody and discardBody: the rest of
// a body whose response is complete is dropped instead.
func (s *Server) suspend(x *exchange) bool {
	switch s.state {
	case drainBody:
		s.move(discardBody)
		return false
	case discardBody:
		return false
	}
	x.pace.Stop(s.low.Now())
	return true
}

func (s *Server) resumed(x *exchange) {
	if !s.state.hasBody() {
		return
	}
	s.due = x.startClock(s.sh, s.sh.requestPace())
	s.low.Rearm()
	if s.state == owe100 {
		s.low.WantWrite()
	}
}

// committed renews the deadline for more of the response after the client has ended its direction.
func (s *Server) committed(x *exchange) {
	if x.halfClosedDue != 0 {
		s.sh.now = s.low.Now()
		x.halfClosedDue = s.sh.deadline(s.sh.cfg.Timeouts.HalfClosed)
	}
}
