package ss

import (
	"strings"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/ws"
)

// streamType is a stream type made ready for use: what every stream of it would otherwise work out anew.
type streamType struct {
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

// isOfPart says whether a field in the head of a part has a meaning (RFC 2046 s.5.1).
func isOfPart(lower string, id http.ID) bool {
	return strings.HasPrefix(lower, "content-") && id != http.ContentLength
}
