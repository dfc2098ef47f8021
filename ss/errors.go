package ss

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/ss/internal/secure"
	"github.com/millrace/millrace/ss/pool"
)

// Errors that a caller can act on, to be tested with errors.Is.
var (
	// ErrNoSuchStreamType: the policy has no stream type of that name.
	ErrNoSuchStreamType = errors.New("no such stream type in the policy")
	// ErrUnsupported: the stream type uses a feature that this release does not implement.
	ErrUnsupported = errors.New("not supported by this release")
	// ErrDestroyed: the stream is destroyed. Create returns it if the callback for CREATING destroyed the stream.
	ErrDestroyed = errors.New("the stream is destroyed")
	// ErrNoSuchMetadata: the stream type does not declare that metadata name.
	ErrNoSuchMetadata = errors.New("metadata name not declared by the stream type")
	// ErrClosed: the runtime is closed, or draining.
	ErrClosed = errors.New("the runtime is closed")
	// ErrEndpoint: endpoint, port or URL of the stream type do not form an address.
	ErrEndpoint = policy.ErrEndpoint
	// ErrNoClientCert: the policy names a client certificate that the program has not given.
	ErrNoClientCert = secure.ErrNoClientCert
	// ErrRefused: the server refused the request on several connections in a row.
	ErrRefused = pool.ErrRefused
	// ErrDisconnectRequested: the stream asked to be disconnected during the attempt.
	ErrDisconnectRequested = errors.New("the stream asked to be disconnected")
	// ErrMemory: the data from the peer must be buffered, and the memory share for such buffers is used up: see
	// loop.Config.Memory.
	ErrMemory = errors.New("the share of the loop's memory for this is used up")
	// ErrNotConnected: there is no connection on which the stream could send now: none at all, or no transaction whose
	// payload is still to come.
	ErrNotConnected = errors.New("there is nothing to send on")
	// ErrBlocked: the peer or the network takes no more now. Tx is called when it does.
	ErrBlocked = errors.New("the connection takes no more now")
	// ErrMisuse: a callback did what it may not do, such as filling more than its buffer.
	ErrMisuse = errors.New("misuse by the stream's callbacks")
)

// StatusError is the Cause of UNREACHABLE when an HTTP response did not answer the request: a redirect that is not
// followed, or 429 and 503, which mean "later".
type StatusError struct {
	Status int
	Why    string
}

// Error implements error.
func (e *StatusError) Error() string { return fmt.Sprintf("http status %d: %s", e.Status, e.Why) }

// unsentError is the cause of an attempt that got no connection: nothing of the request was sent. Its text is that of
// its cause.
type unsentError struct{ error }

// Is implements errors.Is.
func (e *unsentError) Is(target error) bool { return target == http.ErrNotProcessed }

// Unwrap implements errors.Is and errors.As.
func (e *unsentError) Unwrap() error { return e.error }

// laterError is the cause of an attempt whose last request was certainly not processed, while an earlier one may have
// been. errors.Is and errors.As find everything in it that its cause contains, except http.ErrNotProcessed.
type laterError struct{ cause error }

// Error implements error.
func (e *laterError) Error() string { return e.cause.Error() }

// Is implements errors.Is.
func (e *laterError) Is(target error) bool {
	return target != http.ErrNotProcessed && errors.Is(e.cause, target)
}

// As implements errors.As.
func (e *laterError) As(target any) bool { return errors.As(e.cause, target) }

// CreateError reports which stream could not be created and why.
type CreateError struct {
	StreamType string
	Err        error
	Hint       string // advice, or ""
}

// Error implements error.
func (e *CreateError) Error() string {
	s := fmt.Sprintf("ss: create: stream type %q: %v", e.StreamType, e.Err)
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

// Unwrap implements errors.Is and errors.As.
func (e *CreateError) Unwrap() error { return e.Err }

// IllegalMove is the value that a Runtime panics with, or logs, when its state machine would violate its table: a bug
// in Millrace.
type IllegalMove struct {
	Stream   string
	From, To State
}

// Error implements error.
func (e *IllegalMove) Error() string {
	return fmt.Sprintf("ss: %s: illegal move from %v to %v: this is a bug in Millrace", e.Stream, e.From, e.To)
}

// ErrNoCredit: the stream has no connection whose protocol grants the peer a window. h1 and raw have none: there only
// TCP's window exists, and Handle.Pause controls it.
var ErrNoCredit = errors.New("the stream's peer is granted no transmit credit")
