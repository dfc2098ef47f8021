package h2

import "github.com/millrace/millrace/internal/machine"

// phase is what a connection waits for in its input: Rx parses by it. drainPhase, below, is the order of its orderly end, at
// the same time.
type phase uint8

const (
	expectOpened phase = iota
	expectPreface
	expectSettings
	expectFrame
	expectContinuation
	expectData
	expectPadding
	expectClose
	expectNothing
)

// phases is the machine of a connection. A DATA frame without payload passes through expectData.
var phases = newTable("phase", []machine.State{
	expectOpened: row("expectOpened", "The transport, to be established.",
		on("opened at a server", expectPreface), on("opened at a client", expectSettings), on("transport closed", expectNothing)),
	expectPreface: row("expectPreface", "Server: the client's connection preface (RFC 9113 s.3.4).",
		on("preface", expectSettings), on("close", expectClose), on("transport closed", expectNothing)),
	expectSettings: row("expectSettings", "The peer's first frame, which is SETTINGS.",
		on("SETTINGS", expectFrame), on("close", expectClose), on("transport closed", expectNothing)),
	expectFrame: row("expectFrame", "Any frame but CONTINUATION.",
		on("HEADERS without END_HEADERS", expectContinuation), on("DATA", expectData),
		on("close", expectClose), on("transport closed", expectNothing)),
	expectContinuation: row("expectContinuation", "CONTINUATION of the header block that has begun.",
		on("END_HEADERS, or the peer's end of the connection", expectFrame), on("close", expectClose), on("transport closed", expectNothing)),
	expectData: row("expectData", "The rest of a DATA frame's payload.",
		on("payload complete, or the peer's end of the connection", expectFrame), on("payload complete, padding follows", expectPadding),
		on("close", expectClose), on("transport closed", expectNothing)),
	expectPadding: row("expectPadding", "The rest of a DATA frame's padding.",
		on("padding complete, or the peer's end of the connection", expectFrame), on("close", expectClose), on("transport closed", expectNothing)),
	expectClose: row("expectClose", "The transport's Closed; what the peer sends is dropped.",
		on("transport closed", expectNothing)),
	expectNothing: row("expectNothing", "Nothing: the connection is over."),
})

// moveTo moves the connection to its next phase.
func (c *conn) moveTo(p phase) {
	c.check(&phases, uint8(c.phase), uint8(p))
	c.phase = p
}

// drainPhase is what the orderly end of a connection waits for (RFC 9113 s.6.8).
type drainPhase uint8

const (
	notDraining drainPhase = iota
	drainAsked
	drainPinged
	drainLast
)

var drainPhases = newTable("drain", []machine.State{
	notDraining: row("notDraining", "A reason to drain.",
		on("Drain, Close, or the idle timeout", drainAsked),
		on("GOAWAY from the server, the peer's end of the connection, or no stream numbers left", drainLast)),
	drainAsked: row("drainAsked", "The end of the present call, to send GOAWAY.",
		on("server with streams: GOAWAY for all streams, and PING", drainPinged),
		on("otherwise: GOAWAY with the last stream", drainLast)),
	drainPinged: row("drainPinged", "The answer to the PING: the peer has seen GOAWAY then. New streams are still accepted.",
		on("PING acknowledged, timeout, or the last exchange is over: GOAWAY with the last stream", drainLast)),
	drainLast: row("drainLast", "The end of the last exchange, to close the connection."),
})

// drainTo moves the drain to its next phase.
func (c *conn) drainTo(d drainPhase) {
	c.check(&drainPhases, uint8(c.draining), uint8(d))
	c.draining = d
}
