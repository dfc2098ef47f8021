package sim

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/loop"
)

// stale reports whether the event is obsolete: it would have no effect, so the clock need not stop for it.
func (e *event) stale() bool {
	switch e.kind {
	case evSynRetry, evConnTimeout, evUnreachable:
		return e.sock.state != connecting || e.sock.attempt != e.epoch && e.kind == evSynRetry
	case evSyn, evRefused:
		return e.sock.state != connecting
	case evAck, evData, evFin, evRst:
		return e.flow.finished || e.flow.epoch != e.epoch
	case evWindow, evSpace:
		return e.flow.finished
	case evAckTimeout:
		return e.flow.finished || e.flow.epoch != e.epoch || !e.flow.stalled()
	case evKeepAlive:
		return e.sock.state != open || e.sock.probed != e.epoch || e.sock.answered()
	case evWindowTimeout:
		return e.flow.finished || e.flow.shutEpoch != e.epoch || !e.flow.windowShut
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
	for len(n.eventQueue.heap) > 0 {
		if e := &n.eventQueue.heap[0]; !e.stale() {
			return e.at, true
		}
		n.eventQueue.pop()
	}
	return 0, false
}

// advance processes every event that is due until t, and then sets the clock to t unless it is later already.
func (n *Network) advance(t time.Duration) {
	for {
		at, ok := n.next()
		if !ok || at > t && at > n.now {
			break
		}
		n.now = max(n.now, at)
		e := n.eventQueue.pop()
		n.happen(&e)
	}
	n.now = max(n.now, t)
}

// schedule queues e for the time after d. If d is 0, e happens at once.
func (n *Network) schedule(d time.Duration, e event) {
	if d <= 0 {
		n.happen(&e)
		return
	}
	e.at = n.now + d
	n.eventQueue.push(e)
}

// happen processes one event.
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

// noteEvent records an event in the trace and the digest.
func (n *Network) noteEvent(e *event) {
	s := e.sock
	if s == nil && e.flow != nil {
		s = e.flow.from
	}
	var local loop.Addr
	if s != nil {
		local = s.local
	}
	n.mix(uint64(n.now))
	n.mix(uint64(e.kind)<<56 | uint64(local.IP.Port()))
	n.mix(e.upto)
	if n.opts.Record {
		n.trace = append(n.trace, fmt.Sprintf("%v %s of %s: %d", n.now, kindNames[e.kind], local, e.upto))
	}
}
