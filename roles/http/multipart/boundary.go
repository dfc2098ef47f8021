package multipart

import (
	"bytes"

	"github.com/millrace/millrace/roles/http"
)

// maxBoundary is the longest boundary there is (RFC 2046 s.5.1.1).
const maxBoundary = 70

// appendBoundary appends the boundary that a Content-Type of multipart/* names.
func appendBoundary(dst, contentType []byte) ([]byte, error) {
	media, rest := cut(contentType, ';')
	if !IsMultipart(media) {
		return dst, broken("content-type", "is not multipart")
	}
	for len(rest) > 0 {
		var name []byte
		if name, rest = cut(rest, '='); len(rest) == 0 {
			break
		}
		if i := bytes.LastIndexByte(name, ';'); i >= 0 {
			name = name[i+1:] // what is in front has no value
		}
		mine := http.EqualFold(http.TrimOWS(name), "boundary")
		rest = http.TrimOWS(rest)
		at := len(dst)
		var ok bool
		if dst, rest, ok = appendValue(dst, rest); !ok {
			return dst, broken("content-type", "has a quoted parameter without an end")
		}
		if !mine {
			dst = dst[:at]
			continue
		}
		return dst, checkBoundary(dst[at:])
	}
	return dst, broken("content-type", "names no boundary")
}

// IsMultipart tells whether a Content-Type value, with or without parameters, is multipart/*.
func IsMultipart(contentType []byte) bool {
	media, _ := cut(contentType, ';')
	media = http.TrimOWS(media)
	const top = "multipart/"
	return len(media) > len(top) && http.EqualFold(media[:len(top)], top) && http.ValidName(media[len(top):])
}

// appendValue appends the value of a parameter in front of b: a token, or a quoted string without its
// quotes. rest is what follows the next semicolon.
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

// checkBoundary holds a boundary to its grammar. In particular it has no CR: the search relies on it.
func checkBoundary(b []byte) error {
	switch {
	case len(b) == 0:
		return broken("boundary", "is empty")
	case len(b) > maxBoundary:
		return broken("boundary", "is longer than 70 bytes")
	case b[len(b)-1] == ' ':
		return broken("boundary", "ends with a blank")
	}
	for _, c := range b {
		letter := c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && !isMark[c] {
			return broken("boundary", "has a byte that none may have")
		}
	}
	return nil
}

// isMark has the other bytes that a boundary may have. The grammar does not have them all: the rest of a token's
// are in use (RFC 2046 s.5.1.1 and RFC 9110 s.5.6.2).
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

// broken is an error that the peer is to blame for.
func broken(where, reason string) error {
	return &http.ProtocolError{Proto: "multipart", Where: where, Reason: reason, Status: 400}
}
