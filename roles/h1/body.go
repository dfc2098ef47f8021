package h1

import (
	"math"

	"github.com/millrace/millrace/roles/http"
)

// bodyFraming is how a recipient finds the end of a body (RFC 9112 s.6.3).
type bodyFraming uint8

const (
	bodyNone bodyFraming = iota
	bodyLength
	bodyChunked
	bodyClose
)

// chunkState is what a chunked body expects next.
type chunkState uint8

const (
	expectSize chunkState = iota
	expectData
	expectDataEnd
	expectTrailers
)

// body parses the framing of a received body (RFC 9112 s.6, s.7.1).
type body struct {
	framing   bodyFraming
	chunk     chunkState
	rules     syntax // of the chunk lines and trailers
	left      int64  // bytes to come: of a body with a length, or of the current chunk
	total     int64
	extra     int  // bytes of chunk extensions so far
	unbounded bool // Limits.Body does not apply
	scan      scan // position in an incomplete chunk line or trailer section
}

// next parses the start of b. It returns how many bytes it used, the payload among them (a view of b, possibly empty),
// and whether the body is complete. n is 0 with done false if it needs more bytes. The trailers are in sh.msg.
func (d *body) next(sh *Shared, b []byte) (n int, payload []byte, done bool, f *fault) {
	switch d.framing {
	case bodyNone:
		return 0, nil, true, nil
	case bodyLength:
		n = int(min(d.left, int64(len(b))))
		d.left -= int64(n)
		return n, b[:n], d.left == 0, nil
	case bodyClose:
		return len(b), b, false, d.count(sh, int64(len(b)))
	}
	switch d.chunk {
	case expectSize:
		n, f = d.sizeLine(sh, b)
		return n, nil, false, f
	case expectData:
		n = int(min(d.left, int64(len(b))))
		if d.left -= int64(n); d.left == 0 {
			d.chunk = expectDataEnd
		}
		return n, b[:n], false, nil
	case expectDataEnd:
		if len(b) > 0 && b[0] == '\n' && d.rules&lenient != 0 {
			d.chunk = expectSize
			return 1, nil, false, nil
		}
		if len(b) > 0 && b[0] != '\r' || len(b) > 1 && b[1] != '\n' {
			return 0, nil, false, errChunkEnd
		}
		if len(b) < 2 {
			return 0, nil, false, nil
		}
		d.chunk = expectSize
		return 2, nil, false, nil
	}
	n, f = d.scan.section(sh, trailers|d.rules, &sh.msg, b)
	if f != nil || n == 0 {
		return 0, nil, false, f
	}
	for i := range sh.msg.Fields {
		if sh.msg.Fields[i].ID.Framing() {
			return 0, nil, false, errTrailField
		}
	}
	return n, nil, true, nil
}

// count adds n bytes to the body and checks Limits.Body.
func (d *body) count(sh *Shared, n int64) *fault {
	if d.total += n; !d.unbounded && sh.cfg.Limits.Body > 0 && d.total > sh.cfg.Limits.Body {
		return errBodyBig
	}
	return nil
}

// sizeLine parses chunk-size [ chunk-ext ] CRLF and returns the length of the line, or 0 if it is incomplete.
func (d *body) sizeLine(sh *Shared, b []byte) (int, *fault) {
	e, f := lineEnd(b[:min(len(b), sh.cfg.Limits.ChunkLine)], int(d.scan.seen))
	next := e + 2
	if f != nil {
		if next, f = d.rules.bareLF(e, f); f != nil {
			return 0, f
		}
	}
	if e < 0 {
		if len(b) >= sh.cfg.Limits.ChunkLine {
			return 0, errChunkLong
		}
		d.scan.seen = uint32(-e - 1)
		return 0, nil
	}
	d.scan = scan{}
	var size int64
	i := 0
	for ; i < e; i++ {
		h := unhex[b[i]]
		if h < 0 {
			break
		}
		if size > math.MaxInt64>>4 {
			return 0, errChunkBig
		}
		size = size<<4 | int64(h)
	}
	if i == 0 {
		return 0, errChunkSize
	}
	if i < e {
		switch ext := d.rules.skipBWS(b[i:e]); {
		case len(ext) == 0 || ext[0] != ';':
			return 0, errChunkSize
		case !d.rules.extensions(ext):
			return 0, errChunkExt
		}
		if d.extra += e - i; d.extra > sh.cfg.Limits.ChunkExtra {
			return 0, errChunkExtra
		}
	}
	if size > math.MaxInt64-d.total {
		return 0, errChunkBig
	}
	if f := d.count(sh, size); f != nil {
		return 0, f
	}
	d.left, d.chunk = size, expectData
	if size == 0 {
		d.chunk = expectTrailers
	}
	return next, nil
}

// skipBWS removes the "bad whitespace" of chunk extensions, which a recipient of a response accepts (RFC 9110 s.5.6.3). A
// server rejects it: parsers differ in extensions, and such a difference allows request smuggling.
func (k syntax) skipBWS(b []byte) []byte {
	if k&ofResponse == 0 {
		return b
	}
	return http.TrimLeftOWS(b)
}

// extensions reports whether b is *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) (RFC 9112 s.7.1.1).
func (k syntax) extensions(b []byte) bool {
	for len(b) > 0 {
		if b = k.skipBWS(b); len(b) == 0 || b[0] != ';' {
			return false
		}
		b = k.skipBWS(b[1:])
		n := token(b)
		if n == 0 {
			return false
		}
		b = b[n:]
		value := k.skipBWS(b)
		if len(value) == 0 || value[0] != '=' {
			continue
		}
		b = k.skipBWS(value[1:])
		if n = token(b); n == 0 {
			n = quoted(b)
		}
		if n == 0 {
			return false
		}
		b = b[n:]
	}
	return true
}

// token returns the length of the token at the start of b.
func token(b []byte) int {
	i := 0
	for i < len(b) && http.IsTokenByte(b[i]) {
		i++
	}
	return i
}

// quoted returns the length of the quoted-string at the start of b, or 0 (RFC 9110 s.5.6.4). b has no control characters.
func quoted(b []byte) int {
	if len(b) < 2 || b[0] != '"' {
		return 0
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

var unhex = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i := range 10 {
		t['0'+i] = int8(i)
	}
	for i := range 6 {
		t['a'+i], t['A'+i] = int8(10+i), int8(10+i)
	}
	return t
}()
