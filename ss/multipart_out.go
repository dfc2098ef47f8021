package ss

import (
	"fmt"

	"github.com/millrace/millrace/roles/http"
)

// shapeBody makes m, a request with its fields, announce the form of its body by the policy. m.Length is that of the
// payload, and becomes that of the body.
func (a *httpClient) shapeBody(m *http.Message) (body bool) {
	k := a.o.h.streamType
	bare := a.redirectState != nil && a.redirectState.NoBody
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
		setContentType(m, a.out.begin(a.o.h.rt.loop, k.form, m.Length))
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

// setContentType replaces every Content-Type of m.
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
				return // the program has not requested Tx
			}
			o.asked = true
			k, f, ok := h.tx(room)
			if !ok {
				o.sent -= n // it is sent with its payload
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
				end = end || o.left == 0 // the announced length ends the body, as EOM does
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

// tooLong fails a request whose parts exceed the announced length: its Content-Length was sent, so the rest cannot be
// sent, and must not be acknowledged.
func (a *httpClient) tooLong() {
	h := a.o.h
	h.rt.Counters.LongBodies++
	part := a.out.form.parts[a.out.part].of.Name
	h.lengthDiffers("a part of a multipart body exceeds the rest of the announced length", "part", part)
	cause := fmt.Errorf("ss: multipart body: part %s: exceeds the length that RequestTxLen announced for all parts: %w", part, ErrMisuse)
	a.drop()
	if a.o.phase == phaseUp { // the response has started
		a.o.lost(cause, endCut)
		return
	}
	a.o.failed(cause, 0)
}

func (a *httpClient) rideshare() string {
	if a.sending && a.out != nil && a.out.form != nil {
		return a.out.form.parts[max(a.out.part, 0)].of.Name
	}
	return ""
}
