package ss

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/wsi"
)

// clientPhase is where a client stream stands between its connections.
type clientPhase uint8

const (
	phaseIdle      clientPhase = iota // nothing is wanted
	phaseWaiting                      // the delay before the next attempt
	phaseAttempt                      // CONNECTING was told
	phaseUp                           // CONNECTED was told
	phaseFinishing                    // HTTP: the response is complete, DISCONNECTED is to come
)

// direct fulfils a client stream in this process: it makes the attempts, waits between them, and gives
// up, as the retry section of the policy says. What is particular to a protocol is its binding's.
type direct struct {
	streamDefaults
	binding
	h      *Handle
	timer  loop.Timer // the delay, while phaseWaiting; how long the peer may take to answer, while phaseAttempt
	pace   pace
	phase  clientPhase
	credit int32 // Info.ManualInitialTxCredit
	target *target
	perf   *perfTrace // what is known of the connection being made; nil unless the policy asks for it
}

// binding is a protocol's part of a client stream. It reports to direct's attempt, connected, failed
// and lost; none of its methods calls the program.
type binding interface {
	connection
	// forget clears what is known of the attempt before, as another begins.
	forget()
	// begin makes an attempt to reach t. The outcome is reported later, not before begin returns.
	begin(t *target)
	// requestTx asks for Tx on the connection.
	requestTx()
	// flow stops or lets go payload, as asked.
	flow(paused bool)
	// drop lets go of the connection or attempt; nothing more is reported about it.
	drop()
	// outcome completes the cause of the end of an attempt or connection with what is known of a request, and
	// reports whether the retry scheme may make it again.
	outcome(cause error) (told error, again bool)
	// overdue is called when direct's timer expires during an attempt. The binding may set it for one, and may leave it
	// set when it does not matter any more.
	overdue(now time.Duration)
	// settlePayload does at the end of the turn what wantAsk and wantFinish ask of the connection.
	settlePayload(h *Handle)
	// peerEnded reports whether the peer has ended its direction in order while ours is open.
	peerEnded() bool
	// attemptFailed is called when an attempt has failed, before outcome.
	attemptFailed()
	// describe says in a few words what connection there is.
	describe() string
}

func (o *direct) connect(h *Handle, poll bool) Ret {
	if o.phase == phaseIdle || o.phase == phaseWaiting || o.phase == phaseFinishing {
		h.pend(wantConnect)
	}
	return OK
}

// requestTx begins an attempt when nothing is going on, but not before the delay after the last failure is over: a
// program that asks again after each failure must not undo what the policy's backoff is for.
func (o *direct) requestTx(h *Handle) Ret {
	switch o.phase {
	case phaseIdle, phaseFinishing:
		h.pend(wantPoll)
	case phaseUp, phaseAttempt:
		o.binding.requestTx()
	}
	return OK
}

func (o *direct) peer() (a loop.Addr, ok bool) {
	if w := o.wsi(); w != nil {
		return w.PeerAddr()
	}
	return a, false
}

func (o *direct) flow(h *Handle) { o.binding.flow(h.flags&isPaused != 0) }

func (o *direct) describe(*Handle) string {
	switch o.phase {
	case phaseIdle:
		return "no connection"
	case phaseWaiting:
		return fmt.Sprintf("next attempt in %v, after %d failures", o.timer.At()-o.h.rt.loop.Now(), o.pace.tries)
	}
	return o.binding.describe()
}

func (o *direct) release(h *Handle) {
	h.rt.loop.Disarm(&o.timer)
	o.binding.drop()
	o.phase = phaseIdle
}

func (o *direct) settle(h *Handle, _ time.Duration) {
	if h.flags&(wantAsk|wantFinish) != 0 {
		o.settlePayload(h)
		h.flags &^= wantAsk | wantFinish
	}
	if h.flags&wantDisconnect != 0 {
		h.flags &^= wantDisconnect
		switch o.phase {
		case phaseAttempt:
			o.binding.drop()
			o.failed(ErrDisconnectRequested, 0)
		case phaseUp, phaseFinishing:
			how := endOwn
			switch {
			case o.phase == phaseFinishing:
				how = endDone
			case o.peerEnded():
				how = endClosed // the program has only agreed
			}
			o.binding.drop()
			o.lost(nil, how)
		}
	}
	want := h.flags & (wantConnect | wantPoll)
	if want == 0 || h.flags&doomed != 0 {
		return
	}
	switch o.phase {
	case phaseIdle, phaseWaiting:
	case phaseFinishing:
		return // the flags stay; lost asks again
	default:
		h.flags &^= wantConnect | wantPoll
		return
	}
	h.flags &^= wantConnect | wantPoll
	now := h.rt.loop.Now()
	var at time.Duration
	if want&wantConnect != 0 {
		at = o.pace.connect(now)
	} else {
		at = o.pace.request(now)
	}
	if at > now {
		h.rt.Counters.Postponed++
		if o.phase == phaseIdle {
			o.wait(at - now)
		}
		return
	}
	o.attempt(want == wantPoll)
}

// attempt begins one.
func (o *direct) attempt(poll bool) {
	h := o.h
	r := h.rt
	if o.phase == phaseWaiting {
		r.loop.Disarm(&o.timer)
	}
	if poll && State(h.last) != Poll {
		h.tell(Poll, Notice{})
		if h.flags&doomed != 0 {
			o.phase = phaseIdle
			h.flags &^= wantDisconnect // there is nothing to disconnect from
			return
		}
	}
	o.phase = phaseAttempt
	r.Counters.Attempts++
	h.ordinal = 0
	o.binding.forget()
	h.meta.DropFromPeer()
	h.flags &^= hasReceived | hasSent
	h.tell(Connecting, Notice{})
	if h.flags&doomed != 0 {
		return // settle comes again
	}
	t, err := findTarget(h, o.target)
	o.target = t
	if err != nil {
		o.failed(err, 0)
		return
	}
	o.binding.begin(t)
}

