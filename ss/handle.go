package ss

import (
	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss/internal/meta"
)

// A Handle, and what it notes of the calls of a program for its backend.
//
// Uses runtime.go back: a stream belongs to a runtime, which lists its streams.

// Handle is one stream. It outlives its connections and is never used for another stream. Its methods
// are for the loop's goroutine: see Config.CheckThread. On a destroyed handle they do nothing.
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
	last        known // the last state that the reference's table knows of
	subprotocol uint8 // WebSocket: which of kind.subprotocols was agreed upon, counted from 1
}

type handleFlags uint32

const (
	queued         handleFlags = 1 << iota // on Runtime.pending
	wantDestroy                            // to be destroyed at the end of the turn
	wantDisconnect                         // to lose its connection at the end of the turn
	wantConnect                            // Connect was called
	wantPoll                               // RequestTx was called without a connection
	txWanted                               // Tx is owed
	wantAsk                                // WebSocket: Tx is to be asked for at the end of the turn
	wantFinish                             // WebSocket: nothing more is to be sent
	isPaused                               // no Rx
	destroyed                              // gone
	hasReceived                            // Rx was given payload since the attempt began
	hasSent                                // payload was given since the attempt began
	hasCleanup                             // Runtime.cleanups has an entry, or had one
	hasSource                              // Runtime.sources has the one that gives payload in the stream's place
	sentInTx                               // Send was called in the present Tx
	hasFile                                // Runtime.files has what it sends
)

// doomed is what forbids further payload callbacks.
const doomed = wantDestroy | wantDisconnect | destroyed

// Label names the stream in reports.
func (h *Handle) Label() string { return "stream " + h.streamType.pol.Name }

// StreamType is the name under which the policy has the stream.
func (h *Handle) StreamType() string { return h.streamType.pol.Name }

// Policy is what the policy says of it.
func (h *Handle) Policy() *policy.Stream { return h.streamType.pol }

// Runtime is where the stream lives.
func (h *Handle) Runtime() *Runtime { return h.rt }

// Life is the last move of the stream's life: one of the states that Transitions lists.
func (h *Handle) Life() State { return State(h.life) }

// Connect begins a connection, unless there is one or one is under way: CONNECTING follows. All the
// retries that the policy conceals are available again. It begins at once, also while the delay after a
// failure is not over; a further one before a success waits for the delay, so that a program which calls
// Connect whenever it is told of a failure makes no more attempts than the policy's backoff has room for.
// A Connect that comes after twice the delay begins at once again. On servers and accepted streams it
// does nothing.
func (h *Handle) Connect() Ret {
	if h.astray("Connect") || h.flags&(destroyed|wantDestroy) != 0 {
		return Destroyed
	}
	return h.be.connect(h, false)
}

// RequestTx asks for one Tx. Without a connection it begins one: POLL and CONNECTING follow, and Tx
// when payload can flow. While an attempt or its delay is under way it is remembered; after
// ALL_RETRIES_FAILED it gives one attempt more, when the delay after the last failure is over. Asking
// twice is asking once.
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

// RequestTxLen is RequestTx with the length of the whole message that Tx will give: it becomes
// Content-Length on HTTP. It holds for the next transaction. 0 is a message without payload.
func (h *Handle) RequestTxLen(n int64) Ret {
	if h.astray("RequestTxLen") {
		return Destroyed
	}
	h.hint = max(n, 0)
	return h.requestTx()
}

// Disconnect ends the connection, as if a callback had answered LWSSSSRET_DISCONNECT_ME.
func (h *Handle) Disconnect() {
	if !h.astray("Disconnect") {
		h.pend(wantDisconnect)
	}
}

// Destroy ends the stream before the turn is over: DISCONNECTED, if it was connected, then DESTROYING.
// It may be called at any time, also from inside the stream's own callbacks.
func (h *Handle) Destroy() {
	if !h.astray("Destroy") {
		h.pend(wantDestroy)
	}
}

// Pause stops Rx, and by flow control the peer, until Resume. It outlasts connections. Reports that the
// policy's perf asks for are not payload, and come all the same; so do the messages that had come already with a
// piece of a multipart body, 64 KiB at the most.
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

// ChangeHandlers puts another Stream in place of the present one, from the next callback on.
func (h *Handle) ChangeHandlers(s Stream) {
	if s != nil && !h.astray("ChangeHandlers") {
		h.stream = s
	}
}

// Stream is the program's side of the handle.
func (h *Handle) Stream() Stream { return h.stream }

// astray is Runtime.astray for a method of the handle.
func (h *Handle) astray(method string) bool {
	return h.rt.cfg.CheckThread && h.rt.strayed(method, h.StreamType())
}

// pend notes what is to be done at the end of the turn.
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

// AddCleanup registers c: f is called once, on the loop's goroutine, after the stream has received DESTROYING. Cleanups run in
// the reverse order of their registration. On a destroyed handle f is called before AddCleanup returns. A c that is
// registered already is removed first.
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

// streamTimer is the timer of a stream that uses one.
type streamTimer struct {
	loop.Timer
	h *Handle
}

// Notice goes with a State.
type Notice struct {
	// Ordinal is the state's number argument: see the State constants; 0 where none is named.
	Ordinal uint32
	// Source is the stream that joined or left a sink, nil otherwise.
	Source *Handle
	// Again, with CONNECTING, says that the attempt goes on elsewhere with a request of whose body Tx has given
	// something: Tx is asked for all of it, from its beginning. Cause says why: a redirect, or a server that
	// has certainly not acted on the request.
	Again bool
	// Cause says why, with UNREACHABLE, DISCONNECTED and ALL_RETRIES_FAILED; nil after an orderly end. For HTTP
	// clients errors.Is finds http.ErrOutcomeUnknown in it when the server may have acted on the request, and
	// http.ErrNotProcessed when it certainly has not.
	Cause error
}

// Source gives payload in the place of a stream's Tx: see Handle.TxFrom.
type Source interface {
	// Tx is as Stream's.
	Tx(h *Handle, ordinal uint32, buf []byte) (n int, f Flags, r Ret)
}

// Stream is what a program implements. All three are called on the loop's goroutine, never one from
// inside another of the same stream, except that a call of Runtime.Create delivers CREATING to the
// new stream. They may call anything on any Handle.
type Stream interface {
	// State tells what became of the stream.
	State(h *Handle, s State, n Notice) Ret
	// Rx brings payload. b is valid during the call.
	Rx(h *Handle, b []byte, f Flags) Ret
	// Tx asks for payload, after Handle.RequestTx: it fills buf from the front and returns how many
	// bytes, and whether they begin (SOM) and end (EOM) a message. ordinal counts the calls, from 0: on HTTP
	// those of a transaction, for whichever connection it has and on both sides, anew after a CONNECTING with
	// Notice.Again; elsewhere those of a connection. n is used only with OK. To send more, request again.
	Tx(h *Handle, ordinal uint32, buf []byte) (n int, f Flags, r Ret)
}
