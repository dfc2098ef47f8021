package h1

import (
	"encoding/binary"
	"math/bits"

	"github.com/millrace/millrace/roles/http"
)

// scan remembers how far an incomplete section (a head, trailers) has been looked at, so that a peer
// who sends it byte by byte costs no more than one who sends it whole. The zero scan is at the start.
type scan struct {
	line   uint32 // where the line being looked at begins
	seen   uint32 // octets up to here are known to hold no line end
	fields uint16 // complete field lines before line
}

// kind is which section a scan looks at.
type kind uint8

const (
	requestHead kind = iota
	responseHead
	trailers
)

// section parses a head or a trailer section that begins at b[0], into m and, as m.Fields, c's scratch.
// It returns the length of the section, empty line included, or 0 when more bytes are needed.
//
// Faults depend on the bytes alone, not on how they were cut: octets are judged as they are scanned,
// lines when they are complete, limits by the place of the octet that passes them.
func (p *scan) section(c *Config, k kind, m *http.Message, b []byte) (length int, f *fault) {
	resumed := p.line != 0
	if len(c.fields) < c.Limits.Fields {
		c.fields = make([]http.Field, c.Limits.Fields)
	}
	n := int(p.fields)
	limit, long := c.Limits.Head, errHeadLong
	if k == trailers {
		limit, long = c.Limits.Trailers, errTrailLong
	}
	at, from := int(p.line), int(max(p.seen, p.line))
	for {
		stop, over := limit, long
		if at == 0 && k != trailers && c.Limits.StartLine < stop {
			stop, over = c.Limits.StartLine, errStartLong
			if k == responseHead {
				over = errStatusLong
			}
		}
		e, f := lineEnd(b[:min(len(b), stop)], from)
		if f != nil {
			return 0, f
		}
		if e < 0 {
			if len(b) >= stop {
				if over == errStartLong {
					over = longLine(b[:stop])
				}
				return 0, over
			}
			p.line, p.seen, p.fields = uint32(at), uint32(-e-1), uint16(n)
			return 0, nil
		}
		line := b[at:e]
		switch {
		case at == 0 && k == requestHead:
			f = requestLine(m, line)
		case at == 0 && k == responseHead:
			f = statusLine(m, line)
		case len(line) == 0:
			*p = scan{}
			if resumed {
				// The fields of earlier calls were views of a buffer that may have moved.
				return p.section(c, k, m, b[:e+2])
			}
			m.Fields = c.fields[:n]
			return e + 2, nil
		case n >= c.Limits.Fields:
			return 0, errFieldsMax
		default:
			f = fieldLine(&c.fields[n], line)
			n++
		}
		if f != nil {
			return 0, f
		}
		at, from = e+2, e+2
	}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// lineEnd looks for CRLF from b[from] on and returns where it begins, or -1-n when octets up to n hold
// no line end and more are needed. Control octets other than HTAB are faults, CR and LF apart from each
// other among them: no recipient may take one for a line end and another not (RFC 9112 s.2.2).
func lineEnd(b []byte, from int) (int, *fault) {
	i := from
	for {
		for i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			// A high bit in t marks an octet below 0x20 or equal to 0x7f. Borrows can mark octets
			// above a true one only, and the lowest is what counts.
			d := w ^ 0x7f*ones
			t := ((w-0x20*ones) & ^w | (d-ones) & ^d) & highs
			if t != 0 {
				i += bits.TrailingZeros64(t) >> 3
				break
			}
			i += 8
		}
		for i < len(b) && b[i] >= 0x20 && b[i] != 0x7f {
			i++
		}
		if i >= len(b) {
			return -1 - len(b), nil
		}
		switch b[i] {
		case '\t':
			i++
		case '\r':
			if i+1 == len(b) {
				return -1 - i, nil
			}
			if b[i+1] != '\n' {
				return 0, errBareCR
			}
			return i, nil
		case '\n':
			return 0, errBareLF
		default:
			return 0, errControl
		}
	}
}

// fieldLine reads field-name ":" OWS field-value OWS (RFC 9112 s.5). Control octets are excluded
// already.
func fieldLine(to *http.Field, line []byte) *fault {
	i := 0
	for i < len(line) && http.IsTokenByte(line[i]) {
		i++
	}
	if i == 0 && (line[0] == ' ' || line[0] == '\t') {
		return errFold
	}
	if i == 0 || i == len(line) || line[i] != ':' {
		return errName
	}
	to.Name = line[:i:i]
	to.ID = http.Lookup(to.Name)
	v := line[i+1:]
	if len(v) > 0 && v[0] == ' ' {
		v = v[1:]
	}
	to.Value = http.TrimOWS(v)
	return nil
}
