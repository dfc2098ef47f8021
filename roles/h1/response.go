package h1

import (
	"github.com/millrace/millrace/roles/http"
)

// response checks a complete response head and returns the framing of its body (RFC 9112 s.6.3). head means that it
// answers a HEAD request.
func response(sh *Shared, m *http.Message, head bool) (bodyFraming, *fault) {
	var g framing
	if f := g.read(m); f != nil {
		return 0, f
	}
	if head || http.Bodyless(m.Status) {
		m.Length = max(g.length, http.UnknownLength)
		if g.length < 0 && !g.chunked && http.Bodyless(m.Status) {
			m.Length = 0
		}
		return bodyNone, nil
	}
	switch {
	case g.chunked:
		m.Length = http.UnknownLength
		return bodyChunked, nil
	case g.length >= 0:
		m.Length = g.length
		if sh.cfg.Limits.Body > 0 && m.Length > sh.cfg.Limits.Body {
			return 0, errLengthBig
		}
		if m.Length == 0 {
			return bodyNone, nil
		}
		return bodyLength, nil
	}
	m.Length = http.UnknownLength
	m.Close = true
	return bodyClose, nil
}
