package ss

import (
	"strconv"

	"github.com/millrace/millrace/roles/http"
)

// What the metadata of a stream say in a message: its header fields, and the length of its body.

// addFields appends the header fields that h's metadata map to, but for those of a class in without.
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

// takeFields has the metadata for which m, a response, has a field read as the response says.
func (k *streamType) takeFields(m *http.Message, h *Handle) {
	for i := range k.fields {
		if v, ok := k.fields[i].in(m); ok {
			h.setFromPeer(k.fields[i].index, v)
		}
	}
}

// bodyLength is the length of h's next body: what RequestTxLen said, else what metadata mapped to
// content-length say, else unknown.
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

// takesBody says whether requests with this method bring a body even when nobody announced one.
func takesBody(method []byte) bool {
	switch string(method) {
	case "POST", "PUT", "PATCH":
		return true
	}
	return false
}

// checkLength looks, after a Tx, whether the body of an HTTP message has the length that was announced: left is how much
// of that is missing, negative without an announcement, and end what the program says. A body that is too short breaks
// its exchange; of one that is too long the surplus is not asked for.
func (h *Handle) checkLength(left int64, end bool) {
	switch {
	case left > 0 && end:
		h.rt.Counters.ShortBodies++
		h.lengthDiffers("the body is shorter than was announced", "missing", left)
	case left == 0 && !end && h.flags&txWanted != 0:
		h.rt.Counters.LongBodies++
		h.lengthDiffers("the stream has more to give than was announced; it is not sent")
	}
}

func (h *Handle) lengthDiffers(what string, args ...any) {
	h.rt.log.Warn("ss: "+what, append([]any{"stream", h.streamType.pol.Name, "announced", h.streamType.bodyLength(h)}, args...)...)
}
