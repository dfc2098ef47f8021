package ss

import (
	"fmt"
	"strings"
)

// values are the metadata of one handle, by index of the policy's list. They are taken from the
// runtime when the first is set, so that a stream without any holds none.
type values struct {
	v      []value
	direct []programField
	peer   heldHead
}

// value is one item. What the program has set and what the peer says are kept apart: the first is sent, the second is
// read. Nothing that came from the peer is ever sent.
type value struct {
	own  []byte // the program's
	peer []byte // the peer's, in its head or the head of a part of its body
	set  bool   // own is there
	from source // what Metadata returns
}

// source is whose value of an item Metadata returns.
type source uint8

const (
	fromProgram source = iota
	fromPeer
	fromNone // a part of the peer's body, which does not have the field
)

// SetMetadata gives the metadata item name a value, which is copied. The policy of the stream type must
// declare the name, unless it says direct_proto_str: then any other name is that of a header field, with or
// without a colon behind it, and is sent as such; nil takes it away again. On an accepted HTTP stream values last for
// the transaction, elsewhere until they are set again: what a response says never replaces them.
func (h *Handle) SetMetadata(name string, v []byte) error {
	if h.astray("SetMetadata") {
		return ErrWrongThread
	}
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
	if h.astray("SetMetadataString") {
		return ErrWrongThread
	}
	i, err := h.metadataIndex(name)
	switch {
	case err != nil:
	case i < 0:
		h.rt.text = append(h.rt.text[:0], v...)
		return h.setDirect(name, h.rt.text)
	default:
		s := h.slotFor(i)
		s.own, s.set, s.from = append(s.own[:0], v...), true, fromProgram
	}
	return err
}

// Metadata returns the value of a metadata item; ok is false when it has none. On an accepted HTTP stream an item
// that maps to a header field has the request's value until it is set. On an HTTP client it has the response's, if
// that has the field, until it is set or the next attempt begins. What the peer says is never sent to it. If
// the policy says direct_proto_str, a name that it does not declare is that of a header field: one that was set,
// or the first of that name in the peer's head: on a client from CONNECTED until DISCONNECTED is told, on an
// accepted stream in SERVER_TXN.
// The slice is valid until the item is set again, and no longer than the present callback.
func (h *Handle) Metadata(name string) (v []byte, ok bool) {
	if h.astray("Metadata") {
		return nil, false
	}
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

// value is what Metadata returns.
func (h *Handle) value(i int) ([]byte, bool) {
	if h.meta == nil {
		return nil, false
	}
	switch s := &h.meta.v[i]; s.from {
	case fromPeer:
		return s.peer, true
	case fromNone:
		return nil, false
	}
	return h.toSend(i)
}

// toSend is what goes to the peer: what the program has set.
func (h *Handle) toSend(i int) ([]byte, bool) {
	if h.meta == nil || !h.meta.v[i].set {
		return nil, false
	}
	return h.meta.v[i].own, true
}

// expand is toSend in the form that policy.Template asks for.
func (h *Handle) expand(i int) []byte {
	v, _ := h.toSend(i)
	return v
}

func (h *Handle) setValue(i int, v []byte) {
	s := h.slotFor(i)
	s.own, s.set, s.from = append(s.own[:0], v...), true, fromProgram
}

// setFromPeer sets what the peer says, beside what the program has set.
func (h *Handle) setFromPeer(i int, v []byte) {
	s := h.slotFor(i)
	s.peer, s.from = append(s.peer[:0], v...), fromPeer
}

// dropFromPeer forgets what the peer said: its values are read until the next attempt.
func (h *Handle) dropFromPeer() {
	if h.meta == nil {
		return
	}
	for i := range h.meta.v {
		h.meta.v[i].dropPeer()
	}
}

func (v *value) dropPeer() {
	if v.from = fromProgram; cap(v.peer) > valueKept {
		v.peer = nil
	}
}

func (h *Handle) slotFor(i int) *value {
	if h.meta == nil {
		h.meta = h.rt.takeValues(len(h.kind.pol.Metadata))
	}
	return &h.meta.v[i]
}

// dropMetadata forgets all values.
func (h *Handle) dropMetadata() {
	m := h.meta
	if m == nil {
		return
	}
	if m.peer.low != nil {
		h.letGo()
	}
	h.rt.giveValues(m)
	h.meta = nil
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
		v.dropPeer()
		if cap(v.own) > valueKept {
			v.own = nil
		}
	}
	if cap(m.direct) > 0 {
		m.dropDirect()
	}
	r.free = append(r.free, m)
}

// dropDirect forgets the fields that were set by their names.
func (m *values) dropDirect() {
	m.direct = m.direct[:0]
	for _, d := range m.direct[:cap(m.direct)] {
		if cap(d.name)+cap(d.value) > valueKept {
			m.direct = nil
			break
		}
	}
}
