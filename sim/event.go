package sim

import "time"

// kind says what happens when an event's time has come.
type kind uint8

const (
	evSyn           kind = iota // a connect reaches the other host
	evSynAck                    // its acceptance comes back
	evRefused                   // its refusal comes back
	evUnreachable               // nobody answered for the address
	evSynRetry                  // time to ask again
	evConnTimeout               // time to give up
	evAck                       // the handshake's last leg: the connection is ready to be accepted
	evData                      // bytes up to upto have arrived
	evFin                       // the end has arrived
	evRst                       // a reset has arrived
	evSpace                     // the writer learns that there is room again
	evWindow                    // the writer learns that the reader has room again
	evAckTimeout                // the writer gives up on bytes nobody acknowledged
	evHalfOpen                  // the handshake's last leg has not come: the listener gives up on it
	evKeepAlive                 // the last probe of a peer that does not answer
	evWindowTimeout             // the writer gives up on a reader that opens no window
	evOrphan                    // a closed socket has waited long enough for the peer's end
	evReset                     // fault: both ends are reset
	evDie                       // fault: silence from here on
	evReady                     // an edge that was held back is reported
	evJob                       // offloaded work is done
	evCall                      // a script's function
)

// event is something that will happen. Which fields count depends on its kind.
type event struct {
	at    time.Duration
	seq   uint64 // breaks ties: first pushed, first served
	kind  kind
	epoch uint32 // of the flow when it left, or the attempt of the connect
	sock  *sock
	flow  *flow
	upto  uint64
	job   *job
	call  func()
}

// agenda is a binary heap of events by time, then by order of arrival.
type agenda struct {
	heap []event
	seq  uint64
}

func (a *agenda) before(i, j int) bool {
	x, y := &a.heap[i], &a.heap[j]
	return x.at < y.at || x.at == y.at && x.seq < y.seq
}

func (a *agenda) push(e event) {
	a.seq++
	e.seq = a.seq
	a.heap = append(a.heap, e)
	for i := len(a.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !a.before(i, up) {
			break
		}
		a.heap[i], a.heap[up] = a.heap[up], a.heap[i]
		i = up
	}
}

func (a *agenda) pop() event {
	e := a.heap[0]
	last := len(a.heap) - 1
	a.heap[0] = a.heap[last]
	a.heap[last] = event{}
	a.heap = a.heap[:last]
	for i := 0; ; {
		c := 2*i + 1
		if c >= last {
			break
		}
		if c+1 < last && a.before(c+1, c) {
			c++
		}
		if !a.before(c, i) {
			break
		}
		a.heap[i], a.heap[c] = a.heap[c], a.heap[i]
		i = c
	}
	return e
}

// stale reports an event that was overtaken: popping it would do nothing, so the clock need not
// stop for it.
func (e *event) stale() bool {
	switch e.kind {
	case evSynRetry, evConnTimeout, evUnreachable:
		return e.sock.state != connecting || e.sock.attempt != e.epoch && e.kind == evSynRetry
	case evSyn, evRefused:
		return e.sock.state != connecting
	case evAck, evData, evFin, evRst:
		return e.flow.over || e.flow.epoch != e.epoch
	case evWindow, evSpace:
		return e.flow.over
	case evAckTimeout:
		return e.flow.over || e.flow.epoch != e.epoch || !e.flow.stalled()
	case evKeepAlive:
		return e.sock.state != open || e.sock.probed != e.epoch || e.sock.answered()
	case evWindowTimeout:
		return e.flow.over || e.flow.shutEpoch != e.epoch || !e.flow.windowShut
	case evHalfOpen:
		return e.sock.state != waiting
	case evOrphan:
		return e.sock.state != open || e.sock.rcvEnded
	case evReset, evDie:
		return e.sock.state != open
	case evReady:
		return !e.sock.registered
	case evJob:
		return e.job.host.closed
	}
	return false
}

// next returns the time of the next event that will have an effect.
func (n *Network) next() (at time.Duration, ok bool) {
	for len(n.agenda.heap) > 0 {
		if e := &n.agenda.heap[0]; !e.stale() {
			return e.at, true
		}
		n.agenda.pop()
	}
	return 0, false
}

// advance lets everything happen that is due until t and leaves the clock there, or where the
// clock already was, if that is later.
func (n *Network) advance(t time.Duration) {
	for {
		at, ok := n.next()
		if !ok || at > t && at > n.now {
			break
		}
		n.now = max(n.now, at)
		e := n.agenda.pop()
		n.happen(&e)
	}
	n.now = max(n.now, t)
}

// schedule has e happen after d; at once when there is no time between.
func (n *Network) schedule(d time.Duration, e event) {
	if d <= 0 {
		n.happen(&e)
		return
	}
	e.at = n.now + d
	n.agenda.push(e)
}

// happen carries one event out.
func (n *Network) happen(e *event) {
	if e.stale() {
		return
	}
	n.noteEvent(e)
	switch e.kind {
	case evSyn:
		n.onSyn(e.sock)
	case evSynAck:
		n.onSynAck(e.sock)
	case evRefused:
		e.sock.fail(errRefused)
	case evUnreachable:
		e.sock.fail(errUnreachable)
	case evSynRetry:
		n.sendSyn(e.sock)
	case evConnTimeout:
		e.sock.fail(errTimedOut)
	case evAck, evData, evFin, evRst:
		if e.at != 0 {
			e.flow.inflight--
		}
		e.flow.arrive(e.kind, e.upto)
	case evSpace:
		e.flow.from.wake()
	case evWindow:
		e.flow.windowTold = false
		e.flow.pump()
	case evAckTimeout:
		e.flow.from.abandon(errTimedOut)
	case evWindowTimeout:
		e.flow.from.abandon(errTimedOut)
	case evKeepAlive:
		e.sock.unanswered()
	case evHalfOpen:
		e.sock.abandon(0)
	case evOrphan:
		e.sock.finish()
		e.sock.other.probe()
	case evReset:
		e.sock.other.receiveReset()
		e.sock.receiveReset()
	case evDie:
		e.sock.sever()
	case evReady:
		e.sock.enqueue()
	case evJob:
		e.job.run()
	case evCall:
		e.call()
	}
}
