package ss

import (
	stdtls "crypto/tls"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
)

// Info says what to create.
type Info struct {
	// StreamType is a name in the policy.
	StreamType string
	// New makes the program's side of the stream. For a server it is called once for the listener and
	// again for every connection accepted; Handle.Server tells which.
	New func(h *Handle) Stream
	// ManualInitialTxCredit, unless 0, is how many bytes of body the peer may send at first. What it may
	// send beyond them is the program's to say: Handle.AddPeerTxCredit. It takes effect where the protocol
	// grants windows, which is h2.
	ManualInitialTxCredit int32
	// Certificates are what a TLS server shows, in place of those that the policy names: for programs that
	// have theirs from files or elsewhere. Handle.SetCertificates puts others in their place.
	Certificates []stdtls.Certificate
}

// Handle is one stream. It outlives its connections and is never used for another stream. Its methods
// are for the loop's goroutine: see Config.CheckThread. On a destroyed handle they do nothing.
type Handle struct {
	rt      *Runtime
	kind    *kind
	stream  Stream
	be      backend
	meta    *values
	timer   *streamTimer
	hint    int64 // RequestTxLen's, -1 for none
	slot    int32 // in the runtime's table
	ordinal uint32
	flags   handleFlags
	life    known // the last move
	last    known // the last state that the reference's table knows of
	spoken  uint8 // WebSocket: which of kind.subprotocols was agreed upon, counted from 1
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
	hasSent                                // Tx has given payload since the attempt began
	hasCleanup                             // Runtime.cleanups has an entry, or had one
)

// doomed is what forbids further payload callbacks.
const doomed = wantDestroy | wantDisconnect | destroyed

// Create makes a stream. CREATING is delivered before it returns; a server listens before it returns.
// The error is a *CreateError: an unknown stream type, a server that cannot listen, or CREATING
// answered with LWSSSSRET_DESTROY_ME. Whatever the network does later is a state, not an error.
func (r *Runtime) Create(i Info) (*Handle, error) {
	refuse := func(err error, hint string) (*Handle, error) {
		return nil, &CreateError{StreamType: i.StreamType, Err: err, Hint: hint}
	}
	if r.astray("Create") {
		return refuse(ErrWrongThread, "")
	}
	if r.closed || r.drain != nil {
		return refuse(ErrClosed, "")
	}
	if err := r.loop.Poisoned(); err != nil {
		return refuse(err, "")
	}
	p := r.pol.Stream(i.StreamType)
	if i.StreamType == smdStreamType {
		return refuse(ErrUnsupported, "system messages are not in the specification; post to the loop instead")
	}
	if p == nil {
		hint := "the name must stand in \"s\""
		if near := r.pol.Nearest(i.StreamType); near != "" {
			hint = "did you mean \"" + near + "\"?"
		}
		return refuse(ErrNoSuchStreamType, hint)
	}
	if hint := r.unsupported(p); hint != "" {
		return refuse(ErrUnsupported, hint)
	}
	if !p.Server {
		if err := r.checkSecure(p); err != nil {
			return refuse(err, "")
		}
	}
	h := &Handle{rt: r, kind: r.kindOf(p), hint: -1}
	if p.Server {
		l, err := r.listen(h, i)
		if err != nil {
			return refuse(err, "")
		}
		h.be = l
	} else {
		h.be = newOnward(h, i)
	}
	if !h.begin(i.New) {
		return refuse(ErrDestroyed, "CREATING was answered with LWSSSSRET_DESTROY_ME")
	}
	if p.NailedUp && !p.Server {
		h.Connect()
	}
	return h, nil
}

// smdStreamType is the name by which the reference implementation's streams reach its system messages.
const smdStreamType = "_lws_smd"

// socksProxyFor is the SOCKS5 proxy that what k has to do over TCP goes through, "" for none.
func (r *Runtime) socksProxyFor(k *kind) string {
	p := k.pol
	switch {
	case p.ViaSocks5 == "none":
		return ""
	case p.ViaSocks5 != "":
		return p.ViaSocks5
	case k.socksProxy != "":
		return k.socksProxy
	}
	return r.cfg.SocksProxy
}

