package multipart

import (
	"bytes"

	"github.com/millrace/millrace/roles/http"
)

// maxBoundary is the greatest length of a boundary in bytes (RFC 2046 s.5.1.1).
const maxBoundary = 70

// appendBoundary appends the boundary parameter of a Content-Type of multipart/*.
func appendBoundary(dst, contentType []byte) ([]byte, error) {
	media, rest := cut(contentType, ';')
	if !IsMultipart(media) {
		return dst, malformed("content-type", "is not multipart")
	}
	for len(rest) > 0 {
		var name []byte
		if name, rest = cut(rest, '='); len(rest) == 0 {
			break
		}
		if i := bytes.LastIndexByte(name, ';'); i >= 0 {
			name = name[i+1:] // the parameters before it have no value
		}
		found := http.EqualFold(http.TrimOWS(name), "boundary")
		rest = http.TrimOWS(rest)
		at := len(dst)
		var ok bool
		if dst, rest, ok = appendValue(dst, rest); !ok {
			return dst, malformed("content-type", "has an unterminated quoted parameter")
		}
		if !found {
			dst = dst[:at]
			continue
		}
		return dst, checkBoundary(dst[at:])
	}
	return dst, malformed("content-type", "names no boundary")
}

// IsMultipart reports whether a Content-Type value, with or without parameters, is multipart/*.
func IsMultipart(contentType []byte) bool {
	media, _ := cut(contentType, ';')
	media = http.TrimOWS(media)
	const top = "multipart/"
	return len(media) > len(top) && http.EqualFold(media[:len(top)], top) && http.ValidName(media[len(top):])
}

// appendValue appends the parameter value at the start of b: a token, or a quoted string without its quotes. rest is
// what follows the next semicolon. ok is false if the quoted string does not end.
func appendValue(dst, b []byte) (value, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		v, rest := cut(b, ';')
		return append(dst, http.TrimOWS(v)...), rest, true
	}
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			_, rest = cut(b[i:], ';')
			return dst, rest, true
		case c == '\\' && i+1 < len(b):
			i++
			dst = append(dst, b[i])
		default:
			dst = append(dst, c)
		}
	}
	return dst, nil, false
}

// checkBoundary checks the grammar of a boundary. A boundary has no CR: the search relies on this.
func checkBoundary(b []byte) error {
	switch {
	case len(b) == 0:
		return malformed("boundary", "is empty")
	case len(b) > maxBoundary:
		return malformed("boundary", "is longer than 70 bytes")
	case b[len(b)-1] == ' ':
		return malformed("boundary", "ends with a space")
	}
	for _, c := range b {
		letter := c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && !isMark[c] {
			return malformed("boundary", "has an illegal byte")
		}
	}
	return nil
}

// isMark holds the bytes, other than letters and digits, that a boundary may have: those of RFC 2046 s.5.1.1, and the
// other bytes of a token (RFC 9110 s.5.6.2), which some programs use.
var isMark = func() (t [256]bool) {
	for _, c := range []byte("'()+_,-./:=? !#$%&*^`|~") {
		t[c] = true
	}
	return t
}()

func cut(b []byte, sep byte) (before, after []byte) {
	for i, c := range b {
		if c == sep {
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// malformed returns the error for a body that breaks the rules of the format.
func malformed(where, reason string) error {
	return &http.ProtocolError{Proto: "multipart", Where: where, Reason: reason, Status: 400}
}
