package multipart

import (
	"bytes"
	"math"
	"time"
	"unsafe"

	"github.com/millrace/millrace/roles/http"
)

// Handler is told what a Reader finds. Slices are views that are valid during the call.
type Handler interface {
	// Part begins a part. fields are its header fields, in their order.
	Part(fields []http.Field)
	// Content is the next piece of the part's content, never empty.
	Content(b []byte)
	// EndPart ends the part. last says that no other follows. A part whose length is known ends when it has come, and
	// then last is false: EndParts says that there is no other.
	EndPart(last bool)
	// EndParts says that no part follows, after an EndPart that could not say so, or without any part.
	EndParts()
}

// Limits bound what a body may cost. Zero values mean the defaults, negative ones that there is no limit. Parts are
// streamed, so a body may go on for as long as it likes: what costs is how often a program is called.
type Limits struct {
	Head   int   // bytes of the header of one part, which are kept when they come in pieces; default 8 KiB
	Fields int   // header fields of one part; default 32
	Part   int64 // bytes of the content of one part; default 1 GiB, as of a WebSocket message
	Rate   int   // parts begun within a second; default 1000: no camera has as many pictures
	Parts  int   // parts of one body; default none, as a stream of pictures does not end
	Body   int64 // bytes of one body; default none
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

// withDefaults is l with all limits set.
func (l Limits) withDefaults() Limits {
	return Limits{
		Head:   orDefault(l.Head, 8<<10, 1<<20), // it is kept, so it has a bound in any case
		Fields: orDefault(l.Fields, 32, math.MaxInt),
		Part:   orDefault(l.Part, 1<<30, math.MaxInt64),
		Rate:   orDefault(l.Rate, 1000, math.MaxInt),
		Parts:  orDefault(l.Parts, math.MaxInt, math.MaxInt),
		Body:   orDefault(l.Body, math.MaxInt64, math.MaxInt64),
	}
}

// Reader takes a multipart body apart. The zero Reader is not usable: Begin makes it so, also again.
type Reader struct {
	handler Handler
	limits  Limits
	state   state
	parts   int
	err     error

	body   int64         // bytes that have come
	size   int64         // of the part's content, so far
	left   int64         // of the content, as the part's Content-Length has it; -1 without one
	now    time.Duration // of Rx
	second time.Duration // in which parts were counted last
	count  int           // and how many they were

	replace bool // multipart/x-mixed-replace, which may end without its last delimiter
	dashed  bool // the boundary begins with dashes that may be the delimiter's own
	first   [len("\r\n\r\n") + len("--") + maxBoundary]byte
	firsts  int

	delim []byte // CR LF "--" boundary
	match int    // bytes of delim that were found last, if not given up yet
	// earlier says that the match began in a piece which is gone. Its first absent bytes were never there: the
	// first delimiter of a body, and one straight behind a part's header, need no line break of their own.
	earlier bool
	absent  int
	tail    [maxPadding]byte // what was found behind delim
	tails   int

	head   []byte // of a part, as far as it has come, if it comes in pieces
	fields []http.Field
}

// state is what a Reader expects next.
type state uint8

const (
	unused    state = iota
	opening         // enough of the first line to tell whether the boundary has the delimiter's dashes in it
	preamble        // the first delimiter; what stands in front is for nobody (RFC 2046 s.5.1.1)
	header          // the fields of a part, and the empty line behind them
	content         // the delimiter that ends the part
	padding         // the delimiter after a part that has ended by its length
	epilogue        // nothing: the last delimiter was found
	abandoned       // nothing: err says why
)

// maxPadding is how much a line may have behind its delimiter, the line break included: transports may add
// blanks (RFC 2046 s.5.1.1), but not without end. A longer line is content.
const maxPadding = 64

// Begin has r take a body apart that has this Content-Type, and call h. contentType is not kept. The error
// says that it is not multipart or has no legal boundary.
func (r *Reader) Begin(contentType []byte, l Limits, h Handler) error {
	*r = Reader{handler: h, limits: l.withDefaults(), second: -1, delim: append(r.delim[:0], "\r\n--"...), head: r.head[:0], fields: r.fields[:0]}
	r.delim, r.err = appendBoundary(r.delim, contentType)
	if r.err != nil {
		r.state = abandoned
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

// open collects the beginning of a body whose boundary begins with dashes, until it is clear whether the delimiter has two
// more (RFC 2046 s.5.1.1) or not: some cameras name the whole delimiter in Content-Type.
func (r *Reader) open(b []byte) (used int) {
	for used < len(b) {
		r.first[r.firsts] = b[used]
		r.firsts++
		used++
		if r.opened(false) {
			break
		}
	}
	return used
}

// opened decides, if that is possible, and goes on with what was collected. end says that no more comes.
func (r *Reader) opened(end bool) bool {
	line := r.first[:r.firsts]
	for range 2 { // empty lines in front
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

// subtypeIs reports whether a Content-Type is of this subtype of multipart.
func subtypeIs(contentType []byte, name string) bool {
	media, _ := cut(contentType, ';')
	_, sub := cut(media, '/')
	return http.EqualFold(http.TrimOWS(sub), name)
}

// atLineStart has the search begin behind a line break that is not content.
func (r *Reader) atLineStart() { r.match, r.absent, r.earlier = len("\r\n"), len("\r\n"), true }

// Rx takes the next bytes of the body, all of them, and keeps none. After an error it takes nothing more.
func (r *Reader) Rx(now time.Duration, b []byte) error {
	r.now = now
	over := int64(len(b)) > r.limits.Body-r.body
	if over {
		b = b[:r.limits.Body-r.body]
	}
	r.body += int64(len(b))
	r.feed(b)
	if over && r.err == nil {
		r.fail(tooMuch("body", "is longer than is taken"))
	}
	return r.err
}

func (r *Reader) feed(b []byte) {
	for len(b) > 0 && r.err == nil {
		switch r.state {
		case opening:
			b = b[r.open(b):]
		case content:
			b = b[r.searchContent(b):]
		case preamble, padding:
			b = b[r.search(b):]
		case header:
			b = b[r.expectHeader(b):]
		default:
			return
		}
	}
}

// End says that the body is over. The error says that it was cut short. A multipart/x-mixed-replace is not if no part was
// under way: whoever sends pictures just stops.
func (r *Reader) End() error {
	if r.err == nil && r.state == opening {
		r.opened(true)
	}
	switch {
	case r.err != nil || r.state == epilogue:
	case r.replace && (r.state == padding || r.state == header && len(r.head) == 0):
		r.state = epilogue
		r.handler.EndParts()
	default:
		r.fail(broken("body", "ends before its last delimiter"))
	}
	return r.err
}

// searchContent searches as much of b as the part's length allows, and ends the part there. A delimiter that is complete
// before ends it earlier: it is what others go by.
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

// withheld is how many bytes may be content or the beginning of a delimiter.
func (r *Reader) withheld() int {
	if !r.earlier {
		return 0
	}
	return max(r.match-r.absent, 0) + r.tails
}

// lengthReached ends a part whose content is as long as was announced. The delimiter may follow without a line break.
func (r *Reader) lengthReached() {
	if r.match == len(r.delim) {
		r.left = -1 // a delimiter but for the end of its line
		return
	}
	if r.match > r.absent {
		r.give(r.delim[r.absent:r.match])
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

// Size is about how many bytes of memory r holds beside itself: a header that comes in pieces, at the most.
func (r *Reader) Size() int { return cap(r.delim) + cap(r.head) + cap(r.fields)*fieldSize }

const fieldSize = int(unsafe.Sizeof(http.Field{}))

// Trim lets go of memory for headers if it is more than most bytes. Begin must follow.
func (r *Reader) Trim(most int) {
	if cap(r.head) > most {
		r.head = nil
	}
	clear(r.fields[:cap(r.fields)])
}

func (r *Reader) fail(err error) { r.err, r.state = err, abandoned }

// search looks for a delimiter line, gives what precedes it, and returns how much of b it used. Since CR is
// the first byte of a delimiter and occurs in it once, what does not match can be given up as a whole.
func (r *Reader) search(b []byte) int {
	from := 0  // of what is neither given nor matched
	start := 0 // of the match in b, unless it began earlier
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
		} else if end, last, ok := r.behind(c); ok {
			i++
			if !end {
				continue
			}
			if !r.earlier {
				r.give(b[from:start])
			}
			r.found(last)
			return i
		}
		if r.earlier { // the pieces it stood in are gone, but it is known what was in them
			r.give(r.delim[r.absent:max(r.absent, r.match)])
			r.give(r.tail[:r.tails])
			from = i
		}
		r.forget()
	}
	switch {
	case r.match == 0:
		r.give(b[from:])
	case !r.earlier:
		r.give(b[from:start])
		r.earlier = true
	}
	return i
}

// behind judges the next byte behind a delimiter: end says that the line is complete, last that it was
// the last one's; not ok that this is no delimiter.
func (r *Reader) behind(c byte) (end, last, ok bool) {
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

func (r *Reader) forget() { r.match, r.earlier, r.absent, r.tails = 0, false, 0, 0 }

// give passes content on. Between a part that has ended by its length and the delimiter there are line breaks and blanks
// at the most.
func (r *Reader) give(b []byte) {
	switch {
	case len(b) == 0 || r.err != nil:
	case r.state == padding && len(bytes.Trim(b, "\r\n \t")) > 0:
		r.fail(broken("part", "has more content than its Content-Length says"))
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
			r.fail(tooMuch("part", "is longer than is taken"))
		}
	}
}

// tooMuch is an error for a limit of ours.
func tooMuch(where, reason string) error {
	return &http.ProtocolError{Proto: "multipart", Where: where, Reason: reason, Status: 413}
}

// found is called at the end of a delimiter line.
func (r *Reader) found(last bool) {
	r.forget()
	if r.err != nil {
		return
	}
	in := r.state == content
	r.state = header
	switch s := r.now / time.Second; {
	case last:
		r.state = epilogue
	case r.parts == r.limits.Parts:
		r.fail(tooMuch("body", "has more parts than are taken"))
	case s != r.second:
		r.second, r.count = s, 1
	case r.count == r.limits.Rate:
		r.fail(tooMuch("body", "has more parts in a second than are taken"))
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
