package ss

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/ss/internal/meta"
)

// SetMetadata copies v into the metadata item name. The policy of the stream type must declare the name, unless it has
// direct_proto_str: then any other name is that of a header field, with or without a colon at the end, which is sent; nil
// removes it. On an accepted HTTP stream values last until the transaction ends, on other streams until they are set
// again: what a response says does not replace them.
func (h *Handle) SetMetadata(name string, v []byte) error {
	if h.astray("SetMetadata") {
		return ErrWrongThread
	}
	i, err := h.metadataIndex(name)
	switch {
	case err != nil:
	case i < 0 && v == nil:
		if h.meta != nil {
			h.meta.Fields.Remove(meta.FieldName(name))
		}
	case i < 0:
		return h.setField(name, v)
	default:
		h.values().Set(i, v)
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
		return h.setField(name, h.rt.text)
	default:
		h.values().SetString(i, v)
	}
	return err
}

// Metadata returns the value of a metadata item; ok is false when it has none. On an accepted HTTP stream an item that
// maps to a header field has the request's value until it is set. On an HTTP client it has the response's, if that has the
// field, until it is set or the next attempt begins. What the peer says is never sent to it. If the policy has
// direct_proto_str, a name that it does not declare is that of a header field: the one that was set, or the first of that
// name in the peer's head, on a client from CONNECTED to DISCONNECTED, on an accepted stream in SERVER_TXN. The slice is
// valid until the item is set again, and no longer than the present callback.
func (h *Handle) Metadata(name string) (v []byte, ok bool) {
	if h.astray("Metadata") {
		return nil, false
	}
	i := h.streamType.pol.MetadataIndex(name)
	switch {
	case i >= 0:
		return h.meta.Get(i)
	case h.streamType.pol.DirectProtoStr:
		return h.field(name)
	}
	return nil, false
}

// metadataIndex returns the index of an item to be set, -1 for a header field.
func (h *Handle) metadataIndex(name string) (int, error) {
	if h.flags&destroyed != 0 {
		return -1, ErrDestroyed
	}
	i := h.streamType.pol.MetadataIndex(name)
	if i < 0 && !h.streamType.pol.DirectProtoStr {
		return -1, h.noSuchMetadata(name)
	}
	return i, nil
}

func (h *Handle) noSuchMetadata(name string) error {
	var known []string
	for _, m := range h.streamType.pol.Metadata {
		known = append(known, m.Name)
	}
	return fmt.Errorf("ss: set metadata: %q on stream type %q: %w (it declares: %s)",
		name, h.streamType.pol.Name, ErrNoSuchMetadata, strings.Join(known, ", "))
}

// values returns the stream's metadata; the first call gets them from the runtime's pool.
func (h *Handle) values() *meta.Values {
	if h.meta == nil {
		h.meta = h.rt.values.Take(len(h.streamType.pol.Metadata))
	}
	return h.meta
}

// setFromPeer sets the peer's value of an item, apart from the program's value.
func (h *Handle) setFromPeer(i int, v []byte) { h.values().SetFromPeer(i, v) }

// dropMetadata drops all values.
func (h *Handle) dropMetadata() {
	h.rt.values.Return(h.meta)
	h.meta = nil
}

// setField sets the header field called name, with or without a colon at the end.
func (h *Handle) setField(name string, v []byte) error {
	name = meta.FieldName(name)
	err := meta.CheckField(name, v, h.accepted())
	if err == nil {
		err = h.values().Fields.Set(name, v)
	}
	if err != nil {
		return fmt.Errorf("ss: set metadata: header field %q on stream type %q: %w: %w", name, h.streamType.pol.Name, err, ErrMisuse)
	}
	return nil
}

// field returns the header field called name: that of the part of a body that begins, else what the program has set,
// else what the peer's head has. A response's can be read until it is over, a request's during SERVER_TXN.
func (h *Handle) field(name string) ([]byte, bool) {
	name = meta.FieldName(name)
	if v, ok, found := h.rt.partValue(h, name); found {
		return v, ok
	}
	if h.meta != nil {
		if v, ok := h.meta.Fields.Get(name); ok {
			return v, true
		}
		if v, ok := h.meta.Headers.Get(name); ok {
			return v, true
		}
	}
	if r := h.rt; r.headOf == h {
		return r.head.Get(name)
	}
	return nil, false
}

// withHead makes m the head whose fields h's callbacks can read, until it is called with nil.
func (r *Runtime) withHead(h *Handle, m *http.Message) { r.headOf, r.head = h, m }

// saveHeaders keeps a copy of the fields of a response, if the policy lets the program read any by name. It is
// charged to low, the connection's transport.
func (h *Handle) saveHeaders(m *http.Message, low roles.Lower) error {
	if !h.streamType.pol.DirectProtoStr {
		return nil
	}
	if size, ok := h.values().Headers.Save(m, low); !ok {
		h.rt.Counters.MemoryRefused++
		return fmt.Errorf("ss: keep the fields of a response: %d bytes: %w", size, ErrMemory)
	}
	return nil
}

// dropHeaders drops what saveHeaders kept.
func (h *Handle) dropHeaders() {
	if h.meta != nil {
		h.meta.Headers.Drop()
	}
}
