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
	// headers decodes a complete header block and gives the section to its stream. A fault ends the connection.
	headers(b block, p []byte) *fault
	// slotsChanged is called when new streams may be possible: a stream has ended, or SETTINGS has arrived.
	slotsChanged()
	// noMoreStreams is called after GOAWAY from the peer.
	noMoreStreams()
	// over is called when the connection is over, after the Done of all streams.
	over(cause error)
}

// conn is the part of a connection that Server and Client share.
type conn struct {
	sh   *Shared
	low  roles.Lower
	side side
	dec  *hpack.Decoder

	streams       []*stream // open ones, in no order
	ids           []uint32  // their ids, by the same index
	ready         queue     // streams that wait for their turn to write
	connBlocked   queue     // streams that wait for a window of the connection
	done          queue     // streams that are over, before their Done
	resumedCount  int       // streams that get their kept bytes in the next call
	wakingTunnels int       // streams whose owner asked for Woken
	owed          []byte    // control frames that the transport refused, charged
	partial       *block    // a header block that is not complete
	resets        *resets   // streams that were reset lately, nil before the first

	data     *stream // stream of the DATA frame under way, nil if it has none
	dataLeft uint32
	padLeft  uint32
	dataEnd  bool

	peer         settings
	sendWin      int64
	recvWin      int64
	credit       int64 // bytes taken by handlers, not yet returned to the peer's window
	kept         int64 // bytes that streams keep
	creditedConn int64 // of kept, those that were returned to the connection's window already
	withheld     int32 // index in Shared.withheld plus 1; 0: not in it

	lastIn      uint32 // the highest stream of the peer that was accepted
	topIn       uint32 // the highest that the peer has opened
	gapIn       uint32 // the one before topIn: streams between them were never opened
	nextOut     uint32 // the id of our next stream
	ignoreAbove uint32 // streams of the peer with higher ids are ignored, after our GOAWAY
	goAway      *GoAwayError
	opened      uint32 // streams that count for MAX_CONCURRENT_STREAMS
	window      int32  // the initial receive window of a stream

	frameBudget, resetBudget budget

	lastRx      time.Duration // when the last octet arrived
	frameDue    time.Duration // the frame under way must be complete
	settingsDue time.Duration // our SETTINGS must be acknowledged
	drainDue    time.Duration // the PING of a drain must be acknowledged
	idleDue     time.Duration
	streamDue   time.Duration // at or before the earliest deadline of a stream
	pingAfter   time.Duration // validity: silence after which a PING is sent
	hangAfter   time.Duration // validity: silence after which the connection ends

	phase         phase
	server        bool
	unix          bool // server: the connection came in on a Unix socket
	peerEnded     bool // server: the client has ended its direction, and waits for responses
	tolerant      bool // a window above the maximum counts as the maximum
	produced      int  // bytes, during this Writable
	tableSizeSent bool // server: a block was sent that sets the table's size to 0
	noRoom        bool // the transport refused room during this Writable
	roomGiven     bool // a handler has a Room and has not committed it
	inCall        bool // a call of the transport is in progress
	draining      drainPhase
	slotsShort    bool // client: streams are in awaitSlot
	settingsSeen  bool // our SETTINGS is acknowledged
	pingSent      bool // a validity PING is not acknowledged
	closeCause    error
}

func (c *conn) init(sh *Shared, low roles.Lower, s side, server bool) {
	*c = conn{sh: sh, low: low, side: s, server: server, peer: initialSettings(), ignoreAbove: maxWindow}
	c.sendWin, c.recvWin = defaultWindow, defaultWindow
	c.window = sh.cfg.Limits.Window
	c.dec = hpack.NewDecoder(4096, sh.headers.emit)
}

// Lower returns the transport of the connection.
func (c *conn) Lower() roles.Lower { return c.low }

// Active returns the number of exchanges in progress.
func (c *conn) Active() int { return len(c.streams) }

// SetValidity makes the connection send a PING after silence of the peer for ping, and end after silence for hangup.
// 0 switches either off.
func (c *conn) SetValidity(ping, hangup time.Duration) {
	c.pingAfter, c.hangAfter = ping, hangup
	c.low.Rearm()
}

// Ping sends a PING, so that a live peer is heard: any input counts.
func (c *conn) Ping() {
	if c.phase != expectOpened && c.phase < expectClose {
		c.sendPing("alive?")
	}
}

// open sends what a connection begins with (RFC 9113 s.3.4).
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

// beginCall is called first in each call of the transport, and endCall last.
func (c *conn) beginCall(now time.Duration) { c.sh.now, c.inCall = now, true }

