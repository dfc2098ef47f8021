package ss

import (
	"fmt"

	"github.com/millrace/millrace/policy"
)

// Collector collects the body that a peer sends, up to a limit, and delivers it in one slice. It is a Stream, to be
// used directly or embedded: a stream with callbacks of its own calls the State and the Rx of the Collector from
// them. The memory that it uses is charged to the connection (Memory).
//
// On HTTP clients the body is that of each response, on HTTP servers that of each request, on raw connections all
// bytes until the peer ends its direction, and on WebSockets each message (but see Messages).
type Collector struct {
	Base
	// Limit is the largest body, in bytes; 0 means 64 KiB.
	Limit int
	// Done receives the body, which is valid during the call; it is empty for a response or request without a body.
	// The return code is that of the stream's callback: see Stream.
	//
	// err is nil for a complete body, whatever the status (Handle.HTTPStatus). Otherwise body is nil, and err is
	//   - ErrTooLong. A client is disconnected, unless Done returns another code than OK; a server continues, drops the rest of the
	//     body and may answer, for example with 413.
	//   - ErrCutOff, with the cause of DISCONNECTED: the body ended early. The policy decides whether a client tries
	//     again, after which Done is called again.
	//   - the cause of ALL_RETRIES_FAILED, at a client: there is no body, and no further attempt.
	Done func(h *Handle, body []byte, err error) Ret

	held  gather
	phase collectPhase
}

// collectPhase is what a Collector waits for.
type collectPhase uint8

const (
	awaitBody collectPhase = iota // a body that has not started, or is incomplete
	awaitNext                     // the next one: Done was called
)

// State implements Stream.
func (c *Collector) State(h *Handle, s State, n Notice) Ret {
	switch s {
	case Connecting:
		c.held.drop()
		c.phase = awaitBody
		if h.Server() != nil && h.Policy().Protocol != policy.Raw {
			c.phase = awaitNext // SERVER_TXN starts it
		}
	case ServerTxn:
		c.held.drop()
		c.phase = awaitBody
		if !h.RequestBody() {
			return c.finish(h, nil)
		}
	case QOSAckRemote, QOSNackRemote:
		return c.finish(h, nil)
	case Disconnected:
		if n.Cause == nil {
			return c.finish(h, ErrCutOff)
		}
		return c.finish(h, fmt.Errorf("%w: %w", ErrCutOff, n.Cause))
	case AllRetriesFailed:
		c.phase = awaitBody // reported in addition to the errors of attempts
		return c.finish(h, n.Cause)
	}
	return OK
}

// Rx implements Stream.
func (c *Collector) Rx(h *Handle, b []byte, f Flags) Ret {
	if f&PerfJSON != 0 {
		return OK
	}
	p, _ := h.Protocol()
	byMessage := p == policy.WS
	if f&SOM != 0 {
		c.held.drop()
		if byMessage {
			c.phase = awaitBody
		}
	}
	if c.phase != awaitBody {
		return OK
	}
	if !c.held.add(h, b, c.Limit) {
		r := c.finish(h, ErrTooLong)
		if r == OK && h.Server() == nil {
			r = DisconnectMe
		}
		return r
	}
	if f&EOM != 0 && (byMessage || p == policy.Raw || h.Server() != nil) {
		return c.finish(h, nil)
	}
	return OK
}

// finish calls Done, once for each body.
func (c *Collector) finish(h *Handle, err error) Ret {
	if c.phase != awaitBody {
		return OK
	}
	c.phase = awaitNext
	var body []byte
	if err == nil {
		body = c.held.bytes()
	}
	r := OK
	if c.Done != nil {
		r = c.Done(h, body, err)
	}
	c.held.drop()
	return r
}
