package ss

import (
	"fmt"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/ss/internal/meta"
)

// Head returns the head of the HTTP message that the current callback announces: the request in SERVER_TXN and
// SERVER_UPGRADE of an accepted stream, the response in CONNECTED of a client stream. The policy need not declare
// anything for it. In other callbacks, between turns and on other protocols it is nil. It is valid during the
// callback, with everything that it points to; do not change it.
func (h *Handle) Head() *http.Message {
	if h.rt.headOf != h || h.astray("Head") {
		return nil
	}
	return h.rt.head
}

// SetHeader sets a header field of the next response of an accepted HTTP stream, and replaces an earlier value. The
// policy need not declare it; a field that a metadata item maps to is set through that item. Both strings are copied.
// The value is dropped when the transaction ends. The error is ErrMisuse for a field that the protocol writes itself,
// for a value that is not allowed in a field, for more than 64 fields or 8 KiB, and on streams that were not
// accepted.
func (h *Handle) SetHeader(name, value string) error {
	switch {
	case h.astray("SetHeader"):
		return ErrWrongThread
	case h.flags&destroyed != 0:
		return ErrDestroyed
	case !h.accepted():
		return fmt.Errorf("ss: set header: field %q on stream type %q: not an accepted stream, use metadata: %w", name, h.streamType.pol.Name, ErrMisuse)
	}
	lower := meta.FieldName(name)
	for i := range h.streamType.fields {
		if f := &h.streamType.fields[i]; f.lower == lower {
			h.values().SetString(f.index, value)
			return nil
		}
	}
	h.rt.text = append(h.rt.text[:0], value...)
	return h.setField(lower, h.rt.text)
}
