package loop

import "errors"

var (
	// ErrDriver: Run was called on a loop driven by Service, or the other way round.
	ErrDriver = errors.New("loop: Run and Service on the same loop")
	// ErrNested: Run, Service or Close was called while a turn is under way, from a callback or from
	// another goroutine.
	ErrNested = errors.New("loop: the loop is already turning")
	// ErrClosed: the loop was closed.
	ErrClosed = errors.New("loop: closed")
	// ErrPoisoned: a callback panicked and the loop refuses further work. Errors that match it are of
	// type *PoisonedError.
	ErrPoisoned = errors.New("loop: poisoned by a panic")
)

// PoisonedError is what Run, Service, Post, Watch and Offload return ever after a callback panicked.
// errors.Is(err, ErrPoisoned) holds.
type PoisonedError struct {
	Who string // the callback that panicked, by its Label
}

// Error implements error.
func (e *PoisonedError) Error() string { return ErrPoisoned.Error() + " in " + e.Who }

// Unwrap returns ErrPoisoned.
func (e *PoisonedError) Unwrap() error { return ErrPoisoned }
