package ws

import (
	"time"

	"github.com/millrace/millrace/roles"
)

// Flags describe a piece of a message.
type Flags uint8

// First is set on the first piece of a message, Last on the last one; a message in one piece has both. Binary is set on
// all pieces of a binary message and on none of a text message.
const (
	First Flags = 1 << iota
	Last
	Binary
	compressedMessage // the peer's message is compressed; no Handler sees it
)

// Handler receives the events of a Conn. Slices are valid during the call.
type Handler interface {
	// Opened reports that messages can be sent and received.
	Opened(c *Conn)
	// Rx delivers the next piece of the peer's message. b is empty only if f has First or Last. A piece of text may end
	// inside a character. After a WantWrite, Writable comes before the next piece, if the transport has room.
	Rx(c *Conn, b []byte, f Flags)
	// Writable answers WantWrite: Room returns space.
	Writable(c *Conn)
	// Pong delivers the payload of a Pong, which answers our Ping or is unsolicited.
	Pong(c *Conn, b []byte)
	// Closing delivers the peer's Close frame; code is NoCode if the frame has none. No Rx or Pong follows. When the
	// call returns, the Conn answers with the same code, unless the Handler has called Close or ours was sent before.
	Closing(c *Conn, code Code, reason []byte)
	// Closed is the last call. cause is nil after a complete closing handshake. Else it wraps ErrAbnormal, is an
	// http.ProtocolError whose Status is the close code sent to the peer, or is the error of the transport.
	Closed(c *Conn, cause error)
}

// The facts about a Conn that are no state of a machine: each holds or not in several phases.
const (
	isClient  uint16 = 1 << iota
	wants            // the handler asked for Writable
	paused           // the handler asked for no Rx
	blocked          // input waits because its answer has no room
	throttled        // input waits because it has brought enough for one turn
	stopped          // the Lower is paused, for one of these three reasons
	txBegun          // a message has begun, outwards
	owesProbe        // a Ping waits for room
	ended            // the peer has ended its direction
	finishing        // our Close frame is Finish's: the wait for the peer's is Timeouts.Finish
	exchanged        // both Close frames were sent
)

// Conn is one end of a connection. It is a value to embed: call Init, then give it to the transport as its roles.Upper.
//
// Room, Commit, Send, Ping, Close, Pause and Resume may be called at any time on the loop's goroutine, also from inside
// the Handler's methods. None of them calls the Handler before it returns.
type Conn struct {
	sh     *Shared
	low    roles.Lower
	h      Handler
	packer *packer       // permessage-deflate, nil without
	valid  *Validity     // from SetValidity, else from the Config
	queued *pendingClose // while owesClose
	heard  time.Duration // time of the last octet from the peer
	due    time.Duration // deadline of the closing handshake; before that, time of our last Ping
	left   uint64        // octets of the present frame's payload still to come; in expectNothing, octets that were dropped
	size   uint64        // octets of the present message
	key    uint32        // masking key, rotated to the next octet of payload
	frames uint32        // frames of the present message
	second uint32        // the second in which control frames were last counted
	count  uint16        // control frames in that second
	flags  uint16
	phase
	reading
	in   Flags // of the next piece of the present message that is passed on; Last if the present frame ends it
	text text
}

// pendingClose is a Close frame that waits for room.
type pendingClose struct {
	code   Code
	reason string
	cause  error // the fault of the peer, nil if there is none
}

var _ roles.Upper = (*Conn)(nil)

// Init sets up c, which must not be in use, to run over l and to call h. agreed is the result of the handshake. Init
// panics if a client's Config has no Rand.
func (c *Conn) Init(sh *Shared, l roles.Lower, client bool, agreed Agreed, h Handler) {
	if client && sh.cfg.Rand == nil {
		panic("ws: init: a client needs Config.Rand to mask its frames, and it is nil")
	}
	*c = Conn{sh: sh, low: l, h: h, valid: &sh.cfg.Timeouts.Validity}
	if client {
		c.flags = isClient
	}
	if agreed.Deflate {
		c.packer = newPacker(client, agreed.Params)
	}
}

// SetHandler replaces the Handler. h receives the events from now on.
func (c *Conn) SetHandler(h Handler) { c.h = h }

// SetValidity replaces the Config's checks of a silent connection. c keeps v, which must not change.
func (c *Conn) SetValidity(v *Validity) {
	c.valid = v
	c.low.Rearm()
}

// Lower returns the transport.
func (c *Conn) Lower() roles.Lower { return c.low }

// Compressed reports whether messages may be compressed: the handshake has agreed on permessage-deflate.
func (c *Conn) Compressed() bool { return c.packer != nil }

// Label returns the name of the connection in reports: the Handler's Label if it has one.
func (c *Conn) Label() string {
	if l, ok := c.h.(roles.Labelled); ok {
		return l.Label()
	}
	return "ws connection"
}

func (c *Conn) is(f uint16) bool { return c.flags&f != 0 }

// Pause stops Rx, and the peer by flow control, until Resume.
func (c *Conn) Pause() {
	c.flags |= paused
	c.stop()
}

// Resume ends a Pause. The checks of a silent connection start again, since nothing was read meanwhile.
func (c *Conn) Resume() {
	if !c.is(paused) {
		return
	}
	c.flags &^= paused
	c.heard = c.low.Now()
	c.start()
	c.low.Rearm()
}

// stop pauses the Lower if it is not paused.
func (c *Conn) stop() {
	if !c.is(stopped) && c.reading != expectNothing {
		c.flags |= stopped
		c.stopMessageTimer()
		c.low.Pause()
		c.low.Rearm()
	}
}

