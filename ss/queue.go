package ss

import (
	"errors"

	"github.com/millrace/millrace/policy"
)

// ErrQueueFull: a message was refused by a Queue, or dropped from it, because there was no room.
var ErrQueueFull = errors.New("the queue is full")

// Queue sends messages in their order, and keeps them while there is no connection. It is a Stream, made to be embedded: a
// stream with a State or a Tx of its own calls those of the Queue from them. It asks for connections as long as it holds
// messages, as the policy's retry scheme allows, also after ALL_RETRIES_FAILED.
//
// On WebSocket and raw streams a message leaves the queue when its last byte was given to the connection; one that a lost
// connection cut is sent again from its start. On HTTP clients each message is the body of one transaction, and leaves
// the queue with its QOS_ACK_REMOTE; QOS_NACK_REMOTE drops it, unless http_expect makes other statuses failed attempts.
// A message whose outcome is unknown is sent again, so that the server may receive it twice.
//
// What is held is charged to the connection, or to the runtime without one (Memory).
type Queue struct {
	Base
	// MaxMessages and MaxBytes bound what is held; 0 means 1024 messages and 1 MiB.
	MaxMessages, MaxBytes int
	// DropOldest makes room for a new message: the oldest ones are dropped, except one that is being sent. Without it
	// Put refuses the new one.
	DropOldest bool
	// Kind is Text or Binary, for WebSocket messages; 0 leaves it to the policy.
	Kind Flags
	// OnDrop is called for each message that was accepted and is dropped. why is ErrQueueFull, ErrDestroyed at the end of
	// the stream, or a *StatusError for one that the server refused. m is valid during the call, which must not call Put.
	OnDrop func(m []byte, why error)
	// Sent and Dropped count the messages that have left the queue.
	Sent, Dropped uint64

	data  []byte // the messages, one after another, beginning at from
	from  int
	sizes []int // of the messages, from first on
	first int
	given int  // bytes of the first message that Tx has given
	whole bool // all of them, and the acknowledgement has not come
	owner *Handle
	mem   Memory
	atEnd Cleanup
}

const (
	queueMessages = 1024
	queueBytes    = 1 << 20
	// queueKept is the largest buffer that an empty queue keeps.
	queueKept = 4 << 10
)

// Len is the number of messages held.
func (q *Queue) Len() int { return len(q.sizes) - q.first }

// Bytes is the number of bytes held.
func (q *Queue) Bytes() int { return len(q.data) - q.from }

// Put appends a message, which is copied. The error is ErrQueueFull, ErrTooLong for a message that is larger than the
// queue, or ErrDestroyed; then the message was not taken. A Queue is for one stream.
func (q *Queue) Put(h *Handle, m []byte) error {
	messages, bytes := q.MaxMessages, q.MaxBytes
	if messages <= 0 {
		messages = queueMessages
	}
	if bytes <= 0 {
		bytes = queueBytes
	}
	switch {
	case h.Life() == Destroying:
		return ErrDestroyed
	case len(m) > bytes:
		return ErrTooLong
	}
	for q.Len() >= messages || q.Bytes()+len(m) > bytes {
		oldest := 0
		if q.given > 0 || q.whole {
			oldest = 1 // the first is being sent
		}
		if !q.DropOldest || oldest >= q.Len() {
			return ErrQueueFull
		}
		q.drop(oldest, ErrQueueFull)
	}
	if q.owner != h {
		q.owner = h
		h.AddCleanup(&q.atEnd, q.ended)
	}
	q.compact(len(m))
	q.data = append(q.data, m...)
	q.sizes = append(q.sizes, len(m))
	q.mem.Set(h, cap(q.data))
	if q.Len() == 1 {
		q.request(h)
	}
	return nil
}

