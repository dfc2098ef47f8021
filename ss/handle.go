package ss

import (
	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss/internal/meta"
)

// A Handle, and the requests that it records for its backend.
//
// Uses runtime.go back: a stream belongs to a runtime, which lists its streams.

// Handle is one stream. It outlives its connections and is never reused for another stream. Call its methods on the
// loop's goroutine: see Config.CheckThread. On a destroyed handle they do nothing.
type Handle struct {
	rt          *Runtime
	streamType  *streamType
	stream      Stream
	be          backend
	meta        *meta.Values // nil while nothing is set
	timer       *streamTimer
	hint        int64 // RequestTxLen's, -1 for none
	slot        int32 // in the runtime's table
	ordinal     uint32
	flags       handleFlags
	life        known // the last move
	last        known // the last state that is in libwebsockets' table
	subprotocol uint8 // WebSocket: index in streamType.subprotocols of the agreed one, plus 1
}

type handleFlags uint32

const (
	queued         handleFlags = 1 << iota // on Runtime.pending
	wantDestroy                            // to be destroyed at the end of the turn
	wantDisconnect                         // to be disconnected at the end of the turn
	wantConnect                            // Connect was called
	wantPoll                               // RequestTx was called without a connection
	txWanted                               // RequestTx was called, Tx was not
	wantAsk                                // WebSocket: Tx is to be called at the end of the turn
	wantFinish                             // WebSocket: Finish was called
	isPaused                               // no Rx
	destroyed                              // gone
	hasReceived                            // Rx received payload since the attempt started
	hasSent                                // payload was given since the attempt began
	hasCleanup                             // Runtime.cleanups has or had an entry
	hasSource                              // Runtime.sources has the one that gives payload in the stream's place
	sentInTx                               // Send was called in the present Tx
	hasFile                                // Runtime.files has what it sends
)

// doomed are the flags that forbid further payload callbacks.
const doomed = wantDestroy | wantDisconnect | destroyed

// Label returns the name of the stream for reports.
func (h *Handle) Label() string { return "stream " + h.streamType.pol.Name }

// StreamType returns the name of the stream type in the policy.
func (h *Handle) StreamType() string { return h.streamType.pol.Name }

// Policy returns the policy of the stream type.
func (h *Handle) Policy() *policy.Stream { return h.streamType.pol }

// Runtime returns the runtime of the stream.
func (h *Handle) Runtime() *Runtime { return h.rt }

// Life returns the last move of the stream's life: one of the states that Transitions lists.
func (h *Handle) Life() State { return State(h.life) }

// Connect starts a connection, unless one exists or is in progress: CONNECTING follows. It renews the budget of
// retries that the policy conceals. It starts at once, even during the delay after a failure; a second Connect before
// a success waits for the delay, so that a program that calls Connect after every failure makes no more attempts than
// the policy's backoff allows. A Connect that comes later than twice the delay starts at once again. On servers and
// accepted streams it does nothing.
func (h *Handle) Connect() Ret {
	if h.astray("Connect") || h.flags&(destroyed|wantDestroy) != 0 {
		return Destroyed
	}
	return h.be.connect(h, false)
}

// RequestTx requests one call of Tx. Without a connection it starts one: POLL and CONNECTING follow, and Tx when
// payload can flow. During an attempt, or the delay before one, the request is kept; after ALL_RETRIES_FAILED it
// makes one more attempt, when the delay after the last failure is over. Two requests before a Tx cause one Tx.
func (h *Handle) RequestTx() Ret {
	if h.astray("RequestTx") {
		return Destroyed
	}
	return h.requestTx()
}

func (h *Handle) requestTx() Ret {
	if h.flags&(destroyed|wantDestroy) != 0 {
		return Destroyed
	}
	h.flags |= txWanted
	return h.be.requestTx(h)
}

// RequestTxLen is RequestTx with the length in bytes of the whole message that Tx will return: it becomes
// Content-Length on HTTP. It applies to the next transaction. 0 is a message without payload.
func (h *Handle) RequestTxLen(n int64) Ret {
	if h.astray("RequestTxLen") {
		return Destroyed
	}
	h.hint = max(n, 0)
	return h.requestTx()
}

// Disconnect ends the connection, as if a callback had returned LWSSSSRET_DISCONNECT_ME.
func (h *Handle) Disconnect() {
	if !h.astray("Disconnect") {
		h.pend(wantDisconnect)
	}
}

// Destroy ends the stream before the turn ends: DISCONNECTED, if it was connected, then DESTROYING. It may be called
// at any time, also inside the stream's own callbacks.
func (h *Handle) Destroy() {
	if !h.astray("Destroy") {
		h.pend(wantDestroy)
	}
}

