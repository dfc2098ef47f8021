package h1

import "github.com/millrace/millrace/internal/machine"

// clientState is what a Client waits for. The request has a machine of its own: sendState.
type clientState uint8

const (
	awaitOpened clientState = iota
	awaitDo
	expectResponse
	expectResponseHead
	expectContent
	awaitSent
	clientClosing
	clientGone
)

var clientTable = machine.New("h1-client", "HTTP/1.1: client", []machine.State{
	awaitOpened: machine.Row("awaitOpened", "Opened: the transport connects. There may be an exchange already.",
		machine.On("Opened, without an exchange", awaitDo),
		machine.On("Opened, with an exchange", expectResponse),
		machine.On("bytes, end of the peer, Close, reset", clientClosing),
		machine.On("connection lost", clientGone),
	),
	awaitDo: machine.Row("awaitDo", "Do. The connection is idle.",
		machine.On("Do", expectResponse),
		machine.On("bytes, idle timeout, end of the peer, Close", clientClosing),
		machine.On("connection lost", clientGone),
	),
	expectResponse: machine.Row("expectResponse", "The first byte of a response, or of the next one after an informational response.",
		machine.On("part of a head", expectResponseHead),
		machine.On("final head", expectContent),
		machine.On("timeout, end of the peer, fault, Close, reset", clientClosing),
		machine.On("Upgrade, connection lost", clientGone),
	),
	expectResponseHead: machine.Row("expectResponseHead", "The rest of the head of a response.",
		machine.On("informational head", expectResponse),
		machine.On("final head", expectContent),
		machine.On("timeout, end of the peer, fault, Close, reset", clientClosing),
		machine.On("Upgrade, connection lost", clientGone),
	),
	expectContent: machine.Row("expectContent", "More of the body of the response.",
		machine.On("end of the body", awaitSent),
		machine.On("timeout, end of the peer, fault, Close, reset", clientClosing),
		machine.On("connection lost", clientGone),
	),
	awaitSent: machine.Row("awaitSent", "The end of the request, whose response is complete.",
		machine.On("request complete", awaitDo),
		machine.On("request complete and no next one, bytes, end of the peer, Close, reset", clientClosing),
		machine.On("connection lost", clientGone),
	),
	clientClosing: machine.Row("clientClosing", "Closed, since the client has closed the connection. It drops what comes in.",
		machine.On("Closed", clientGone),
	),
	clientGone: machine.Row("clientGone", "Nothing: the connection has ended, or belongs to another protocol."),
})
