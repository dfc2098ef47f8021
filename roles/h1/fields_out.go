package h1

import (
	"strconv"

	"github.com/millrace/millrace/roles/http"
)

const crlf = "\r\n"

// headFixed bounds the length of a head without its fields, date, server name and upgrade.
const headFixed = 160

// fieldsSize checks the fields that a handler sends, and returns the number of bytes that appendFields needs for them.
// Fields that frame a message, and own, are illegal, since this package writes them. A field with an ID is not looked up.
func fieldsSize(fields []http.Field, own http.ID) (n int, err error) {
	for i := range fields {
		f := &fields[i]
		id := f.ID
		if id == http.Other {
			if !http.ValidName(f.Name) {
				return 0, errHeadName
			}
			id = http.Lookup(f.Name)
		}
		switch {
		case !http.ValidValue(f.Value):
			return 0, errHeadValue
		case id.Framing() || id != http.Other && id == own:
			return 0, errHeadFrame
		}
		n += len(f.Name) + len(f.Value) + len(": "+crlf)
	}
	return n, nil
}

// appendFields appends field lines to b, which must have the capacity for fieldsSize more bytes.
func appendFields(b []byte, fields []http.Field) []byte {
	n := len(b)
	b = b[:cap(b)]
	for i := range fields {
		n += copy(b[n:], fields[i].Name)
		b[n], b[n+1] = ':', ' '
		n += 2
		n += copy(b[n:], fields[i].Value)
		b[n], b[n+1] = '\r', '\n'
		n += 2
	}
	return b[:n]
}

// appendConnection appends the Connection field, and Upgrade if upgrade is not nil.
func appendConnection(b []byte, close, keep bool, upgrade []byte) []byte {
	if upgrade != nil {
		b = append(b, "Upgrade: "...)
		b = append(b, upgrade...)
		b = append(b, "\r\nConnection: Upgrade"...)
		if close {
			b = append(b, ", close"...)
		}
		return append(b, crlf...)
	}
	switch {
	case close:
		b = append(b, "Connection: close\r\n"...)
	case keep:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	return b
}

func appendLength(b []byte, n int64) []byte {
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, n, 10)
	return append(b, crlf...)
}
