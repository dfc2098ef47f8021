package multipart

import (
	"bytes"

	"github.com/millrace/millrace/roles/http"
)

// expectHeader takes the header of a part and returns how much of b it used. A header that lies in b whole
// is read where it lies.
func (r *Reader) expectHeader(b []byte) int {
	if len(r.head) == 0 {
		if n := headerLen(b); n > 0 {
			r.begin(b[:n])
			return n
		}
	}
	// It is bounded, so it may be looked through anew; but not for every byte that comes.
	old := len(r.head)
	take := min(len(b), r.limits.Head+1-old)
	r.head = append(r.head, b[:take]...)
	seen := max(old-len("\r\n\r\n")+1, 0)
	n := 0
	if old < len("\r\n") || seen == 0 {
		n = headerLen(r.head)
	} else if i := bytes.Index(r.head[seen:], []byte("\r\n\r\n")); i >= 0 {
		n = seen + i + len("\r\n\r\n")
	}
	switch {
	case n > 0:
		r.begin(r.head[:n])
		r.head = r.head[:0]
		return n - old
	case len(r.head) > r.limits.Head:
		r.tooLarge()
	}
	return take
}

func (r *Reader) tooLarge() {
	r.fail(&http.ProtocolError{Proto: "multipart", Where: "part header", Reason: "is larger than is taken", Status: 431})
}

// headerLen is how long the header in front of b is, with the empty line that ends it; 0 if it is not whole.
func headerLen(b []byte) int {
	if bytes.HasPrefix(b, []byte("\r\n")) {
		return len("\r\n")
	}
	if i := bytes.Index(b, []byte("\r\n\r\n")); i >= 0 {
		return i + len("\r\n\r\n")
	}
	return 0
}

// begin begins a part that has this header.
func (r *Reader) begin(head []byte) {
	if len(head) > r.limits.Head {
		r.tooLarge()
		return
	}
	if r.fields = r.fields[:0]; !r.parse(head) {
		return
	}
	r.parts++
	r.state = content
	r.size, r.left = 0, lengthIn(r.fields)
	r.atLineStart()
	r.handler.Part(r.fields)
	if r.left == 0 {
		r.lengthReached()
	}
}

// lengthIn is the length that a part's fields announce, -1 for none, or more than one, or one that is no number.
func lengthIn(fields []http.Field) int64 {
	n := int64(-1)
	for i := range fields {
		if fields[i].ID != http.ContentLength {
			continue
		}
		v := fields[i].Value
		if n >= 0 || len(v) == 0 || len(v) > 18 {
			return -1
		}
		n = 0
		for _, c := range v {
			if c < '0' || c > '9' {
				return -1
			}
			n = n*10 + int64(c-'0')
		}
	}
	return n
}

// parse reads header fields. Unlike those of HTTP they may be folded (RFC 5322 s.2.2.3).
func (r *Reader) parse(head []byte) bool {
	if bytes.Contains(head, []byte("\r\n ")) || bytes.Contains(head, []byte("\r\n\t")) {
		head = r.unfold(head)
	}
	for len(head) > len("\r\n") {
		i := bytes.Index(head, []byte("\r\n"))
		line := head[:i]
		head = head[i+len("\r\n"):]
		name, value := cut(line, ':')
		value = http.TrimOWS(value)
		switch {
		case len(name) == len(line):
			r.fail(broken("part header", "has a line without a colon"))
		case !http.ValidName(name):
			r.fail(broken("part header", "has a field whose name is no token"))
		case !http.ValidValue(value):
			r.fail(broken("part header", "has a control byte in a value"))
		case len(r.fields) == r.limits.Fields:
			r.tooLarge()
		default:
			r.fields = append(r.fields, http.Field{Name: name, Value: value, ID: http.Lookup(name)})
			continue
		}
		return false
	}
	return true
}

// unfold returns a copy in which blanks stand for line breaks that a blank follows.
func (r *Reader) unfold(head []byte) []byte {
	if len(r.head) == 0 || &r.head[0] != &head[0] {
		r.head = append(r.head[:0], head...)
		head = r.head
		r.head = r.head[:0]
	}
	for i := 0; i+2 < len(head); i++ {
		if head[i] == '\r' && head[i+1] == '\n' && (head[i+2] == ' ' || head[i+2] == '\t') {
			head[i], head[i+1] = ' ', ' '
		}
	}
	return head
}