// start resumes the Lower if no reason to pause is left.
func (c *Conn) start() {
	if c.is(stopped) && (!c.is(paused|blocked|throttled) || c.reading == expectNothing) {
		c.flags &^= stopped
		c.restartMessageTimer()
		c.low.Resume()
		c.low.Rearm()
	}
}

// Opened implements roles.Upper.
func (c *Conn) Opened(now time.Duration) {
	if c.phase != awaitOpened {
		return
	}
	c.sh.now = now
	c.heard = now
	c.sh.Counters.Opened++
	c.move(opened)
	c.h.Opened(c)
}

// Writable implements roles.Upper.
func (c *Conn) Writable(now time.Duration) {
	c.sh.now = now
	if c.owesClose() {
		c.sendQueued()
	}
	if c.is(owesProbe) {
		c.probe()
	}
	if c.is(blocked) {
		c.flags &^= blocked
		c.start()
	}
	if c.is(wants) && c.phase < awaitCloseRoom {
		c.flags &^= wants
		c.h.Writable(c)
	}
}

// Woken implements roles.Upper: it continues with input that exceeded the share of one turn.
func (c *Conn) Woken(now time.Duration) {
	c.sh.now = now
	if c.is(throttled) {
		c.flags &^= throttled
		c.packer.turnOutput = 0
		c.start()
	}
}

// RxEnd implements roles.Upper.
func (c *Conn) RxEnd(now time.Duration, _ int) {
	c.sh.now = now
	c.flags |= ended
	switch c.phase {
	case closed:
	case awaitAnswerRoom:
		// The peer can still read our Close frame.
	case awaitPeerEnd:
		c.closeGraceful(nil)
	case awaitFaultRoom:
		c.closeGraceful(c.queued.cause)
	default:
		c.sh.Counters.Abnormal++
		c.closeGraceful(errEnded)
	}
}

// Deadline implements roles.Upper.
func (c *Conn) Deadline() time.Duration {
	switch {
	case c.phase == closed || c.phase == awaitOpened:
		return 0
	case c.is(finishing) && (c.is(paused) || c.sh.cfg.Timeouts.Finish <= 0):
		return 0
	case c.is(finishing):
		return sooner(max(c.due, c.heard+c.sh.cfg.Timeouts.Finish), c.messageDue())
	case c.closing():
		return c.due
	case c.is(paused):
		return 0
	}
	var d time.Duration
	if c.valid.Hangup > 0 {
		d = c.heard + c.valid.Hangup
	}
	if c.valid.Ping > 0 {
		if p := max(c.heard, c.due) + c.valid.Ping; d == 0 || p < d {
			d = p
		}
	}
	return sooner(d, c.messageDue())
}

// messageLate reports whether a compressed message has exceeded its deadline. After Close the deadline of the closing
// handshake applies instead.
func (c *Conn) messageLate(now time.Duration) bool {
	d := c.messageDue()
	return d != 0 && d <= now && (c.is(finishing) || !c.closing())
}

// sooner returns the earlier of two deadlines; 0 means never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// Timeout implements roles.Upper.
func (c *Conn) Timeout(now time.Duration) {
	c.sh.now = now
	d := c.Deadline()
	switch {
	case d == 0 || now < d:
	case c.messageLate(now):
		c.sh.Counters.Slow++
		c.fail(errSlow, 0)
	case c.owesClose():
		c.sh.Counters.Timeouts++
		cause := c.queued.cause
		if cause == nil {
			cause = errStuck
		}
		c.closeNow(cause)
	case c.phase == awaitPeerEnd:
		// A client has waited for the server to end the connection: both Close frames went their way.
		c.closeGraceful(nil)
	case c.phase == awaitClose:
		c.sh.Counters.Timeouts++
		c.closeNow(errNoBack)
	case c.valid.Hangup > 0 && now >= c.heard+c.valid.Hangup:
		c.sh.Counters.Silent++
		c.closeNow(errSilent)
	default:
		c.due = now
		c.probe()
	}
}

// Closed implements roles.Upper.
func (c *Conn) Closed(cause error) {
	if cause == nil && !c.is(exchanged) {
		cause = errGone
	}
	c.end()
	c.releaseDeflate()
	c.sh.room.Drop(c)
	c.h.Closed(c, cause)
}

// fail fails the connection for a fault of the peer (RFC 6455 s.7.1.7): it sends a Close frame with the fault's code, and
// drops what comes in. It returns n, the number of octets that Rx reports as used.
func (c *Conn) fail(f *fault, n int) int {
	if c.phase == closed {
		return n // the Handler has called Abort
	}
	c.sh.count(f)
	c.ignore()
	c.releaseDeflate()
	if c.phase == awaitClose {
		c.closeGraceful(f)
		return n
	}
	c.queued = &pendingClose{code: Code(f.Status), cause: f}
	c.move(awaitFaultRoom)
	c.flags &^= finishing
	c.due = c.sh.deadline(c.sh.cfg.Timeouts.Close)
	c.sendQueued()
	return n
}

// releaseDeflate releases the memory of compression. No message follows.
func (c *Conn) releaseDeflate() {
	if c.packer != nil {
		c.packer.close(c.sh, c.low)
	}
}

// closeGraceful closes the transport after what was sent.
func (c *Conn) closeGraceful(cause error) {
	c.end()
	c.low.Close(roles.Graceful, cause)
}

// Abort closes the connection at once, without a Close frame, for a peer that does not end it. Closed follows with cause.
func (c *Conn) Abort(cause error) {
	if c.phase == closed {
		return
	}
	c.sh.Counters.Flooded++
	c.releaseDeflate()
	c.closeNow(cause)
}

// closeNow closes the transport at once, for a peer that does not answer.
func (c *Conn) closeNow(cause error) {
	c.end()
	c.low.Close(roles.Immediate, cause)
}
