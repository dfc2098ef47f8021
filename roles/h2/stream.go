package h2

import (
	"time"

	"github.com/millrace/millrace/internal/list"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// This file has the fields of a stream, and the methods of http.Exchange that send nothing: an http.Handler calls them.
// Those that send are in send.go (SendHead, Room, Commit, SendTrailers) and cork.go (Cork, Send, Uncork). stream_states.go
// has the states.

// stream is one stream, and the http.Exchange that it carries. conn.add takes it from the pool of Shared, and
// conn.deliverDone returns it after Done or Closed: nothing may use it after that call.
type stream struct {
	list.Links[stream] // in the queue that its output waits in, or in conn.done

	c     *conn
	h     http.Handler
	owner roles.Upper // of the tunnel; nil before Upgrade
	cause error       // why it ended, once it is over

	id    uint32
	index int32 // in conn.streams

	sendWin         int64         // what the peer allows; SETTINGS can make it negative
	recvWin         int64         // what the peer may still send
	credit          int64         // bytes used by the handler, not yet returned to recvWin
	inLeft          int64         // left of the peer's announced body; http.UnknownLength without an announced length
	outLeft         int64         // the same of our body
	received        int64         // bytes of the peer's body so far, for Limits.Body
	drained         int64         // server: bytes of the request after the response was complete, for Limits.Drain
	kept            []byte        // copy of body that arrived during a pause, charged; from conn.store, freed by conn.drop
	keptTrailers    []http.Field  // trailers after it
	keptTrailerText []byte        // the bytes that they point into, charged
	pace            http.Pace     // of the peer's body
	inDue           time.Duration // deadline of what the peer must send next: see onDue; in a tunnel, the owner's; 0: none
	outDue          time.Duration // deadline for the peer to open a window; 0: none
	interim         uint8         // number of 1xx heads received
	urgency         uint8         // RFC 9218: 0 is the most urgent
	flags           streamFlags
	state           state
	out             outState
	sending         sendState
	receiving       recvState
	tunnel          tunnelState
	keptRead        uint32 // tunnel: bytes at the front of kept that the owner has used
	creditedStream  int64  // tunnel: bytes of kept that were returned to recvWin already
	pendingOut      []byte // tunnel: output for which no window was open, charged
}

type streamFlags uint16

const (
	wants        streamFlags = 1 << iota // the handler asked for Writable
	paused                               // the handler asked for no Body
	resumed                              // counted in conn.resumedCount
	headMethod                           // the request's method is HEAD
	manualCredit                         // the handler returns the window
	owes100                              // server: the peer waits for 100 (Continue)
	peerStopped                          // client: the server does not want the rest of the request
	ownerWants                           // the owner asked for Writable
	noDeadline                           // client: the response and its body have no deadline
	charged                              // counted beyond unchargedStreams: the connection is charged for it
	endlessBody                          // client: Limits.Body does not apply to the response
	ownerReads                           // the owner's Rx is reading kept
	ownerWakes                           // the owner asked for Woken
)

var (
	_ http.Exchange       = (*stream)(nil)
	_ http.FlowControlled = (*stream)(nil)
	_ http.NoDeadline     = (*stream)(nil)
)

func (x *stream) is(f streamFlags) bool { return x.flags&f != 0 }

// inDone reports whether the peer's message is complete, whether or not the handler has all of it.
func (x *stream) inDone() bool { return x.state == halfClosedRemote || x.state == closed }

// WantWrite implements http.Exchange.
func (x *stream) WantWrite() {
	if x.sending == endSent {
		return // nothing is left to send
	}
	x.flags |= wants
	if x.out == outIdle {
		x.c.enqueue(x)
		x.c.low.WantWrite()
	}
}

// Pause implements http.Exchange.
func (x *stream) Pause() {
	if !x.is(paused) {
		x.pace.Stop(x.c.sh.now)
	}
	x.flags |= paused
	if x.receiving != awaitHead && !x.c.peerEnded {
		x.inDue = 0 // the peer cannot be late with a body that is paused
	}
}

// Resume implements http.Exchange.
func (x *stream) Resume() {
	if !x.is(paused) || x.over() {
		return
	}
	x.flags &^= paused
	c := x.c
	if len(x.kept) > 0 || x.receiving == awaitReader || x.bodyPending() {
		c.wakeStream(x) // deliverKept starts the timers of the body: Resume does not know the time
	}
	if x.is(owes100) && x.sending == unsent {
		c.enqueue(x)
		c.low.WantWrite()
	}
}

// Credit implements http.Exchange.
func (x *stream) Credit(n int) {
	if x.is(manualCredit) && !x.over() && n > 0 {
		x.credit += int64(n)
		x.c.grant(x, 1)
	}
}

// ManualCredit implements http.FlowControlled.
func (x *stream) ManualCredit() { x.flags |= manualCredit }

// PeerWindow implements http.FlowControlled.
func (x *stream) PeerWindow() int64 {
	if x.over() || x.inDone() {
		return 0
	}
	return max(0, x.recvWin) // it is negative after an overrun that was accepted
}

// NoDeadline implements http.NoDeadline.
func (x *stream) NoDeadline() { x.flags |= noDeadline }

// Reset implements http.Exchange.
func (x *stream) Reset(cause error) {
	if x.over() {
		return
	}
	if cause == nil {
		cause = errReset
	}
	code := Cancel
	if x.c.server && x.sending == endSent {
		code = NoError // so that the client keeps its complete response (RFC 9113 s.8.1)
	}
	x.c.resetStream(x, code, cause)
}

// SetHandler implements http.Exchange.
func (x *stream) SetHandler(h http.Handler) { x.h = h }
