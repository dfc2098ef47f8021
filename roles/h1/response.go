package h1

import (
	"github.com/millrace/millrace/roles/http"
)

// statusLine reads HTTP-version SP status-code [SP reason-phrase] (RFC 9112 s.4). Servers that leave
// out the SP before an empty reason are many, and nothing hangs on it.
func statusLine(m *http.Message, line []byte) *fault {
	if len(line) < 12 || line[8] != ' ' {
		return errStatusLine
	}
	v, f := version(line[:8], errStatusLine, errStatusVers)
	if f != nil {
		return f
	}
	if line[9] < '1' || line[9] > '9' || !isDigit(line[10]) || !isDigit(line[11]) {
		return errStatusLine
	}
	var reason []byte
	if len(line) > 12 {
		if line[12] != ' ' {
			return errStatusLine
		}
		reason = line[13:]
	}
	*m = http.Message{}
	m.Version, m.Reason = v, reason
	m.Status = int(line[9]-'0')*100 + int(line[10]-'0')*10 + int(line[11]-'0')
	return nil
}

// response judges a complete response head: what frames the body (RFC 9112 s.6.3), given whether the
// request was HEAD.
func response(sh *Shared, m *http.Message, head bool) (bodyKind, *fault) {
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
