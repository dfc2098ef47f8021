package h1

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// exchange is the http.Exchange of the request a connection is busy with. A connection without one
// owns none: they come from the Shared's pool.
type exchange struct {
	exchangeState
	in   body      // of the peer; all of it is set when a body begins, and kind is bodyNone without one
	pace http.Pace // of the peer's body, once timed
}

// exchangeState is what of an exchange is zero at its start: little, since most exchanges are of two heads.
type exchangeState struct {
	h        http.Handler
	low      roles.Lower
	side     side
	out      sender
	received int // payload that pace does not know of yet

	version       http.Version  // the peer's, of a request; ours, on a client
	headRequest   bool          // the request is HEAD: its response has no body
	close         bool          // the connection ends with this exchange
	wantsWrite    bool          // the handler asked for Writable
	paused        bool          // the handler asked for no Body
	lowerPaused   bool          // the Lower is paused, for whatever reason
	paced         bool          // pace holds the peer's body to its limits
	progress      bool          // something of the body has come in the present call
	upgrade       bool          // client: the request asks for another protocol
	gotByte       bool          // client: a byte of the response has come
	gotHead       bool          // client: the final head has come
	noDeadline    bool          // client: the response and its body have no deadline
	interim       uint8         // client: informational heads so far
	drained       int64         // server: body taken after the response was complete
	halfClosedDue time.Duration // server: something of the response must be sent by then, since the client has ended its direction
}

// side is what the two ends of a connection do differently.
type side interface {
	sendHead(x *exchange, m *http.Message, end bool) error
	suspend(x *exchange) bool
	resumed(x *exchange)
	committed(x *exchange)
	reset(x *exchange, cause error)
	illegal(cause error)
}

var (
	_ http.Exchange  = (*exchange)(nil)
	_ http.Unhurried = (*exchange)(nil)
)

// Pause is http.Exchange's.
func (x *exchange) Pause() {
	if !x.paused && x.side.suspend(x) {
		x.paused = true
		x.stop()
	}
}

// Resume is http.Exchange's.
func (x *exchange) Resume() {
	if !x.paused {
		return
	}
	x.paused = false
	x.start()
	x.side.resumed(x)
}

// Credit is http.Exchange's. It does nothing: what Rx used has been granted to the peer already.
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

// time tells pace what has come in the present call, once for all pieces of it, and returns the deadline for more. A
// body that comes complete with its head costs nothing.
func (x *exchange) time(sh *Shared, l http.PaceLimits) time.Duration {
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

// startClock has pace go on, since the handler has resumed, and returns the deadline for more of the body.
func (x *exchange) startClock(sh *Shared, l http.PaceLimits) time.Duration {
	sh.now = x.low.Now()
	if x.paced { // else time sees to it
		x.pace.Resume(sh.now)
	}
	return sh.bodyDeadline(x, l)
}

// stop and start pause and resume the Lower, once each.
func (x *exchange) stop() {
	if !x.lowerPaused {
		x.lowerPaused = true
		x.low.Pause()
	}
}

func (x *exchange) start() {
	if x.lowerPaused {
		x.lowerPaused = false
		x.low.Resume()
	}
}

// Unhurried is http.Unhurried's.
func (x *exchange) Unhurried() { x.noDeadline = true }
