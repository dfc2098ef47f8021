package http

import (
	"errors"
	"strconv"
)

// ErrNotProcessed is wrapped by the cause given to a client's Done when the peer has certainly not acted on
// the request: nothing of it reached the transport, or an h2 peer said so (GOAWAY below the stream,
// REFUSED_STREAM: RFC 9113 s.8.7). Such a request can be sent again, whatever its method.
var ErrNotProcessed = errors.New("request not processed")

// ErrOutcomeUnknown is found by errors.Is in the cause given to a client's Done when the request was sent,
// wholly or in part, and no final response came: the peer may have acted on it, or not. Only an idempotent
// request can be sent again without asking (RFC 9110 s.9.2.2). See OutcomeError.
var ErrOutcomeUnknown = errors.New("request may have been processed")

// OutcomeError is an end with an unknown outcome: errors.Is finds ErrOutcomeUnknown in it, and all that is in
// Cause.
type OutcomeError struct {
	Cause error // how the exchange ended
}

// Error implements error.
func (e *OutcomeError) Error() string { return ErrOutcomeUnknown.Error() + ": " + e.Cause.Error() }

// Is implements errors.Is.
func (e *OutcomeError) Is(target error) bool { return target == ErrOutcomeUnknown }

// Unwrap returns Cause.
func (e *OutcomeError) Unwrap() error { return e.Cause }

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
