package policy

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	// MaxProblems is how many problems one Errors lists. A document with more is not mended one by one, and
	// a hostile one must not turn a megabyte of input into a hundred of messages.
	MaxProblems = 1000

	// maxCounted is the number of problems after which the rest of the document is not checked. Errors counts those
	// that it does not list up to here.
	maxCounted = 10 * MaxProblems
)

// Place is a position in a document. Line and Col count from 1; a line ends with LF, CRLF or CR; Col counts
// characters (not bytes), a tab being one.
type Place struct{ Line, Col int }

// Problem is one thing that is wrong with a document.
type Problem struct {
	Path      string // where in the document, as in `s[0].mintest.port`; "" is the document itself
	Line, Col int    // of the offending key or value, counted as in Place; 0 when unknown
	Msg       string // what is wrong
	Fix       string // what to do about it, "" if Msg suffices
	First     Place  // the other definition that Msg refers to, zero if there is none
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
	Problems []Problem
	More     int  // problems that were found and are not listed, since they are more than MaxProblems
	Stopped  bool // the rest of the document was not checked, so there may be more than More
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
	if e.More > 0 {
		b.WriteString("\npolicy: parse: and ")
		if e.Stopped {
			b.WriteString("at least ")
		}
		fmt.Fprintf(&b, "%d more problem", e.More)
		if e.More > 1 {
			b.WriteByte('s')
		}
	}
	return b.String()
}

// Count returns the number of problems, listed or not, as in "9" or "at least 10000".
func (e *Errors) Count() string {
	n := strconv.Itoa(len(e.Problems) + e.More)
	if e.Stopped {
		return "at least " + n
	}
	return n
}

func oneProblem(line, col int, msg, fix string) *Errors {
	return &Errors{Problems: []Problem{{Line: line, Col: col, Msg: msg, Fix: fix}}}
}

// joinPath appends an object member to a path. Names that would make the path ambiguous are quoted, and those
// that are longer than a name can be are cut, since every problem below has the path.
func joinPath(path, name string) string {
	if len(name) > maxName {
		return path + "[" + strconv.Quote(name[:maxName]) + "...]"
	}
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

// maxQuoted is the largest number of bytes of the document that a message quotes, so that it stays readable.
const maxQuoted = 40

// quote returns text of the document for a message, cut if it is long.
func quote(text string) string {
	if len(text) > maxQuoted {
		return strconv.Quote(text[:maxQuoted]) + "..."
	}
	return strconv.Quote(text)
}

// shorten is quote without the quotes, for text that is shown inside of other text.
func shorten(text string) string {
	if len(text) > maxQuoted {
		text = text[:maxQuoted] + "..."
	}
	text = strconv.Quote(text)
	return text[1 : len(text)-1]
}
