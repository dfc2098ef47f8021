package sim

import "time"

// kind is what an event does when it is due.
type kind uint8

const (
	evSyn           kind = iota // a connect reaches the other host
	evSynAck                    // the accepting answer arrives
	evRefused                   // the refusing answer arrives
	evUnreachable               // no host has the address
	evSynRetry                  // send the next SYN
	evConnTimeout               // the connect times out
	evAck                       // the last step of the handshake: the connection is ready to be accepted
	evData                      // bytes up to upto arrive
	evFin                       // a FIN arrives
	evRst                       // a RST arrives
	evSpace                     // the writer learns of free space in the send buffer
	evWindow                    // the writer learns that the reader's window is open
	evAckTimeout                // the writer gives up on unacknowledged bytes
	evHalfOpen                  // the last step of the handshake is missing: the listener drops the connection
	evKeepAlive                 // the last unanswered keepalive probe
	evWindowTimeout             // the writer gives up on a reader whose window stays closed
	evOrphan                    // a closed socket has waited long enough for the peer's FIN
	evReset                     // fault: both ends are reset
	evDie                       // fault: the connection is silent from here on
	evReady                     // a delayed edge is reported
	evJob                       // an offloaded job is finished
	evCall                      // a script's function
)

// event is a future event. Its kind determines which fields are used.
type event struct {
	at    time.Duration
	seq   uint64 // order of equal times: first pushed, first served
	kind  kind
	epoch uint32 // of the flow when the event was sent, or the attempt of the connect
	sock  *sock
	flow  *flow
	upto  uint64
	job   *job
	call  func()
}

// eventQueue is a binary heap of events by time, then by order of insertion.
type eventQueue struct {
	heap []event
	seq  uint64
}

func (a *eventQueue) before(i, j int) bool {
	x, y := &a.heap[i], &a.heap[j]
	return x.at < y.at || x.at == y.at && x.seq < y.seq
}

func (a *eventQueue) push(e event) {
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

func (a *eventQueue) pop() event {
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
