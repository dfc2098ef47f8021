package http

import (
	"errors"
	"strconv"
)

// ErrNotProcessed is wrapped by the cause given to a client's Done when the peer cannot have acted on
// the request: nothing was sent of it, or a connection that had been idle closed before the first byte
// of a response (RFC 9112 s.9.3.1), or an h2 peer said so. Such a request can be sent again unasked.
var ErrNotProcessed = errors.New("request not processed")

// ErrUnread is wrapped by the cause given to a server's Done when the response is complete but the
// request's body was not read to its end: more of it was coming than is worth taking for nothing.
var ErrUnread = errors.New("request body not read to its end")

// ErrMisuse is wrapped by causes and errors that our own side's handler is to blame for, such as a body
// that is shorter than was announced.
var ErrMisuse = errors.New("misuse of an exchange")

// ErrNoRoom says that the transport takes nothing for now: WantWrite, and try again in Writable.
var ErrNoRoom = errors.New("no room in the output")

// ErrTimeout is wrapped by causes that blame a peer for being slow.
var ErrTimeout = errors.New("timed out")

// ProtocolError says that the peer broke the rules of the protocol or one of our limits.
type ProtocolError struct {
	Proto  string // "h1", "h2"
	Where  string // the part that is wrong: "request line", "chunk size"
	Reason string // what is wrong with it
	// Status is the answer a server gives to it; 0 where no answer can be given.
	Status int
	// Cause is a sentinel that callers may test for, or nil.
	Cause error
}

// Error prints protocol, place and reason, then the status it was answered with.
func (e *ProtocolError) Error() string {
	s := e.Proto + ": " + e.Where + ": " + e.Reason
	if e.Status != 0 {
		s += " (" + strconv.Itoa(e.Status) + ")"
	}
	return s
}

// Unwrap returns Cause.
func (e *ProtocolError) Unwrap() error { return e.Cause }
