package h2

import "github.com/millrace/millrace/internal/machine"

// A stream has the states of RFC 9113 s.5.1 (state.go) and four more machines, which are in this file: what its output waits
// for, how much of our message is sent, how much of the peer's message the handler has, and what a tunnel over the stream
// waits for. Only the methods move..., setOut and wait change these states; docs/machines.md shows the tables.

// outState is what the output of a stream waits for. Head and trailers need no window (RFC 9113 s.6.9).
type outState uint8

const (
	outIdle outState = iota
	outQueued
	noWindow
	onConnBlocked
	awaitSettings
	awaitSlot
	await100
	outOver
)

var outStates = newTable("output", []machine.State{
	outIdle: row("outIdle", "WantWrite.",
		on("WantWrite", outQueued), on("Room found no window of the stream", noWindow), on("Room found no window of the connection", onConnBlocked),
		on("extended CONNECT before SETTINGS", awaitSettings), on("too many streams are open", awaitSlot),
		on("request with Expect: 100-continue", await100), on("stream over", outOver)),
	outQueued: row("outQueued", "Its turn among the streams of the connection.",
		on("its turn, or output outside of it", outIdle),
		on("stream over", outOver)),
	noWindow: row("noWindow", "A window for the stream.",
		on("window of both", outIdle), on("window of the stream alone", onConnBlocked), on("stream over", outOver)),
	onConnBlocked: row("onConnBlocked", "A window for the connection, in the order in which its streams began to wait.",
		on("window", outIdle), on("stream over", outOver)),
	awaitSettings: row("awaitSettings", "Client: the server's SETTINGS, which allow extended CONNECT (RFC 8441 s.3).",
		on("SETTINGS", outIdle), on("stream over", outOver)),
	awaitSlot: row("awaitSlot", "Client: the end of another stream, since the server accepts no more than are open.",
		on("slot free", outIdle), on("stream over", outOver)),
	await100: row("await100", "Client: 100 (Continue), or the end of Timeouts.Continue.",
		on("100, final head, reset, or timeout", outIdle), on("stream over", outOver)),
	outOver: row("outOver", "Nothing: the stream is over, and Done or Closed follows."),
})

// moveOut moves the output of the stream to another state, and between the queues of both.
func (x *stream) moveOut(to outState) {
	switch x.out {
	case outQueued:
		x.c.ready.Remove(x)
	case onConnBlocked:
		x.c.connBlocked.Remove(x)
	}
	x.setOut(to)
	switch to {
	case outQueued:
		x.c.ready.push(x)
	case onConnBlocked:
		x.c.connBlocked.push(x)
	}
}

// setOut sets the state of the output without the queues: neither the old nor the new state has one, or the caller moves
// x between them.
func (x *stream) setOut(to outState) {
	x.c.check(&outStates, uint8(x.out), uint8(to))
	x.out = to
}

// wait moves the output from outIdle or outQueued to a state in which it waits for the peer.
func (x *stream) wait(to outState) {
	if x.out == outQueued {
		x.moveOut(outIdle)
	}
	x.moveOut(to)
}

// over reports whether the stream has ended: it has left the connection, and Done or Closed follows.
func (x *stream) over() bool { return x.out == outOver }

// sendState is how much of our message is sent.
type sendState uint8

const (
	unsent sendState = iota
	headSent
	endWanted
	endSent
)

var sendStates = newTable("sending", []machine.State{
	unsent: row("unsent", "Our final head, from the handler.",
		on("final head", headSent)),
	headSent: row("headSent", "Body, trailers or the end of our message.",
		on("END_STREAM, or a reset after which the peer wants no more", endSent), on("the owner of a tunnel ends its direction", endWanted)),
	endWanted: row("endWanted", "Tunnel: windows for the output that is held; END_STREAM follows it.",
		on("END_STREAM", endSent)),
	endSent: row("endSent", "Nothing: our message is complete."),
})

func (x *stream) moveSend(to sendState) {
	x.c.check(&sendStates, uint8(x.sending), uint8(to))
	x.sending = to
}

// recvState is how much of the peer's message the handler has.
type recvState uint8

const (
	awaitHead recvState = iota
	awaitBody
	discardBody
	awaitReader
	endDelivered
)

var recvStates = newTable("receiving", []machine.State{
	awaitHead: row("awaitHead", "The peer's final head.",
		on("final head", awaitBody)),
	awaitBody: row("awaitBody", "Body, trailers or the end of the peer's message.",
		on("end, all body is delivered", endDelivered), on("end, body is kept", awaitReader),
		on("the rest is not wanted", discardBody)),
	discardBody: row("discardBody", "The end of the peer's message, whose body is dropped.",
		on("end", endDelivered)),
	awaitReader: row("awaitReader", "The handler, or the owner of the tunnel, to take the bytes that are kept; the end comes after them.",
		on("all is taken, or the rest is not wanted", endDelivered)),
	endDelivered: row("endDelivered", "Nothing: the handler has the end of the peer's message.",
		on("the tunnel has a new owner", awaitReader)),
})

func (x *stream) moveRecv(to recvState) {
	x.c.check(&recvStates, uint8(x.receiving), uint8(to))
	x.receiving = to
}

// tunnelState is what a tunnel over the stream waits for (RFC 8441). Its owner is the roles.Upper that was given the stream.
type tunnelState uint8

const (
	noTunnel tunnelState = iota
	awaitUpgrade
	awaitOpened
	tunnelOpen
	lingering
)

var tunnelStates = newTable("tunnel", []machine.State{
	noTunnel: row("noTunnel", "Extended CONNECT.",
		on("extended CONNECT", awaitUpgrade)),
	awaitUpgrade: row("awaitUpgrade", "The handler, to give the stream to an owner.",
		on("Upgrade", awaitOpened)),
	awaitOpened: row("awaitOpened", "The next call of the transport, in which the owner is opened.",
		on("Opened", tunnelOpen), on("Close by the owner", lingering)),
	tunnelOpen: row("tunnelOpen", "Bytes in both directions, and the owner's Close.",
		on("Replace", awaitOpened), on("Close by the owner", lingering)),
	lingering: row("lingering", "The rest of our output, and the peer's end: the owner has closed."),
})

func (x *stream) moveTunnel(to tunnelState) {
	x.c.check(&tunnelStates, uint8(x.tunnel), uint8(to))
	x.tunnel = to
}

// tunnelled reports whether the stream was given to an owner.
func (x *stream) tunnelled() bool { return x.tunnel >= awaitOpened }
