package h1

import (
	"bytes"

	"github.com/millrace/millrace/roles/http"
)

// target splits the request-target into its parts (RFC 9112 s.3.2).
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

// request checks a complete request head and sets the members of m that depend on its fields. unix means that it came
// over a Unix socket.
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
		// An authority in the target overrides Host (RFC 9112 s.3.2.2).
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

// validHost reports what http.ValidAuthority does. It caches the last valid value, since a server has few names.
func (sh *Shared) validHost(b []byte) bool {
	if len(b) > 0 && string(b) == string(sh.host) {
		return true
	}
	if !http.ValidAuthority(b) {
		return false
	}
	if len(b) <= hostMax {
		sh.host = append(sh.host[:0], b...)
	}
	return true
}

// hostMax is the length of the longest Host value that is cached: that of the longest name, with a port.
const hostMax = 253 + len(":65535")
