package dial

import (
	"errors"
	"strings"

	"github.com/millrace/millrace/loop"
)

// These are causes of failed attempts other than the system's errors. Use errors.Is to test for them.
var (
	// ErrTimeout: the time for the dial, or for the attempt, ran out.
	ErrTimeout = errors.New("timed out")
	// ErrNoName: the name has no known address.
	ErrNoName = errors.New("no address for this name")
	// ErrNoDNS: no DNS server answered, so nothing is known about the name. Resolvers wrap it.
	ErrNoDNS = errors.New("no DNS server answered")
)

// These are the values of Attempt.Step.
const (
	stepResolve = "resolve"
	stepConnect = "connect"
)

// Error lists the failed attempts of a dial.
type Error struct {
	Target   string
	Attempts []Attempt
}

// Attempt is a failed step of a dial.
type Attempt struct {
	Step string    // "resolve", "connect"
	Addr loop.Addr // zero for "resolve"
	Err  error
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("wsi: dial: ")
	b.WriteString(e.Target)
	for i, a := range e.Attempts {
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		b.WriteString(a.Step)
		if a.Step != stepResolve {
			b.WriteString(" " + a.Addr.String())
		}
		b.WriteString(": " + a.Err.Error())
	}
	return b.String()
}

// Unwrap implements errors.Is and errors.As over all attempts.
func (e *Error) Unwrap() []error {
	errs := make([]error, len(e.Attempts))
	for i, a := range e.Attempts {
		errs[i] = a.Err
	}
	return errs
}
