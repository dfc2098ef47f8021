package multipart

import (
	"bytes"
	"unsafe"

	"github.com/millrace/millrace/roles/http"
)

// Handler is told what a Reader finds. Slices are views that are valid during the call.
type Handler interface {
	// Part begins a part. fields are its header fields, in their order.
	Part(fields []http.Field)
	// Content is the next piece of the part's content, never empty.
	Content(b []byte)
	// EndPart ends the part. last says that no other follows.
	EndPart(last bool)
}

// Limits bound what a body may cost. Zero values mean the defaults.
type Limits struct {
	Parts  int // parts of one body; default 1000
	Head   int // bytes of the header of one part, which are kept when they come in pieces; default 8 KiB
	Fields int // header fields of one part; default 32
}

// Reader takes a multipart body apart. The zero Reader is not usable: Begin makes it so, also again.
type Reader struct {
	handler Handler
	limits  Limits
	state   state
	parts   int
	err     error

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
	preamble        // the first delimiter; what stands in front is for nobody (RFC 2046 s.5.1.1)
	header          // the fields of a part, and the empty line behind them
	content         // the delimiter that ends the part
	epilogue        // nothing: the last delimiter was found
	abandoned       // nothing: err says why
)

// maxPadding is how much a line may have behind its delimiter, the line break included: transports may add
// blanks (RFC 2046 s.5.1.1), but not without end. A longer line is content.
const maxPadding = 64

// Begin has r take a body apart that has this Content-Type, and call h. contentType is not kept. The error
// says that it is not multipart or has no legal boundary.
func (r *Reader) Begin(contentType []byte, l Limits, h Handler) error {
	if l.Parts == 0 {
		l.Parts = 1000
	}
	if l.Head == 0 {
		l.Head = 8 << 10
	}
	if l.Fields == 0 {
		l.Fields = 32
	}
	*r = Reader{handler: h, limits: l, delim: append(r.delim[:0], "\r\n--"...), head: r.head[:0], fields: r.fields[:0]}
	r.delim, r.err = appendBoundary(r.delim, contentType)
	if r.err != nil {
		r.state = abandoned
		return r.err
	}
	r.state = preamble
	r.atLineStart()
	return nil
}

// atLineStart has the search begin behind a line break that is not content.
func (r *Reader) atLineStart() { r.match, r.absent, r.earlier = len("\r\n"), len("\r\n"), true }

// Rx takes the next bytes of the body, all of them, and keeps none. After an error it takes nothing more.
func (r *Reader) Rx(b []byte) error {
	for len(b) > 0 && r.err == nil {
		switch r.state {
		case preamble, content:
			b = b[r.search(b):]
		case header:
			b = b[r.expectHeader(b):]
		default:
			return r.err
		}
	}
	return r.err
}

// End says that the body is over. The error says that it was cut short.
func (r *Reader) End() error {
	if r.err == nil && r.state != epilogue {
		r.fail(broken("body", "ends before its last delimiter"))
	}
	return r.err
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

// give passes content on.
func (r *Reader) give(b []byte) {
	if r.state == content && len(b) > 0 {
		r.handler.Content(b)
	}
}

// found is called at the end of a delimiter line.
func (r *Reader) found(last bool) {
	r.forget()
	in := r.state == content
	r.state = header
	switch {
	case last:
		r.state = epilogue
	case r.parts == r.limits.Parts:
		r.fail(&http.ProtocolError{Proto: "multipart", Where: "body", Reason: "has more parts than are taken", Status: 413})
	}
	if in {
		r.handler.EndPart(last)
	}
}
