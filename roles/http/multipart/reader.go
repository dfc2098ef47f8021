package multipart

import (
	"bytes"
	"math"
	"time"
	"unsafe"

	"github.com/millrace/millrace/roles/http"
)

// Handler receives the parts that a Reader finds. Slices are views that are valid during the call.
type Handler interface {
	// Part starts a part. fields are its header fields in the order of the header.
	Part(fields []http.Field)
	// Content is the next piece of the content of the part. b is never empty.
	Content(b []byte)
	// EndPart ends the part. last reports that no other part follows. A part with a Content-Length ends with its last
	// byte, before the Reader knows what follows: then last is false, and EndParts is called if no part follows.
	EndPart(last bool)
	// EndParts ends a body without any part, or one whose last EndPart had last false.
	EndParts()
}

// Limits bound what a body may cost. A zero value means the default, a negative one no limit. Parts are streamed, so the
// length of a body costs no memory; the number of calls into the program is what costs.
type Limits struct {
	Head   int   // bytes of the header of one part, which are stored when they come in pieces; default 8 KiB, never above 1 MiB
	Fields int   // header fields of one part; default 32
	Part   int64 // bytes of the content of one part; default 1 GiB, as for a WebSocket message
	Rate   int   // parts that start within one second; default 1000, more than any camera sends
	Parts  int   // parts of one body; default no limit, since a stream of pictures does not end
	Body   int64 // bytes of one body; default no limit
}

// orDefault replaces zero by d, and a negative value by the largest.
func orDefault[T int | int64](v, d, largest T) T {
	switch {
	case v == 0:
		return d
	case v < 0:
		return largest
	}
	return v
}

// withDefaults returns l with all limits set.
func (l Limits) withDefaults() Limits {
	return Limits{
		Head:   orDefault(l.Head, 8<<10, 1<<20), // the header is stored, so it always has a bound
		Fields: orDefault(l.Fields, 32, math.MaxInt),
		Part:   orDefault(l.Part, 1<<30, math.MaxInt64),
		Rate:   orDefault(l.Rate, 1000, math.MaxInt),
		Parts:  orDefault(l.Parts, math.MaxInt, math.MaxInt),
		Body:   orDefault(l.Body, math.MaxInt64, math.MaxInt64),
	}
}

// Reader splits a multipart body into its parts. Begin prepares a new or used Reader for a body.
type Reader struct {
	handler Handler
	limits  Limits
	state   state
	parts   int
	err     error

	body   int64         // bytes of the body so far
	size   int64         // bytes of the content of the part so far
	left   int64         // bytes of the content to come by the Content-Length of the part; -1 without one
	now    time.Duration // time of the last Rx
	second time.Duration // the second of now in which the last part started
	count  int           // parts that started in it

	replace bool // multipart/x-mixed-replace, which may end without its last delimiter
	dashed  bool // the boundary starts with dashes, which may be those of the delimiter
	first   [len("\r\n\r\n") + len("--") + maxBoundary]byte
	firsts  int // bytes of first in use

	delim []byte // CR LF "--" boundary
	match int    // length of the prefix of delim that matches the end of the input
	// earlier means that the match started in an earlier piece of the body. Its first absent bytes were never in the
	// input: the first delimiter of a body, and one directly after the header of a part, need no line break.
	earlier bool
	absent  int
	tail    [maxPadding]byte // the bytes after delim on its line
	tails   int              // bytes of tail in use

	head   []byte // the header of the part so far, if it comes in pieces
	fields []http.Field
}

// state is what a Reader expects next.
type state uint8

const (
	unused   state = iota
	opening        // enough of the first line to decide whether the boundary includes the dashes of the delimiter
	preamble       // the first delimiter; the text before it is ignored (RFC 2046 s.5.1.1)
	header         // the header of a part with the empty line that ends it
	content        // the delimiter that ends the part
	padding        // the delimiter after a part that ended by its Content-Length
	epilogue       // nothing: the last delimiter was found
	failed         // nothing: see err
)

// maxPadding is the most bytes that may follow a delimiter on its line, with the line break: a transport may add blanks
// (RFC 2046 s.5.1.1). A longer line is content.
const maxPadding = 64

// Begin prepares r for a body with this Content-Type, whose parts go to h. contentType is not kept. The error is an
// *http.ProtocolError if the type is not multipart/* or has no legal boundary.
func (r *Reader) Begin(contentType []byte, l Limits, h Handler) error {
	*r = Reader{handler: h, limits: l.withDefaults(), second: -1, delim: append(r.delim[:0], "\r\n--"...), head: r.head[:0], fields: r.fields[:0]}
	r.delim, r.err = appendBoundary(r.delim, contentType)
	if r.err != nil {
		r.state = failed
		return r.err
	}
	r.state = preamble
	r.atLineStart()
	r.replace = subtypeIs(contentType, "x-mixed-replace")
	if b := r.delim[len("\r\n--"):]; len(b) > 2 && b[0] == '-' && b[1] == '-' && len(bytes.Trim(b, "-")) > 0 {
		r.dashed, r.state = true, opening
	}
	return nil
}

