package http

import (
	"bytes"
	"strconv"
)

// Version is a protocol version in tenths.
type Version uint8

// The versions of a Message. The zero Version means that of the connection.
const (
	HTTP10 Version = 10
	HTTP11 Version = 11
	HTTP2  Version = 20
)

// String returns the version as it is written in a start line, such as "HTTP/1.1".
func (v Version) String() string {
	if v == 0 {
		return "HTTP"
	}
	return "HTTP/" + strconv.Itoa(int(v/10)) + "." + strconv.Itoa(int(v%10))
}

// UnknownLength is the Length of a body without an announced length: on h1 a chunked body, or one that ends with the
// connection; on h2 one that ends with END_STREAM.
const UnknownLength int64 = -1

// Message is the head of a request or of a response. A received Message and its slices are valid during the call that
// receives it. A Message to send belongs to the caller; the exchange does not keep it.
type Message struct {
	// Version is the version of the sender. In a message to send, zero means that of the connection; a client may choose
	// HTTP10.
	Version Version
	// Status is the status code of a response, 0 in a request.
	Status int
	// Reason is the reason phrase of a received response, which has no meaning (RFC 9112 s.4). A server sends that of
	// Reason instead.
	Reason []byte
	// Method is the method of a request, a case-sensitive token.
	Method []byte
	// Target is the request-target as on the wire (RFC 9112 s.3.2). If it is empty in a request to send, Path and Query
	// make it.
	Target []byte
	// Scheme is the scheme of a target in absolute form, or :scheme; otherwise empty. A request to send over h2 must have
	// it.
	Scheme []byte
	// Protocol is the protocol of an extended CONNECT, such as "websocket" (RFC 8441 s.4); otherwise empty.
	Protocol []byte
	// Authority is the host and optional port of a request: from the target if that is in absolute form, else from the
	// Host field. In a request to send it becomes Host or :authority.
	Authority []byte
	// Path is the path of the target, or "*" for OPTIONS of the server itself. It is not decoded.
	Path []byte
	// Query is the part of the target after the first "?". It is not decoded.
	Query []byte
	// Fields are the header fields in the order of the head.
	Fields []Field
	// Length is the length of the body in bytes, or UnknownLength. It is 0 in a received head without a body; in a
	// response to HEAD it is the length that GET would give.
	Length int64
	// Close reports that the sender closes the connection after this message. In a message to send it announces the close
	// and makes it happen.
	Close bool
	// Continue reports that the client waits for 100 (Continue) before it sends the body (RFC 9110 s.10.1.1).
	Continue bool
	// Upgrade is the value of the Upgrade field if Connection lists it, else nil. In a message to send it makes both
	// fields.
	Upgrade []byte
}

// Get returns the value of the first field named name, in any case.
func (m *Message) Get(name string) (value []byte, ok bool) {
	return find(m.Fields, name)
}

// Find returns the value of the first field with this ID, which must not be Other.
func (m *Message) Find(id ID) (value []byte, ok bool) {
	for i := range m.Fields {
		if m.Fields[i].ID == id {
			return m.Fields[i].Value, true
		}
	}
	return nil, false
}

// Endless reports whether m is the head of a response without a length whose type has no end by design: the pictures of
// a camera, or server-sent events. A limit on the length of a body does not apply to it.
func (m *Message) Endless() bool {
	if m.Length >= 0 {
		return false
	}
	v, _ := m.Find(ContentType)
	if i := bytes.IndexByte(v, ';'); i >= 0 {
		v = v[:i]
	}
	v = TrimOWS(v)
	return EqualFold(v, "multipart/x-mixed-replace") || EqualFold(v, "text/event-stream")
}

// Reset empties m and keeps the capacity of its Fields.
func (m *Message) Reset() { *m = Message{Fields: m.Fields[:0]} }

// Add appends a field. m keeps the slices.
func (m *Message) Add(name, value []byte) {
	m.Fields = append(m.Fields, Field{Name: name, Value: value, ID: Lookup(name)})
}

func find(fields []Field, name string) ([]byte, bool) {
	for i := range fields {
		if EqualFold(fields[i].Name, name) {
			return fields[i].Value, true
		}
	}
	return nil, false
}
