package h1

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// Server is the server end of a connection. It is a value to embed: call Init, then give it to the transport as its
// roles.Upper. It answers one request at a time, in order. The requests that a client sends ahead wait in the transport,
// so that the responses to all requests of one read leave in one write.
//
// The handler receives Head, Body and End as the request arrives. The response may begin before the request has ended.
// Done follows when both are complete. If the response is complete first, the server reads the rest of the body, up to
// Limits.Drain, to keep the connection; the handler receives it unless it has paused. If more is to come, the server
// closes the connection, and the cause of Done wraps http.ErrUnread.
//
// The server sends 100 (Continue) in the next Writable, after Handler.Writable, unless the final response has begun or the
// handler has paused. So a handler that needs time to decide pauses in Head and resumes later, and one that refuses the
// request sends a response at once. A final response without 100 closes the connection, since the server cannot know
// whether the body follows (RFC 9110 s.10.1.1).
type Server struct {
	sh   *Shared
	low  roles.Lower
	h    http.Handler
	x    *exchange     // nil while idle
	due  time.Duration // deadline of the current state; 0 for none
	scan scan          // position in an incomplete head

	state     serverState
	traits    serverTraits
	pipelined bool // the last Rx left bytes of the next request in the transport
	peer      peerEnd
}

// serverTraits are flags in one byte, which keeps an idle Server small.
type serverTraits uint8

const (
	served     serverTraits = 1 << iota // the connection has completed an exchange
	unixSocket                          // see OnUnixSocket
)

// peerEnd is what the transport has reported about the end of the client's direction.
type peerEnd uint8

const (
	peerSends  peerEnd = iota
	peerHungUp         // the direction has ended, but unread bytes may come before the end: see HungUp
	peerEnded          // see RxEnd
)

var _ roles.Upper = (*Server)(nil)

// Init sets s up to serve h over l. s must not be in use.
func (s *Server) Init(sh *Shared, l roles.Lower, h http.Handler) {
	*s = Server{sh: sh, low: l, h: h}
}

// OnUnixSocket makes s accept Host: +PATH and Host: +@NAME, which clients of a Unix socket send (see
// http.ValidUnixAuthority). Call it after Init.
func (s *Server) OnUnixSocket() { s.traits |= unixSocket }

// Lower returns the Lower of s.
func (s *Server) Lower() roles.Lower { return s.low }

// Busy reports whether a request is being received or answered.
func (s *Server) Busy() bool { return s.x != nil || s.state == expectRequestHead }

// Drain closes the connection after the current exchange, at once if there is none. A response that has not begun
// announces the close.
func (s *Server) Drain() {
	switch {
	case s.state >= serverClosing:
	case s.x != nil:
		s.x.close = true
	default:
		s.close(roles.Graceful, nil)
	}
}

// move changes the state. A move that the table does not have closes the connection: see illegal.
func (s *Server) move(to serverState) {
	if from := s.state; !serverTable.Allows(uint8(from), uint8(to)) {
		s.illegal(illegalMove(serverTable, uint8(from), uint8(to)))
		return
	}
	s.state = to
}

// close closes the connection. The handler receives Done from Closed.
func (s *Server) close(mode roles.CloseMode, cause error) {
	s.move(serverClosing)
	s.low.Close(mode, cause)
}

func (s *Server) reset(x *exchange, cause error) {
	if x == s.x && s.state < serverClosing {
		s.close(roles.Reset, cause)
	}
}

// illegal closes the connection because of a move that a table does not have.
func (s *Server) illegal(cause error) {
	s.sh.Counters.Illegal++
	if s.state < serverClosing {
		s.close(roles.Reset, cause)
	}
}
