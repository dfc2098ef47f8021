package http

// Field is one header or trailer field. Value has no surrounding whitespace.
type Field struct {
	Name, Value []byte
	// ID is the number of a well-known name, or Other. A received field has it set. In a field to send it is optional:
	// with it the sender does not look Name up.
	ID ID
}

// ID is the number of a well-known field name.
type ID uint8

// The well-known names. The names that frame a message or control its connection come first: a role checks them in every
// message, and an application must not send them.
const (
	Other ID = iota
	Connection
	ContentLength
	TransferEncoding
	Upgrade
	Expect
	Host
	KeepAlive
	ProxyConnection
	TE
	Trailer
	Date

	Accept
	AcceptEncoding
	Authorization
	CacheControl
	ContentEncoding
	ContentType
	Cookie
	ETag
	Location
	Origin
	RetryAfter
	SecWebSocketAccept
	SecWebSocketExtensions
	SecWebSocketKey
	SecWebSocketProtocol
	SecWebSocketVersion
	Server
	SetCookie
	UserAgent
	WWWAuthenticate
	numIDs
)

// The factors of slot. Any factors do that give no two names the same slot; TestLookupFindsEveryName checks this.
const (
	slotLen   = 1
	slotFirst = 1
	slotLast  = 13
)

var names = [numIDs]string{
	Other:                  "",
	Connection:             "connection",
	ContentLength:          "content-length",
	TransferEncoding:       "transfer-encoding",
	Upgrade:                "upgrade",
	Expect:                 "expect",
	Host:                   "host",
	KeepAlive:              "keep-alive",
	ProxyConnection:        "proxy-connection",
	TE:                     "te",
	Trailer:                "trailer",
	Date:                   "date",
	Accept:                 "accept",
	AcceptEncoding:         "accept-encoding",
	Authorization:          "authorization",
	CacheControl:           "cache-control",
	ContentEncoding:        "content-encoding",
	ContentType:            "content-type",
	Cookie:                 "cookie",
	ETag:                   "etag",
	Location:               "location",
	Origin:                 "origin",
	RetryAfter:             "retry-after",
	SecWebSocketAccept:     "sec-websocket-accept",
	SecWebSocketExtensions: "sec-websocket-extensions",
	SecWebSocketKey:        "sec-websocket-key",
	SecWebSocketProtocol:   "sec-websocket-protocol",
	SecWebSocketVersion:    "sec-websocket-version",
	Server:                 "server",
	SetCookie:              "set-cookie",
	UserAgent:              "user-agent",
	WWWAuthenticate:        "www-authenticate",
}

// String returns the name in lower case, or "" for Other.
func (id ID) String() string {
	if id < numIDs {
		return names[id]
	}
	return ""
}

// Framing reports whether the field determines the end of its message, the use of its connection, or its target
// (Connection, Content-Length, Transfer-Encoding, Upgrade, Expect, Host, Keep-Alive, Proxy-Connection). An Exchange
// writes these fields itself and refuses them from an application.
func (id ID) Framing() bool { return id >= Connection && id <= ProxyConnection }

// slots maps the length, the first and the last letter of a name to its number. No two names share a slot, so a lookup
// compares one string.
var slots = func() (t [256]ID) {
	for id := Connection; id < numIDs; id++ {
		n := names[id]
		t[slot(len(n), n[0], n[len(n)-1])] = id
	}
	return t
}()

func slot(n int, first, last byte) uint8 {
	return uint8(n)*slotLen + (first|0x20)*slotFirst + (last|0x20)*slotLast
}

// Lookup returns the number of a field name in any case, or Other.
func Lookup(name []byte) ID {
	if len(name) == 0 {
		return Other
	}
	id := slots[slot(len(name), name[0], name[len(name)-1])]
	if id != Other && EqualFold(name, names[id]) {
		return id
	}
	return Other
}
