package ws

import (
	"time"

	"github.com/millrace/millrace/roles"
)

// Flags say where in a message a piece stands, and what the message is.
type Flags uint8

// The flags. A message in one piece is both First and Last; Binary stands on each of its pieces, or on
// none, and then it is text.
const (
	First Flags = 1 << iota
	Last
	Binary
	packedMessage // the peer's message is compressed; no Handler sees it
)

// Handler is told what happens on a Conn. Slices are views, valid during the call.
type Handler interface {
	// Opened says that messages can flow, both ways.
	Opened(c *Conn)
	// Rx is the next piece of the peer's message, as it arrived; it is empty only where an empty piece
	// has something to say: that the message begins or ends. Pieces of text may end inside a character.
	// If the handler has asked for Writable, that comes before the next piece, if the transport takes
	// anything at all.
	Rx(c *Conn, b []byte, f Flags)
	// Writable answers WantWrite: Room has something to give.
	Writable(c *Conn)
	// Pong is the payload of a Pong, to a Ping of ours or unasked. Any octet proves as well that the peer
	// is there, and is not told.
	Pong(c *Conn, b []byte)
	// Closing is the peer's Close frame: NoCode if it has none. Nothing comes after it. It is answered with
	// the same code when the call is over, unless the handler answers it itself, or our own has been sent.
	Closing(c *Conn, code Code, reason []byte)
	// Closed is the last call. cause is nil after a closing handshake; else it wraps ErrAbnormal, or is
	// an http.ProtocolError whose Status is the close code that the peer was told, or what the transport
	// met.
	Closed(c *Conn, cause error)
}

// The facts about a Conn that are no state of a machine: each holds or not in several phases.
const (
	isClient  uint16 = 1 << iota
	wants            // the handler asked for Writable
	paused           // the handler asked for no Rx
	blocked          // input waits because its answer has no room
	resting          // input waits because it has brought enough for one turn
	stopped          // the Lower is paused, for one of these three reasons
	txBegun          // a message has begun, outwards
	owesProbe        // a Ping waits for room
	ended            // the peer has ended its direction
	patient          // our Close frame is Finish's: the wait for the peer's is Timeouts.Finish
	exchanged        // both Close frames were sent
)

// Conn is one end of a connection. It is a value to embed: call Init, then hand it to the transport as its
// roles.Upper.
//
// Send calls (Room, Commit, Ping, Close) and Pause and Resume may be made at any time from the loop's
// goroutine, also from inside a Handler's methods; none calls the Handler back before it returns.
type Conn struct {
	sh     *Shared
	low    roles.Lower
	h      Handler
	packer *packer   // permessage-deflate, where it was agreed upon
	valid  *Validity // the Config's, unless set
	queued *farewell
	heard  time.Duration // when the peer was last heard
	due    time.Duration // of the closing handshake; before that, when a Ping was last sent
	left   uint64        // octets of the present frame's payload that have not come; after the end, those dropped
	size   uint64        // octets of the present message
	key    uint32        // turned to the next octet of payload
	frames uint32        // of the present message
	second uint32        // when control frames were last counted
	count  uint16        // and how many they were
	flags  uint16
	phase
	reading
	in   Flags // of the next piece of the present message that is passed on; Last if the present frame ends it
	text text
}

// farewell is a Close frame that waits for room, and why.
type farewell struct {
	code   Code
	reason string
	cause  error // of a connection that fails
}

var _ roles.Upper = (*Conn)(nil)

// Init makes c an end of a connection on l that tells h. agreed is what the handshake came to. c must not
// be in use. A client needs Config.Rand.
func (c *Conn) Init(sh *Shared, l roles.Lower, client bool, agreed Agreed, h Handler) {
	if client && sh.cfg.Rand == nil {
		panic("ws: init: a client masks with Config.Rand, which is nil")
	}
	*c = Conn{sh: sh, low: l, h: h, valid: &sh.cfg.Timeouts.Validity}
	if client {
		c.flags = isClient
	}
	if agreed.Deflate {
		c.packer = newPacker(client, agreed.Params)
	}
}

// SetHandler puts another Handler in place of the present one. It is told of what comes next.
func (c *Conn) SetHandler(h Handler) { c.h = h }

// SetValidity gives c checks of its own instead of the Config's. v is kept.
func (c *Conn) SetValidity(v *Validity) {
	c.valid = v
	c.low.Rearm()
}

// Lower is what c stands on.
func (c *Conn) Lower() roles.Lower { return c.low }

// Compressed tells whether messages may be compressed: permessage-deflate was agreed upon.
func (c *Conn) Compressed() bool { return c.packer != nil }

// Label names the connection in reports: by what its Handler is called, if it says.
func (c *Conn) Label() string {
	if l, ok := c.h.(roles.Labelled); ok {
		return l.Label()
	}
	return "ws connection"
}

