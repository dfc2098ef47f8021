package h1

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// Server is the server's end of a connection. It is a value to embed: call Init, then hand it to the
// transport as its roles.Upper. It answers one request at a time, in order; requests that a client sends
// ahead wait with the transport, so that the answers to all that came in one read leave in one write.
//
// A request's Head, Body and End come as it arrives. The response may begin before the request has
// ended, and the exchange is over, Done, when both are complete. If the response is complete first, the
// rest of the body is taken up to Limits.Drain in order to keep the connection, and given to Body unless
// the handler had paused; if there is more, the connection is closed and Done's cause wraps
// http.ErrUnread.
//
// 100 (Continue) is sent where it is waited for at the next Writable, after the handler's own, unless the
// final response has begun by then or the handler has paused: a handler that wants to see more before it
// decides pauses in Head and resumes, and one that refuses just answers. A final response that comes
// instead of 100 closes the connection, since nobody can know whether the body follows.
type Server struct {
	sh   *Shared
	low  roles.Lower
	h    http.Handler
	x    *exchange
	due  time.Duration
	scan scan

	state     serverState
	traits    serverTraits
	pipelined bool // Rx left bytes of the next request with the transport
	peer      peerEnd
}

// serverTraits share an octet, since a hundred thousand idle servers are counted in octets.
type serverTraits uint8

const (
	served     serverTraits = 1 << iota // an exchange was completed on this connection
	unixSocket                          // the connection came in on a Unix socket
)

// peerEnd is what is known of the end of the peer's direction.
type peerEnd uint8

const (
	peerSends  peerEnd = iota
	peerHungUp         // it has ended, though bytes may wait before the end
	peerEnded          // its end was read
)

var _ roles.Upper = (*Server)(nil)

// Init makes s a server on l that gives each request to h. s must not be in use.
func (s *Server) Init(sh *Shared, l roles.Lower, h http.Handler) {
	*s = Server{sh: sh, low: l, h: h}
}

// OnUnixSocket tells s that its connection came in on a Unix socket, whose clients may say Host: +PATH or
// Host: +@NAME (see http.ValidUnixAuthority). It is called after Init.
func (s *Server) OnUnixSocket() { s.traits |= unixSocket }

// Lower is what s stands on.
func (s *Server) Lower() roles.Lower { return s.low }

// Busy tells whether a request is being received or answered.
func (s *Server) Busy() bool { return s.x != nil || s.state == expectRequestHead }

// Drain has the connection close when the present exchange is over, at once if there is none. The
// response, unless it has begun, says so.
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

// shut closes the connection; Closed tells the handler.
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
