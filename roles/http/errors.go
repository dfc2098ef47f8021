package http

import (
	"errors"
	"strconv"
)

// ErrNotProcessed is wrapped by the cause of a client's Done if the server certainly has not processed the request: no
// byte of it reached the transport, or an h2 server reported it (a GOAWAY below the stream, or REFUSED_STREAM: RFC 9113
// s.8.7). Such a request can be sent again, with any method.
var ErrNotProcessed = errors.New("request not processed")

// ErrOutcomeUnknown is found by errors.Is in the cause of a client's Done if at least a part of the request was sent and
// no final response came: the server may have processed it or not. Only an idempotent request can be sent again
// automatically (RFC 9110 s.9.2.2). See OutcomeError.
var ErrOutcomeUnknown = errors.New("request may have been processed")

// OutcomeError is the cause of an exchange with an unknown outcome. errors.Is finds ErrOutcomeUnknown in it, and each
// error in Cause.
type OutcomeError struct {
	Cause error // why the exchange ended
}

// Error implements error.
func (e *OutcomeError) Error() string { return ErrOutcomeUnknown.Error() + ": " + e.Cause.Error() }

// Is implements errors.Is.
func (e *OutcomeError) Is(target error) bool { return target == ErrOutcomeUnknown }

// Unwrap returns Cause.
func (e *OutcomeError) Unwrap() error { return e.Cause }

// ErrUnread is wrapped by the cause of a server's Done if the response is complete but the connection was closed before
// the end of the request's body, since the rest of it was larger than the protocol's limit for a body without a reader.
var ErrUnread = errors.New("request body not read to its end")

// ErrMisuse is wrapped by causes and errors that the handler on this side has caused, such as a body shorter than its
// announced length.
var ErrMisuse = errors.New("misuse of an exchange")

// ErrNoRoom reports that the transport takes no output now: call WantWrite, and try again in Writable.
var ErrNoRoom = errors.New("no room in the output")

// ErrTimeout is wrapped by the cause if the peer was too slow.
var ErrTimeout = errors.New("timed out")

// ProtocolError reports that the peer violated the protocol or exceeded a limit.
type ProtocolError struct {
	Proto  string // the protocol or format: "h1", "h2", "multipart"
	Where  string // the part of the message that is wrong: "request line", "chunk size"
	Reason string // what is wrong with it
	// Status is the status code with which a server answers; 0 if it cannot answer.
	Status int
	// Cause is a sentinel that callers may test for, such as ErrTimeout, or nil.
	Cause error
}

// Error returns Proto, Where and Reason, then Status in parentheses unless it is 0.
func (e *ProtocolError) Error() string {
	s := e.Proto + ": " + e.Where + ": " + e.Reason
	if e.Status != 0 {
		s += " (" + strconv.Itoa(e.Status) + ")"
	}
	return s
}

// Unwrap returns Cause.
func (e *ProtocolError) Unwrap() error { return e.Cause }
