package ss

import (
	"errors"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/http/multipart"
)

// multipartReader is the handler between an exchange and its stream while the peer's body is multipart. Each part
// becomes a message: Rx with SOM when its fields are known, its content, Rx with EOM. RELATED_START precedes the
// first; RELATED_END is set with the last EOM, or follows it if the part ended by its length.
type multipartReader struct {
	reader  multipart.Reader
	h       *Handle
	next    multipartHandler
	low     roles.Lower  // charged for the memory
	fields  http.Message // of the part that starts
	charged int
	began   bool // RELATED_START was delivered
	err     error
	answer  int // status to send for err, 0 for none
}

// multipartHandler is the handler of a stream's exchanges.
type multipartHandler interface {
	http.Handler
	// onMultipartError is called for an invalid body, which ends the transaction. status, unless 0, is that of the
	// response to send.
	onMultipartError(x http.Exchange, err error) (status int)
}

const (
	// partsKept is how many readers are kept for the next bodies, and partsHead the largest header kept with each.
	partsKept = 16
	partsHead = 2 << 10
)

// split installs a multipartReader for the body that follows m, if the body is multipart and the policy requests
// that. The memory is charged to low, the connection's transport. The error reports a multipart body that cannot be
// parsed.
func (h *Handle) split(x http.Exchange, m *http.Message, low roles.Lower, next multipartHandler) (*multipartReader, error) {
	if !h.streamType.pol.HTTP.MultipartIn || m.Length == 0 {
		return nil, nil
	}
	ct, ok := m.Find(http.ContentType)
	if !ok || !multipart.IsMultipart(ct) {
		return nil, nil
	}
	r := h.rt
	var p *multipartReader
	if n := len(r.http.spare); n > 0 {
		p, r.http.spare = r.http.spare[n-1], r.http.spare[:n-1]
	} else {
		p = new(multipartReader)
	}
	p.h, p.next, p.low = h, next, low
	if err := p.reader.Begin(ct, r.cfg.Multipart, p); err != nil {
		r.Counters.Malformed++
		p.release()
		return nil, err
	}
	if err := p.account(); err != nil {
		p.release()
		return nil, err
	}
	x.SetHandler(p)
	return p, nil
}

// account charges the reader's memory. The error reports that the limit is reached.
func (p *multipartReader) account() error {
	more := p.reader.Size() - p.charged
	if more > 0 && !p.low.MayHold(roles.HoldPart, more) {
		p.h.rt.Counters.MemoryRefused++
		return errPartsMemory
	}
	p.low.Hold(roles.HoldPart, more)
	p.charged += more
	return nil
}

var errPartsMemory = &http.ProtocolError{Proto: "multipart", Where: "body", Reason: "its memory is used up for now", Status: 503, Cause: ErrMemory}

// release returns p to the spare readers. Only release may be called on it afterwards.
func (p *multipartReader) release() {
	if p == nil || p.h == nil {
		return
	}
	r := p.h.rt
	p.low.Hold(roles.HoldPart, -p.charged)
	p.reader.Trim(partsHead)
	*p = multipartReader{reader: p.reader}
	if len(r.http.spare) < partsKept {
		r.http.spare = append(r.http.spare, p)
	}
}

// Head implements http.Handler.
func (p *multipartReader) Head(x http.Exchange, m *http.Message) { p.next.Head(x, m) }

// Writable implements http.Handler.
func (p *multipartReader) Writable(x http.Exchange) {
	switch {
	case p.err == nil:
		p.next.Writable(x)
	case p.answer != 0:
		if errors.Is(x.SendHead(&http.Message{Status: p.answer, Close: true}, true), http.ErrNoRoom) {
			x.WantWrite()
			return
		}
		p.answer = 0
	}
}

// Done implements http.Handler.
func (p *multipartReader) Done(x http.Exchange, cause error) {
	h, next := p.h, p.next
	if p.err != nil {
		cause = p.err
	}
	broken := p.err != nil
	p.release()
	next.Done(x, cause)
	if broken && h.accepted() {
		h.closed(cause) // on HTTP/1.1 the connection lives on until it is read to its end
	}
}

// Body implements http.Handler; the body of a part is passed to Content.
func (p *multipartReader) Body(x http.Exchange, b []byte) {
	if p.err != nil {
		return
	}
	if !p.began {
		p.began = true
		p.h.rx(nil, RelatedStart)
	}
	if err := p.reader.Rx(p.h.rt.loop.Now(), b); err != nil {
		p.fail(x, err)
		return
	}
	if err := p.account(); err != nil {
		p.fail(x, err)
	}
}

// End implements http.Handler.
func (p *multipartReader) End(x http.Exchange, trailers []http.Field) {
	switch {
	case p.err != nil:
		return
	case !p.began: // there is no body
	default:
		if err := p.reader.End(); err != nil {
			p.fail(x, err)
			return
		}
		if p.h.accepted() {
			return // the program has received RELATED_END
		}
	}
	p.next.End(x, trailers)
}

func (p *multipartReader) fail(x http.Exchange, err error) {
	if !errors.Is(err, ErrMemory) {
		p.h.rt.Counters.Malformed++
	}
	p.err = err
	if p.answer = p.next.onMultipartError(x, err); p.answer != 0 {
		x.WantWrite()
	}
}

// Part implements multipart.Handler. Metadata that map to content- fields describe the part from now on.
func (p *multipartReader) Part(fields []http.Field) {
	h := p.h
	p.fields.Fields = fields
	for _, f := range h.streamType.ofParts {
		if v, ok := f.in(&p.fields); ok {
			h.setFromPeer(f.index, v)
		} else {
			h.meta.Hide(f.index)
		}
	}
	h.rt.http.part = p
	h.rx(nil, SOM)
	h.rt.http.part = nil
	p.fields.Fields = nil
}

// Content implements multipart.Handler.
func (p *multipartReader) Content(b []byte) { p.h.rx(b, 0) }

// EndPart implements multipart.Handler.
func (p *multipartReader) EndPart(last bool) {
	f := EOM
	if last {
		f |= RelatedEnd
	}
	p.h.rx(nil, f)
}

// EndParts implements multipart.Handler.
func (p *multipartReader) EndParts() {
	p.h.rx(nil, RelatedEnd)
}

// partValue returns the field called name, in lower case, of the part that starts. found is false if no part can have
// it.
func (r *Runtime) partValue(h *Handle, name string) (v []byte, ok, found bool) {
	if r.http.part == nil || r.http.part.h != h {
		return nil, false, false
	}
	v, ok = r.http.part.fields.Get(name)
	return v, ok, ok || isOfPart(name, http.Other)
}
