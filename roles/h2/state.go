package h2

import "github.com/millrace/millrace/internal/machine"

// state is the state of a stream (RFC 9113 s.5.1). The reserved states are those of server push, which is off.
type state uint8

const (
	idle state = iota
	open
	halfClosedLocal
	halfClosedRemote
	closed
	numStates
)

// event moves a stream from state to state.
type event uint8

const (
	sendHeaders event = iota
	recvHeaders
	sendEnd
	recvEnd
	sendReset
	recvReset
	drop // nothing is sent or received: the connection is over, or the stream has no id yet
	numEvents
)

var eventNames = [numEvents]string{"send HEADERS", "recv HEADERS", "send END_STREAM", "recv END_STREAM", "send RST_STREAM", "recv RST_STREAM", "drop"}

// String returns the event's name in the table.
func (e event) String() string { return eventNames[e] }

// states is the machine of a stream in RFC 9113 s.5.1. Faults of the peer are found before they could cause a move.
var states = newTable("stream", []machine.State{
	idle: row("idle", "HEADERS of the request.",
		on("send HEADERS", open), on("recv HEADERS", open), on("drop", closed)),
	open: row("open", "Frames in both directions.",
		on("send HEADERS", open), on("recv HEADERS", open),
		on("send END_STREAM", halfClosedLocal), on("recv END_STREAM", halfClosedRemote),
		on("send RST_STREAM", closed), on("recv RST_STREAM", closed), on("drop", closed)),
	halfClosedLocal: row("halfClosedLocal", "The rest of the peer's message: ours is complete.",
		on("recv HEADERS", halfClosedLocal), on("recv END_STREAM", closed),
		on("send RST_STREAM", closed), on("recv RST_STREAM", closed), on("drop", closed)),
	halfClosedRemote: row("halfClosedRemote", "The rest of our message: the peer's is complete.",
		on("send HEADERS", halfClosedRemote), on("send END_STREAM", closed),
		on("send RST_STREAM", closed), on("recv RST_STREAM", closed), on("drop", closed)),
	closed: row("closed", "Nothing."),
})

// illegal is what nextState holds for moves that the table does not have.
const illegal = numStates

// nextState is the table by state and event. Tests clear it, like stateTable.next.
var nextState = byEvent()

func byEvent() (t [numStates][numEvents]state) {
	for s := range t {
		for e := range t[s] {
			t[s][e] = illegal
			for _, m := range states.rows[s].Moves {
				if m.On == eventNames[e] {
					t[s][e] = state(m.To)
				}
			}
		}
	}
	return t
}

// move moves the stream to its next state. An illegal move leaves the state unchanged.
func (x *stream) move(e event) {
	to := nextState[x.state][e]
	if to == illegal {
		to = x.moveSlowly(e)
	}
	x.state = to
}

func (x *stream) moveSlowly(e event) state {
	to := illegal
	if onMove != nil {
		to = byEvent()[x.state][e]
	}
	x.c.noMove(&states, uint8(x.state), uint8(to), eventNames[e])
	if to == illegal {
		return x.state
	}
	return to
}
