package h1

import (
	"slices"
	"strconv"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// statusLines holds the status lines of the registered status codes.
var statusLines = func() (t [600]string) {
	for i := range t {
		if r := http.Reason(i); r != "" {
			t[i] = "HTTP/1.1 " + strconv.Itoa(i) + " " + r + crlf
		}
	}
	return t
}()

// appendStatus appends a status line. Without a phrase it still has the SP before it (RFC 9112 s.4).
func appendStatus(b []byte, status int) []byte {
	if status < len(statusLines) && statusLines[status] != "" {
		return append(b, statusLines[status]...)
	}
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	return append(b, " \r\n"...)
}

// responseKey is what determines a response head, together with the fields of the handler and the date.
type responseKey struct {
	status  int
	length  int64 // negative: no Content-Length
	chunked bool
	close   bool
	old     bool // the request is HTTP/1.0
}

// responseCache holds the last response head. The next one is often equal until the date changes, and a comparison costs
// about half of building it.
type responseCache struct {
	key    responseKey
	date   []byte
	text   []byte
	fields int // offset of the handler's fields in text; 0 if the cache is empty
	count  int // number of those fields
}

// head returns the head of a final response. The error is what is wrong with the fields of m. The slice is valid until the
// next call.
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
	if m.Upgrade == nil && len(b) <= responseCacheMax {
		l.key, l.fields, l.count = k, at, len(m.Fields)
		l.date = append(l.date[:0], date...)
	}
	return b, nil
}

// responseCacheMax is the length of the longest head that the cache holds.
const responseCacheMax = 2048

// sameFields reports whether text is the output of appendFields for fields, and the end of the head. If text was made from
// as many legal fields, then these are legal too: a field with a line end inside would make two lines.
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

// appendOwn appends the Date and Server fields.
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
