package policy

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// scanner walks a JSON text (RFC 8259) and records the offset of each value. It runs only when there is a problem: to find
// where and why a text is not JSON, and to find the places of problems in its content.
type scanner struct {
	doc   []byte
	i     int
	depth int
	nodes []node // every value, parents before children, in the order of the text
	count int    // commas and opening brackets
	steps int    // from sibling to sibling, made by findAll
}

// node is one value. A document may have half a million, so it is kept small.
type node struct {
	key   int32 // offset of its key's opening quote; of the value itself in arrays and at the top
	value int32 // offset of the value
	end   int32 // index of the first node after this one and its children
}

// fault is why a text is not JSON.
type fault struct {
	at   int // offset
	open int // offset of the bracket or quote that msg refers to, -1 if there is none
	msg  string
	fix  string
}

func (s *scanner) fail(at int, msg, fix string) *fault { return &fault{at, -1, msg, fix} }

// document scans the whole text.
func (s *scanner) document() *fault {
	if bytes.HasPrefix(s.doc, []byte("\xEF\xBB\xBF")) {
		return s.fail(0, "the document begins with a byte order mark", "save it as UTF-8 without one")
	}
	s.space()
	if s.i == len(s.doc) {
		return s.fail(s.i, "the document is empty", "the least policy is {}")
	}
	if f := s.value(s.i); f != nil {
		return f
	}
	s.space()
	if s.i < len(s.doc) {
		if f := s.comment(); f != nil {
			return f
		}
		return s.fail(s.i, "text after the end of the document", "remove it, or look for a closing bracket too many before it")
	}
	return nil
}

