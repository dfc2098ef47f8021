package http

// Field is one header or trailer field. Value has no surrounding whitespace.
type Field struct {
	Name, Value []byte
	// ID is the well-known name's number, or Other. Receivers fill it. Senders need not, but save the
	// look at Name if they do.
	ID ID
}

// ID numbers the field names that protocols look for.
type ID uint8

// The well-known names. Those that frame messages or govern the connection come first: a role looks at
// them for every message, and no application may send them.
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

// What slot multiplies with. Any numbers will do for which the test finds no two names in one slot.
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

// String is the name in lower case; empty for Other.
func (id ID) String() string {
	if id < numIDs {
		return names[id]
	}
	return ""
}

// Framing tells whether the name decides where a message ends or what becomes of its connection
// or which site it is for (Connection, Content-Length, Transfer-Encoding, Upgrade, Expect, Host,
// Keep-Alive, Proxy-Connection). Exchanges write these themselves and take none from an application.
func (id ID) Framing() bool { return id >= Connection && id <= ProxyConnection }

// slots finds a name by its length and its first and last letters. The test proves that no two names
// share a slot, so one comparison settles a lookup.
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

// Lookup returns the number of a field name in any case, Other when it has none.
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
