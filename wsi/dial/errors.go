package dial

import (
	"errors"
	"strings"

	"github.com/millrace/millrace/loop"
)

// Causes of failed attempts that the system did not give. They are found with errors.Is.
var (
	// ErrTimeout: the time for the dial, or the attempt's share of it, ran out.
	ErrTimeout = errors.New("timed out")
	// ErrNoName: no address is known for the name.
	ErrNoName = errors.New("no address for this name")
	// ErrNoDNS: no DNS server answered, so that nothing is known of the name. Resolvers wrap it.
	ErrNoDNS = errors.New("no DNS server answered")
)

// Steps of a dial, as Attempt.Step names them.
const (
	stepResolve = "resolve"
	stepConnect = "connect"
)

// Error lists the attempts of a dial that failed.
type Error struct {
	Target   string
	Attempts []Attempt
}

// Attempt is a step of a dial that failed.
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
