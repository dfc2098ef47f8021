package sim

import (
	"fmt"
	"syscall"
	"time"

	"github.com/millrace/millrace/loop"
)

// state is the state of a socket.
type state uint8

const (
	connecting state = iota // a SYN was sent, no answer yet
	waiting                 // made by a listener: the last step of the handshake is missing
	open                    // established, possibly half-closed
	closed                  // reset, failed, or closed with nothing left to deliver
	listening
)

var stateNames = [...]string{"connecting", "waiting", "open", "closed", "listening"}

const (
	errRefused     = syscall.ECONNREFUSED
	errUnreachable = syscall.EHOSTUNREACH
	errTimedOut    = syscall.ETIMEDOUT
)

// sock is one end of a connection, or a listener. It may exist without a descriptor: while it waits to be accepted,
// or closed with bytes still to deliver.
type sock struct {
	h     *Host
	fd    loop.FD // NoFD if it has none
	state state
	gone  bool // its descriptor was closed
	opts  loop.SocketOptions

	local, peer loop.Addr
	other       *sock // the other end; nil until the SYN has reached it
	in, out     *flow // nil until then

	err      syscall.Errno // pending
	rcvEnded bool          // the peer's FIN has arrived
	rcvShut  bool          // nothing more will arrive
	sndShut  bool          // nothing more may be written

	token      loop.Token
	registered bool
	queued     bool       // on the host's ready list
	noSpace    bool       // a writer got EAGAIN, or would: report Writable when there is space
	told       loop.Ready // with StrictEdges: reported and not consumed yet

	heard  time.Duration // time of the last arrival from the peer
	probed uint32        // keepalive: the epoch of the present evKeepAlive

	attempt   uint32 // SYNs sent
	orphan    bool   // gone, and an evOrphan is scheduled
	bound     bool   // uses an ephemeral port
	blackHole bool
	refuse    bool
	via       *sock // listener that a waiting socket belongs to

	queue   []*sock // listener: ready to be accepted
	pending int     // listener: connections whose last handshake step is missing
	backlog int
	reuse   bool
	v6only  bool
}

func (s *sock) unix() bool { return s.local.Network == loop.Unix }

// String describes the socket for Open and Dump.
func (s *sock) String() string {
	switch {
	case s.state == listening:
		return fmt.Sprintf("%s listening, %d to accept", s.local, len(s.queue))
	case s.in == nil:
		return fmt.Sprintf("%s to %s %s", s.local, s.peer, stateNames[s.state])
	}
	text := fmt.Sprintf("%s to %s %s, %d B to read, %d B not delivered", s.local, s.peer,
		stateNames[s.state], s.in.arrived-s.in.read, s.out.written-s.out.arrived)
	if s.rcvShut {
		text += ", peer ended"
	}
	if s.sndShut {
		text += ", we ended"
	}
	if s.err != 0 {
		text += ", " + s.err.Error()
	}
	return text
}

// fail ends a connect with an error.
func (s *sock) fail(e syscall.Errno) {
	if s.state != connecting {
		return
	}
	s.abandon(e)
}

// receiveReset handles a RST: bytes that had arrived can still be read, then the error is returned.
func (s *sock) receiveReset() {
	e := syscall.Errno(syscall.ECONNRESET)
	switch {
	case s.state == connecting:
		e = errRefused
	case s.rcvEnded && !s.sndShut:
		e = syscall.EPIPE // the reader has had its orderly end; only the writer gets the error
	case s.rcvEnded && s.sndShut && s.out.finArrived:
		return // both ends have closed: there is nothing to reset
	}
	s.abandon(e)
}

// abandon ends s with an error and stops both directions.
func (s *sock) abandon(e syscall.Errno) {
	if s.state == closed {
		return
	}
	if s.state == waiting {
		s.via.pending--
	}
	s.finish()
	s.err = e
	s.wake()
}

// finish closes this side silently. The incoming flow stays: if the peer sends more, the answer is a reset.
func (s *sock) finish() {
	s.h.forget(s)
	s.state, s.rcvShut, s.sndShut = closed, true, true
	if s.out != nil {
		s.out.end()
	}
}

// releaseIfDelivered removes a connection that both ends have closed and whose bytes were all delivered. An end that
// closed first waits for the other's FIN, for orphanTimeout at most.
func (s *sock) releaseIfDelivered() {
	o := s.other
	for _, e := range [2]*sock{s, o} {
		if e.gone && e.state == open && e.out.finArrived && !e.rcvEnded && !e.orphan {
			e.orphan = true
			e.h.n.schedule(orphanTimeout, event{kind: evOrphan, sock: e})
		}
	}
	if s.gone && o.gone && s.rcvEnded && o.rcvEnded && s.state == open && o.state == open {
		s.finish()
		o.finish()
	}
}

// reset sends a RST: s is closed, and the peer gets the RST if the link delivers it.
func (s *sock) reset() {
	if s.state == closed {
		return
	}
	if s.state == waiting {
		s.via.pending--
	}
	both := s.rcvEnded && s.out.finArrived
	s.state, s.rcvShut, s.sndShut = closed, true, true
	s.h.forget(s)
	s.in.abandonReader()
	if both {
		s.out.end()
		return
	}
	s.out.reset()
}

// sever stops both directions silently.
func (s *sock) sever() {
	for _, f := range [2]*flow{s.in, s.out} {
		f.severed = true
		f.lose()
	}
}
