package wsi

import (
	"errors"

	"github.com/millrace/millrace/wsi/dial"
)

// Causes of the end of a connection that the system did not give. They are found with errors.Is.
var (
	// ErrTimeout: one of Timeouts ran out; the Error's Op says which. "write" is Timeouts.Write; "keep" is that the
	// peer had gone, and what it had sent was not taken in time.
	ErrTimeout = dial.ErrTimeout
	// ErrParked: the peer sent more than ParkedMax bytes of one unit.
	ErrParked = errors.New("more unused input than a connection may hold")
	// ErrMemory: memory was needed, and this connection had made no progress for longest with much of it: because the
	// loop's account was near its ceiling, or those who hold the same kind had used up their share.
	ErrMemory = errors.New("the loop's memory ceiling is reached")
	// ErrNoName: no address is known for the name.
	ErrNoName = dial.ErrNoName
	// ErrNoDNS: no DNS server answered, so that nothing is known of the name. Resolvers wrap it.
	ErrNoDNS = dial.ErrNoDNS
	// ErrTruncated: the peer ended its direction in the middle of a unit.
	ErrTruncated = errors.New("ended by the peer in the middle of a message")
)

// Error says what was attempted on which connection, and why it failed. Unwrap gives the system's
// errno or one of this package's values.
type Error struct {
	Op  string // "read", "write", "keep" (input or output, for later), "establish", "idle", "watch"; see ErrTimeout
	Wsi string // the connection's label
	Err error
}

// Error implements error.
func (e *Error) Error() string { return "wsi: " + e.Op + ": " + e.Wsi + ": " + e.Err.Error() }

// Unwrap implements errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }
