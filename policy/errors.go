package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxProblems is how many problems one Errors lists. A document with more is not mended one by one, and
// a hostile one must not turn a megabyte of input into a hundred of messages.
const MaxProblems = 1000

// Place is a position in a document. Line and Col count from 1; a line ends with LF, CRLF or CR; Col counts
// characters (not bytes), a tab being one.
type Place struct{ Line, Col int }

// Problem is one thing that is wrong with a document.
type Problem struct {
	Path      string // where in the document, as in `s[0].mintest.port`; "" is the document itself
	Line, Col int    // of the offending key or value, counted as in Place; 0 when unknown
	Msg       string // what is wrong
	Fix       string // what to do about it, "" when Msg says it all
	First     Place  // the earlier or later definition that Msg speaks of, zero when there is none
}

// String returns the problem on one line: position, path, what is wrong, what to do.
func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:%d: ", p.Line, p.Col)
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Msg)
	if p.First.Line > 0 {
		fmt.Fprintf(&b, " at %d:%d", p.First.Line, p.First.Col)
	}
	if p.Fix != "" {
		b.WriteString(": " + p.Fix)
	}
	return b.String()
}

// Errors is the error of Parse: all problems of a document, in the order of their positions.
type Errors struct {
	Problems  []Problem
	Truncated bool // there were more than MaxProblems
}

// Error returns every problem on a line of its own.
func (e *Errors) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("policy: parse: " + p.String())
	}
	if e.Truncated {
		fmt.Fprintf(&b, "\npolicy: parse: more than %d problems: the rest is not listed", MaxProblems)
	}
	return b.String()
}

func oneProblem(line, col int, msg, fix string) *Errors {
	return &Errors{Problems: []Problem{{Line: line, Col: col, Msg: msg, Fix: fix}}}
}

// joinPath appends an object member to a path. Names that would make the path ambiguous are quoted.
func joinPath(path, name string) string {
	if !plainName(name) {
		return path + "[" + strconv.Quote(name) + "]"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

func plainName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return name != ""
}

// quote shows a piece of a document in a message, cut to a length that leaves the message readable.
func quote(text string) string {
	const most = 40
	if len(text) > most {
		return strconv.Quote(text[:most]) + "..."
	}
	return strconv.Quote(text)
}
