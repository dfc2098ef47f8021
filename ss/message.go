package ss

import (
	"strconv"

	"github.com/millrace/millrace/roles/http"
)

// The use of metadata in a message: its header fields, and the length of its body.

// addFields appends the header fields of h's metadata, except those of a class in without.
func (k *streamType) addFields(m *http.Message, h *Handle, without http.FieldClass) {
	for i := range k.fields {
		f := &k.fields[i]
		if f.class&without != 0 {
			continue
		}
		if v, ok := h.meta.Own(f.index); ok {
			m.Fields = append(m.Fields, http.Field{Name: f.name, Value: v, ID: f.id})
		}
	}
	if h.meta != nil {
		m.Fields = h.meta.Fields.Append(m.Fields, without)
	}
}

// takeFields sets the metadata that m, a response, has a field for.
func (k *streamType) takeFields(m *http.Message, h *Handle) {
	for i := range k.fields {
		if v, ok := k.fields[i].in(m); ok {
			h.setFromPeer(k.fields[i].index, v)
		}
	}
}

// bodyLength returns the length of h's next body: that of RequestTxLen, else that of metadata mapped to
// content-length, else http.UnknownLength.
func (k *streamType) bodyLength(h *Handle) int64 {
	if k.pol.HTTP.NoContentLength {
		return http.UnknownLength
	}
	if h.hint >= 0 {
		return h.hint
	}
	if k.length >= 0 {
		if v, ok := h.meta.Own(k.length); ok {
			if n, err := strconv.ParseInt(string(v), 10, 64); err == nil && n >= 0 {
				return n
			}
		}
	}
	return http.UnknownLength
}

// takesBody reports whether requests with this method have a body even if none is announced.
func takesBody(method []byte) bool {
	switch string(method) {
	case "POST", "PUT", "PATCH":
		return true
	}
	return false
}

// checkLength checks, after a Tx, the length of an HTTP body against the announced one: left is the number of bytes
// that are missing, negative without an announcement, and end reports EOM. A body that is too short aborts its
// exchange; of one that is too long the excess is not sent.
func (h *Handle) checkLength(left int64, end bool) {
	switch {
	case left > 0 && end:
		h.rt.Counters.ShortBodies++
		h.lengthDiffers("the body is shorter than was announced", "missing", left)
	case left == 0 && !end && h.flags&txWanted != 0:
		h.rt.Counters.LongBodies++
		h.lengthDiffers("the body is longer than was announced; the excess is not sent")
	}
}

func (h *Handle) lengthDiffers(what string, args ...any) {
	h.rt.log.Warn("ss: "+what, append([]any{"stream", h.streamType.pol.Name, "announced", h.streamType.bodyLength(h)}, args...)...)
}
