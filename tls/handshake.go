package tls

import (
	"errors"
	"io"
	"iter"
	"net"
	"time"

	stdtls "crypto/tls"

	"github.com/millrace/millrace/internal/list"
	"github.com/millrace/millrace/roles"
)

// handshake is what a session holds until it stands. It has a coroutine from the first step on.
type handshake struct {
	s       *Session
	choose  func(alpn string) roles.Upper
	conn    *stdtls.Conn
	pipe    *pipe
	resume  func() (struct{}, bool)
	stop    func()
	err     error // crypto/tls's verdict, when done
	done    bool
	granted bool          // a place became free and is kept for it
	begun   bool          // a step was taken
	fed     bool          // the tls.Conn was given bytes
	since   time.Duration // when it began to wait: for its peer, or for a place
	due     time.Duration
	limit   time.Duration // the latest due
	from    *source       // nil until places were short
	secrets secrets
	last    []byte // the last record that conn has written

	list.Links[handshake]
	in *handshakes // the queue that it is in; nil in none
}

// pipe is the net.Conn under a tls.Conn. It gives what lies in feed, which is never more than the present
// record, so that nothing is left inside of the tls.Conn when the handshake is over; writes are gathered
// in the loop's scratch space, so that it never sees a short one.
type pipe struct {
	sh    *Shared
	feed  []byte
	yield func(struct{}) bool // of the coroutine that runs on it, nil for none
	dead  bool
}

// blocked is a temporary net.Error: crypto/tls then keeps what it has and can be asked again.
type blocked struct{}

func (blocked) Error() string   { return "no bytes for now" }
func (blocked) Timeout() bool   { return true }
func (blocked) Temporary() bool { return true }

var (
	errWouldBlock net.Error = blocked{}
	errStopped              = errors.New("stopped")
)

// Read yields until there are bytes, or says that it would block when it runs in no coroutine.
func (p *pipe) Read(b []byte) (int, error) {
	for len(p.feed) == 0 {
		if p.dead {
			return 0, errStopped
		}
		if p.yield == nil {
			return 0, errWouldBlock
		}
		p.dead = !p.yield(struct{}{})
	}
	n := copy(b, p.feed)
	p.feed = p.feed[n:]
	return n, nil
}

func (p *pipe) Write(b []byte) (int, error) {
	if p.dead {
		return 0, io.ErrClosedPipe
	}
	p.sh.scratch = append(p.sh.scratch, b...)
	return len(b), nil
}

// The rest of net.Conn is of no use to crypto/tls here. It asks for the remote address when a client has
// no name, which ours have.
func (p *pipe) Close() error                     { return nil }
func (p *pipe) LocalAddr() net.Addr              { return pipeAddr{} }
func (p *pipe) RemoteAddr() net.Addr             { return pipeAddr{} }
func (p *pipe) SetDeadline(time.Time) error      { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// begin makes the coroutine, if there is a place for it; else the handshake waits.
func (h *handshake) begin() bool {
	if h.resume != nil {
		return true
	}
	sh := h.s.end.sh
	if !sh.admit(h) {
		return false
	}
	h.since = sh.clock()
	sh.places.running.PushBack(h)
	sh.Counters.Started++
	e := h.s.end
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

// run is the coroutine: no code but crypto/tls's runs in it.
func (h *handshake) run(yield func(struct{}) bool) {
	h.pipe.yield = yield
	h.err = h.conn.Handshake()
	h.pipe.yield = nil
	h.done = true
}

// step resumes the coroutine, which runs until it needs bytes or is done. A panic in it comes out here.
func (h *handshake) step() {
	sh := h.s.end.sh
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

// answered notes that a flight of ours is complete, and the peer's turn has come. Only that makes the wait for
// it a new one: a peer that sends its messages in small pieces has waited since its turn began.
func (h *handshake) answered(now time.Duration) {
	p := &h.s.end.sh.places
	h.unlink()
	h.since = now
	p.running.PushBack(h)
	if !h.s.end.client {
		h.due = min(h.limit, now+h.s.end.sh.cfg.Reply)
	}
}

// release ends the coroutine, wherever it is, and forgets the secrets. The handshake is not used again.
func (h *handshake) release() {
	sh := h.s.end.sh
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

// goOn has the transport call us again: with the bytes that wait, or, since a client speaks first, for
// output.
func (s *Session) goOn() {
	s.low.Resume()
	if s.end.client {
		s.low.WantWrite()
	}
}

// refuse ends a handshake that is not over.
func (s *Session) refuse(why error) {
	s.hs.release()
	s.drop(roles.Immediate, &Error{Op: "handshake", Peer: s.end.name, Err: why})
}

// mayStep says whether a step may be taken in this turn. If not, it is taken in a later one.
func (s *Session) mayStep() bool {
	sh := s.end.sh
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

// advance takes the step that needs no bytes: a client's first.
func (s *Session) advance(now time.Duration) {
	h := s.hs
	if !s.end.client || h.begun || h.in == &s.end.sh.places.putOff || !h.begin() || !s.mayStep() {
		return
	}
	h.step()
	s.concluded(now)
}

// rxHandshake gives the handshake one record after the other, and returns how many bytes that were.
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

// concluded acts on the end of a handshake, if it has come to one.
func (s *Session) concluded(now time.Duration) {
	h := s.hs
	if !h.done {
		return
	}
	sh := s.end.sh
	err := h.err
	if err != nil {
		err = s.end.explain("handshake", err)
	} else {
		err = s.stand(h)
	}
	h.release()
	s.hs = nil
	if err == nil {
		return
	}
	sh.Counters.Failed++
	// crypto/tls has sent its alert.
	s.flags |= outDone
	if s.held != nil {
		s.farewell(AlertCloseNotify, roles.Graceful, err)
	} else {
		s.drop(roles.Graceful, err)
	}
}

// stand makes a session of a handshake that went well.
func (s *Session) stand(h *handshake) error {
	sh, e := s.end.sh, s.end
	c := h.conn.ConnectionState()
	s.describe(&c)
	if c.Version == stdtls.VersionTLS13 && !e.keep {
		if err := s.takeOver(h, c.CipherSuite); err != nil {
			return &Error{Op: "handshake", Err: err}
		}
	} else if !s.low.MayHold(roles.HoldSession, keptCost) {
		sh.Counters.NoMemory++
		return &Error{Op: "handshake", Peer: e.name, Err: ErrMemory}
	} else {
		s.conn = &keptConn{h.conn, h.pipe}
		sh.Counters.Kept++
		s.low.Hold(roles.HoldSession, keptCost)
	}
	if c.DidResume {
		sh.Counters.Resumed++
	} else {
		sh.Counters.Full++
	}
	if h.choose != nil {
		s.upper = h.choose(c.NegotiatedProtocol)
	}
	s.flags |= stands
	return nil
}
