package h2

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// side is what the two ends of a connection do differently.
type side interface {
	// headers reads a header block that has come complete, and gives the section to its stream. The fault is one
	// of the connection.
	headers(b block, p []byte) *fault
	// settled is called when something may have become possible: a stream has ended, settings have come.
	slotsChanged()
	// wentAway is called when the peer has said GOAWAY.
	noMoreStreams()
	// over is called when the connection is, behind all streams.
	over(cause error)
}

// conn is what Server and Client have in common: the connection.
type conn struct {
	sh   *Shared
	low  roles.Lower
	side side
	dec  *hpack.Decoder

	streams       []*stream // open ones, in no order
	ids           []uint32  // their numbers, place by place
	ready         queue     // streams that want to write
	connBlocked   queue     // streams that would, had the connection a window
	done          queue     // streams that are over, to be told
	resumedCount  int       // streams that were resumed, to be given what is parked
	wakingTunnels int       // streams whose upper asked for Woken
	owed          []byte    // control frames that the transport refused, charged
	partial       *block    // a header block that goes on in another frame
	resets        *resets   // streams that were reset lately, nil before the first

	data     *stream // of the DATA frame that is coming in, nil if it is of none
	dataLeft uint32
	padLeft  uint32
	dataEnd  bool

	peer         settings
	sendWin      int64
	recvWin      int64
	credit       int64 // taken, and not granted anew yet
	kept         int64 // bytes that streams hold
	creditedConn int64 // of them, what the connection's window has back already
	withheld     int32 // place in Shared.withheld, from 1; 0: not there

	lastIn      uint32 // the highest stream of the peer's that we have taken up
	topIn       uint32 // the highest that it has opened
	gapIn       uint32 // the one before that: what lies between was never opened
	nextOut     uint32 // the next stream of ours
	ignoreAbove uint32 // streams of the peer's above it are ignored: we said GOAWAY
	goAway      *GoAwayError
	opened      uint32 // streams that are open, as the protocol counts them
	window      int32  // each stream's to begin with

	frameBudget, resetBudget budget

	lastRx      time.Duration // when the last octet came
	frameDue    time.Duration // a frame that has begun must be complete
	settingsDue time.Duration // our settings must be acknowledged
	drainDue    time.Duration // our drain's ping must be answered
	idleDue     time.Duration
	streamDue   time.Duration // the least of the streams' own, or earlier
	pingAfter   time.Duration // validity: quiet this long, ask
	hangAfter   time.Duration // quiet this long, hang up

	phase         phase
	server        bool
	unix          bool // server: the connection came in on a Unix socket
	peerEnded     bool // a server's peer has ended its direction, and waits for answers
	tolerant      bool // windows above the maximum are taken for the maximum
	produced      int  // bytes, during this Writable
	tableSizeSent bool // server: a block was sent, with the word about the table
	noRoom        bool // the transport refused room during this Writable
	roomGiven     bool // a handler holds a Room
	inCall        bool // one of the transport's calls is in progress
	draining      drainPhase
	slotsShort    bool // client: streams wait for others to end, since the peer takes fewer than it did
	settingsSeen  bool // our settings are acknowledged
	pingSent      bool // a validity ping is out
	closeCause    error
}

func (c *conn) init(sh *Shared, low roles.Lower, s side, server bool) {
	*c = conn{sh: sh, low: low, side: s, server: server, peer: initialSettings(), ignoreAbove: maxWindow}
	c.sendWin, c.recvWin = defaultWindow, defaultWindow
	c.window = sh.cfg.Limits.Window
	c.dec = hpack.NewDecoder(4096, sh.headers.emit)
}

// Lower is what the connection stands on.
func (c *conn) Lower() roles.Lower { return c.low }

// Active is how many exchanges are in progress.
func (c *conn) Active() int { return len(c.streams) }

// SetValidity has the connection send a PING when nothing has come for ping, and end when nothing has come
// for hangup. 0 switches one off.
func (c *conn) SetValidity(ping, hangup time.Duration) {
	c.pingAfter, c.hangAfter = ping, hangup
	c.low.Rearm()
}

// Ping asks the peer for a sign of life: whatever is heard next is one.
func (c *conn) Ping() {
	if c.phase != expectOpened && c.phase < expectClose {
		c.sendPing("alive?")
	}
}

// open says what we have to say first (RFC 9113 s.3.4).
func (c *conn) open(now time.Duration, magic string) {
	c.beginCall(now)
	c.lastRx = now
	b := append(c.sh.writer.block[:0], magic...)
	at := len(b)
	b = append(b, "         "...)
	b = c.sh.appendSettings(b, c.server, c.window)
	frame{length: uint32(len(b) - at - headerLen), typ: frameSettings}.put(b[at:])
	c.sh.writer.block = b[:0]
	if grow := int64(c.sh.cfg.Limits.ConnWindow) - c.recvWin; grow > 0 {
		b = append(b, 0, 0, 4, byte(frameWindow), 0, 0, 0, 0, 0, byte(grow>>24), byte(grow>>16), byte(grow>>8), byte(grow))
		c.recvWin += grow
	}
	c.control(b)
	c.settingsDue = c.sh.deadline(c.sh.cfg.Timeouts.Settings)
	c.idleDue = c.sh.deadline(c.sh.cfg.Timeouts.Idle)
}

