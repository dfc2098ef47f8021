package h1

import (
	"bytes"
	"encoding/binary"

	"github.com/millrace/millrace/roles/http"
)

// version reads HTTP/1.0 or HTTP/1.1. A higher minor version is served as 1.1 (RFC 9110 s.2.5). wrong
// and unknown are what to return for a malformed one and for another major version.
func version(b []byte, wrong, unknown *fault) (http.Version, *fault) {
	if len(b) != 8 {
		return 0, wrong
	}
	switch binary.BigEndian.Uint64(b) {
	case 0x485454502f312e31: // "HTTP/1.1"
		return http.HTTP11, nil
	case 0x485454502f312e30: // "HTTP/1.0"
		return http.HTTP10, nil
	}
	if string(b[:5]) != "HTTP/" || !isDigit(b[5]) || b[6] != '.' || !isDigit(b[7]) {
		return 0, wrong
	}
	if b[5] != '1' {
		return 0, unknown
	}
	return http.HTTP11, nil
}

// requestLine reads method SP request-target SP HTTP-version (RFC 9112 s.3), with exactly one SP at
// either place.
func requestLine(m *http.Message, line []byte) *fault {
	i := 0
	for i < len(line) && http.IsTokenByte(line[i]) {
		i++
	}
	if i == 0 || i == len(line) || line[i] != ' ' {
		return errMethod
	}
	method, rest := line[:i:i], line[i+1:]
	i, plain := http.ScanTarget(rest)
	switch {
	case i == 0 || i == len(rest):
		return errStart
	case rest[i] != ' ':
		return errTarget
	}
	v, f := version(rest[i+1:], errVersion, errVersionNo)
	if f != nil {
		return f
	}
	if !plain && rest[0] == '/' && !http.ValidPathQuery(rest[:i]) {
		return errTarget
	}
	*m = http.Message{}
	m.Version, m.Method, m.Target = v, method, rest[:i:i]
	return nil
}

// longLine is the fault of a request line that is longer than StartLine allows, of which b is the front: the target
// is too long unless the method is already longer than any (RFC 9112 s.3).
func longLine(b []byte) *fault {
	i := 0
	for i < len(b) && http.IsTokenByte(b[i]) {
		i++
	}
	switch {
	case i == 0 || i < len(b) && b[i] != ' ':
		return errMethod
	case i > longestMethod:
		return errMethodLong
	}
	return errStartLong
}

// longestMethod is more than any registered method has: UPDATEREDIRECTREF has 17 octets. It matters only for
// lines that are too long.
const longestMethod = 64

// target takes the request-target apart (RFC 9112 s.3.2).
func target(m *http.Message) *fault {
	t := m.Target
	if string(m.Method) == "CONNECT" {
		return errConnect
	}
	if t[0] != '/' {
		if len(t) == 1 && t[0] == '*' {
			if string(m.Method) != "OPTIONS" {
				return errAsterisk
			}
			m.Path = t
			return nil
		}
		switch {
		case len(t) > 7 && http.EqualFold(t[:7], "http://"):
			m.Scheme, t = t[:4:4], t[7:]
		case len(t) > 8 && http.EqualFold(t[:8], "https://"):
			m.Scheme, t = t[:5:5], t[8:]
		default:
			return errForm
		}
		i := bytes.IndexAny(t, "/?")
		if i < 0 {
			i = len(t)
		}
		// A URI of either scheme without a host is invalid (RFC 9110 s.4.2.1).
		if i == 0 || !http.ValidAuthority(t[:i]) {
			return errForm
		}
		m.Authority, t = t[:i:i], t[i:]
		if len(t) == 0 {
			t = slash
		}
		if !http.ValidPathQuery(t) {
			return errTarget
		}
	}
	if i := bytes.IndexByte(t, '?'); i >= 0 {
		m.Path, m.Query = t[:i:i], t[i+1:]
	} else {
		m.Path = t
	}
	if len(m.Path) == 0 {
		m.Path = slash
	}
	return nil
}

var slash = []byte("/")

// request judges a complete request head and fills in what its fields say of the message. unix says that it came in
// on a Unix socket.
func request(sh *Shared, m *http.Message, unix bool) *fault {
	if f := target(m); f != nil {
		return f
	}
	var g framing
	if f := g.read(m); f != nil {
		return f
	}
	switch {
	case g.hosts > 1:
		return errHostTwice
	case g.hosts == 0 && m.Version == http.HTTP11:
		return errHostNone
	case g.hosts == 1 && !sh.validHost(g.host) && !(unix && http.ValidUnixAuthority(g.host)):
		return errHostBad
	}
	if m.Authority == nil {
		// The target's authority, where it names one, overrules Host (RFC 9112 s.3.2.2).
		m.Authority = g.host
	}
	if g.expect != nil && m.Version == http.HTTP11 {
		if !http.EqualFold(g.expect, "100-continue") {
			return errExpect
		}
		m.Continue = true
	}
	switch {
	case g.chunked:
		m.Length = http.UnknownLength
	case g.length >= 0:
		m.Length = g.length
		if sh.cfg.Limits.Body > 0 && m.Length > sh.cfg.Limits.Body {
			return errLengthBig
		}
	}
	return nil
}

// validHost is http.ValidAuthority, with the last good answer remembered: a server hears few names.
func (sh *Shared) validHost(b []byte) bool {
	if len(b) > 0 && string(b) == string(sh.host) {
		return true
	}
	if !http.ValidAuthority(b) {
		return false
	}
	if len(b) <= hostKept {
		sh.host = append(sh.host[:0], b...)
	}
	return true
}

// hostKept is the longest Host value worth remembering: a name of the longest kind, and a port.
const hostKept = 253 + len(":65535")

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
