package ss

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/ss/internal/secure"
	"github.com/millrace/millrace/ss/pool"
)

// What a caller can act on. They are found with errors.Is.
var (
	// ErrNoSuchStreamType: the policy has no stream type of that name.
	ErrNoSuchStreamType = errors.New("no such stream type in the policy")
	// ErrUnsupported: the stream type asks for something that this release does not do.
	ErrUnsupported = errors.New("not supported by this release")
	// ErrDestroyed: the stream was destroyed; from Create: by its own CREATING.
	ErrDestroyed = errors.New("the stream is destroyed")
	// ErrNoSuchMetadata: the stream type does not declare that metadata name.
	ErrNoSuchMetadata = errors.New("metadata name not declared by the stream type")
	// ErrClosed: the runtime is closed, or draining.
	ErrClosed = errors.New("the runtime is closed")
	// ErrEndpoint: endpoint, port or URL of the stream type do not make an address.
	ErrEndpoint = policy.ErrEndpoint
	// ErrNoClientCert: the policy names a client certificate that the program has not given.
	ErrNoClientCert = secure.ErrNoClientCert
	// ErrRefused: servers took no request, on one connection after another.
	ErrRefused = pool.ErrRefused
	// ErrDisconnectRequested: the stream itself asked to be disconnected during the attempt.
	ErrDisconnectRequested = errors.New("the stream asked to be disconnected")
	// ErrMemory: what the peer sent would have to be held, and what holds such things has used up its share of the
	// loop's memory: see loop.Config.Memory.
	ErrMemory = errors.New("the share of the loop's memory for this is used up")
	// ErrNotConnected: there is no connection on which the stream could send now: none at all, or no transaction whose
	// payload is still to come.
	ErrNotConnected = errors.New("there is nothing to send on")
	// ErrBlocked: the peer or the network takes no more now. Tx is called when it does.
	ErrBlocked = errors.New("the connection takes no more now")
	// ErrMisuse: a callback did what it may not do, such as filling more than its buffer.
	ErrMisuse = errors.New("misuse by the stream's callbacks")
)

// StatusError is the Cause of UNREACHABLE when an HTTP response was no answer: a redirect that is not
// followed, or 429 and 503, which mean "later".
type StatusError struct {
	Status int
	Why    string
}

// Error implements error.
func (e *StatusError) Error() string { return fmt.Sprintf("http status %d: %s", e.Status, e.Why) }

// unsentError is the cause of an attempt that found no connection: nothing of the request was sent. It reads as its
// cause.
type unsentError struct{ error }

// Is implements errors.Is.
func (e *unsentError) Is(target error) bool { return target == http.ErrNotProcessed }

// Unwrap implements errors.Is and errors.As.
func (e *unsentError) Unwrap() error { return e.error }

// laterError is the cause of an attempt whose last request was certainly not processed, while an earlier one may have
// been: all that its cause has is found in it, but for http.ErrNotProcessed.
type laterError struct{ cause error }

// Error implements error.
func (e *laterError) Error() string { return e.cause.Error() }

// Is implements errors.Is.
func (e *laterError) Is(target error) bool {
	return target != http.ErrNotProcessed && errors.Is(e.cause, target)
}

// As implements errors.As.
func (e *laterError) As(target any) bool { return errors.As(e.cause, target) }

// CreateError says which stream could not be created and why.
type CreateError struct {
	StreamType string
	Err        error
	Hint       string // what to do, or ""
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

// IllegalMove is what a Runtime panics with, or logs, when its own state machine is about to break its
// table: a bug of Millrace's.
type IllegalMove struct {
	Stream   string
	From, To State
}

// Error implements error.
func (e *IllegalMove) Error() string {
	return fmt.Sprintf("ss: %s: illegal move from %v to %v: this is a bug in Millrace", e.Stream, e.From, e.To)
}

// ErrNoCredit: the stream has no connection whose protocol grants the peer a window. h1 and raw have none:
// there TCP's is all there is, and Handle.Pause what moves it.
var ErrNoCredit = errors.New("the stream's peer is granted no transmit credit")
