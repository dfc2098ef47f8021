package tls

import (
	"iter"
	"time"

	stdtls "crypto/tls"

	"github.com/millrace/millrace/internal/list"
	"github.com/millrace/millrace/roles"
)

// handshake is the additional state of a session during its handshake. It has a coroutine from the first step on.
type handshake struct {
	s       *Session
	choose  func(alpn string) roles.Upper
	conn    *stdtls.Conn
	pipe    *pipe
	resume  func() (struct{}, bool)
	stop    func()
	err     error // result of crypto/tls, when done
	done    bool
	granted bool          // a place is reserved for it
	begun   bool          // a step was taken
	fed     bool          // the tls.Conn was given bytes
	since   time.Duration // when it started to wait: for its peer, or for a place
	due     time.Duration
	limit   time.Duration // the latest due
	from    *source       // nil until few places were left
	secrets secrets
	last    []byte // the last record that conn has written

	list.Links[handshake]
	in *handshakes // the queue that contains it; nil if none
}

// begin starts the coroutine if there is a place for it; otherwise the handshake waits.
func (h *handshake) begin() bool {
	if h.resume != nil {
		return true
	}
	sh := h.s.endpoint.sh
	if !sh.admit(h) {
		return false
	}
	h.since = sh.clock()
	sh.places.running.PushBack(h)
	sh.Counters.Started++
	e := h.s.endpoint
	e.ready()
	h.pipe = &pipe{sh: sh}
	if e.client {
		h.conn = stdtls.Client(h.pipe, e.conf)
	} else {
		h.conn = stdtls.Server(h.pipe, e.conf)
	}
	h.resume, h.stop = iter.Pull(h.run)
	return true
}

// run is the body of the coroutine: it only calls crypto/tls.
func (h *handshake) run(yield func(struct{}) bool) {
	h.pipe.yield = yield
	h.err = h.conn.Handshake()
	h.pipe.yield = nil
	h.done = true
}

// step resumes the coroutine, which runs until it needs bytes or is done. A panic in the coroutine propagates from
// here.
func (h *handshake) step() {
	sh := h.s.endpoint.sh
	h.begun = true
	sh.serving = h
	h.resume()
	sh.serving = nil
	h.note(sh.scratch)
	if len(sh.scratch) > 0 && !h.done {
		h.answered(sh.clock())
	}
	h.s.flush()
}

// answered records that our flight is complete, so it is the peer's turn. Only that restarts the wait for the peer: a
// peer that sends its messages in small pieces has waited since its turn started.
func (h *handshake) answered(now time.Duration) {
	p := &h.s.endpoint.sh.places
	h.unlink()
	h.since = now
	p.running.PushBack(h)
	if !h.s.endpoint.client {
		h.due = min(h.limit, now+h.s.endpoint.sh.cfg.Reply)
	}
}

// release stops the coroutine at any point and clears the secrets. The handshake is not used again.
func (h *handshake) release() {
	sh := h.s.endpoint.sh
	sh.places.quit(h)
	if h.stop != nil {
		h.stop()
		h.stop = nil
		sh.emptied()
		sh.leave(h)
	} else if h.granted {
		h.granted = false
		sh.leave(h)
	}
	h.secrets = secrets{}
}

// requestCall asks the transport for another call: with the waiting bytes, or for output, since a client sends first.
func (s *Session) requestCall() {
	s.low.Resume()
	if s.endpoint.client {
		s.low.WantWrite()
	}
}

// refuse ends an unfinished handshake with an error.
func (s *Session) refuse(why error) {
	s.hs.release()
	s.drop(roles.Immediate, &Error{Op: "handshake", Peer: s.endpoint.name, Err: why})
}

// mayStep reports whether a step is allowed in this turn. If not, the step follows in a later turn.
func (s *Session) mayStep() bool {
	sh := s.endpoint.sh
	if sh.cfg.TakeStep == nil || sh.cfg.TakeStep() {
		return true
	}
	sh.Counters.PutOff++
	s.hs.unlink()
	sh.places.putOff.PushBack(s.hs)
	s.low.Pause()
	sh.cfg.Kick()
	return false
}

// advance makes the step that needs no bytes: the first one of a client.
func (s *Session) advance(now time.Duration) {
	h := s.hs
	if !s.endpoint.client || h.begun || h.in == &s.endpoint.sh.places.putOff || !h.begin() || !s.mayStep() {
		return
	}
	h.step()
	s.concluded(now)
}

// rxHandshake passes records to the handshake one by one, and returns the number of bytes used.
func (s *Session) rxHandshake(now time.Duration, b []byte) (used int) {
	for s.hs != nil && s.flags&closing == 0 && used < len(b) {
		h := s.hs
		n := span(b[used:], !h.fed)
		if n == 0 || !h.begin() || !s.mayStep() {
			break
		}
		h.fed = true
		h.pipe.feed = b[used : used+n]
		h.step()
		used += n - len(h.pipe.feed)
		h.pipe.feed = nil
		s.concluded(now)
	}
	return used
}

// concluded handles the end of a handshake, if it has ended.
func (s *Session) concluded(now time.Duration) {
	h := s.hs
	if !h.done {
		return
	}
	sh := s.endpoint.sh
	err := h.err
	if err != nil {
		err = s.endpoint.explain("handshake", err)
	} else {
		err = s.establish(h)
	}
	h.release()
	s.hs = nil
	if err == nil {
		return
	}
	sh.Counters.Failed++
	// crypto/tls has sent its alert.
	s.flags |= outDone
	if s.pendingOut != nil {
		s.sendAlertAndClose(AlertCloseNotify, roles.Graceful, err)
	} else {
		s.drop(roles.Graceful, err)
	}
}

// establish turns a successful handshake into an established session.
func (s *Session) establish(h *handshake) error {
	sh, e := s.endpoint.sh, s.endpoint
	c := h.conn.ConnectionState()
	s.describe(&c)
	if c.Version == stdtls.VersionTLS13 && !e.keep {
		if err := s.takeOver(h, c.CipherSuite); err != nil {
			return &Error{Op: "handshake", Err: err}
		}
	} else if !s.low.MayHold(roles.HoldSession, stdCost) {
		sh.Counters.NoMemory++
		return &Error{Op: "handshake", Peer: e.name, Err: ErrMemory}
	} else {
		s.conn = &stdConn{h.conn, h.pipe}
		sh.Counters.Kept++
		s.low.Hold(roles.HoldSession, stdCost)
	}
	if c.DidResume {
		sh.Counters.Resumed++
	} else {
		sh.Counters.Full++
	}
	if h.choose != nil {
		s.upper = h.choose(c.NegotiatedProtocol)
	}
	s.flags |= established
	return nil
}

// silent reports whether a client has sent its hello and received nothing.
func (h *handshake) silent() bool { return h.s.endpoint.client && h.begun && !h.fed }
