package h1

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// exchange is the http.Exchange of a connection. An idle connection has none: exchanges come from the pool of the Shared.
type exchange struct {
	exchangeState
	in   body      // the body of the peer; set as a whole when a body begins, else framing is bodyNone
	pace http.Pace // the time limits of that body, valid once paced is set
}

// exchangeState is the part of an exchange that is cleared for the next use. It is small, since most exchanges are two
// heads without bodies. The state machines are Server.state or Client.state, and out.state; the flags are facts that
// hold in several states.
type exchangeState struct {
	h        http.Handler
	low      roles.Lower
	side     side
	out      sender
	received int // bytes of payload that pace has not counted yet

	version       http.Version  // of the request
	headRequest   bool          // the method is HEAD: the response has no body
	close         bool          // the connection closes after this exchange
	wantsWrite    bool          // the handler has called WantWrite
	paused        bool          // the handler has called Pause
	lowerPaused   bool          // the Lower is paused: for the handler, or at a server for the next request
	paced         bool          // pace has started
	progress      bool          // some of the body has come in the current Rx
	upgrade       bool          // client: the request has Upgrade
	gotByte       bool          // client: a byte of the response has come
	gotHead       bool          // client: the final head has come
	noDeadline    bool          // client: see NoDeadline
	interim       uint8         // client: number of informational heads so far
	drained       int64         // server: bytes of the body that came after the response was complete
	halfClosedDue time.Duration // server: deadline for more of the response after the client has ended its direction; 0 for none
}

// side is the end of the connection that has the exchange: a Server or a Client.
type side interface {
	sendHead(x *exchange, m *http.Message, end bool) error
	suspend(x *exchange) bool // before Pause; false makes Pause do nothing
	resumed(x *exchange)      // after Resume
	committed(x *exchange)    // after output of the exchange
	reset(x *exchange, cause error)
	illegal(cause error)
}

var (
	_ http.Exchange   = (*exchange)(nil)
	_ http.NoDeadline = (*exchange)(nil)
)

// Pause is http.Exchange's.
func (x *exchange) Pause() {
	if !x.paused && x.side.suspend(x) {
		x.paused = true
		x.pauseLower()
	}
}

// Resume is http.Exchange's.
func (x *exchange) Resume() {
	if !x.paused {
		return
	}
	x.paused = false
	x.resumeLower()
	x.side.resumed(x)
}

// Credit is http.Exchange's. It does nothing, since TCP grants its window itself.
func (x *exchange) Credit(int) {}

// Reset is http.Exchange's.
func (x *exchange) Reset(cause error) {
	if cause == nil {
		cause = errReset
	}
	x.side.reset(x, cause)
}

// SetHandler is http.Exchange's.
func (x *exchange) SetHandler(h http.Handler) { x.h = h }

// countBody counts what has come in the current Rx, once for all pieces of it, and returns the deadline for more. A body
// that comes complete with its head never gets here.
func (x *exchange) countBody(sh *Shared, l http.PaceLimits) time.Duration {
	if !x.paced {
		x.paced = true
		if x.pace.Start(sh.now, &l); x.paused {
			x.pace.Stop(sh.now)
		}
	} else {
		x.pace.Took(sh.now, x.received, &l)
	}
	x.received, x.progress = 0, false
	return sh.bodyDeadline(x, l)
}

// startClock restarts the clock of the body after the handler has resumed, and returns the deadline for more of the body.
func (x *exchange) startClock(sh *Shared, l http.PaceLimits) time.Duration {
	sh.now = x.low.Now()
	if x.paced { // else countBody starts it
		x.pace.Resume(sh.now)
	}
	return sh.bodyDeadline(x, l)
}

// pauseLower and resumeLower pause and resume the Lower unless it is paused or resumed already.
func (x *exchange) pauseLower() {
	if !x.lowerPaused {
		x.lowerPaused = true
		x.low.Pause()
	}
}

func (x *exchange) resumeLower() {
	if x.lowerPaused {
		x.lowerPaused = false
		x.low.Resume()
	}
}

// NoDeadline is http.NoDeadline's.
func (x *exchange) NoDeadline() { x.noDeadline = true }
