package ss

import (
	"fmt"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/http/multipart"
)

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

// form is that of p; nil when its body is not multipart.
func (r *Runtime) form(p *policy.Stream) *form {
	if !p.HTTP.Multipart {
		return nil
	}
	f := &form{frame: int64(multipart.EndLen)}
	for of := p; of != nil; of = of.HTTP.Rideshare {
		for i := range f.parts {
			if f.parts[i].of == of {
				r.log.Warn("rideshare leads back to where it was; the multipart body ends there", "stream", p.Name, "rideshare", of.Name)
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

// shapeBody makes m, a request that has its fields, announce the form that the policy gives its body. m.Length is
// that of the payload, and becomes that of the body.
func (a *httpClient) shapeBody(m *http.Message) (body bool) {
	k := a.o.h.kind
	bare := a.away != nil && a.away.NoBody
	body = m.Length > 0 || m.Length == http.UnknownLength && (takesBody(m.Method) || k.pol.HTTP.FormURLEncoded)
	if a.out != nil {
		a.out.form = nil
	}
	switch {
	case bare:
	case k.form != nil:
		if a.out == nil {
			a.out = new(formOut)
		}
		setContentType(m, a.out.begin(a.o.h.rt, k.form, m.Length))
		if body = true; m.Length >= 0 {
			m.Length += k.form.frame
		}
	case k.pol.HTTP.FormURLEncoded:
		setContentType(m, formURLEncoded)
	}
	return body
}

var (
	contentType    = []byte("Content-Type")
	formURLEncoded = []byte(http.FormType)
)

// setContentType gives m one Content-Type in place of those it may have.
func setContentType(m *http.Message, v []byte) {
	n := 0
	for _, f := range m.Fields {
		if f.ID != http.ContentType {
			m.Fields[n] = f
			n++
		}
	}
	m.Fields = append(m.Fields[:n], http.Field{Name: contentType, Value: v, ID: http.ContentType})
}

// begin begins a body with payload of that length, and returns its Content-Type, which is valid until the first
// write.
func (o *formOut) begin(r *Runtime, f *form, length int64) []byte {
	r.loop.System().Rand(o.random[:])
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

// writeForm is Writable for a multipart body.
func (a *httpClient) writeForm(x http.Exchange) {
	h, o := a.o.h, a.out
	buf := x.Room()
	if buf == nil {
		x.WantWrite()
		return
	}
	if o.part < 0 {
		o.turn()
	}
	n := o.put(buf)
	if o.framed() && !o.last {
		given, end := 0, o.empty
		if room := o.room(buf[n:]); !end && len(room) > 0 {
			if o.asked && h.flags&txWanted == 0 {
				o.sent -= n
				return // nobody asked
			}
			o.asked = true
			k, f, ok := h.tx(room)
			if !ok {
				o.sent -= n // it goes out with what it is for
				return
			}
			a.took = true
			if end = f&EOM != 0; o.left >= 0 {
				if int64(k) > o.left {
					a.tooLong()
					return
				}
				o.left -= int64(k)
				if last := o.part == len(o.form.parts)-1; last {
					h.checkLength(o.left, end)
				}
				end = end || o.left == 0 // the announced length says it as well as EOM does
			}
			given = k
		}
		n += given
		if end {
			o.turn()
			n += o.put(buf[n:])
		}
	}
	a.sending = !o.framed() || !o.last
	x.Commit(n, !a.sending)
	if !a.sending {
		a.awaitResponse(h.rt.loop.Now())
	}
	if a.sending && (!o.framed() || o.empty || !o.asked || h.flags&txWanted != 0) {
		x.WantWrite()
	}
}

// tooLong fails a request whose parts are longer than was announced for all of them: the request's Content-Length is
// out, so the rest cannot be sent, and must not be acknowledged either.
func (a *httpClient) tooLong() {
	h := a.o.h
	h.rt.Counters.LongBodies++
	part := a.out.form.parts[a.out.part].of.Name
	h.lengthDiffers("a part of a multipart body is longer than what is left of the announced length", "part", part)
	cause := fmt.Errorf("ss: multipart body: part %s: longer than RequestTxLen announced for all parts: %w", part, ErrMisuse)
	a.drop()
	if a.o.phase == phaseUp { // the server has begun to answer
		a.o.lost(cause, endCut)
		return
	}
	a.o.failed(cause, 0)
}

// Rideshare is the stream type to which the payload belongs that Tx is asked for: on a client whose body is multipart
// that of the part, as the policy's rideshare says; the stream's own otherwise.
func (h *Handle) Rideshare() string {
	if name := h.be.rideshare(); name != "" {
		return name
	}
	return h.StreamType()
}

func (a *httpClient) rideshare() string {
	if a.sending && a.out != nil && a.out.form != nil {
		return a.out.form.parts[max(a.out.part, 0)].of.Name
	}
	return ""
}
