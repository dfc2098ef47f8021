package h1

import (
	"encoding/binary"
	"math/bits"

	"github.com/millrace/millrace/roles/http"
)

// scan is the position in an incomplete section (a head or trailers) up to which it has been scanned, so that a section
// that comes byte by byte costs no more than one that comes whole. The zero scan is the start.
type scan struct {
	line   uint32 // offset of the current line
	seen   uint32 // offset up to which there is no further line end
	fields uint16 // number of complete field lines before line
}

// syntax is the type of a section and the rules for it. The zero syntax is the head of a request.
type syntax uint8

const (
	trailers   syntax = 1 << iota // trailer fields, not a head
	ofResponse                    // of a response: folded lines are legal (RFC 9112 s.5.2)
	lenient                       // LF without CR ends a line too (RFC 9112 s.2.2)

	requestHead  syntax = 0
	responseHead        = ofResponse
)

// section parses the head or trailer section at the start of b into m, whose Fields are in the scratch of sh. It returns
// the length of the section with the empty line, or 0 if it needs more bytes.
//
// The fault depends on the bytes alone, not on the pieces in which they come: section checks each octet as it scans it,
// each line when it is complete, and each limit at the octet that exceeds it.
//
// It overwrites the line end before a folded line with spaces in b.
func (p *scan) section(sh *Shared, k syntax, m *http.Message, b []byte) (length int, f *fault) {
	resumed := p.line != 0
	if len(sh.fields) < sh.cfg.Limits.Fields {
		sh.fields = make([]http.Field, sh.cfg.Limits.Fields)
	}
	n := int(p.fields)
	limit, long := sh.cfg.Limits.Head, errHeadLong
	if k&trailers != 0 {
		limit, long = sh.cfg.Limits.Trailers, errTrailLong
	}
	at, from := int(p.line), int(max(p.seen, p.line))
	last := -1 // offset of the last field line, if this call has parsed it
	fold := 0  // end of that line if it is folded and must be parsed again
	for {
		stop, over := limit, long
		if at == 0 && k&trailers == 0 && sh.cfg.Limits.StartLine < stop {
			stop, over = sh.cfg.Limits.StartLine, errStartLong
			if k&ofResponse != 0 {
				over = errStatusLong
			}
		}
		e, f := lineEnd(b[:min(len(b), stop)], from)
		next := e + 2
		if f != nil {
			if next, f = k.bareLF(e, f); f != nil {
				return 0, f
			}
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
		folded := k&ofResponse != 0 && n > 0 && len(line) > 0 && isBlank(line[0])
		if fold > 0 && !folded {
			if f = fieldLine(&sh.fields[n-1], b[last:fold]); f != nil {
				return 0, f
			}
			fold = 0
		}
		switch {
		case at == 0 && k&(trailers|ofResponse) == 0:
			f = requestLine(m, line)
		case at == 0 && k&trailers == 0:
			f = statusLine(m, line)
		case len(line) == 0:
			*p = scan{}
			if resumed {
				// The fields of earlier calls are views of a buffer that may have moved.
				return p.section(sh, k, m, b[:next])
			}
			m.Fields = sh.fields[:n]
			return next, nil
		case folded:
			unfold(b, at)
			if last >= 0 { // else the whole section is parsed again at its end
				fold = e
			}
		case n >= sh.cfg.Limits.Fields:
			return 0, errFieldsMax
		default:
			f = fieldLine(&sh.fields[n], line)
			last = at
			n++
		}
		if f != nil {
			return 0, f
		}
		at, from = next, next
	}
}

// unfold overwrites the line end before b[at] with spaces (RFC 9112 s.5.2).
func unfold(b []byte, at int) {
	for i := at - 1; b[i] == '\n' || b[i] == '\r'; i-- {
		b[i] = ' '
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// bareLF handles a line that ends with LF alone, for which lineEnd returned f. It returns the offset of the next line, or
// the fault, which for a response names the option that accepts such lines.
func (k syntax) bareLF(at int, f *fault) (next int, _ *fault) {
	switch {
	case f != errBareLF || k&ofResponse == 0:
		return 0, f
	case k&lenient == 0:
		return 0, errBareLFOption
	}
	return at + 1, nil
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// lineEnd returns the offset of the first CRLF in b[from:], or -1-n if there is none before offset n and more bytes are
// needed. A control character other than HTAB is a fault, also CR or LF alone: recipients differ in whether it ends a line
// (RFC 9112 s.2.2). With errBareLF it returns the offset of the LF.
func lineEnd(b []byte, from int) (int, *fault) {
	i := from
	for {
		for i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			// A high bit in t marks an octet below 0x20 or equal to 0x7f. A borrow can mark others only above a true one,
			// and the lowest mark counts.
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
			return i, errBareLF
		default:
			return 0, errControl
		}
	}
}

// fieldLine parses field-name ":" OWS field-value OWS (RFC 9112 s.5). line has no control characters.
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
