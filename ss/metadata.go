package ss

import (
	"fmt"
	"strings"
)

// values are the metadata of one handle, by index of the policy's list. They are taken from the
// runtime when the first is set, so that a stream without any holds none.
type values struct {
	v      []value
	direct []direct
	peer   heldHead
}

type value struct {
	b      []byte
	set    bool
	theirs bool // the peer's, in its request or a part of its body: never to be sent back to it
}

// SetMetadata gives the metadata item name a value, which is copied. The policy of the stream type must
// declare the name, unless it says direct_proto_str: then any other name is that of a header field, with or
// without a colon behind it, and is sent as such; nil takes it away again. On an accepted HTTP stream values last for the transaction,
// elsewhere until set again or replaced by a response's header field.
func (h *Handle) SetMetadata(name string, v []byte) error {
	i, err := h.metadataIndex(name)
	switch {
	case err != nil:
	case i < 0 && v == nil:
		h.dropDirect(name)
	case i < 0:
		return h.setDirect(name, v)
	default:
		h.setValue(i, v)
	}
	return err
}

// SetMetadataString is SetMetadata for a string.
func (h *Handle) SetMetadataString(name, v string) error {
	i, err := h.metadataIndex(name)
	switch {
	case err != nil:
	case i < 0:
		h.rt.text = append(h.rt.text[:0], v...)
		return h.setDirect(name, h.rt.text)
	default:
		s := h.slotFor(i)
		s.b, s.set, s.theirs = append(s.b[:0], v...), true, false
	}
	return err
}

// Metadata returns the value of a metadata item; ok is false when it has none. On an accepted HTTP stream an item
// that maps to a header field has the request's value until it is set; what the request says is not sent back. If
// the policy says direct_proto_str, a name that it does not declare is that of a header field: one that was set,
// or the first of that name in the peer's head: on a client from CONNECTED until DISCONNECTED is told, on an
// accepted stream in SERVER_TXN.
// The slice is valid until the item is set again, and no longer than the present callback.
func (h *Handle) Metadata(name string) (v []byte, ok bool) {
	i := h.kind.pol.MetadataIndex(name)
	switch {
	case i >= 0:
		return h.value(i)
	case h.kind.pol.DirectProtoStr:
		return h.directValue(name)
	}
	return nil, false
}

// metadataIndex is that of an item to be set, -1 for a header field.
func (h *Handle) metadataIndex(name string) (int, error) {
	if h.flags&destroyed != 0 {
		return -1, ErrDestroyed
	}
	i := h.kind.pol.MetadataIndex(name)
	if i < 0 && !h.kind.pol.DirectProtoStr {
		return -1, h.noSuchMetadata(name)
	}
	return i, nil
}

func (h *Handle) noSuchMetadata(name string) error {
	var known []string
	for _, m := range h.kind.pol.Metadata {
		known = append(known, m.Name)
	}
	return fmt.Errorf("ss: set metadata: %q on stream type %q: %w (it declares: %s)",
		name, h.kind.pol.Name, ErrNoSuchMetadata, strings.Join(known, ", "))
}

func (h *Handle) value(i int) ([]byte, bool) {
	if h.meta == nil || !h.meta.v[i].set {
		return nil, false
	}
	return h.meta.v[i].b, true
}

// toSend is value for what goes to the peer: nothing that came from it in a request.
func (h *Handle) toSend(i int) ([]byte, bool) {
	if h.meta == nil || !h.meta.v[i].set || h.meta.v[i].theirs {
		return nil, false
	}
	return h.meta.v[i].b, true
}

// expand is value in the form that policy.Template asks for.
func (h *Handle) expand(i int) []byte {
	v, _ := h.value(i)
	return v
}

func (h *Handle) setValue(i int, v []byte) {
	s := h.slotFor(i)
	s.b, s.set, s.theirs = append(s.b[:0], v...), true, false
}

// setTheirs sets what a request says.
func (h *Handle) setTheirs(i int, v []byte) {
	s := h.slotFor(i)
	s.b, s.set, s.theirs = append(s.b[:0], v...), true, true
}

func (h *Handle) slotFor(i int) *value {
	if h.meta == nil {
		h.meta = h.rt.takeValues(len(h.kind.pol.Metadata))
	}
	return &h.meta.v[i]
}

// dropMetadata forgets all values.
func (h *Handle) dropMetadata() {
	if h.meta != nil {
		h.letGo()
		h.rt.giveValues(h.meta)
		h.meta = nil
	}
}

const (
	// valuesKept is how many sets of values wait for the next handle that needs one.
	valuesKept = 256
	// valueKept is the largest value whose memory waits along.
	valueKept = 256
)

func (r *Runtime) takeValues(n int) *values {
	var m *values
	if k := len(r.free); k > 0 {
		m, r.free = r.free[k-1], r.free[:k-1]
	} else {
		m = new(values)
	}
	for cap(m.v) < n {
		m.v = append(m.v[:cap(m.v)], value{})
	}
	m.v = m.v[:n]
	return m
}

func (r *Runtime) giveValues(m *values) {
	if len(r.free) >= valuesKept {
		return
	}
	for i := range m.v {
		v := &m.v[i]
		v.set = false
		if cap(v.b) > valueKept {
			v.b = nil
		}
	}
	m.direct = m.direct[:0]
	for _, d := range m.direct[:cap(m.direct)] {
		if cap(d.name)+cap(d.value) > valueKept {
			m.direct = nil
			break
		}
	}
	r.free = append(r.free, m)
}
