package h1

import (
	"slices"
	"strconv"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// statusLines are the status lines of registered statuses.
var statusLines = func() (t [600]string) {
	for i := range t {
		if r := http.Reason(i); r != "" {
			t[i] = "HTTP/1.1 " + strconv.Itoa(i) + " " + r + crlf
		}
	}
	return t
}()

// appendStatus appends a status line. The SP stays when there is no phrase (RFC 9112 s.4).
func appendStatus(b []byte, status int) []byte {
	if status < len(statusLines) && statusLines[status] != "" {
		return append(b, statusLines[status]...)
	}
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	return append(b, " \r\n"...)
}

// responseKey is what decides, with the fields, how a response's head reads.
type responseKey struct {
	status  int
	length  int64 // below 0: no Content-Length
	chunked bool
	close   bool
	old     bool // the peer speaks 1.0
}

// responseCache is the response head that was made last. The next is often the same until the clock has
// moved on: to find that out costs about half of making it.
type responseCache struct {
	key    responseKey
	date   []byte
	text   []byte
	fields int // where in text the handler's fields begin; 0: there is none
	count  int // of them
}

// head makes the head of a final response, and judges the fields that the handler wants in it. The
// slice is valid until the next call.
func (sh *Shared) head(k responseKey, m *http.Message) ([]byte, error) {
	l := &sh.responses
	var date []byte
	if sh.cfg.Date != nil {
		date = sh.cfg.Date()
	}
	if l.fields > 0 && l.key == k && m.Upgrade == nil && string(date) == string(l.date) &&
		l.count == len(m.Fields) && sameFields(l.text[l.fields:], m.Fields) {
		return l.text, nil
	}
	l.fields = 0
	size, err := fieldsSize(m.Fields, http.Date)
	if err != nil {
		return nil, err
	}
	if !http.ValidValue(m.Upgrade) {
		return nil, errHeadValue
	}
	b := appendStatus(l.text[:0], k.status)
	b = sh.appendOwn(b, date)
	if k.length >= 0 {
		b = appendLength(b, k.length)
	} else if k.chunked {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	b = appendConnection(b, k.close, k.old, m.Upgrade)
	at := len(b)
	b = slices.Grow(b, size+len(crlf))
	b = appendFields(b, m.Fields)
	b = append(b, crlf...)
	l.text = b
	if len(b) > roles.MaxRoom {
		return nil, errHeadSize
	}
	if m.Upgrade == nil && len(b) <= headKept {
		l.key, l.fields, l.count = k, at, len(m.Fields)
		l.date = append(l.date[:0], date...)
	}
	return b, nil
}

// headKept is the longest head that is compared with the next.
const headKept = 2048

// sameFields tells whether text is what appendFields makes of fields, and the end of the head. When text
// was made of as many, good ones, these are good too: one with a line end inside would be two lines of it.
func sameFields(text []byte, fields []http.Field) bool {
	for i := range fields {
		name, value := fields[i].Name, fields[i].Value
		v := len(name) + 2
		n := v + len(value) + 2
		if len(text) < n || string(text[:len(name)]) != string(name) || text[v-2] != ':' || text[v-1] != ' ' ||
			string(text[v:v+len(value)]) != string(value) || text[n-2] != '\r' || text[n-1] != '\n' {
			return false
		}
		text = text[n:]
	}
	return string(text) == crlf
}

// appendOwn appends the fields that every response of ours has.
func (sh *Shared) appendOwn(b, date []byte) []byte {
	if len(date) > 0 {
		b = append(b, "Date: "...)
		b = append(b, date...)
		b = append(b, crlf...)
	}
	if sh.cfg.ServerName != "" {
		b = append(b, "Server: "...)
		b = append(b, sh.cfg.ServerName...)
		b = append(b, crlf...)
	}
	return b
}
