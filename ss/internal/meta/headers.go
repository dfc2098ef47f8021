package meta

import (
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// Headers are a copy of the fields of a response's head: an exchange shows them only while it delivers the head, and
// the program may read them until the response is over. The zero Headers is empty.
type Headers struct {
	buf  []byte // names and values, one after the other
	ends []headerEnd
	low  roles.Lower // is charged for buf; nil while there is no copy
}

// headerEnd is where a field's name and value end. A field begins where the one before it ends.
type headerEnd struct{ name, value int32 }

// smallHeaders is the largest copy, in bytes, whose memory is kept for the next one.
const smallHeaders = 4 << 10

// Save replaces the copy by one of the fields of m, and charges it to low, the connection's transport. The role's limit
// on heads bounds it. It returns false, and the size, if low may not hold that much: then there is no copy.
func (h *Headers) Save(m *http.Message, low roles.Lower) (size int, ok bool) {
	h.Drop()
	for i := range m.Fields {
		size += len(m.Fields[i].Name) + len(m.Fields[i].Value)
	}
	if !low.MayHold(roles.HoldHead, size) {
		return size, false
	}
	h.buf, h.ends, h.low = h.buf[:0], h.ends[:0], low
	for i := range m.Fields {
		f := &m.Fields[i]
		h.buf = append(h.buf, f.Name...)
		name := int32(len(h.buf))
		h.buf = append(h.buf, f.Value...)
		h.ends = append(h.ends, headerEnd{name, int32(len(h.buf))})
	}
	low.Hold(roles.HoldHead, len(h.buf))
	return size, true
}

// Drop drops the copy.
func (h *Headers) Drop() {
	if h.low == nil {
		return
	}
	h.low.Hold(roles.HoldHead, -len(h.buf))
	h.low = nil
	if cap(h.buf) > smallHeaders {
		h.buf = nil
	}
}

// Get returns the value of the first field called name, which is in lower case. It is valid until Drop.
func (h *Headers) Get(name string) ([]byte, bool) {
	if h.low == nil {
		return nil, false
	}
	at := int32(0)
	for _, e := range h.ends {
		if http.EqualFold(h.buf[at:e.name], name) {
			return h.buf[e.name:e.value:e.value], true
		}
		at = e.value
	}
	return nil, false
}
