package wsi

import (
	"errors"

	"github.com/millrace/millrace/wsi/dial"
)

// These are causes of the end of a connection other than the system's errors. Use errors.Is to test for them.
var (
	// ErrTimeout: one of Timeouts ran out; Error.Op names it. "write" is Timeouts.Write. "keep" means that the
	// connection was broken and its Upper did not use the remaining input in time.
	ErrTimeout = dial.ErrTimeout
	// ErrParked: the peer sent more than MaxUnread bytes of one unit.
	ErrParked = errors.New("more unused input than a connection may hold")
	// ErrMemory: memory was short, and this connection used much of it and had made no progress for the longest time.
	// Either the loop's account was near its ceiling, or connections with memory of the same kind had used up their
	// share.
	ErrMemory = errors.New("the loop's memory ceiling is reached")
	// ErrNoName: the name has no known address.
	ErrNoName = dial.ErrNoName
	// ErrNoDNS: no DNS server answered, so nothing is known about the name. Resolvers wrap it.
	ErrNoDNS = dial.ErrNoDNS
	// ErrTruncated: the peer ended its direction in the middle of a unit.
	ErrTruncated = errors.New("ended by the peer in the middle of a message")
)

// Error is the failure of an operation on a connection. Unwrap returns the system's errno or an error of this
// package.
type Error struct {
	Op  string // "read", "write", "keep" (store input or output), "establish", "idle", "watch"; see ErrTimeout
	Wsi string // the connection's label
	Err error
}

// Error implements error.
func (e *Error) Error() string { return "wsi: " + e.Op + ": " + e.Wsi + ": " + e.Err.Error() }

// Unwrap implements errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }
