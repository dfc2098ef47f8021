package sstest

import "fmt"

// TB is the part of testing.TB that a World needs. Fatalf does not return.
type TB interface {
	// The methods are those of testing.TB.
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Failed() bool
	Cleanup(func())
}

// Printer is a TB that prints to standard output, for examples and other programs that are no tests. Errorf and Fatalf
// print their message, and Fatalf panics. End of a World is to be called: functions given to Cleanup are not.
type Printer struct{ failed bool }

// Helper implements TB.
func (p *Printer) Helper() {}

// Logf implements TB.
func (p *Printer) Logf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// Errorf implements TB.
func (p *Printer) Errorf(format string, args ...any) {
	p.failed = true
	p.Logf(format, args...)
}

// Fatalf implements TB.
func (p *Printer) Fatalf(format string, args ...any) {
	p.Errorf(format, args...)
	panic(fmt.Sprintf(format, args...))
}

// Failed implements TB.
func (p *Printer) Failed() bool { return p.failed }

// Cleanup implements TB.
func (p *Printer) Cleanup(func()) {}
