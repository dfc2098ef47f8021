package ss

import "github.com/millrace/millrace/roles/http"

// heldHead is a copy of the fields of a response's head, one behind the other: the exchange shows them only
// while it gives the head, the program may ask for them until the response is over.
type heldHead struct {
	buf  []byte
	ends []heldEnd
	live bool
}

// heldEnd is where a field's name and value end; they begin where what is in front of them ends.
type heldEnd struct{ name, value int32 }

// heldKept is the largest copy whose memory waits for the next.
const heldKept = 4 << 10

// hold keeps a copy of the fields of m, if the policy lets the program ask for any. It is as large as the
// role's limit on heads allows, and on the account.
func (h *Handle) hold(m *http.Message) {
	if !h.kind.pol.DirectProtoStr {
		return
	}
	h.letGo()
	if h.meta == nil {
		h.meta = h.rt.takeValues(len(h.kind.pol.Metadata))
	}
	p := &h.meta.peer
	p.buf, p.ends, p.live = p.buf[:0], p.ends[:0], true
	for i := range m.Fields {
		f := &m.Fields[i]
		p.buf = append(p.buf, f.Name...)
		name := int32(len(p.buf))
		p.buf = append(p.buf, f.Value...)
		p.ends = append(p.ends, heldEnd{name, int32(len(p.buf))})
	}
	h.rt.loop.Account().Charge(len(p.buf))
}

// letGo forgets what hold has kept.
func (h *Handle) letGo() {
	if h.meta == nil || !h.meta.peer.live {
		return
	}
	p := &h.meta.peer
	p.live = false
	h.rt.loop.Account().Release(len(p.buf))
	if cap(p.buf) > heldKept {
		p.buf = nil
	}
}

// get finds the first field with a name, which is in lower case.
func (p *heldHead) get(name string) ([]byte, bool) {
	if !p.live {
		return nil, false
	}
	at := int32(0)
	for _, e := range p.ends {
		if http.EqualFold(p.buf[at:e.name], name) {
			return p.buf[e.name:e.value:e.value], true
		}
		at = e.value
	}
	return nil, false
}
