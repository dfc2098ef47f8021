package ss

import (
	"log/slog"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/http/multipart"
)

// A multipart body on its way out: its parts by the policy, and its framing.

// form is what a stream type's multipart body is made of, in this order: its own part, and those of the stream
// types that ride along.
type form struct {
	parts []formPart
	frame int64 // length of everything but the payload
}

type formPart struct {
	of *policy.Stream
	multipart.Part
}

// newForm makes the form of p, nil if its body is not multipart.
func newForm(p *policy.Stream, log *slog.Logger) *form {
	if !p.HTTP.Multipart {
		return nil
	}
	f := &form{frame: int64(multipart.EndLen)}
	for of := p; of != nil; of = of.HTTP.Rideshare {
		for i := range f.parts {
			if f.parts[i].of == of {
				log.Warn("rideshare leads back to where it was; the multipart body ends there", "stream", p.Name, "rideshare", of.Name)
				return f
			}
		}
		part := multipart.Part{Name: of.HTTP.MultipartName, Filename: of.HTTP.MultipartFilename, ContentType: of.HTTP.MultipartContentType}
		f.frame += int64(part.Len(len(f.parts) == 0))
		f.parts = append(f.parts, formPart{of, part})
	}
	return f
}

// formOut is a multipart body on its way out.
type formOut struct {
	form     *form // nil when this request has none
	boundary multipart.Boundary
	random   [16]byte // scratch: for boundary to be made of
	part     int      // whose payload is next
	frame    []byte   // what goes out in front of it
	sent     int      // of frame
	left     int64    // of the announced payload of all parts; http.UnknownLength when nothing was announced
	empty    bool     // a payload of no byte was announced: no Tx
	asked    bool     // the part's Tx that comes unasked is over, or there is none
	last     bool     // frame ends the body
}

// begin begins a body with payload of that length, and returns its Content-Type, which is valid until the first
// write.
func (o *formOut) begin(l *loop.Loop, f *form, length int64) []byte {
	l.System().Rand(o.random[:])
	*o = formOut{form: f, boundary: multipart.NewBoundary(o.random), part: -1, left: length, empty: length == 0, frame: o.frame}
	o.frame = o.boundary.AppendFormType(o.frame[:0])
	o.sent = len(o.frame)
	return o.frame
}

// turn has the frame of the next part go out, or the end.
func (o *formOut) turn() {
	o.sent = 0
	if o.part++; o.part < len(o.form.parts) {
		// The length that was announced may have been that of the parts so far. What there is for this one must not
		// be lost, so it is asked for.
		o.asked = o.part > 0 && o.left != 0
		o.frame = o.boundary.AppendPart(o.frame[:0], &o.form.parts[o.part].Part, o.part == 0)
		return
	}
	o.part--
	o.last = true
	o.frame = o.boundary.AppendEnd(o.frame[:0])
}

// put copies as much of the frame as fits.
func (o *formOut) put(buf []byte) (n int) {
	n = copy(buf, o.frame[o.sent:])
	o.sent += n
	return n
}

func (o *formOut) framed() bool { return o.sent == len(o.frame) }

// room is what of buf the program is offered: not more than it announced, and so that a frame which may follow
// leaves with it where there is space to spare.
func (o *formOut) room(buf []byte) []byte {
	next := multipart.EndLen
	if o.part+1 < len(o.form.parts) {
		next = o.form.parts[o.part+1].Len(false)
	}
	if len(buf) > 2*next {
		buf = buf[:len(buf)-next]
	}
	if o.left > 0 && int64(len(buf)) > o.left {
		buf = buf[:o.left]
	}
	return buf
}