func (s *scanner) space() {
	for s.i < len(s.doc) {
		switch s.doc[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

// peek returns the next byte, 0 at the end. A NUL is not legal in the text either, so both lead to an error.
func (s *scanner) peek() byte {
	if s.i < len(s.doc) {
		return s.doc[s.i]
	}
	return 0
}

func (s *scanner) comment() *fault {
	rest := s.doc[s.i:]
	if rest[0] == '#' || bytes.HasPrefix(rest, []byte("//")) || bytes.HasPrefix(rest, []byte("/*")) {
		return s.fail(s.i, "JSON has no comments", "remove it")
	}
	return nil
}

// value scans one value at s.i; key is the offset of its key.
func (s *scanner) value(key int) *fault {
	n := len(s.nodes)
	s.nodes = append(s.nodes, node{key: int32(key), value: int32(s.i)})
	var f *fault
	switch c := s.peek(); {
	case c == '{' || c == '[':
		f = s.container(c)
	case c == '"':
		f = s.str()
	case c == '-' || c >= '0' && c <= '9':
		f = s.number()
	default:
		f = s.word()
	}
	s.nodes[n].end = int32(len(s.nodes))
	return f
}

// container scans an object or array, whose opening bracket is at s.i.
func (s *scanner) container(bracket byte) *fault {
	open := s.i
	closer, what, whole := byte('}'), "member", "object"
	if bracket == '[' {
		closer, what, whole = ']', "element", "array"
	}
	unclosed := func(msg, fix string) *fault { return &fault{s.i, open, msg, fix} }
	if s.depth++; s.depth > MaxDepth {
		return s.fail(open, "nested too deep", "a policy needs six levels")
	}
	defer func() { s.depth-- }()
	if f := s.another(open); f != nil {
		return f
	}
	s.i++
	s.space()
	if s.peek() == closer {
		s.i++
		return nil
	}
	for {
		key := s.i
		if s.i == len(s.doc) {
			return unclosed("the document ends inside the "+whole+" that began", "close it with "+string(closer))
		}
		if bracket == '{' {
			if f := s.key(); f != nil {
				return f
			}
		}
		if f := s.value(key); f != nil {
			return f
		}
		s.space()
		comma := s.i
		switch c := s.peek(); {
		case c == closer:
			s.i++
			return nil
		case c == ',':
			if f := s.another(comma); f != nil {
				return f
			}
			s.i++
			s.space()
			if s.peek() == closer {
				return s.fail(comma, "comma after the last "+what, "remove it")
			}
		case s.i == len(s.doc):
			return unclosed("the document ends inside the "+whole+" that began", "close it with "+string(closer))
		case c == '}' || c == ']':
			return unclosed(string(c)+" does not close the "+whole+" that began", "close it with "+string(closer))
		default:
			if f := s.comment(); f != nil {
				return f
			}
			return s.fail(s.i, "no comma between this and the "+what+" before it", "put one")
		}
	}
}

// another counts a comma or opening bracket.
func (s *scanner) another(at int) *fault {
	if s.count++; s.count > MaxValues {
		return s.fail(at, "the document has more values than a policy may have", fmt.Sprintf("the limit is %d commas and opening brackets; split it", MaxValues))
	}
	return nil
}

// key scans an object key and its colon, and stops at the value.
func (s *scanner) key() *fault {
	if s.peek() != '"' {
		if f := s.comment(); f != nil {
			return f
		}
		return s.fail(s.i, "expected a key", `keys are strings in double quotes, as in "port"`)
	}
	if f := s.str(); f != nil {
		return f
	}
	s.space()
	if s.peek() != ':' {
		return s.fail(s.i, "no colon after the key", `write "key": value`)
	}
	s.i++
	s.space()
	return nil
}

// str scans a string, whose opening quote is at s.i.
func (s *scanner) str() *fault {
	open := s.i
	s.i++
	for s.i < len(s.doc) {
		c := s.doc[s.i]
		switch {
		case c == '"':
			s.i++
			return nil
		case c == '\n' || c == '\r':
			return &fault{s.i, open, "the line ends inside the string that began", `close it with ", or write \n for a line end`}
		case c < ' ':
			return s.fail(s.i, "control character in a string", `write it as an escape, such as \t or \u001b`)
		case c == '\\':
			n := escape(s.doc[s.i:])
			if n == 0 {
				return s.fail(s.i, "not an escape sequence", `JSON has \" \\ \/ \b \f \n \r \t and \uXXXX, surrogates in pairs`)
			}
			s.i += n
		default:
			_, n := utf8.DecodeRune(s.doc[s.i:])
			if n == 1 && c >= utf8.RuneSelf {
				return s.fail(s.i, "not UTF-8", "save the document as UTF-8")
			}
			s.i += n
		}
	}
	return &fault{s.i, open, "the document ends inside the string that began", `close it with "`}
}

// digits scans one digit or more, and reports whether there was one.
func (s *scanner) digits() bool {
	start := s.i
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.i++
	}
	return s.i > start
}

func (s *scanner) number() *fault {
	start := s.i
	bad := func(fix string) *fault { return s.fail(start, "not a number as JSON writes it", fix) }
	if s.peek() == '-' {
		s.i++
	}
	first := s.i
	if !s.digits() {
		return bad("a digit must follow the minus")
	}
	if s.doc[first] == '0' && s.i > first+1 {
		return bad("remove the leading zero")
	}
	if s.peek() == '.' {
		s.i++
		if !s.digits() {
			return bad("a digit must follow the point")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.i++
		if c = s.peek(); c == '+' || c == '-' {
			s.i++
		}
		if !s.digits() {
			return bad("a digit must follow the exponent sign")
		}
	}
	return nil
}

// word scans true, false or null, and describes anything else in the place of a value.
func (s *scanner) word() *fault {
	rest := s.doc[s.i:]
	for _, w := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(rest, []byte(w)) {
			s.i += len(w)
			return nil
		}
	}
	if len(rest) == 0 {
		return s.fail(s.i, "the document ends where a value is expected", "complete it")
	}
	if f := s.comment(); f != nil {
		return f
	}
	switch rest[0] {
	case '\'':
		return s.fail(s.i, "single quote", "strings are written in double quotes")
	case ',', ']', '}', ':':
		return s.fail(s.i, "a value is missing before "+string(rest[0]), "put one")
	case '+', '.':
		return s.fail(s.i, "not a number as JSON writes it", "it must begin with a digit or a minus")
	}
	return s.fail(s.i, "not a value", `a value is a string in double quotes, a number, true, false, null, an object or an array`)
}

// escape returns the length of the escape sequence at the start of b (a surrogate pair counts as one,
// RFC 8259 s.7), 0 if it is not valid.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		r, ok := hex4(b[2:])
		switch {
		case !ok || r >= 0xDC00 && r <= 0xDFFF:
			return 0
		case r < 0xD800 || r > 0xDFFF:
			return 6
		}
		if len(b) >= 8 && b[6] == '\\' && b[7] == 'u' {
			if low, ok := hex4(b[8:]); ok && low >= 0xDC00 && low <= 0xDFFF {
				return 12
			}
		}
	}
	return 0
}

func hex4(b []byte) (r uint32, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | uint32(c)
	}
	return r, true
}
