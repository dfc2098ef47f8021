package ss

import (
	"fmt"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/ss/internal/meta"
)

// Head is the head of the HTTP message that the present callback announces: of the request in SERVER_TXN and SERVER_UPGRADE of
// an accepted stream, of the response in CONNECTED of a client stream. The policy need not declare anything for it. In
// other callbacks, between turns and on other protocols it is nil. It is valid during the callback, with everything
// that it points to, and is not to be changed.
func (h *Handle) Head() *http.Message {
	if h.rt.headOf != h || h.astray("Head") {
		return nil
	}
	return h.rt.head
}

// SetHeader sets a header field of the response that an accepted HTTP stream gives next, in place of an earlier value. The
// policy need not declare it; a field to which metadata map is set through them. Both strings are copied. The value is
// dropped when the transaction is over. The error is ErrMisuse: for a field that the protocol writes itself, for a
// value that no field can carry, for more than 64 fields or 8 KiB, and on streams that are not accepted ones.
func (h *Handle) SetHeader(name, value string) error {
	switch {
	case h.astray("SetHeader"):
		return ErrWrongThread
	case h.flags&destroyed != 0:
		return ErrDestroyed
	case !h.accepted():
		return fmt.Errorf("ss: set header: field %q on stream type %q: it is no accepted stream, use metadata: %w", name, h.streamType.pol.Name, ErrMisuse)
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
