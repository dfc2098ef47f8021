package h2

// state is where a stream stands (RFC 9113 s.5.1). The reserved states are those of server push, which is off.
type state uint8

const (
	idle             state = iota // no HEADERS yet
	open                          // both directions may carry frames
	halfClosedLocal               // we have ended our direction
	halfClosedRemote              // the peer has ended its own
	closed
	numStates
)

// event is what moves a stream.
type event uint8

const (
	sendHeaders event = iota
	recvHeaders
	sendEnd // END_STREAM
	recvEnd
	sendReset
	recvReset
	numEvents
)

// move is a row of the table.
type move struct {
	from state
	on   event
	to   state
	why  string
}

// moves are the legal moves of a stream; what is not in it is a bug of ours or a fault of the peer's.
var moves = []move{
	{idle, sendHeaders, open, "a client sends a request's head"},
	{idle, recvHeaders, open, "a server receives a request's head"},
	{idle, sendReset, closed, "an exchange is given up before its request was sent; nothing is sent of it"},
	{open, sendHeaders, open, "a response's head, or trailers to come with the end"},
	{open, recvHeaders, open, "likewise from the peer"},
	{open, sendEnd, halfClosedLocal, "our message is complete"},
	{open, recvEnd, halfClosedRemote, "the peer's message is complete"},
	{open, sendReset, closed, "given up by us"},
	{open, recvReset, closed, "given up by the peer"},
	{halfClosedLocal, recvHeaders, halfClosedLocal, "a response's head, while our request is complete"},
	{halfClosedLocal, recvEnd, closed, "both messages are complete"},
	{halfClosedLocal, sendReset, closed, "given up by us"},
	{halfClosedLocal, recvReset, closed, "given up by the peer"},
	{halfClosedRemote, sendHeaders, halfClosedRemote, "a response's head, while the request is complete"},
	{halfClosedRemote, sendEnd, closed, "both messages are complete"},
	{halfClosedRemote, sendReset, closed, "given up by us"},
	{halfClosedRemote, recvReset, closed, "given up by the peer"},
}

// illegal is what next holds for moves that the table does not have.
const illegal = numStates

var next = func() (t [numStates][numEvents]state) {
	for s := range t {
		for e := range t[s] {
			t[s][e] = illegal
		}
	}
	for _, m := range moves {
		t[m.from][m.on] = m.to
	}
	return t
}()