// Pause stops Rx, and the peer through flow control, until Resume. It outlasts connections. Reports of the policy's
// perf key are not payload and are still delivered, as are the parts of a multipart body that are already in memory,
// at most 64 KiB.
func (h *Handle) Pause() {
	if !h.astray("Pause") && h.flags&(isPaused|destroyed) == 0 {
		h.flags |= isPaused
		h.be.flow(h)
	}
}

// Resume undoes Pause.
func (h *Handle) Resume() {
	if !h.astray("Resume") && h.flags&(isPaused|destroyed) == isPaused {
		h.flags &^= isPaused
		h.be.flow(h)
	}
}

// ChangeHandlers replaces the Stream of the handle, from the next callback on.
func (h *Handle) ChangeHandlers(s Stream) {
	if s != nil && !h.astray("ChangeHandlers") {
		h.stream = s
	}
}

// Stream returns the program's side of the handle.
func (h *Handle) Stream() Stream { return h.stream }

// astray is Runtime.astray for a method of the handle.
func (h *Handle) astray(method string) bool {
	return h.rt.cfg.CheckThread && h.rt.strayed(method, h.StreamType())
}

// pend records a request for the end of the turn.
func (h *Handle) pend(f handleFlags) {
	if h.flags&destroyed != 0 {
		return
	}
	h.flags |= f
	if h.flags&queued == 0 {
		h.flags |= queued
		h.rt.pending = append(h.rt.pending, h)
		h.rt.loop.Defer(&h.rt.task, h.rt)
	}
}

// TxFrom makes s give payload in the place of the stream's Tx: until it gives EOM, and no longer than the transaction of an
// accepted HTTP stream or the stream itself. It replaces an earlier one. The program asks for Tx as usual.
func (h *Handle) TxFrom(s Source) {
	if s == nil || h.astray("TxFrom") || h.flags&(destroyed|wantDestroy) != 0 {
		return
	}
	if h.rt.table.sources == nil {
		h.rt.table.sources = make(map[*Handle]Source)
	}
	h.rt.table.sources[h] = s
	h.flags |= hasSource
}

// dropSource undoes TxFrom.
func (h *Handle) dropSource() {
	if h.flags&hasSource != 0 {
		h.flags &^= hasSource
		delete(h.rt.table.sources, h)
	}
}

// AddCleanup registers c: f is called once, on the loop's goroutine, after the stream has received DESTROYING.
// Cleanups run in reverse order of registration. On a destroyed handle f is called before AddCleanup returns. If c is
// already registered it is removed first.
func (h *Handle) AddCleanup(c *Cleanup, f func()) {
	c.Remove()
	switch {
	case h.astray("AddCleanup"):
	case h.flags&destroyed != 0:
		f()
	default:
		h.flags |= hasCleanup
		h.rt.cleanups.add(c, h, f)
	}
}

// streamTimer is the timer of StartTimeout.
type streamTimer struct {
	loop.Timer
	h *Handle
}

// Notice holds the details of a State.
type Notice struct {
	// Ordinal is the state's numeric argument: see the State constants; 0 where none is defined.
	Ordinal uint32
	// Source is the stream that joined or left a sink, nil otherwise.
	Source *Handle
	// Again, with CONNECTING, reports that the attempt continues with another request after Tx has returned some of
	// the body: Tx is called for the whole body again, from its start. Cause is the reason: a redirect, or a server
	// that has certainly not processed the request.
	Again bool
	// Cause is the reason for UNREACHABLE, DISCONNECTED and ALL_RETRIES_FAILED; nil after an orderly end. For HTTP
	// clients errors.Is finds http.ErrOutcomeUnknown in it when the server may have processed the request, and
	// http.ErrNotProcessed when it certainly has not.
	Cause error
}

// Source returns payload instead of a stream's Tx: see Handle.TxFrom.
type Source interface {
	// Tx is as Stream's.
	Tx(h *Handle, ordinal uint32, buf []byte) (n int, f Flags, r Ret)
}

// Stream is the interface that a program implements. All three callbacks run on the loop's goroutine, never one
// inside another of the same stream, except that Runtime.Create delivers CREATING to the new stream before it
// returns. They may call any method of any Handle.
type Stream interface {
	// State delivers a state or an event.
	State(h *Handle, s State, n Notice) Ret
	// Rx delivers payload. b is valid during the call.
	Rx(h *Handle, b []byte, f Flags) Ret
	// Tx, called after Handle.RequestTx, fills buf from its start. It returns the number of bytes, and flags for the
	// first (SOM) and last (EOM) piece of a message. n is used only with OK. To send more, call RequestTx again.
	// ordinal counts the calls from 0: on HTTP those of a transaction, on both sides and across connections, again
	// from 0 after CONNECTING with Notice.Again; on other protocols those of a connection.
	Tx(h *Handle, ordinal uint32, buf []byte) (n int, f Flags, r Ret)
}