// Woken implements roles.Upper: calls from outside of the transport's calls have left work.
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

// requestWake asks for Woken if work waits and no call of the transport is in progress.
func (c *conn) requestWake() {
	if !c.inCall && (c.done.First() != nil || c.phase < expectClose && (c.resumedCount > 0 || c.draining == drainAsked)) {
		c.low.Wake()
	}
}

// endCall delivers Done of the streams that are over. It is called last, after all handlers; what it calls may begin
// and end exchanges again.
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
	if x.owner != nil {
		x.owner.Closed(x.cause)
	} else {
		x.h.Done(x, c.doneCause(x))
	}
	c.sh.freeStream(x)
}

// doneCause returns the cause of a stream's end, with what it means for the request of a client that has no final
// head: certainly not processed (RFC 9113 s.8.7), or unknown.
func (c *conn) doneCause(x *stream) error {
	switch {
	case x.cause == nil || c.server || x.receiving != awaitHead || errors.Is(x.cause, http.ErrNotProcessed):
		return x.cause
	case x.id == 0:
		return fmt.Errorf("%w: %w", errNotSent, x.cause)
	}
	return &http.OutcomeError{Cause: x.cause}
}

// Took reports whether, after the peer's GOAWAY, there are streams that it may have processed: then the connection
// was useful, although it accepts no more.
func (c *conn) Took() bool { return c.goAway != nil && c.goAway.Last != 0 && c.nextOut > 1 }

// add returns a new stream of the connection, without an id.
func (c *conn) add(h http.Handler) *stream {
	x := c.sh.newStream()
	x.c, x.h = c, h
	x.sendWin, x.recvWin = int64(c.peer.window), int64(c.window)
	if c.server && !c.settingsSeen {
		// A client that has not seen our SETTINGS uses the protocol's default window (RFC 9113 s.6.9.2).
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

// number sets the id of x.
func (c *conn) number(x *stream, id uint32) {
	x.id = id
	c.ids[x.index] = id
}

// find returns the open stream with an id, or nil.
func (c *conn) find(id uint32) *stream {
	for i := len(c.ids) - 1; i >= 0; i-- {
		if c.ids[i] == id {
			return c.streams[i]
		}
	}
	return nil
}

// finish ends a stream: it leaves the connection. Its handler gets Done at the end of the present call, or in the
// next turn.
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
	if x.is(ownerWakes) {
		c.wakingTunnels--
	}
	c.done.push(x)
	c.requestWake()
}

// resetStream ends a stream, with RST_STREAM to the peer.
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

// failStream resets a stream because of a fault of the peer.
func (c *conn) failStream(x *stream, f *fault) {
	c.count(f)
	c.resetStream(x, f.code, f)
	if bad := c.countReset(); bad != nil {
		c.fail(bad)
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

// fail ends the connection because of a fault of the peer.
func (c *conn) fail(f *fault) {
	if c.phase >= expectClose {
		return
	}
	c.count(f)
	c.sh.Counters.Failed++
	c.sendGoAway(c.lastIn, f.code, f.Where+": "+f.Reason)
	c.close(roles.Graceful, f)
}

// close closes the transport, whose Closed ends all streams.
func (c *conn) close(mode roles.CloseMode, cause error) {
	if c.phase < expectClose {
		c.moveTo(expectClose)
		c.closeCause = cause
		c.low.Close(mode, cause)
	}
}

// RxEnd implements roles.Upper. A peer that has ended its direction sends no more requests, windows and acknowledgements.
// What it has completed is still served: a server sends its responses as far as the windows allow, and a client's
// handler that has paused gets the rest.
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
			x.flags |= peerStopped // no window opens any more for the rest of its request
		}
	}
	switch {
	case len(c.streams) > 0:
		if c.phase != expectFrame {
			c.moveTo(expectFrame)
		}
		c.dropPartial()
		c.frameDue = 0
		c.pingAfter, c.hangAfter = 0, 0 // silence means nothing any more
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

// onPeerEnd starts the deadlines of responses to a client that has ended its direction, and calls HalfClosed of the
// handlers that have it.
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

// startAnswerTimer sets the deadline by which something of a response must be sent to a client that has ended its
// direction.
func (c *conn) startAnswerTimer(x *stream) {
	if x.inDue = c.sh.deadline(c.sh.cfg.Timeouts.HalfClosed); x.inDue != 0 {
		c.setDue(x.inDue)
	}
}

// Closed implements roles.Upper.
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
