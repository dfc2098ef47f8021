package h1

import "github.com/millrace/millrace/internal/machine"

// sendState is what the sending half of an exchange waits for: a call of its handler, unless the table names something
// else. The end of the exchange ends the machine in any state.
type sendState uint8

const (
	awaitHead sendState = iota
	await100
	sendCounted
	sendChunked
	sendToClose
	sendDropped
	awaitLastRoom
	sent
)

var sendTable = machine.New("h1-send", "HTTP/1.1: sending half of an exchange", []machine.State{
	awaitHead: machine.Row("awaitHead", "The final head.",
		machine.On("head with Expect", await100),
		machine.On("head, Content-Length", sendCounted),
		machine.On("head, chunked", sendChunked),
		machine.On("head, body to the end of the connection", sendToClose),
		machine.On("head, body not allowed", sendDropped),
		machine.On("head, no body", sent),
	),
	await100: machine.Row("await100", "100 (Continue) or a final head from the server, or the end of Timeouts.Continue. There is no room for the body until then.",
		machine.On("go on, Content-Length", sendCounted),
		machine.On("go on, chunked", sendChunked),
		machine.On("final head of 300 and above", sent),
	),
	sendCounted: machine.Row("sendCounted", "The rest of a body of the announced length.",
		machine.On("announced length reached, or given up", sent),
	),
	sendChunked: machine.Row("sendChunked", "The next piece of a chunked body, its trailers or its end.",
		machine.On("end, no room for the last chunk", awaitLastRoom),
		machine.On("end, or given up", sent),
	),
	sendToClose: machine.Row("sendToClose", "The next piece of a body that the end of the connection ends, or its end.",
		machine.On("end, or given up", sent),
	),
	sendDropped: machine.Row("sendDropped", "The end of a body that may not be sent (HEAD, 204, 304). The exchange drops what the handler commits.",
		machine.On("end", sent),
	),
	awaitLastRoom: machine.Row("awaitLastRoom", "Room for the last chunk.",
		machine.On("room, or given up", sent),
	),
	sent: machine.Row("sent", "Nothing: the message is complete, or the exchange has given up the rest of it."),
})
