package h1

import "github.com/millrace/millrace/internal/machine"

// serverState is what a Server waits for. The response has a machine of its own: sendState.
type serverState uint8

const (
	expectRequest serverState = iota
	expectRequestHead
	owe100
	expectBody
	drainBody
	discardBody
	awaitAnswer
	serverClosing
	serverGone
)

// hasBody reports whether more of a request's body is to come.
func (s serverState) hasBody() bool { return s >= owe100 && s <= discardBody }

var serverTable = machine.New("h1-server", "HTTP/1.1: server", []machine.State{
	expectRequest: machine.Row("expectRequest", "The first byte of a request. There is no exchange.",
		machine.On("part of a head", expectRequestHead),
		machine.On("head with a body and Expect", owe100),
		machine.On("head with a body", expectBody),
		machine.On("head without a body", awaitAnswer),
		machine.On("idle timeout, Drain, end of the peer, fault", serverClosing),
		machine.On("connection lost", serverGone),
	),
	expectRequestHead: machine.Row("expectRequestHead", "The rest of the head of a request.",
		machine.On("head with a body and Expect", owe100),
		machine.On("head with a body", expectBody),
		machine.On("head without a body", awaitAnswer),
		machine.On("timeout, Drain, end of the peer, fault", serverClosing),
		machine.On("connection lost", serverGone),
	),
	owe100: machine.Row("owe100", "A Writable in which the server sends 100 (Continue), since the client waits for it before it sends the body. What comes of the body is taken.",
		machine.On("100 sent", expectBody),
		machine.On("end of the body", awaitAnswer),
		machine.On("response complete, timeout, end of the peer, fault, reset", serverClosing),
		machine.On("connection lost", serverGone),
	),
	expectBody: machine.Row("expectBody", "More of the body of the request. The response may have begun.",
		machine.On("response complete", drainBody),
		machine.On("response complete, handler paused", discardBody),
		machine.On("end of the body", awaitAnswer),
		machine.On("timeout, end of the peer, fault, reset, rest over Limits.Drain", serverClosing),
		machine.On("connection lost", serverGone),
	),
	drainBody: machine.Row("drainBody", "The rest of the body of a request that is answered. The handler gets it.",
		machine.On("handler pauses", discardBody),
		machine.On("end of the body", expectRequest),
		machine.On("end of the body and no next request, timeout, end of the peer, fault, reset, rest over Limits.Drain", serverClosing),
		machine.On("connection lost", serverGone),
	),
	discardBody: machine.Row("discardBody", "The rest of the body of a request that is answered. The server drops it, since the handler has paused.",
		machine.On("end of the body", expectRequest),
		machine.On("end of the body and no next request, timeout, end of the peer, fault, reset, rest over Limits.Drain", serverClosing),
		machine.On("connection lost", serverGone),
	),
	awaitAnswer: machine.Row("awaitAnswer", "The end of the response to a complete request. The next request waits in the transport.",
		machine.On("response complete", expectRequest),
		machine.On("response complete and no next request, half-closed timeout, reset", serverClosing),
		machine.On("Upgrade, connection lost", serverGone),
	),
	serverClosing: machine.Row("serverClosing", "Closed, since the server has closed the connection. It drops what comes in.",
		machine.On("Closed", serverGone),
	),
	serverGone: machine.Row("serverGone", "Nothing: the connection has ended, or belongs to another protocol."),
})
