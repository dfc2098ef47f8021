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

var sendTable = newTable([]machine.State{
	awaitHead: row("awaitHead", "The final head.",
		on("head with Expect", await100),
		on("head, Content-Length", sendCounted),
		on("head, chunked", sendChunked),
		on("head, body to the end of the connection", sendToClose),
		on("head, body not allowed", sendDropped),
		on("head, no body", sent),
	),
	await100: row("await100", "100 (Continue) or a final head from the server, or the end of Timeouts.Continue. There is no room for the body until then.",
		on("go on, Content-Length", sendCounted),
		on("go on, chunked", sendChunked),
		on("final head of 300 and above", sent),
	),
	sendCounted: row("sendCounted", "The rest of a body of the announced length.",
		on("announced length reached, or given up", sent),
	),
	sendChunked: row("sendChunked", "The next piece of a chunked body, its trailers or its end.",
		on("end, no room for the last chunk", awaitLastRoom),
		on("end, or given up", sent),
	),
	sendToClose: row("sendToClose", "The next piece of a body that the end of the connection ends, or its end.",
		on("end, or given up", sent),
	),
	sendDropped: row("sendDropped", "The end of a body that may not be sent (HEAD, 204, 304). The exchange drops what the handler commits.",
		on("end", sent),
	),
	awaitLastRoom: row("awaitLastRoom", "Room for the last chunk.",
		on("room, or given up", sent),
	),
	sent: row("sent", "Nothing: the message is complete, or the exchange has given up the rest of it."),
})
