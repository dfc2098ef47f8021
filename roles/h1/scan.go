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

// kind is which section a scan looks at, and by which rules. The zero kind is a request's head.
type syntax uint8

const (
	trailers   syntax = 1 << iota // trailer fields, not a head
	ofResponse                    // of a response: folded lines are joined (RFC 9112 s.5.2)
	lenient                       // LF without CR ends a line too (RFC 9112 s.2.2)

	requestHead  syntax = 0
	responseHead        = ofResponse
)

// section parses a head or a trailer section that begins at b[0], into m and, as m.Fields, c's scratch.
// It returns the length of the section, empty line included, or 0 when more bytes are needed.
//
// Faults depend on the bytes alone, not on how they were cut: octets are judged as they are scanned,
// lines when they are complete, limits by the place of the octet that passes them.
//
// The line end before a folded line is overwritten with spaces in b.
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
	last := -1 // where the latest field line begins, if it was read in this call
	fold := 0  // where it ends if it is folded, and is to be read anew
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
				// The fields of earlier calls were views of a buffer that may have moved.
				return p.section(sh, k, m, b[:next])
			}
			m.Fields = sh.fields[:n]
			return next, nil
		case folded:
			unfold(b, at)
			if last >= 0 { // else the whole section is read again at its end
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

// bareLF decides by the rules of k on what lineEnd has found: where the next line begins, or the fault, which names the
// option that accepts LF alone where there is one.
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

// lineEnd looks for CRLF from b[from] on and returns where it begins, or -1-n when octets up to n hold
// no line end and more are needed. Control octets other than HTAB are faults, CR and LF apart from each
// other among them: no recipient may take one for a line end and another not (RFC 9112 s.2.2). With errBareLF it
// returns where the LF is.
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
			return i, errBareLF
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