// enter begins each of the transport's calls, and settle ends it.
func (c *conn) beginCall(now time.Duration) { c.sh.now, c.inCall = now, true }

// Woken is roles.Upper's: calls from outside of the transport's have left something to do.
func (c *conn) Woken(now time.Duration) {
	c.beginCall(now)
	if c.phase != expectOpened && c.phase < expectClose {
		if c.resumedCount > 0 {
			c.deliverResumed()
		}
		if c.wakingTunnels > 0 {
			c.wakeTunnels(now)
		}
	}
	c.endCall()
}

// ring asks for Woken if something waits for a call of the transport's and none is in progress.
func (c *conn) requestWake() {
	if !c.inCall && (c.done.head != nil || c.phase < expectClose && (c.resumedCount > 0 || c.draining == drainAsked)) {
		c.low.Wake()
	}
}

// settle tells what has ended in the present call. It is called last, after all handlers; what it calls may
// begin and end exchanges again.
func (c *conn) endCall() {
	told := false
	for x := c.done.pop(); x != nil; x = c.done.pop() {
		c.deliverDone(x)
		told = true
	}
	if told && c.phase < expectClose {
		if len(c.streams) == 0 {
			c.idleDue = c.sh.deadline(c.sh.cfg.Timeouts.Idle)
		}
		c.side.slotsChanged()
	}
	if c.draining != notDraining && c.phase < expectClose {
		c.drain()
	}
	c.inCall = false
	c.requestWake()
}

func (c *conn) deliverDone(x *stream) {
	if x.upper != nil {
		x.upper.Closed(x.cause)
	} else {
		x.h.Done(x, c.doneCause(x))
	}
	c.sh.freeStream(x)
}

// outcome is the cause of a stream's end with what it means for a client's request, until the final head has come:
// certainly not processed (RFC 9113 s.8.7), or unknown.
func (c *conn) doneCause(x *stream) error {
	switch {
	case x.cause == nil || c.server || x.receiving != awaitHead || errors.Is(x.cause, http.ErrNotProcessed):
		return x.cause
	case x.id == 0:
		return fmt.Errorf("%w: %w", errNotSent, x.cause)
	}
	return &http.OutcomeError{Cause: x.cause}
}

// Took reports whether the peer's GOAWAY leaves streams of ours that it may have acted on: the connection was of
// use, although it takes no more.
func (c *conn) Took() bool { return c.goAway != nil && c.goAway.Last != 0 && c.nextOut > 1 }

// add makes a stream of the connection's; it has no number yet.
func (c *conn) add(h http.Handler) *stream {
	x := c.sh.newStream()
	x.c, x.h = c, h
	x.sendWin, x.recvWin = int64(c.peer.window), int64(c.window)
	if c.server && !c.settingsSeen {
		// A client that has not seen our settings yet goes by the protocol's own window (RFC 9113 s.6.9.2).
		x.recvWin = max(x.recvWin, defaultWindow)
	}
	x.inLeft, x.outLeft = http.UnknownLength, http.UnknownLength
	x.urgency = defaultUrgency
	x.index = int32(len(c.streams))
	c.streams = append(c.streams, x)
	c.ids = append(c.ids, 0)
	if len(c.streams) > unchargedStreams {
		x.flags |= charged
		c.low.Hold(roles.HoldStream, streamCost)
	}
	c.idleDue = 0
	return x
}

// number gives x its number.
func (c *conn) number(x *stream, id uint32) {
	x.id = id
	c.ids[x.index] = id
}

// find returns the open stream with that number, nil if there is none.
func (c *conn) find(id uint32) *stream {
	for i := len(c.ids) - 1; i >= 0; i-- {
		if c.ids[i] == id {
			return c.streams[i]
		}
	}
	return nil
}

// finish ends a stream: it leaves the connection, and its handler is told before the present call is over, or
// in the next turn.
func (c *conn) finish(x *stream, cause error) {
	if x.over() {
		return
	}
	x.cause = cause
	if x.state != closed {
		x.move(drop)
	}
	x.moveOut(outOver)
	last := len(c.streams) - 1
	moved := c.streams[last]
	c.streams[x.index], c.ids[x.index] = moved, c.ids[last]
	moved.index = x.index
	c.streams[last] = nil
	c.streams, c.ids = c.streams[:last], c.ids[:last]
	if x.id != 0 {
		c.opened--
	}
	if c.data == x {
		c.data = nil
	}
	if x.is(resumed) {
		c.resumedCount--
	}
	if x.is(charged) {
		c.low.Hold(roles.HoldStream, -streamCost)
	}
	c.sh.room.Drop(x)
	c.dropKept(x)
	c.drop(roles.HoldTunnel, x.pendingOut)
	x.pendingOut = nil
	if x.is(upperWakes) {
		c.wakingTunnels--
	}
	c.done.push(x)
	c.requestWake()
}

