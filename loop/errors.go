package loop

import "errors"

var (
	// ErrDriver: Run was called on a loop that Service drives, or Service on a loop that Run drives.
	ErrDriver = errors.New("loop: Run and Service on the same loop")
	// ErrNested: Run, Service or Close was called during a turn, from a callback or from another goroutine.
	ErrNested = errors.New("loop: the loop is already in a turn")
	// ErrClosed: the loop was closed.
	ErrClosed = errors.New("loop: closed")
	// ErrPoisoned: a callback panicked, so the loop refuses all further work. Errors that match it have the type
	// *PoisonedError.
	ErrPoisoned = errors.New("loop: poisoned by a panic")
)

// PoisonedError is what Run, Service, Post, Watch and Offload return after a callback has panicked. errors.Is(err,
// ErrPoisoned) is true for it.
type PoisonedError struct {
	Who string // Label of the callback that panicked
}

// Error implements error.
func (e *PoisonedError) Error() string { return ErrPoisoned.Error() + " in " + e.Who }

// Unwrap returns ErrPoisoned.
func (e *PoisonedError) Unwrap() error { return ErrPoisoned }
