package ws

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"

	"github.com/millrace/millrace/roles/http"
)

// Agreed is the result of a handshake, for Conn.Init.
type Agreed struct {
	// Protocol is the subprotocol, "" for none.
	Protocol string
	// Deflate reports whether messages may be compressed, by Params.
	Deflate bool
	Params  Params
}

// ErrRefused is wrapped by the error of Offer.Check when the server did not switch protocols. The Status of the response
// gives the reason.
var ErrRefused = errors.New("server did not switch to websocket")

// ErrExtensions is wrapped by the error of Offer.Check when the extensions in the response do not match the offer. A
// handshake without compression may succeed: see Offer.WithoutDeflate.
var ErrExtensions = errors.New("extensions of the server do not match the offer")

// maxProtocols is the largest number of subprotocols that a client may offer.
const maxProtocols = 64

const (
	acceptLen = 28 // length of a SHA-1 sum in base64
	keyLen    = 24 // length of 16 octets in base64
)

// acceptFor writes the value of Sec-WebSocket-Accept for a key (RFC 6455 s.4.2.2).
func acceptFor(dst *[acceptLen]byte, key []byte) {
	var b [keyLen + 36]byte
	n := copy(b[:], key)
	n += copy(b[n:], "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
	sum := sha1.Sum(b[:n])
	base64.StdEncoding.Encode(dst[:], sum[:])
}

// validKey reports whether b is 16 octets in base64.
func validKey(b []byte) bool {
	if len(b) != keyLen {
		return false
	}
	var raw [18]byte
	n, err := base64.StdEncoding.Strict().Decode(raw[:], b)
	return err == nil && n == 16
}

// Wanted reports whether a request asks for WebSocket, by Upgrade or by an extended CONNECT (RFC 8441).
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

// single returns the value of the only field with this ID; once is false if there is none or more than one.
func single(m *http.Message, id http.ID) (v []byte, once bool) {
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
	errVersion10 = refuse(400, "handshake", "request is HTTP/1.0, or has a body")
	errUpgrade   = refuse(426, "handshake", "request does not ask for websocket")
	errKey       = refuse(400, "handshake", "no Sec-WebSocket-Key, more than one, or not 16 octets in base64")
	errVersion   = refuse(426, "handshake", "unsupported version, not 13")
	errNoVersion = refuse(400, "handshake", "no Sec-WebSocket-Version, or more than one")
	errProtocols = refuse(400, "handshake", "invalid list of subprotocols")
	errProtocol  = refuse(400, "handshake", "no supported subprotocol")
	errExtension = refuse(400, "handshake", "invalid list of extensions")

	errStatus     = refused("response", "status does not switch protocols")
	errSwitch     = refuse(0, "response", "switches to another protocol")
	errAccept     = refuse(0, "response", "Sec-WebSocket-Accept does not match our key")
	errNotOffered = refuse(0, "response", "subprotocol was not offered")
	errUnasked    = unanswered("extension was not offered")
	errParams     = unanswered("parameters of permessage-deflate do not match the offer")
	errTwice      = unanswered("extension given twice")
	errExtensions = unanswered("invalid list of extensions")
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