func (c *Conn) is(f uint16) bool { return c.flags&f != 0 }

// Pause stops Rx, and thereby the peer. Resume undoes it.
func (c *Conn) Pause() {
	c.flags |= paused
	c.stop()
}

// Resume undoes Pause. The checks of validity begin anew, since nobody listened meanwhile.
func (c *Conn) Resume() {
	if !c.is(paused) {
		return
	}
	c.flags &^= paused
	c.heard = c.low.Now()
	c.start()
	c.low.Rearm()
}

// stop and start pause and resume the Lower, once each.
func (c *Conn) stop() {
	if !c.is(stopped) && c.reading != expectNothing {
		c.flags |= stopped
		c.deaf()
		c.low.Pause()
		c.low.Rearm()
	}
}

func (c *Conn) start() {
	if c.is(stopped) && (!c.is(paused|blocked|resting) || c.reading == expectNothing) {
		c.flags &^= stopped
		c.listening()
		c.low.Resume()
		c.low.Rearm()
	}
}

// Opened is roles.Upper's.
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

// Writable is roles.Upper's.
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

// Woken is roles.Upper's: input goes on that has brought enough for one turn.
func (c *Conn) Woken(now time.Duration) {
	c.sh.now = now
	if c.is(resting) {
		c.flags &^= resting
		c.packer.made = 0
		c.start()
	}
}

// RxEnd is roles.Upper's.
func (c *Conn) RxEnd(now time.Duration, _ int) {
	c.sh.now = now
	c.flags |= ended
	switch c.phase {
	case closed:
	case awaitAnswerRoom:
		// The peer can still read our Close frame.
	case awaitPeerEnd:
		c.shut(nil)
	case awaitFaultRoom:
		c.shut(c.queued.cause)
	default:
		c.sh.Counters.Abnormal++
		c.shut(errEnded)
	}
}

// Deadline is roles.Upper's.
func (c *Conn) Deadline() time.Duration {
	switch {
	case c.phase == closed || c.phase == awaitOpened:
		return 0
	case c.is(patient) && (c.is(paused) || c.sh.cfg.Timeouts.Finish <= 0):
		return 0
	case c.is(patient):
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

// messageLate reports whether a compressed message was not completed in time. While our Close frame is under way, other
// than Finish's, that has a deadline of its own.
func (c *Conn) messageLate(now time.Duration) bool {
	d := c.messageDue()
	return d != 0 && d <= now && (c.is(patient) || !c.closing())
}

// sooner is the earlier of two deadlines, of which 0 is never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// Timeout is roles.Upper's.
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
		c.drop(cause)
	case c.phase == awaitPeerEnd:
		// A client has waited for the server to end the connection: both Close frames went their way.
		c.shut(nil)
	case c.phase == awaitClose:
		c.sh.Counters.Timeouts++
		c.drop(errNoBack)
	case c.valid.Hangup > 0 && now >= c.heard+c.valid.Hangup:
		c.sh.Counters.Silent++
		c.drop(errSilent)
	default:
		c.due = now
		c.probe()
	}
}

// Closed is roles.Upper's.
func (c *Conn) Closed(cause error) {
	if cause == nil && !c.is(exchanged) {
		cause = errGone
	}
	c.end()
	c.forget()
	if c.sh.roomOf == c {
		c.sh.room, c.sh.roomOf = nil, nil
	}
	c.h.Closed(c, cause)
}

// fail ends the connection because of the peer: it is told the fault's code, and nothing more is read.
// It returns n, what Rx shall take for used.
func (c *Conn) fail(f *fault, n int) int {
	if c.phase == closed {
		return n // the Handler has ended it
	}
	c.sh.count(f)
	c.ignore()
	c.forget()
	if c.phase == awaitClose {
		c.shut(f)
		return n
	}
	c.queued = &farewell{code: Code(f.Status), cause: f}
	c.move(awaitFaultRoom)
	c.flags &^= patient
	c.due = c.sh.deadline(c.sh.cfg.Timeouts.Close)
	c.sendQueued()
	return n
}

// forget gives back what compression holds. No message follows.
func (c *Conn) forget() {
	if c.packer != nil {
		c.packer.close(c.sh, c.low)
	}
}

// shut ends the connection in order, behind what was sent; drop ends one whose peer does not answer.
func (c *Conn) shut(cause error) {
	c.end()
	c.low.Close(roles.Graceful, cause)
}

// Abort ends the connection at once, without a Close frame: for a peer that does not end it. Closed follows with cause.
func (c *Conn) Abort(cause error) {
	if c.phase == closed {
		return
	}
	c.sh.Counters.Flooded++
	c.forget()
	c.drop(cause)
}

func (c *Conn) drop(cause error) {
	c.end()
	c.low.Close(roles.Immediate, cause)
}
