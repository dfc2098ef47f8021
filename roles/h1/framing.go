package h1

import (
	"github.com/millrace/millrace/roles/http"
)

// framing collects the fields of a head that determine the end of the message, the use of the connection, and the target.
type framing struct {
	host, expect []byte
	hosts        int
	length       int64 // -1 without Content-Length
	chunked      bool
}

// read reads the framing of m and sets m.Close and m.Upgrade. It rejects what two recipients could interpret differently,
// since that allows request smuggling (RFC 9112 s.11.2). Only a response may repeat its length (RFC 9112 s.6.3).
func (g *framing) read(m *http.Message) *fault {
	response := m.Status != 0
	var close, keep, upgrade, coded bool
	var protocols []byte
	g.length = -1
	for i := range m.Fields {
		f := &m.Fields[i]
		if !f.ID.Framing() {
			continue
		}
		switch f.ID {
		case http.Host:
			g.hosts++
			g.host = f.Value
		case http.ContentLength:
			n := http.ParseLength(f.Value, response)
			switch {
			case g.length >= 0 && !response:
				return errLengthTwice
			case n < 0:
				return errLengthBad
			case g.length >= 0 && n != g.length:
				return errLengthDiffer
			}
			g.length = n
		case http.TransferEncoding:
			if coded {
				return errTETwice
			}
			coded = true
			if e := coding(f.Value); e != nil {
				return e
			}
		case http.Connection:
			for item, rest, ok := http.NextItem(f.Value); ok; item, rest, ok = http.NextItem(rest) {
				close = close || http.EqualFold(item, "close")
				keep = keep || http.EqualFold(item, "keep-alive")
				upgrade = upgrade || http.EqualFold(item, "upgrade")
			}
		case http.Upgrade:
			if protocols == nil {
				protocols = f.Value
			}
		case http.Expect:
			if g.expect != nil {
				return errExpect
			}
			g.expect = f.Value
		}
	}
	if coded {
		if m.Version == http.HTTP10 {
			return errTE10
		}
		if g.length >= 0 {
			return errLengthAndTE
		}
		g.chunked = true
	}
	// An HTTP/1.1 connection persists without "close", an HTTP/1.0 one only with "keep-alive" (RFC 9112 s.9.3).
	m.Close = close || m.Version == http.HTTP10 && !keep
	if upgrade && m.Version != http.HTTP10 {
		m.Upgrade = protocols
	}
	return nil
}

// coding checks a Transfer-Encoding value, which must be chunked alone.
func coding(v []byte) *fault {
	var last []byte
	n, chunked := 0, 0
	for item, rest, ok := http.NextItem(v); ok; item, rest, ok = http.NextItem(rest) {
		last = item
		n++
		if http.EqualFold(item, "chunked") {
			chunked++
		}
	}
	switch {
	case n == 1 && chunked == 1:
		return nil
	case chunked == 1 && http.EqualFold(last, "chunked"):
		return errTEUnknown
	}
	return errTELast
}
