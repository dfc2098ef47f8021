package multipart

import (
	"bytes"

	"github.com/millrace/millrace/roles/http"
)

// rxHeader consumes the header of a part and returns how many bytes of b it used. A header that is complete in b is
// parsed in place.
func (r *Reader) rxHeader(b []byte) int {
	if len(r.head) == 0 {
		if n := headerLen(b); n > 0 {
			r.startPart(b[:n])
			return n
		}
	}
	// The search starts where the last one ended, so that a header that comes byte by byte costs no more.
	old := len(r.head)
	used := min(len(b), r.limits.Head+1-old)
	r.head = append(r.head, b[:used]...)
	seen := max(old-len("\r\n\r\n")+1, 0)
	n := 0
	if old < len("\r\n") || seen == 0 {
		n = headerLen(r.head)
	} else if i := bytes.Index(r.head[seen:], []byte("\r\n\r\n")); i >= 0 {
		n = seen + i + len("\r\n\r\n")
	}
	switch {
	case n > 0:
		r.startPart(r.head[:n])
		r.head = r.head[:0]
		return n - old
	case len(r.head) > r.limits.Head:
		r.tooLarge()
	}
	return used
}

func (r *Reader) tooLarge() {
	r.fail(&http.ProtocolError{Proto: "multipart", Where: "part header", Reason: "exceeds the limit", Status: 431})
}

// headerLen returns the length of the header at the start of b, with the empty line that ends it, or 0 if it is not
// complete.
func headerLen(b []byte) int {
	if bytes.HasPrefix(b, []byte("\r\n")) {
		return len("\r\n")
	}
	if i := bytes.Index(b, []byte("\r\n\r\n")); i >= 0 {
		return i + len("\r\n\r\n")
	}
	return 0
}

// startPart starts the part that has this header.
func (r *Reader) startPart(head []byte) {
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

// lengthIn returns the Content-Length among the fields of a part. It returns -1 if there is none, more than one, or one
// that is not a number.
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

// parse parses header fields into r.fields and reports whether they are legal. They may be folded, unlike those of HTTP
// (RFC 5322 s.2.2.3).
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
			r.fail(malformed("part header", "has a line without a colon"))
		case !http.ValidName(name):
			r.fail(malformed("part header", "has a field name that is not a token"))
		case !http.ValidValue(value):
			r.fail(malformed("part header", "has a control byte in a value"))
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

// unfold returns a copy of head, in r.head's memory, in which two spaces replace each line break before a blank.
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
