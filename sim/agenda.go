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