// rxOpening stores the start of a body whose boundary starts with dashes, until it is clear whether the delimiter has two
// more dashes (RFC 2046 s.5.1.1): some cameras give the whole delimiter as the boundary.
func (r *Reader) rxOpening(b []byte) (used int) {
	for used < len(b) {
		r.first[r.firsts] = b[used]
		r.firsts++
		used++
		if r.decideDashes(false) {
			break
		}
	}
	return used
}

// decideDashes decides whether the delimiter has two dashes before the boundary, and then searches the stored bytes. It
// returns false if it needs more bytes; end means that there are no more.
func (r *Reader) decideDashes(end bool) bool {
	line := r.first[:r.firsts]
	for range 2 { // up to two empty lines may come first
		line = bytes.TrimPrefix(line, r.delim[:len("\r\n")])
	}
	strict := r.delim[len("\r\n"):]
	if !end && len(line) < len(strict) && r.firsts < len(r.first) {
		return false
	}
	if bare := strict[len("--"):]; bytes.HasPrefix(line, bare) && !bytes.HasPrefix(line, strict) {
		r.delim = r.delim[:len("\r\n")+copy(r.delim[len("\r\n"):], bare)]
	}
	r.state = preamble
	r.feed(r.first[:r.firsts])
	return true
}

// subtypeIs reports whether the subtype of a Content-Type is name.
func subtypeIs(contentType []byte, name string) bool {
	media, _ := cut(contentType, ';')
	_, sub := cut(media, '/')
	return http.EqualFold(http.TrimOWS(sub), name)
}

// atLineStart starts the search as if a line break that is not content came before.
func (r *Reader) atLineStart() { r.match, r.absent, r.earlier = len("\r\n"), len("\r\n"), true }

// Rx consumes the next bytes of the body. b is not kept. now is the time by which Limits.Rate counts. The error is an
// *http.ProtocolError; after an error Rx ignores its input and returns the same error.
func (r *Reader) Rx(now time.Duration, b []byte) error {
	r.now = now
	over := int64(len(b)) > r.limits.Body-r.body
	if over {
		b = b[:r.limits.Body-r.body]
	}
	r.body += int64(len(b))
	r.feed(b)
	if over && r.err == nil {
		r.fail(overLimit("body", "exceeds the limit"))
	}
	return r.err
}

func (r *Reader) feed(b []byte) {
	for len(b) > 0 && r.err == nil {
		switch r.state {
		case opening:
			b = b[r.rxOpening(b):]
		case content:
			b = b[r.searchContent(b):]
		case preamble, padding:
			b = b[r.search(b):]
		case header:
			b = b[r.rxHeader(b):]
		default:
			return
		}
	}
}

// End ends the body. It returns an error if the body ends before its last delimiter. A multipart/x-mixed-replace may end
// without one between two parts, since a sender of pictures stops at any time.
func (r *Reader) End() error {
	if r.err == nil && r.state == opening {
		r.decideDashes(true)
	}
	switch {
	case r.err != nil || r.state == epilogue:
	case r.replace && (r.state == padding || r.state == header && len(r.head) == 0):
		r.state = epilogue
		r.handler.EndParts()
	default:
		r.fail(malformed("body", "ends before its last delimiter"))
	}
	return r.err
}

// searchContent searches b for the delimiter and ends the part after the length that it announced. A complete delimiter
// before that ends the part too, since other recipients ignore Content-Length.
func (r *Reader) searchContent(b []byte) int {
	if r.left < 0 {
		return r.search(b)
	}
	n := r.left - int64(r.withheld())
	if n > int64(len(b)) {
		return r.search(b)
	}
	used := r.search(b[:n])
	if r.state == content && used == int(n) {
		r.lengthReached()
	}
	return used
}

// withheld returns the number of bytes that may be content or the start of a delimiter.
func (r *Reader) withheld() int {
	if !r.earlier {
		return 0
	}
	return max(r.match-r.absent, 0) + r.tails
}

// lengthReached ends a part whose content has the announced length. The delimiter may follow without a line break.
func (r *Reader) lengthReached() {
	if r.match == len(r.delim) {
		r.left = -1 // it ends with a delimiter whose line is not complete yet: let the search decide
		return
	}
	if r.match > r.absent {
		r.pass(r.delim[r.absent:r.match])
	}
	if r.err != nil {
		return
	}
	if r.match == 0 {
		r.atLineStart()
	}
	r.absent = r.match
	r.state = padding
	r.handler.EndPart(false)
}

