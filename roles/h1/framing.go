package h1

import (
	"math"

	"github.com/millrace/millrace/roles/http"
)

// framing is what the fields of a head say about where the message ends, what becomes of the
// connection and whom the request is for.
type framing struct {
	host, expect []byte
	hosts        int
	length       int64 // -1 when not given
	chunked      bool
}

// read gathers the framing of m and sets m.Close and m.Upgrade. Whatever two recipients might read in
// two ways is refused rather than resolved: that is how requests are smuggled (RFC 9112 s.11.2).
func (g *framing) read(m *http.Message) *fault {
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
			if g.length >= 0 {
				return errLengthTwice
			}
			if g.length = number(f.Value); g.length < 0 {
				return errLengthBad
			}
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
	// RFC 9112 s.9.3: 1.1 persists unless told, 1.0 only when told.
	m.Close = close || m.Version == http.HTTP10 && !keep
	if upgrade && m.Version != http.HTTP10 {
		m.Upgrade = protocols
	}
	return nil
}

// coding judges a Transfer-Encoding value: chunked, once, and nothing else.
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

// number reads 1*DIGIT up to 2^63-1, or returns -1: no sign, no list, no space (RFC 9110 s.8.6).
func number(b []byte) int64 {
	if len(b) == 0 {
		return -1
	}
	var n int64
	for _, c := range b {
		d := int64(c - '0')
		if !isDigit(c) || n > (math.MaxInt64-d)/10 {
			return -1
		}
		n = n*10 + d
	}
	return n
}
