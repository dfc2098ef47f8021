package ss

import (
	"fmt"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// heldHead is a copy of the fields of a response's head, one behind the other: the exchange shows them only
// while it gives the head, the program may ask for them until the response is over.
type heldHead struct {
	buf  []byte
	ends []heldEnd
	low  roles.Lower // what holds it, nil while there is none
}

// heldEnd is where a field's name and value end; they begin where what is in front of them ends.
type heldEnd struct{ name, value int32 }

// heldKept is the largest copy whose memory waits for the next.
const heldKept = 4 << 10

// hold keeps a copy of the fields of m, if the policy lets the program ask for any. It is as large as the
// role's limit on heads allows, and charged to low, the connection's transport.
func (h *Handle) hold(m *http.Message, low roles.Lower) error {
	if !h.kind.pol.DirectProtoStr {
		return nil
	}
	h.letGo()
	size := 0
	for i := range m.Fields {
		size += len(m.Fields[i].Name) + len(m.Fields[i].Value)
	}
	if !low.MayHold(roles.HoldHead, size) {
		h.rt.Counters.MemoryRefused++
		return fmt.Errorf("ss: keep the fields of a response: %d bytes: %w", size, ErrMemory)
	}
	if h.meta == nil {
		h.meta = h.rt.takeValues(len(h.kind.pol.Metadata))
	}
	p := &h.meta.peer
	p.buf, p.ends, p.low = p.buf[:0], p.ends[:0], low
	for i := range m.Fields {
		f := &m.Fields[i]
		p.buf = append(p.buf, f.Name...)
		name := int32(len(p.buf))
		p.buf = append(p.buf, f.Value...)
		p.ends = append(p.ends, heldEnd{name, int32(len(p.buf))})
	}
	low.Hold(roles.HoldHead, len(p.buf))
	return nil
}

// letGo forgets what hold has kept.
func (h *Handle) letGo() {
	if h.meta == nil || h.meta.peer.low == nil {
		return
	}
	p := &h.meta.peer
	p.low.Hold(roles.HoldHead, -len(p.buf))
	p.low = nil
	if cap(p.buf) > heldKept {
		p.buf = nil
	}
}

// get finds the first field with a name, which is in lower case.
func (p *heldHead) get(name string) ([]byte, bool) {
	if p.low == nil {
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
