// Package policy parses and checks policy documents.
//
// Bytes of JSON go into [Parse]; a [Policy] of plain Go values comes out, with names, defaults applied
// and references turned into pointers, or an [*Errors] with every problem of the document at once: its
// JSON path, line and column, what is wrong and what to do. The document is not kept, and nothing in a
// Policy changes after Parse, so loops and goroutines may share one.
//
// One table of keys (keys.go and its neighbours) drives the parser, the checks, [Schema] and the
// reference page [Reference], so a key exists in all of them or in none.
//
// The package opens no file, knows no connection and imports nothing else of Millrace. Whether a stream
// has all it needs to run is a question for its creation, not for Parse: see [Stream.CheckReady].
package policy