// giveUp ends a stream of ours, and tells the peer.
func (c *conn) resetStream(x *stream, code Code, cause error) {
	if x.over() {
		return
	}
	if x.state != closed && x.id != 0 {
		c.sendReset(x.id, code)
		x.move(sendReset)
	}
	c.finish(x, cause)
}

// refuse ends a stream for a fault of the peer's.
func (c *conn) failStream(x *stream, f *fault) {
	c.count(f)
	c.resetStream(x, f.code, f)
	if !c.resetBudget.spend(c.sh.now, c.sh.cfg.Limits.Resets, c.sh.cfg.Limits.ResetRate) {
		c.fail(errFloodResets)
	}
}

func (c *conn) count(f *fault) {
	n := &c.sh.Counters
	switch {
	case f.Cause == http.ErrTimeout:
		n.Timeouts++
	case f.code != Cancel && f.code != RefusedStream:
		n.Malformed++
	}
	if f.code == EnhanceYourCalm {
		n.Flooded++
	}
}

// fail gives the connection up for a fault of the peer's.
func (c *conn) fail(f *fault) {
	if c.phase >= expectClose {
		return
	}
	c.count(f)
	c.sh.Counters.Failed++
	c.sendGoAway(c.lastIn, f.code, f.Where+": "+f.Reason)
	c.close(roles.Graceful, f)
}

// shut closes the transport; Closed tells the handlers.
func (c *conn) close(mode roles.CloseMode, cause error) {
	if c.phase < expectClose {
		c.moveTo(expectClose)
		c.closeCause = cause
		c.low.Close(mode, cause)
	}
}

// RxEnd is roles.Upper's. A peer that ends its direction has nothing more to ask, and cannot grant windows or
// answer any more. What it has completed is still served: a server answers, as far as the windows go, and a
// client's handler that had paused gets the rest.
func (c *conn) RxEnd(now time.Duration, unused int) {
	c.beginCall(now)
	if c.phase >= expectClose {
		c.endCall()
		return
	}
	cut := unused > 0 || c.phase == expectContinuation
	for i := len(c.streams) - 1; i >= 0; i-- {
		switch x := c.streams[i]; {
		case x.inDone() && (c.server || x.tunnelled()):
		case x.receiving != awaitReader:
			c.finish(x, c.lossCause(x, errPeerEnded))
			cut = true
		default:
			x.stopOutput()
			x.flags |= peerStopped // no window comes any more for what is left of its request
		}
	}
	switch {
	case len(c.streams) > 0:
		if c.phase != expectFrame {
			c.moveTo(expectFrame)
		}
		c.dropPartial()
		c.frameDue = 0
		c.pingAfter, c.hangAfter = 0, 0 // its silence means nothing any more
		c.onPeerEnd()
		if c.draining == notDraining {
			c.drainTo(drainLast)
		}
	case cut && (unused > 0 || !c.server):
		c.close(roles.Immediate, errPeerEnded)
	case cut:
		c.close(roles.Graceful, errPeerEnded)
	default:
		c.close(roles.Graceful, nil)
	}
	c.endCall()
}

// halfClosed gives the answers to a client that has ended its direction their time, and tells the handlers.
func (c *conn) onPeerEnd() {
	if !c.server {
		return
	}
	c.peerEnded = true
	for i := len(c.streams) - 1; i >= 0; i-- {
		if i >= len(c.streams) {
			continue
		}
		x := c.streams[i]
		if x.sending == endSent || x.over() || x.tunnelled() {
			continue
		}
		c.startAnswerTimer(x)
		if w, ok := x.h.(http.HalfCloseWatcher); ok {
			w.HalfClosed(x)
		}
	}
}

// awaitAnswer starts the time in which something of the answer to a client that has ended its direction must be sent.
func (c *conn) startAnswerTimer(x *stream) {
	if x.inDue = c.sh.deadline(c.sh.cfg.Timeouts.HalfClosed); x.inDue != 0 {
		c.setDue(x.inDue)
	}
}

// Closed is roles.Upper's.
func (c *conn) Closed(cause error) {
	if c.phase == expectNothing {
		return
	}
	c.inCall = true
	c.moveTo(expectNothing)
	if cause == nil {
		cause = c.closeCause
	}
	why := cause
	if why == nil {
		why = errOwnerClosed
	}
	for len(c.streams) > 0 {
		x := c.streams[len(c.streams)-1]
		c.finish(x, c.lossCause(x, why))
	}
	c.endCall()
	c.dropWithheld()
	c.drop(roles.HoldHead, c.owed)
	c.owed = nil
	c.dropPartial()
	c.side.over(cause)
}