// compact moves the messages to the front when there is no room for n bytes or one size more at the end.
func (q *Queue) compact(n int) {
	if q.from > 0 && len(q.data)+n > cap(q.data) {
		q.data = q.data[:copy(q.data, q.data[q.from:])]
		q.from = 0
	}
	if q.first > 0 && len(q.sizes) == cap(q.sizes) {
		q.sizes = q.sizes[:copy(q.sizes, q.sizes[q.first:])]
		q.first = 0
	}
}

// message is the i-th message.
func (q *Queue) message(i int) []byte {
	at := q.from
	for _, n := range q.sizes[q.first : q.first+i] {
		at += n
	}
	return q.data[at : at+q.sizes[q.first+i]]
}

// drop removes the i-th message, 0 or 1, and reports it.
func (q *Queue) drop(i int, why error) {
	q.Dropped++
	m := q.message(i)
	if q.OnDrop != nil {
		q.OnDrop(m, why)
	}
	if i == 0 {
		q.shift()
		return
	}
	at := q.from + q.sizes[q.first]
	q.data = append(q.data[:at], q.data[at+len(m):]...)
	q.sizes = append(q.sizes[:q.first+1], q.sizes[q.first+2:]...)
}

// shift removes the first message.
func (q *Queue) shift() {
	q.from += q.sizes[q.first]
	q.first++
	q.given, q.whole = 0, false
	if q.Len() > 0 {
		return
	}
	q.data, q.from, q.sizes, q.first = q.data[:0], 0, q.sizes[:0], 0
	if cap(q.data) > queueKept {
		q.data, q.sizes = nil, nil
	}
	if q.owner != nil {
		q.mem.Set(q.owner, cap(q.data))
	}
}

// ended drops what is left at the end of the stream.
func (q *Queue) ended() {
	for q.Len() > 0 {
		q.drop(0, ErrDestroyed)
	}
	q.data, q.sizes = nil, nil
	q.mem.Set(q.owner, 0)
}

// acknowledged reports whether the protocol acknowledges each message.
func acknowledged(h *Handle) bool {
	p := h.Policy().Protocol
	return h.Server() == nil && p != policy.WS && p != policy.Raw
}

// request asks for Tx if there is something to give.
func (q *Queue) request(h *Handle) Ret {
	switch {
	case q.Len() == 0 || q.whole:
		return OK
	case acknowledged(h):
		return h.RequestTxLen(int64(q.sizes[q.first]))
	}
	return h.RequestTx()
}

// State follows the stream. It implements State of Stream.
func (q *Queue) State(h *Handle, s State, n Notice) Ret {
	switch s {
	case Connected:
		if !acknowledged(h) {
			return q.request(h)
		}
	case QOSAckRemote, QOSNackRemote:
		if !acknowledged(h) || q.Len() == 0 {
			return OK
		}
		if s == QOSAckRemote {
			q.Sent++
			q.shift()
		} else {
			q.drop(0, &StatusError{Status: int(n.Ordinal), Why: "the server did not accept the message"})
		}
		return q.request(h)
	case Unreachable:
		q.given, q.whole = 0, false
	case Disconnected, AllRetriesFailed:
		q.given, q.whole = 0, false
		return q.request(h)
	}
	return OK
}

// Tx gives the messages. It implements Tx of Stream.
func (q *Queue) Tx(h *Handle, ordinal uint32, buf []byte) (n int, f Flags, r Ret) {
	if ordinal == 0 {
		q.given, q.whole = 0, false // another connection or attempt
	}
	if q.Len() == 0 || q.whole {
		return 0, 0, TxDontSend
	}
	m := q.message(0)
	if q.given == 0 {
		f = SOM | q.Kind&(Text|Binary)
	}
	n = copy(buf, m[q.given:])
	q.given += n
	switch {
	case q.given < len(m):
		h.RequestTx()
		return n, f, OK
	case acknowledged(h):
		q.whole = true
	default:
		q.Sent++
		q.shift()
		if q.Len() > 0 {
			h.RequestTx()
		}
	}
	return n, f | EOM, OK
}
