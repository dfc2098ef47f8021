package ss

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/wsi"
)

// clientPhase is the phase of a client stream.
type clientPhase uint8

const (
	phaseIdle      clientPhase = iota // nothing is wanted
	phaseWaiting                      // the delay before the next attempt
	phaseAttempt                      // CONNECTING was delivered
	phaseUp                           // CONNECTED was delivered
	phaseFinishing                    // HTTP: the response is complete, DISCONNECTED follows
)

// direct is the backend of a client stream whose connections are made in this process: it makes the attempts, waits
// between them, and gives up, as the retry section of the policy defines. The binding does the protocol's part.
type direct struct {
	streamDefaults
	binding
	h      *Handle
	timer  loop.Timer // the delay, while phaseWaiting; how long the peer may take to answer, while phaseAttempt
	pace   pace
	phase  clientPhase
	credit int32 // Info.ManualInitialTxCredit
	target *target
	perf   *perfTrace // of the connection in progress; nil unless the policy has perf
}

// binding is a protocol's part of a client stream. It reports to direct's attempt, connected, failed
// and lost; none of its methods calls the program.
type binding interface {
	connection
	// forget clears the state of the previous attempt.
	forget()
	// begin starts an attempt to reach t. The outcome is reported after begin has returned.
	begin(t *target)
	// requestTx requests a Tx on the connection.
	requestTx()
	// flow pauses or resumes payload.
	flow(paused bool)
	// drop abandons the connection or attempt; nothing more is reported about it.
	drop()
	// outcome completes the cause of the end of an attempt or connection with the state of its request, and reports
	// whether the retry scheme may repeat the request.
	outcome(cause error) (told error, again bool)
	// overdue is called when direct's timer expires during an attempt. The binding may arm the timer, and may leave
	// it armed when it is not needed any more.
	overdue(now time.Duration)
	// settlePayload carries out wantAsk and wantFinish at the end of the turn.
	settlePayload(h *Handle)
	// peerEnded reports whether the peer has ended its direction while ours is open.
	peerEnded() bool
	// attemptFailed is called when an attempt has failed, before outcome.
	attemptFailed()
	// describe describes the connection in a few words.
	describe() string
}

func (o *direct) connect(h *Handle, poll bool) Ret {
	if o.phase == phaseIdle || o.phase == phaseWaiting || o.phase == phaseFinishing {
		h.pend(wantConnect)
	}
	return OK
}

// requestTx starts an attempt when none is in progress, but not before the delay after the last failure is over: a
// program that calls it after each failure must not bypass the policy's backoff.
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
				how = endClosed // the program only answers the peer's end
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

// attempt starts an attempt.
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
			h.flags &^= wantDisconnect // there is no connection
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
		return // settle is called again
	}
	t, err := findTarget(h, o.target)
	o.target = t
	if err != nil {
		o.failed(err, 0)
		return
	}
	o.binding.begin(t)
}

// connected reports that the protocol is established.
func (o *direct) connected() {
	o.pace.connected(o.h.rt.loop.Now())
	o.phase = phaseUp
	o.h.tell(Connected, Notice{})
}

// failed reports that an attempt failed. The next starts least later, or more.
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
		h.flags &^= txWanted // later requests are for the next attempt
	}
	h.tell(Unreachable, Notice{Ordinal: unreachableOrdinal(cause), Cause: cause})
	h.dropHeaders()
	h.flags &^= wantDisconnect // there is no connection
	if !concealed {
		o.giveUp(cause)
	}
}

// giveUp reports that the stream makes no more attempts until the program requests one. UNREACHABLE was delivered.
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

// wait schedules the next attempt after delay.
func (o *direct) wait(delay time.Duration) {
	o.phase = phaseWaiting
	l := o.h.rt.loop
	l.Arm(&o.timer, l.Now()+delay, o)
}

// Expired implements loop.Expirer: the delay, or the time for a response, is over.
func (o *direct) Expired(now time.Duration) {
	switch o.phase {
	case phaseWaiting:
		o.h.flags &^= wantDisconnect // requested in this turn, when there was no connection
		o.attempt(true)
	case phaseAttempt:
		o.binding.overdue(now)
	}
}

// Label implements loop.Expirer.
func (o *direct) Label() string { return o.h.Label() }

// lost reports the end of a connection that was CONNECTED. Unless its transaction was complete, the stream reconnects
// if the policy wants it to.
func (o *direct) lost(cause error, how ending) {
	h := o.h
	r := h.rt
	h.CancelTimeout()
	if o.phase == phaseUp {
		h.hint = -1 // after a complete response it may belong to the next transaction
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
			h.flags &^= txWanted // later requests are for the next attempt
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

// dialOptions returns the socket options of the stream type, for a new connection.
func (o *direct) dialOptions() wsi.DialOptions {
	d := wsi.DialOptions{Socket: o.h.streamType.socket}
	if o.h.streamType.pol.Perf {
		o.perf = new(perfTrace)
		d.Trace = &o.perf.dial
	}
	return d
}

// perfUp records for perf that the connection and its TLS handshake are established.
func (o *direct) perfUp() {
	if o.perf == nil {
		return
	}
	if _, ok := o.tlsState(); ok {
		o.perf.secure = o.h.rt.loop.System().Now()
	}
}

// perfSent records for perf that the head of the request was sent.
func (o *direct) perfSent() {
	if o.perf != nil {
		o.perf.sent = o.h.rt.loop.System().Now()
	}
}

// perfHeard records for perf that the head of the response was received.
func (o *direct) perfHeard(status int) {
	if o.perf != nil {
		o.perf.heard, o.perf.status = o.h.rt.loop.System().Now(), status
	}
}

// reportPerf delivers the measurements, once. It returns false if the stream requested the end of its connection.
func (o *direct) reportPerf() bool {
	m := o.perf
	if m == nil {
		return true
	}
	o.perf = nil
	return o.h.rx(m.append(make([]byte, 0, perfMax)), PerfJSON|SOM|EOM)
}
