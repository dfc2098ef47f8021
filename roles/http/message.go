package http

import "bytes"

import "strconv"

// Version is a protocol version in tenths.
type Version uint8

// The versions a Message can have. The zero Version stands for "whichever the connection speaks".
const (
	HTTP10 Version = 10
	HTTP11 Version = 11
	HTTP2  Version = 20
)

// String prints the version as a start line does.
func (v Version) String() string {
	if v == 0 {
		return "HTTP"
	}
	return "HTTP/" + strconv.Itoa(int(v/10)) + "." + strconv.Itoa(int(v%10))
}

// UnknownLength is the Length of a body whose end is told when it comes: chunked or delimited by the
// end of the connection on h1, END_STREAM on h2.
const UnknownLength int64 = -1

// Message is the head of a request or of a response. One that was received is valid during the call it
// is given to, with everything it points to; one to be sent belongs to the caller throughout.
type Message struct {
	// Version is the sender's. On a message to be sent zero means the connection's own; a client may
	// ask for HTTP10.
	Version Version
	// Status is the status code of a response, 0 in a request.
	Status int
	// Reason is the phrase a response came with, without meaning (RFC 9112 s.4). Not sent: the phrase
	// of the status table is.
	Reason []byte
	// Method is the request's method, a case-sensitive token.
	Method []byte
	// Target is the request-target as it stood on the wire (RFC 9112 s.3.2). When sent, an empty
	// Target is made from Path and Query.
	Target []byte
	// Scheme is that of a target in absolute form, or of :scheme; empty otherwise. When sent over h2 it
	// must be there.
	Scheme []byte
	// Protocol is what an extended CONNECT asks for, "websocket" say (RFC 8441 s.4); empty otherwise.
	Protocol []byte
	// Authority is the host and port asked for: the target's where it names one, else the Host
	// field's. When sent it becomes Host or :authority.
	Authority []byte
	// Path is the target's path, "*" for OPTIONS on the server itself. It is not decoded.
	Path []byte
	// Query is what follows the first "?" of the target, without it.
	Query []byte
	// Fields are the header fields in their order.
	Fields []Field
	// Length is the body's length in bytes or UnknownLength. Of a received head without a body it is
	// 0; a response to HEAD announces here what GET would have brought.
	Length int64
	// Close: the sender lets the connection end after this message. In a message to be sent: say so,
	// and do it.
	Close bool
	// Continue: the client waits for 100 (Continue) before it sends its body (RFC 9110 s.10.1.1).
	Continue bool
	// Upgrade is the value of the Upgrade field when Connection lists it, else nil. When sent, both
	// fields are written.
	Upgrade []byte
}

// Get returns the value of the first field named name, in any case.
func (m *Message) Get(name string) (value []byte, ok bool) {
	return find(m.Fields, name)
}

// Find returns the value of the first field with this number, which must not be Other.
func (m *Message) Find(id ID) (value []byte, ok bool) {
	for i := range m.Fields {
		if m.Fields[i].ID == id {
			return m.Fields[i].Value, true
		}
	}
	return nil, false
}

// Endless reports whether m is the head of a response whose type is made to go on for as long as the client listens, and
// which has no length: pictures of a camera, or events. How long a body may be says nothing about such a one.
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

// Reset empties m and keeps the room of its Fields.
func (m *Message) Reset() { *m = Message{Fields: m.Fields[:0]} }

// Add appends a field. The slices are kept.
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