// unsupported says what of a stream type this release cannot do, and "" if it can do it. What concerns the way to the
// peer, or who we are to it, must not be left out silently.
func (r *Runtime) unsupported(p *policy.Stream) string {
	switch {
	case p.Protocol == policy.H3 || p.Protocol == policy.MQTT:
		return "protocol \"" + p.Protocol.String() + "\" is read but not spoken yet; use \"h1\", \"h2\", \"ws\" or \"raw\""
	case p.LocalSink:
		return "\"local_sink\" is not in the specification and not built"
	case p.Server:
	case p.Auth != nil:
		return "\"use_auth\" is not built yet, and the stream would go out unsigned; http_auth_header can send a token from a blob"
	case p.ViaSocks5 != "" && p.NeedsSocks5(""):
		return "the stream type's \"via-socks5\" is not built yet, and the stream would go out directly"
	case r.pol.ViaSocks5 != "" && p.NeedsSocks5(r.pol.ViaSocks5):
		return "the policy's \"via-socks5\" is not built yet, and the stream would go out directly; \"via-socks5\": \"none\" in the stream type allows that"
	case p.NeedsSocks5(r.cfg.SocksProxy):
		return "a SOCKS5 proxy is asked for (socks_proxy, Config.SocksProxy), which is not built yet, and the stream would go out directly; unset it, or say \"via-socks5\": \"none\" in the stream type"
	}
	return ""
}

// begin makes the program's object and delivers CREATING. False: the stream is destroyed already.
func (h *Handle) begin(make func(h *Handle) Stream) bool {
	r := h.rt
	r.table.add(h)
	h.kind.streams++
	r.Counters.Created++
	was := r.at
	r.at = h
	if make != nil {
		h.stream = make(h)
	}
	if h.stream == nil {
		h.stream = ignore{}
	}
	h.tell(Creating, Notice{})
	r.at = was // a callback that creates a stream is again the one to be named
	if h.flags&wantDestroy != 0 {
		h.end()
		return false
	}
	return true
}

// ignore is the stream of a program that gave none.
type ignore struct{}

func (ignore) State(*Handle, State, Notice) Ret             { return OK }
func (ignore) Rx(*Handle, []byte, Flags) Ret                { return OK }
func (ignore) Tx(*Handle, uint32, []byte) (int, Flags, Ret) { return 0, 0, TxDontSend }

// Label names the stream in reports.
func (h *Handle) Label() string { return "stream " + h.kind.pol.Name }

// StreamType is the name under which the policy has the stream.
func (h *Handle) StreamType() string { return h.kind.pol.Name }

// Policy is what the policy says of it.
func (h *Handle) Policy() *policy.Stream { return h.kind.pol }

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

// settle does what was noted.
func (h *Handle) settle(now time.Duration) {
	switch {
	case h.flags&destroyed != 0:
	case h.flags&wantDestroy != 0:
		h.end()
	default:
		h.be.settle(h, now)
	}
}

// end destroys the stream.
func (h *Handle) end() { h.endWith(nil) }

// endWith destroys the stream; cause goes with DISCONNECTED.
func (h *Handle) endWith(cause error) {
	h.be.release(h)
	h.CancelTimeout()
	h.flags |= wantDestroy
	if h.Life() == Connected || h.Life() == Connecting && h.accepted() {
		h.tell(Disconnected, Notice{Cause: cause})
	}
	h.tell(Destroying, Notice{})
	h.flags |= destroyed
	h.dropMetadata()
	h.rt.table.remove(h)
	h.rt.streamEnded(h.kind)
	h.rt.Counters.Destroyed++
	if h.flags&hasCleanup != 0 {
		h.rt.cleanups.run(h)
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

// TimeoutFromPolicy, given to StartTimeout, means the policy's timeout_ms.
const TimeoutFromPolicy time.Duration = 0

// StartTimeout has TIMEOUT told once after d, or starts it anew. With TimeoutFromPolicy and no
// timeout_ms in the policy it does nothing. The end of a transaction or connection cancels it.
func (h *Handle) StartTimeout(d time.Duration) {
	if d == TimeoutFromPolicy {
		d = h.kind.pol.Timeout
	}
	if d <= 0 || h.astray("StartTimeout") || h.flags&(destroyed|wantDestroy) != 0 {
		return
	}
	if h.timer == nil {
		h.timer = &streamTimer{h: h}
	}
	// Not the turn's time: between turns that is as old as the last one.
	l := h.rt.loop
	l.Arm(&h.timer.Timer, l.System().Now()+d, h.timer)
}

// CancelTimeout cancels what StartTimeout began.
func (h *Handle) CancelTimeout() {
	if h.timer != nil && !h.astray("CancelTimeout") {
		h.rt.loop.Disarm(&h.timer.Timer)
	}
}

// Expired implements loop.Expirer.
func (t *streamTimer) Expired(time.Duration) { t.h.tell(Timeout, Notice{}) }

// Label implements loop.Expirer.
func (t *streamTimer) Label() string { return t.h.Label() }
