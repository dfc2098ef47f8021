package policy

import (
	"unicode/utf8"

	"github.com/valyala/fastjson"
)

// checkJSON accepts exactly the texts that scanner accepts, at the speed of fastjson; only for a text
// that is refused does the scanner run, to find where and why. The result is nil or an *Errors.
func checkJSON(doc []byte) error {
	if len(doc) > MaxDocument {
		return oneProblem(1, 1, "the document is larger than a policy may be", "the limit is 1 MiB; split it or drop unused certificates")
	}
	if lexical(doc) && utf8.Valid(doc) && fastjson.ValidateBytes(doc) == nil {
		return nil
	}
	s := scanner{doc: doc}
	fault := s.document()
	if fault == nil {
		// Not reachable as long as the two agree, which FuzzParse holds them to.
		return oneProblem(1, 1, "not JSON", "")
	}
	at := places(doc, []int{fault.at, max(fault.open, 0)})
	e := oneProblem(at[0].Line, at[0].Col, fault.msg, fault.fix)
	if fault.open >= 0 {
		e.Problems[0].First = at[1]
	}
	return e
}

// lexical looks for what fastjson does not: it nests without limit (and its error text then grows with the
// square of the depth), takes half a kilobyte of memory for a value of two bytes, lets control characters pass before an escape, and half surrogates always.
// It stops with true where a string does not end, since fastjson sees that itself.
func lexical(doc []byte) bool {
	depth, values := 0, 0
	for i := 0; i < len(doc); i++ {
		switch doc[i] {
		case '{', '[':
			if depth++; depth > MaxDepth {
				return false
			}
			values++
		case ',':
			values++
		case '}', ']':
			depth--
		case '"':
			i++
			for i < len(doc) && doc[i] != '"' {
				switch {
				case doc[i] < ' ':
					return false
				case doc[i] == '\\':
					n := escape(doc[i:])
					if n == 0 {
						return false
					}
					i += n
				default:
					i++
				}
			}
		}
		if values > MaxValues {
			return false
		}
	}
	return true
}
