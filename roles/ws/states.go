package ws

import (
	"fmt"

	"github.com/millrace/millrace/internal/machine"
	"github.com/millrace/millrace/roles"
)

// phase is what a connection waits for. The names of RFC 6455 for groups of them: CONNECTING is awaitOpened, OPEN is opened,
// CLOSING are answerClose to awaitPeerEnd, CLOSED is closed.
type phase uint8

// The order counts: messages and Pings may be sent in opened and answerClose, our Close frame waits for room from
// awaitCloseRoom to awaitFaultRoom, and has been sent in awaitClose and awaitPeerEnd.
const (
	awaitOpened phase = iota
	opened
	answerClose
	awaitCloseRoom
	awaitAnswerRoom
	awaitFaultRoom
	awaitClose
	awaitPeerEnd
	closed
)

var phases = machine.New("ws-phase", "WebSocket: a connection", []machine.State{
	awaitOpened: machine.Row("awaitOpened", "Opened from the transport.",
		machine.On("Opened", opened),
		machine.On("Close, Abort, or the transport failed", closed),
	),
	opened: machine.Row("opened", "Messages in both directions, until either end starts to close.",
		machine.On("the peer's Close frame", answerClose),
		machine.On("our Close or Finish", awaitCloseRoom),
		machine.On("the peer breaks a rule or a limit", awaitFaultRoom),
		machine.On("the peer is silent or has ended, Abort, or the transport failed", closed),
	),
	answerClose: machine.Row("answerClose", "The return of Handler.Closing, or the Handler's own Close. It can still send.",
		machine.On("Closing returns, or calls Close", awaitAnswerRoom),
		machine.On("Abort", closed),
	),
	awaitCloseRoom: machine.Row("awaitCloseRoom", "Room for our Close frame, which starts the closing handshake. Messages still come in.",
		machine.On("room", awaitClose),
		machine.On("the peer's Close frame", awaitAnswerRoom),
		machine.On("the peer breaks a rule or a limit", awaitFaultRoom),
		machine.On("Timeouts.Close, the peer has ended, Abort, or the transport failed", closed),
	),
	awaitAnswerRoom: machine.Row("awaitAnswerRoom", "Room for our Close frame. The peer's has come.",
		machine.On("room, at a client", awaitPeerEnd),
		machine.On("room, at a server; Timeouts.Close, Abort, or the transport failed", closed),
	),
	awaitFaultRoom: machine.Row("awaitFaultRoom", "Room for the Close frame with the code of the peer's fault.",
		machine.On("room; Timeouts.Close, the peer has ended, Abort, or the transport failed", closed),
	),
	awaitClose: machine.Row("awaitClose", "The peer's Close frame. Ours is sent. Messages still come in.",
		machine.On("the peer's Close frame, at a client", awaitPeerEnd),
		machine.On("the peer's Close frame, at a server; a fault, Timeouts.Close or Timeouts.Finish, the peer has ended, Abort, or the transport failed", closed),
	),
	awaitPeerEnd: machine.Row("awaitPeerEnd", "The end of the connection by the server (RFC 6455 section 7.1.1). Both Close frames are sent.",
		machine.On("the server has ended; Timeouts.Close, Abort, or the transport failed", closed),
	),
	closed: machine.Row("closed", "Closed from the transport, which has been closed."),
})

// reading is what a connection expects of the peer's octets.
type reading uint8

const (
	expectMessage reading = iota
	expectPayload
	expectContinuation
	expectNothing
)

var readings = machine.New("ws-reading", "WebSocket: the peer's messages", []machine.State{
	expectMessage: machine.Row("expectMessage", "The first frame of a message, or a control frame.",
		machine.On("header of a data frame", expectPayload),
		machine.On("Close frame, fault, or end of the connection", expectNothing),
	),
	expectPayload: machine.Row("expectPayload", "The rest of a data frame's payload.",
		machine.On("end of the last frame", expectMessage),
		machine.On("end of another frame", expectContinuation),
		machine.On("fault, or end of the connection", expectNothing),
	),
	expectContinuation: machine.Row("expectContinuation", "The next frame of a message that has begun, or a control frame.",
		machine.On("header of a data frame", expectPayload),
		machine.On("Close frame, fault, or end of the connection", expectNothing),
	),
	expectNothing: machine.Row("expectNothing", "Nothing. What comes is dropped, up to a limit."),
})

// move changes the phase. A move that the table does not have is a bug of this package: it resets the connection, is
// counted as Counters.Illegal, and reaches the Handler as the cause.
func (c *Conn) move(to phase) {
	if !phases.Allows(uint8(c.phase), uint8(to)) {
		c.illegal(phases, uint8(c.phase), uint8(to))
		return
	}
	c.phase = to
}

// expect changes what is expected of the peer's octets. See move for one that the table does not have.
func (c *Conn) expect(to reading) {
	if !readings.Allows(uint8(c.reading), uint8(to)) {
		c.illegal(readings, uint8(c.reading), uint8(to))
		return
	}
	c.reading = to
}

func (c *Conn) illegal(t *machine.Table, from, to uint8) {
	c.sh.Counters.Illegal++
	c.phase, c.reading = closed, expectNothing
	c.low.Close(roles.Reset, fmt.Errorf("ws: illegal move from %s to %s: this is a bug in Millrace", t.States[from].Name, t.States[to].Name))
}

// sends reports whether a frame other than Close may be sent.
func (c *Conn) sends() bool { return c.phase == opened || c.phase == answerClose }

// closing reports whether our Close frame waits for room or has been sent.
func (c *Conn) closing() bool { return c.phase >= awaitCloseRoom && c.phase <= awaitPeerEnd }

// owesClose reports whether our Close frame waits for room: Conn.queued.
func (c *Conn) owesClose() bool { return c.phase >= awaitCloseRoom && c.phase <= awaitFaultRoom }

// end makes the connection one that waits for the transport's Closed only.
func (c *Conn) end() {
	if c.phase != closed {
		c.move(closed)
	}
	c.ignore()
}

// ignore makes the connection drop what the peer sends from now on.
func (c *Conn) ignore() {
	if c.reading != expectNothing {
		c.expect(expectNothing)
	}
	c.left = 0
}
