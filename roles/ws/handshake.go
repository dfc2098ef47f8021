package ws

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"

	"github.com/millrace/millrace/roles/http"
)

// Agreed is what a handshake came to: what Conn.Init wants to know.
type Agreed struct {
	// Protocol is the subprotocol, "" for none.
	Protocol string
	// Deflate tells whether messages may be compressed, and Params how.
	Deflate bool
	Params  Params
}

// ErrRefused is wrapped by the error of a client's Check when the server did not switch: the message's
// Status says why.
var ErrRefused = errors.New("the server did not switch to websocket")

// ErrExtensions is wrapped by the error of a client's Check when the server's answer to the offered extensions is none. A
// handshake that offers no compression may succeed: see Offer.WithoutDeflate.
var ErrExtensions = errors.New("the server does not answer the extensions that were offered")

// maxProtocols is how many subprotocols a client is listened to with.
const maxProtocols = 64

const (
	acceptLen = 28 // of a SHA-1 sum in base64
	keyLen    = 24 // of 16 octets
)

// acceptFor writes what a server answers to a key (RFC 6455 s.4.2.2).
func acceptFor(dst *[acceptLen]byte, key []byte) {
	var b [keyLen + 36]byte
	n := copy(b[:], key)
	n += copy(b[n:], "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
	sum := sha1.Sum(b[:n])
	base64.StdEncoding.Encode(dst[:], sum[:])
}

// validKey tells whether b is 16 octets in base64.
func validKey(b []byte) bool {
	if len(b) != keyLen {
		return false
	}
	var raw [18]byte
	n, err := base64.StdEncoding.Strict().Decode(raw[:], b)
	return err == nil && n == 16
}

// Wanted tells whether a request asks for WebSocket: by Upgrade, or by an extended CONNECT (RFC 8441).
func Wanted(m *http.Message) bool {
	return extended(m) || listed(m.Upgrade, "websocket")
}

func extended(m *http.Message) bool { return http.EqualFold(m.Protocol, "websocket") }

func listed(list []byte, want string) bool {
	for item, rest, ok := http.NextItem(list); ok; item, rest, ok = http.NextItem(rest) {
		if http.EqualFold(item, want) {
			return true
		}
	}
	return false
}

// only returns the value of the one field with this number; once is false if there is none, or more.
func only(m *http.Message, id http.ID) (v []byte, once bool) {
	n := 0
	for i := range m.Fields {
		if m.Fields[i].ID == id {
			v = m.Fields[i].Value
			n++
		}
	}
	return v, n == 1
}

func refuse(status int, where, reason string) *fault {
	return &fault{Proto: "ws", Where: where, Reason: reason, Status: status}
}

var (
	errMethod    = refuse(400, "handshake", "method is not GET")
	errVersion10 = refuse(400, "handshake", "request is of HTTP/1.0, or has a body")
	errUpgrade   = refuse(426, "handshake", "request does not ask for websocket")
	errKey       = refuse(400, "handshake", "key is not 16 octets in base64, once")
	errVersion   = refuse(426, "handshake", "version is not 13")
	errNoVersion = refuse(400, "handshake", "no version, or more than one")
	errProtocols = refuse(400, "handshake", "subprotocols are no list of tokens")
	errProtocol  = refuse(400, "handshake", "none of the subprotocols is served")
	errExtension = refuse(400, "handshake", "extensions are no list of extensions")

	errStatus     = refused("response", "status does not switch protocols")
	errSwitch     = refuse(0, "response", "switches to something else")
	errAccept     = refuse(0, "response", "accept does not answer our key")
	errNotOffered = refuse(0, "response", "subprotocol was not offered")
	errUnasked    = unanswered("extension was not offered")
	errParams     = unanswered("parameters of permessage-deflate do not answer the offer")
	errTwice      = unanswered("extension is given twice")
	errExtensions = unanswered("extensions are no list of extensions")
)

func unanswered(reason string) *fault {
	f := refuse(0, "response", reason)
	f.Cause = ErrExtensions
	return f
}

func refused(where, reason string) *fault {
	f := refuse(0, where, reason)
	f.Cause = ErrRefused
	return f
}

var (
	websocket = []byte("websocket")
	version13 = []byte("13")

	nameAccept     = []byte("Sec-WebSocket-Accept")
	nameExtensions = []byte("Sec-WebSocket-Extensions")
	nameKey        = []byte("Sec-WebSocket-Key")
	nameProtocol   = []byte("Sec-WebSocket-Protocol")
	nameVersion    = []byte("Sec-WebSocket-Version")
)