// Size returns about how many bytes of memory r holds besides its own struct. Limits.Head and Limits.Fields bound it.
func (r *Reader) Size() int { return cap(r.delim) + cap(r.head) + cap(r.fields)*fieldSize }

const fieldSize = int(unsafe.Sizeof(http.Field{}))

// Trim frees the buffer for headers if it is larger than limit bytes. The next call must be Begin.
func (r *Reader) Trim(limit int) {
	if cap(r.head) > limit {
		r.head = nil
	}
	clear(r.fields[:cap(r.fields)])
}

func (r *Reader) fail(err error) { r.err, r.state = err, failed }

// search looks for a delimiter line, passes the content before it on, and returns how many bytes of b it used. CR is the
// first byte of a delimiter and occurs in it once, so after a mismatch the search never has to go back.
func (r *Reader) search(b []byte) int {
	from := 0  // start of the bytes that are neither passed on nor matched
	start := 0 // start of the match in b, unless it is in an earlier piece
	i := 0
	for i < len(b) {
		if r.match == 0 {
			j := bytes.IndexByte(b[i:], '\r')
			if j < 0 {
				i = len(b)
				break
			}
			start = i + j
			r.match, i = 1, start+1
			continue
		}
		c := b[i]
		if r.match < len(r.delim) {
			if c == r.delim[r.match] {
				r.match++
				i++
				continue
			}
		} else if end, last, ok := r.rxPadding(c); ok {
			i++
			if !end {
				continue
			}
			if !r.earlier {
				r.pass(b[from:start])
			}
			r.delimiterEnds(last)
			return i
		}
		if r.earlier { // the match is content after all; its bytes are those of delim and tail
			r.pass(r.delim[r.absent:max(r.absent, r.match)])
			r.pass(r.tail[:r.tails])
			from = i
		}
		r.resetMatch()
	}
	switch {
	case r.match == 0:
		r.pass(b[from:])
	case !r.earlier:
		r.pass(b[from:start])
		r.earlier = true
	}
	return i
}

// rxPadding consumes the next byte after a delimiter. end reports that its line is complete, last that it is the last
// delimiter, and ok is false if this is no delimiter.
func (r *Reader) rxPadding(c byte) (end, last, ok bool) {
	before := byte(0)
	if r.tails > 0 {
		before = r.tail[r.tails-1]
	}
	switch {
	case c == '-' && r.tails == 0, before != '\r' && before != '-' && (c == ' ' || c == '\t' || c == '\r'):
		if r.tails == len(r.tail) {
			return false, false, false
		}
		r.tail[r.tails] = c
		r.tails++
		return false, false, true
	case c == '-' && before == '-':
		return true, true, true
	case c == '\n' && before == '\r':
		return true, false, true
	}
	return false, false, false
}

func (r *Reader) resetMatch() { r.match, r.earlier, r.absent, r.tails = 0, false, 0, 0 }

// pass passes content on to the handler. After a part that ended by its length, only line breaks and blanks may come
// before the delimiter.
func (r *Reader) pass(b []byte) {
	switch {
	case len(b) == 0 || r.err != nil:
	case r.state == padding && len(bytes.Trim(b, "\r\n \t")) > 0:
		r.fail(malformed("part", "has more content than its Content-Length"))
	case r.state == content:
		n := min(int64(len(b)), r.limits.Part-r.size)
		if n > 0 {
			r.size += n
			if r.left >= 0 {
				r.left -= n
			}
			r.handler.Content(b[:n])
		}
		if n < int64(len(b)) {
			r.fail(overLimit("part", "exceeds the limit"))
		}
	}
}

// overLimit returns the error for a body that exceeds one of Limits.
func overLimit(where, reason string) error {
	return &http.ProtocolError{Proto: "multipart", Where: where, Reason: reason, Status: 413}
}

// delimiterEnds handles the end of a delimiter line.
func (r *Reader) delimiterEnds(last bool) {
	r.resetMatch()
	if r.err != nil {
		return
	}
	in := r.state == content
	r.state = header
	switch s := r.now / time.Second; {
	case last:
		r.state = epilogue
	case r.parts == r.limits.Parts:
		r.fail(overLimit("body", "has more parts than the limit"))
	case s != r.second:
		r.second, r.count = s, 1
	case r.count == r.limits.Rate:
		r.fail(overLimit("body", "has more parts per second than the limit"))
	default:
		r.count++
	}
	switch {
	case in:
		r.handler.EndPart(last)
	case last:
		r.handler.EndParts()
	}
}
