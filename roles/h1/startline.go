package h1

import (
	"encoding/binary"

	"github.com/millrace/millrace/roles/http"
)

// version parses HTTP/1.0 or HTTP/1.1. A higher minor version counts as 1.1 (RFC 9110 s.2.5). wrong is the fault for a
// malformed version, unknown that for another major version.
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

// requestLine parses method SP request-target SP HTTP-version (RFC 9112 s.3), with exactly one SP each.
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

// longLine returns the fault of a request line that exceeds Limits.StartLine and starts with b: the target is too long,
// unless the method is longer than any (RFC 9112 s.3).
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

// longestMethod is longer than any registered method: UPDATEREDIRECTREF has 17 octets. It applies only to lines that are
// too long.
const longestMethod = 64

// statusLine parses HTTP-version SP status-code [SP reason-phrase] (RFC 9112 s.4). Many servers omit the SP before an
// empty reason phrase, which is harmless.
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

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