// connected reports that the protocol stands.
func (o *direct) connected() {
	o.pace.connected(o.h.rt.loop.Now())
	o.phase = phaseUp
	o.h.tell(Connected, Notice{})
}

// failed reports that an attempt came to nothing. The next is not made before least is over.
func (o *direct) failed(cause error, least time.Duration) {
	h := o.h
	r := h.rt
	o.reportPerf()
	o.binding.attemptFailed()
	r.Counters.Failed++
	cause, again := o.binding.outcome(cause)
	o.phase = phaseIdle
	delay, concealed := o.pace.failed(h.streamType.pol.Retry, r.loop.Now(), least, r.chance())
	if concealed && !again {
		concealed = false
		r.Counters.Withheld++
	}
	if concealed {
		o.wait(delay)
	} else {
		h.flags &^= txWanted // what is asked for from here on is for the next attempt
	}
	h.tell(Unreachable, Notice{Ordinal: unreachableOrdinal(cause), Cause: cause})
	h.dropHeaders()
	h.flags &^= wantDisconnect // there is nothing to disconnect from
	if !concealed {
		o.giveUp(cause)
	}
}

// giveUp reports that the stream makes no more attempts until the program asks. UNREACHABLE was told.
func (o *direct) giveUp(cause error) {
	h := o.h
	if h.flags&wantDestroy != 0 {
		return
	}
	h.rt.Counters.GivenUp++
	h.CancelTimeout()
	h.tell(AllRetriesFailed, Notice{Cause: cause})
	h.flags &^= wantDisconnect
}

// unreachableOrdinal is 1 when no DNS server answered, 0 otherwise.
func unreachableOrdinal(cause error) uint32 {
	if errors.Is(cause, wsi.ErrNoDNS) {
		return 1
	}
	return 0
}

// wait has the next attempt made after delay.
func (o *direct) wait(delay time.Duration) {
	o.phase = phaseWaiting
	l := o.h.rt.loop
	l.Arm(&o.timer, l.Now()+delay, o)
}

// Expired implements loop.Expirer: the delay is over, or the time to answer.
func (o *direct) Expired(now time.Duration) {
	switch o.phase {
	case phaseWaiting:
		o.h.flags &^= wantDisconnect // asked for in this turn, when there was nothing to disconnect from
		o.attempt(true)
	case phaseAttempt:
		o.binding.overdue(now)
	}
}

// Label implements loop.Expirer.
func (o *direct) Label() string { return o.h.Label() }

// lost reports the end of a connection that was CONNECTED. Unless its transaction was complete, the policy's wish to
// stay connected applies.
func (o *direct) lost(cause error, how ending) {
	h := o.h
	r := h.rt
	h.CancelTimeout()
	if o.phase == phaseUp {
		h.hint = -1 // after a complete response it may be the next transaction's already
	}
	o.phase = phaseIdle
	tired := false
	if how == endDone {
		o.pace.done()
	} else {
		p := h.streamType.pol
		_, again := o.binding.outcome(cause)
		delay, useful, concealed := o.pace.lost(p.Retry, r.loop.Now(), r.chance(), how, h.flags&hasReceived != 0, h.flags&hasSent != 0)
		if !useful {
			r.Counters.ShortLived++
		}
		switch {
		case p.Opportunistic && !p.NailedUp || h.flags&wantDestroy != 0:
		case !again:
			r.Counters.Withheld++
		case concealed:
			o.wait(delay)
		default:
			tired = true
			h.flags &^= txWanted // what is asked for from here on is for the next attempt
		}
	}
	h.dropHeaders()
	h.tell(Disconnected, Notice{Cause: cause})
	h.flags &^= wantDisconnect
	if tired {
		h.tell(Unreachable, Notice{Cause: cause})
		h.flags &^= wantDisconnect
		o.giveUp(cause)
	}
	if h.flags&(wantConnect|wantPoll) != 0 {
		h.pend(0)
	}
}

// dialOptions are what the stream type says of its sockets, for a connection that is made for it now.
func (o *direct) dialOptions() wsi.DialOptions {
	d := wsi.DialOptions{Socket: o.h.streamType.socket}
	if o.h.streamType.pol.Perf {
		o.perf = new(perfTrace)
		d.Trace = &o.perf.dial
	}
	return d
}

// perfUp notes for perf that the connection and its TLS handshake are up.
func (o *direct) perfUp() {
	if o.perf == nil {
		return
	}
	if _, ok := o.tlsState(); ok {
		o.perf.secure = o.h.rt.loop.System().Now()
	}
}

// perfSent notes for perf that the head of the request is out.
func (o *direct) perfSent() {
	if o.perf != nil {
		o.perf.sent = o.h.rt.loop.System().Now()
	}
}

// perfHeard notes for perf that the head of the response has come.
func (o *direct) perfHeard(status int) {
	if o.perf != nil {
		o.perf.heard, o.perf.status = o.h.rt.loop.System().Now(), status
	}
}

// reportPerf gives the stream what was measured, once. False: it wants nothing more of its connection.
func (o *direct) reportPerf() bool {
	m := o.perf
	if m == nil {
		return true
	}
	o.perf = nil
	return o.h.rx(m.append(make([]byte, 0, perfMax)), PerfJSON|SOM|EOM)
}
