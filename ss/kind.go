package ss

import (
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/ws"
)

// kind is a stream type made ready for use: what every stream of it would otherwise work out anew.
type kind struct {
	pol     *policy.Stream
	method  []byte
	fields  []field // metadata that travel as header fields
	asked   []field // metadata that a server sets from header fields of a request
	blobs   []blobField
	ofParts []field // those of asked that tell of a part of a multipart body
	form    *form   // nil unless bodies of requests are multipart
	length  int     // index of the metadata mapped to content-length, or -1
	// argument says of each metadata item whether an argument of a request's query may set it.
	argument []bool
	// Indexes of the metadata that a server sets from a request, or -1.
	setMethod, setPath, setAuth, setAuthority int
	socket                                    loop.SocketOptions
	validity                                  ws.Validity // of WebSockets
	subprotocols                              []string    // asked for by clients, served by servers

	socksProxy string // "via-socks5" of the policy that the stream type belongs to
	streams    int    // that exist
	replaced   bool   // the stream type belongs to a policy that is no longer in force
}

// field is a metadata item that maps to a header field.
type field struct {
	index int
	name  []byte // as the policy writes it
	lower string
	id    http.ID
	class http.FieldClass
}

func (r *Runtime) kindOf(p *policy.Stream) *kind {
	if k := r.kinds[p]; k != nil {
		return k
	}
	k := &kind{
		pol: p,

		socksProxy: r.pol.ViaSocks5,

		method:    []byte(p.HTTP.Method),
		length:    -1,
		setMethod: p.MetadataIndex("method"),
		setPath:   p.MetadataIndex("path"),
		setAuth:   p.MetadataIndex("auth"),

		setAuthority: p.MetadataIndex("authority"),
		validity:     ws.Validity{Ping: p.Retry.ValidPing, Hangup: p.Retry.ValidHup},
		socket:       socketOptions(p.Attr),
	}
	if p.ValidityWakes {
		r.log.Warn("swake_validity needs timers that wake a suspended system, which are not built yet; ordinary timers are used",
			"stream", p.Name)
	}
	if p.Protocol == policy.Raw {
		k.socket.KeepAlive, k.socket.UserTimeout = rawValidity(p.Retry)
	}
	for _, name := range strings.Split(p.WS.Subprotocol, ",") {
		if name = strings.TrimLeft(name, " "); name != "" {
			k.subprotocols = append(k.subprotocols, name)
		}
	}
	if len(k.method) == 0 {
		k.method = []byte("GET")
	}
	for i, m := range p.Metadata {
		k.argument = append(k.argument, m.Header == "" && i != k.setMethod && i != k.setPath && i != k.setAuth && i != k.setAuthority)
		f := field{index: i, name: []byte(m.Header), lower: strings.ToLower(m.Header), id: http.Lookup([]byte(m.Header))}
		f.class = http.ClassOf(f.name, f.id)
		if len(f.name) > 0 {
			k.asked = append(k.asked, f)
		}
		switch {
		case len(f.name) == 0:
		case f.id == http.ContentLength:
			k.length = i
		case f.id.Framing():
			r.log.Warn("metadata maps to a header field that the protocol writes itself; it is not sent",
				"stream", p.Name, "metadata", m.Name, "field", m.Header)
		default:
			k.fields = append(k.fields, f)
		}
	}
	for _, f := range k.blobFields() {
		if f.id.Framing() {
			r.log.Warn("a blob is to go into a header field that the protocol writes itself; it is not sent",
				"stream", p.Name, "key", f.key, "field", string(f.name))
			continue
		}
		k.blobs = append(k.blobs, f)
	}
	for _, f := range k.asked {
		if isOfPart(f.lower, f.id) {
			k.ofParts = append(k.ofParts, f)
		}
	}
	k.form = r.form(p)
	r.kinds[p] = k
	return k
}

// socketOptions are what the policy's attr_ keys mean for a socket: the type-of-service bits of RFC 1349, but
// for low cost. Its bit is one of the two that ECN has now (RFC 3168 s.5), and Linux strips it from TCP; the class
// selector CS1 says the same today (RFC 3662).
func socketOptions(a policy.Attr) loop.SocketOptions {
	o := loop.SocketOptions{Priority: int(a.Priority)}
	for _, b := range []struct {
		on  bool
		bit int
	}{{a.LowLatency, 0x10}, {a.HighThroughput, 0x08}, {a.HighReliability, 0x04}, {a.LowCost, 0x20}} {
		if b.on {
			o.TOS |= b.bit
		}
	}
	return o
}

// rawValidity is what svalidping and svalidhup mean for a protocol without pings of its own: TCP's keepalive. It
// asks after svalidping of silence. One probe without an answer until svalidhup ends the connection, and so does
// what was sent and is not acknowledged, or not read, for the time between the two (Linux; elsewhere keepalive alone).
// svalidhup alone asks at half of its time; an explicit 0 for both switches keepalive off.
func rawValidity(r *policy.Retry) (k loop.KeepAlive, user time.Duration) {
	ping, hup := r.ValidPing, r.ValidHup
	if ping == 0 {
		ping = (hup / 2).Truncate(time.Second)
	}
	switch {
	case hup == 0 && ping == 0:
		if r.HasValidity {
			k.Idle = -1
		}
		return k, 0
	case hup == 0:
		return loop.KeepAlive{Idle: ping}, 0
	}
	ping = max(ping, time.Second)
	user = max(hup-ping, time.Second)
	return loop.KeepAlive{Idle: ping, Interval: user, Probes: 1}, user
}

// addFields appends the header fields that h's metadata map to, but for those of a class in without.
func (k *kind) addFields(m *http.Message, h *Handle, without http.FieldClass) {
	for i := range k.fields {
		f := &k.fields[i]
		if f.class&without != 0 {
			continue
		}
		if v, ok := h.toSend(f.index); ok {
			m.Fields = append(m.Fields, http.Field{Name: f.name, Value: v, ID: f.id})
		}
	}
	if h.meta == nil {
		return
	}
	for i := range h.meta.direct {
		if d := &h.meta.direct[i]; d.class&without == 0 {
			m.Fields = append(m.Fields, http.Field{Name: d.name, Value: d.value, ID: d.id})
		}
	}
}

// in is the first value that m has for the field.
func (f *field) in(m *http.Message) (v []byte, ok bool) {
	switch f.id {
	case http.Other:
		return m.Get(f.lower)
	case http.Host: // HTTP/2 says it elsewhere
		return m.Authority, len(m.Authority) > 0
	}
	return m.Find(f.id)
}

// takeFields has the metadata for which m, a response, has a field read as the response says.
func (k *kind) takeFields(m *http.Message, h *Handle) {
	for i := range k.fields {
		if v, ok := k.fields[i].in(m); ok {
			h.setFromPeer(k.fields[i].index, v)
		}
	}
}

// bodyLength is the length of h's next body: what RequestTxLen said, else what metadata mapped to
// content-length say, else unknown.
func (k *kind) bodyLength(h *Handle) int64 {
	if k.pol.HTTP.NoContentLength {
		return http.UnknownLength
	}
	if h.hint >= 0 {
		return h.hint
	}
	if k.length >= 0 {
		if v, ok := h.toSend(k.length); ok {
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
