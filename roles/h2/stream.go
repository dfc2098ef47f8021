package h2

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// stream is one stream, and the http.Exchange of what travels on it. It belongs to its connection while it is
// open, and to the Shared's pool afterwards.
type stream struct {
	c     *conn
	h     http.Handler
	upper roles.Upper // what runs over the stream after Upgrade
	next  *stream     // in the queue that its output waits in, or in conn.ended
	cause error       // why it ended, once it is over

	id    uint32
	index int32 // in conn.streams

	sendWin         int64 // what the peer grants us; settings can make it negative
	recvWin         int64 // what the peer may still send
	credit          int64 // taken, and not granted anew yet
	inLeft          int64 // of the peer's announced body, http.UnknownLength without
	outLeft         int64 // of ours
	received        int64
	drained         int64
	kept            []byte       // body that came while paused, charged
	keptTrailers    []http.Field // trailers behind it
	keptTrailerText []byte       // what they point into, charged
	pace            http.Pace    // of the peer's body
	inDue           time.Duration
	outDue          time.Duration
	interim         uint8
	urgency         uint8
	flags           streamFlags
	state           state
	out             outState
	sending         sendState
	receiving       recvState
	tunnel          tunnelState
	keptRead        uint32 // of a tunnel: how much of what is parked was used
	creditedStream  int64  // of a tunnel: of what is parked, what the stream's window has back already
	pendingOut      []byte // of a tunnel: output that the windows refused, charged
}

type streamFlags uint16

const (
	wants        streamFlags = 1 << iota // the handler asked for Writable
	paused                               // the handler asked for no Body
	resumed                              // on conn.woken
	isHead                               // the request's method is HEAD
	manualCredit                         // the handler grants the window
	owes100                              // server: the peer waits for 100 (Continue)
	peerStopped                          // client: the answer wants no more of the request
	upperWants                           // upper asked for Writable
	noDeadline                           // client: the response and its body have no deadline
	charged                              // beyond fewStreams: the connection is charged for it
	endlessBody                          // client: Limits.Body does not apply to the response
	upperReads                           // upper reads what is parked just now
	upperWakes                           // upper asked for Woken
)

var (
	_ http.Exchange       = (*stream)(nil)
	_ http.FlowControlled = (*stream)(nil)
	_ http.NoDeadline     = (*stream)(nil)
)

func (x *stream) is(f streamFlags) bool { return x.flags&f != 0 }

// inDone says whether the peer's message is complete, whether or not the handler has it all.
func (x *stream) inDone() bool { return x.state == halfClosedRemote || x.state == closed }

// WantWrite is http.Exchange's.
func (x *stream) WantWrite() {
	if x.sending == endSent {
		return // there is nothing left to say
	}
	x.flags |= wants
	if x.out == outIdle {
		x.c.enqueue(x)
		x.c.low.WantWrite()
	}
}

// Pause is http.Exchange's.
func (x *stream) Pause() {
	if !x.is(paused) {
		x.pace.Stop(x.c.sh.now)
	}
	x.flags |= paused
	if x.receiving != awaitHead && !x.c.peerEnded {
		x.inDue = 0 // the peer cannot be late with a body that we do not take
	}
}

// Resume is http.Exchange's.
func (x *stream) Resume() {
	if !x.is(paused) || x.over() {
		return
	}
	x.flags &^= paused
	c := x.c
	if len(x.kept) > 0 || x.receiving == awaitReader || x.bodyPending() {
		c.wakeStream(x) // that call knows the time from which the peer is waited for
	}
	if x.is(owes100) && x.sending == unsent {
		c.enqueue(x)
		c.low.WantWrite()
	}
}

// Credit is http.Exchange's.
func (x *stream) Credit(n int) {
	if x.is(manualCredit) && !x.over() && n > 0 {
		x.credit += int64(n)
		x.c.grant(x, 1)
	}
}

// ManualCredit is http.FlowControlled's.
func (x *stream) ManualCredit() { x.flags |= manualCredit }

// PeerWindow is http.FlowControlled's.
func (x *stream) PeerWindow() int64 {
	if x.over() || x.inDone() {
		return 0
	}
	return max(0, x.recvWin) // below 0 it was overrun
}

// NoDeadline is http.NoDeadline's.
func (x *stream) NoDeadline() { x.flags |= noDeadline }

// Reset is http.Exchange's.
func (x *stream) Reset(cause error) {
	if x.over() {
		return
	}
	if cause == nil {
		cause = errReset
	}
	code := Cancel
	if x.c.server && x.sending == endSent {
		code = NoError // so that a client keeps the response that it has (RFC 9113 s.8.1)
	}
	x.c.resetStream(x, code, cause)
}

// SetHandler is http.Exchange's.
func (x *stream) SetHandler(h http.Handler) { x.h = h }
