package multipart

import "encoding/hex"

// Boundary separates the parts of a body. It has 128 random bits, so no content holds it, by accident or on purpose.
type Boundary [2 * seedLen]byte

const seedLen = 16

// NewBoundary returns a boundary made from 16 random bytes. It is a token, so it needs no quotes.
func NewBoundary(random [16]byte) (b Boundary) {
	hex.Encode(b[:], random[:])
	return b
}

// AppendFormType appends the Content-Type value of a form with boundary b to dst.
func (b *Boundary) AppendFormType(dst []byte) []byte {
	return append(append(dst, formType...), b[:]...)
}

const formType = "multipart/form-data; boundary="

// Part describes a part of a form. Name and Filename may have any bytes; ContentType must be a legal field value
// (http.ValidValue). An empty Filename or ContentType is left out; the name is always sent (RFC 7578 s.4.2).
type Part struct {
	Name, Filename, ContentType string
}

const (
	headName = "Content-Disposition: form-data; name=\""
	headFile = "; filename=\""
	headType = "Content-Type: "
)

// AppendPart appends the delimiter and the header that come before the content of a part. first means that the part is
// the first of the body.
func (b *Boundary) AppendPart(dst []byte, p *Part, first bool) []byte {
	if !first {
		dst = append(dst, '\r', '\n')
	}
	dst = append(dst, '-', '-')
	dst = append(dst, b[:]...)
	dst = append(dst, "\r\n"+headName...)
	dst = append(appendEscaped(dst, p.Name), '"')
	if p.Filename != "" {
		dst = append(dst, headFile...)
		dst = append(appendEscaped(dst, p.Filename), '"')
	}
	dst = append(dst, '\r', '\n')
	if p.ContentType != "" {
		dst = append(dst, headType...)
		dst = append(dst, p.ContentType...)
		dst = append(dst, '\r', '\n')
	}
	return append(dst, '\r', '\n')
}

// Len returns the number of bytes that AppendPart appends.
func (p *Part) Len(first bool) int {
	n := len("--") + len(Boundary{}) + len("\r\n"+headName) + escapedLen(p.Name) + len("\"\r\n") + len("\r\n")
	if !first {
		n += len("\r\n")
	}
	if p.Filename != "" {
		n += len(headFile) + escapedLen(p.Filename) + len("\"")
	}
	if p.ContentType != "" {
		n += len(headType) + len(p.ContentType) + len("\r\n")
	}
	return n
}

// AppendEnd appends the last delimiter, which follows the content of the last part.
func (b *Boundary) AppendEnd(dst []byte) []byte {
	dst = append(dst, "\r\n--"...)
	dst = append(dst, b[:]...)
	return append(dst, "--\r\n"...)
}

// EndLen is the number of bytes that AppendEnd appends.
const EndLen = len("\r\n--") + 2*seedLen + len("--\r\n")

// appendEscaped appends s with the escapes that a quoted string needs. RFC 7578 leaves them open; browsers use these, by
// the HTML standard (section "multipart form data"), and servers expect them.
func appendEscaped(dst []byte, s string) []byte {
	for i := range len(s) {
		if e := escape(s[i]); e != "" {
			dst = append(dst, e...)
		} else {
			dst = append(dst, s[i])
		}
	}
	return dst
}

func escapedLen(s string) int {
	n := len(s)
	for i := range len(s) {
		if e := escape(s[i]); e != "" {
			n += len(e) - 1
		}
	}
	return n
}

func escape(c byte) string {
	switch c {
	case '"':
		return "%22"
	case '\r':
		return "%0D"
	case '\n':
		return "%0A"
	}
	return ""
}
