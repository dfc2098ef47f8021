package ss

import (
	"errors"
	"fmt"
	"strings"

	"github.com/millrace/millrace/roles/http"
)

// direct is a header field that a program named itself, as direct_proto_str lets it.
type programField struct {
	name, value []byte
	id          http.ID
	class       http.FieldClass
}

const (
	// directMax and directBytes bound what one stream may add to a head beside its policy: as many fields, and as
	// many bytes in names and values, as a peer with small limits still takes.
	directMax   = 64
	directBytes = 8 << 10
)

var (
	errDirectName   = errors.New("it is no field name")
	errDirectOwn    = errors.New("the protocol writes this field itself")
	errDirectValue  = errors.New("the value holds what no field can carry")
	errDirectNumber = fmt.Errorf("there are %d such fields, or %d bytes in them, already", directMax, directBytes)
)

// setDirect sets the field called name, with or without a colon behind it.
func (h *Handle) setDirect(name string, v []byte) error {
	name = fieldName(name)
	id := http.Lookup([]byte(name))
	why := error(nil)
	switch {
	case !http.ValidName([]byte(name)):
		why = errDirectName
	case id.Framing() || id == http.Date && h.accepted():
		why = errDirectOwn
	case !http.ValidValue(v):
		why = errDirectValue
	}
	if why == nil && h.meta == nil {
		h.meta = h.rt.takeValues(len(h.kind.pol.Metadata))
	}
	if why != nil || !h.meta.setDirect(name, id, v) {
		if why == nil {
			why = errDirectNumber
		}
		return fmt.Errorf("ss: set metadata: header field %q on stream type %q: %w: %w", name, h.kind.pol.Name, why, ErrMisuse)
	}
	return nil
}

// setDirect reports false if that were too much.
func (m *values) setDirect(name string, id http.ID, v []byte) bool {
	at, sum := len(m.direct), len(name)+len(v)
	for i := range m.direct {
		if d := &m.direct[i]; string(d.name) == name {
			at = i
		} else {
			sum += len(d.name) + len(d.value)
		}
	}
	if at == directMax || sum > directBytes {
		return false
	}
	if at == len(m.direct) {
		if at < cap(m.direct) {
			m.direct = m.direct[:at+1] // with the memory of what was there
		} else {
			m.direct = append(m.direct, programField{})
		}
	}
	d := &m.direct[at]
	d.name, d.value = append(d.name[:0], name...), append(d.value[:0], v...)
	d.id, d.class = id, http.ClassOf(d.name, id)
	return true
}

// dropDirect takes the field called name away. The memory of its slot stays for another.
func (h *Handle) dropDirect(name string) {
	m := h.meta
	if m == nil {
		return
	}
	name = fieldName(name)
	for i := range m.direct {
		if string(m.direct[i].name) == name {
			last := len(m.direct) - 1
			m.direct[i], m.direct[last] = m.direct[last], m.direct[i]
			m.direct = m.direct[:last]
			return
		}
	}
}

// directValue is the field called name: what the part says that begins, what the program has set, else what the peer's head says. A response's can
// be asked until it is over, a request's while a callback is being given it.
func (h *Handle) directValue(name string) ([]byte, bool) {
	name = fieldName(name)
	if v, ok, found := h.rt.partValue(h, name); found {
		return v, ok
	}
	if h.meta != nil {
		for i := range h.meta.direct {
			if d := &h.meta.direct[i]; string(d.name) == name {
				return d.value, true
			}
		}
		if v, ok := h.meta.peer.get(name); ok {
			return v, true
		}
	}
	if r := h.rt; r.headOf == h {
		return r.head.Get(name)
	}
	return nil, false
}

// fieldName is name as fields are compared by.
func fieldName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ":")) }

// show has h's callbacks find m's fields until it is called with nil.
func (r *Runtime) show(h *Handle, m *http.Message) { r.headOf, r.head = h, m }
