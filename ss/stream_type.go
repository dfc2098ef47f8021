package ss

import (
	"strings"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/ws"
)

// streamType is a stream type prepared for use: values that every stream of it would otherwise compute again.
type streamType struct {
	pol     *policy.Stream
	method  []byte
	fields  []field // metadata that are sent as header fields
	asked   []field // metadata that a server sets from header fields of a request
	blobs   []blobField
	ofParts []field // those of asked that describe a part of a multipart body
	form    *form   // nil unless bodies of requests are multipart
	length  int     // index of the metadata mapped to content-length, or -1
	// argument holds, for each metadata item, whether an argument of a request's query may set it.
	argument []bool
	// Indexes of the metadata that a server sets from a request, or -1.
	setMethod, setPath, setAuth, setAuthority int
	socket                                    loop.SocketOptions
	validity                                  ws.Validity // of WebSockets
	subprotocols                              []string    // offered by clients, accepted by servers

	socksProxy string // "via-socks5" of the policy that the stream type belongs to
	streams    int    // live streams of the type
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

// socketOptions returns the socket options for the policy's attr_ keys: the type-of-service bits of RFC 1349, except
// for low cost. Its bit is one of the two that ECN uses now (RFC 3168 s.5), and Linux clears it on TCP; the class
// selector CS1 has that meaning today (RFC 3662).
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

// rawValidity returns what svalidping and svalidhup mean for a protocol without pings: TCP's keepalive. It probes
// after svalidping of silence. One probe without an answer until svalidhup ends the connection, as does data that is
// not acknowledged, or not read, for the time between the two (Linux; elsewhere keepalive only). svalidhup alone
// probes at half of its time; an explicit 0 for both disables keepalive.
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

// in returns the first value of the field in m.
func (f *field) in(m *http.Message) (v []byte, ok bool) {
	switch f.id {
	case http.Other:
		return m.Get(f.lower)
	case http.Host: // HTTP/2 has it in :authority
		return m.Authority, len(m.Authority) > 0
	}
	return m.Find(f.id)
}

// isOfPart reports whether a field has a meaning in the head of a part (RFC 2046 s.5.1).
func isOfPart(lower string, id http.ID) bool {
	return strings.HasPrefix(lower, "content-") && id != http.ContentLength
}
