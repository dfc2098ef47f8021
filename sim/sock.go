package sim

import (
	"fmt"
	"syscall"
	"time"

	"github.com/millrace/millrace/loop"
)

// state of a socket.
type state uint8

const (
	connecting state = iota // asked, no answer yet
	waiting                 // made by a listener: the handshake's last leg is missing
	open                    // established, in any state of half-closedness
	closed                  // reset, failed, or given back with nothing left to do
	listening
)

var stateNames = [...]string{"connecting", "waiting", "open", "closed", "listening"}

const (
	errRefused     = syscall.ECONNREFUSED
	errUnreachable = syscall.EHOSTUNREACH
	errTimedOut    = syscall.ETIMEDOUT
)

// sock is one end of a connection, or a listener. It may live on without a descriptor: waiting to
// be accepted, or closed with bytes still to deliver.
type sock struct {
	h     *Host
	fd    loop.FD // NoFD without a descriptor
	state state
	gone  bool // its descriptor was given back
	opts  loop.SocketOptions

	local, peer loop.Addr
	other       *sock // the other end; nil until the connect has reached it
	in, out     *flow // nil until then

	err      syscall.Errno // pending
	rcvEnded bool          // the peer's FIN has arrived
	rcvShut  bool          // nothing more will come
	sndShut  bool          // nothing more may be written

	token      loop.Token
	registered bool
	queued     bool       // on the host's ready list
	noSpace    bool       // a writer was refused, or would be: tell when there is room
	told       loop.Ready // with StrictEdges: reported and not used up

	heard  time.Duration // when something last came from the peer
	probed uint32        // keepalive: the present evKeepAlive's epoch

	attempt   uint32 // SYNs sent
	orphan    bool   // gone, and an evOrphan is under way
	bound     bool   // holds an ephemeral port
	blackHole bool
	refuse    bool
	via       *sock // listener that a waiting socket belongs to

	queue   []*sock // listener: ready to be accepted
	pending int     // listener: waiting for the last leg
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

// fail ends a connect.
func (s *sock) fail(e syscall.Errno) {
	if s.state != connecting {
		return
	}
	s.abandon(e)
}

// receiveReset is a RST that reached s: what had arrived can be read, then comes the error.
func (s *sock) receiveReset() {
	e := syscall.Errno(syscall.ECONNRESET)
	switch {
	case s.state == connecting:
		e = errRefused
	case s.rcvEnded && !s.sndShut:
		e = syscall.EPIPE // the reader has its clean end already; only the writer learns
	case s.rcvEnded && s.sndShut && s.out.finArrived:
		return // both ends said goodbye: there is nothing to reset
	}
	s.abandon(e)
}

// abandon ends s with an error: nothing more is sent, nothing more comes.
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

// finish closes our side without a word to anybody. The flow towards us stays: should the peer not
// know and send more, it is answered with a reset.
func (s *sock) finish() {
	s.h.forget(s)
	s.state, s.rcvShut, s.sndShut = closed, true, true
	if s.out != nil {
		s.out.end()
	}
}

// farewell clears away a connection that both ends have closed and of which all was delivered. An end
// that closed first waits for the other's end, but not for ever.
func (s *sock) farewell() {
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

// reset is our own RST: s is over, and the peer hears of it if the link lets it.
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

// sever lets both directions die.
func (s *sock) sever() {
	for _, f := range [2]*flow{s.in, s.out} {
		f.severed = true
		f.lose()
	}
}
