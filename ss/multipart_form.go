package ss

import (
	"log/slog"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/http/multipart"
)

// A multipart body that is sent: its parts by the policy, and its framing.

// form is the multipart body of a stream type, in this order: its own part, and those of the rideshare types.
type form struct {
	parts []formPart
	frame int64 // length of everything but the payload
}

type formPart struct {
	of *policy.Stream
	multipart.Part
}

// newForm returns the form of p, nil if its body is not multipart.
func newForm(p *policy.Stream, log *slog.Logger) *form {
	if !p.HTTP.Multipart {
		return nil
	}
	f := &form{frame: int64(multipart.EndLen)}
	for of := p; of != nil; of = of.HTTP.Rideshare {
		for i := range f.parts {
			if f.parts[i].of == of {
				log.Warn("rideshare forms a cycle; the multipart body ends before it", "stream", p.Name, "rideshare", of.Name)
				return f
			}
		}
		part := multipart.Part{Name: of.HTTP.MultipartName, Filename: of.HTTP.MultipartFilename, ContentType: of.HTTP.MultipartContentType}
		f.frame += int64(part.Len(len(f.parts) == 0))
		f.parts = append(f.parts, formPart{of, part})
	}
	return f
}

// formOut is a multipart body that is being sent.
type formOut struct {
	form     *form // nil if this request has none
	boundary multipart.Boundary
	random   [16]byte // scratch for boundary
	part     int      // the part whose payload is next
	frame    []byte   // the framing before it
	sent     int      // of frame
	left     int64    // of the announced payload of all parts; http.UnknownLength without one
	empty    bool     // length 0 was announced: no Tx
	asked    bool     // the part's first Tx, which needs no request, is over, or there is none
	last     bool     // frame ends the body
}

// begin starts a body with payload of that length, and returns its Content-Type, which is valid until the first
// write.
func (o *formOut) begin(l *loop.Loop, f *form, length int64) []byte {
	l.System().Rand(o.random[:])
	*o = formOut{form: f, boundary: multipart.NewBoundary(o.random), part: -1, left: length, empty: length == 0, frame: o.frame}
	o.frame = o.boundary.AppendFormType(o.frame[:0])
	o.sent = len(o.frame)
	return o.frame
}

// turn selects the framing of the next part, or of the end.
func (o *formOut) turn() {
	o.sent = 0
	if o.part++; o.part < len(o.form.parts) {
		// The announced length may have been that of the previous parts. The payload of this one must not
		// be lost, so Tx is called.
		o.asked = o.part > 0 && o.left != 0
		o.frame = o.boundary.AppendPart(o.frame[:0], &o.form.parts[o.part].Part, o.part == 0)
		return
	}
	o.part--
	o.last = true
	o.frame = o.boundary.AppendEnd(o.frame[:0])
}

// put copies as much of the framing as fits.
func (o *formOut) put(buf []byte) (n int) {
	n = copy(buf, o.frame[o.sent:])
	o.sent += n
	return n
}

func (o *formOut) framed() bool { return o.sent == len(o.frame) }

// room returns the part of buf for Tx: at most the announced length, with spare room for the framing that may follow.
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
