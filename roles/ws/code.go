package ws

import "strconv"

// Code is a close code (RFC 6455 s.7.4).
type Code uint16

// The registered codes. NoCode, Abnormal and TLSFailed are never in a frame: they describe connections that ended without
// a code.
const (
	Normal       Code = 1000 // complete
	GoingAway    Code = 1001 // the server shuts down, or the browser leaves the page
	Protocol     Code = 1002 // the peer broke a rule of the protocol
	Unsupported  Code = 1003 // the wrong type of message, text or binary
	NoCode       Code = 1005 // the peer's Close frame has no code
	Abnormal     Code = 1006 // no Close frame came
	BadPayload   Code = 1007 // text is not UTF-8, or compressed data is invalid
	Policy       Code = 1008 // a violation that no other code describes
	TooBig       Code = 1009 // a frame or message exceeds a limit
	NoExtension  Code = 1010 // the client needs an extension that the server did not accept
	ServerError  Code = 1011 // an unexpected condition at the server
	Restart      Code = 1012 // the service restarts
	TryLater     Code = 1013 // overload
	BadGateway   Code = 1014 // a gateway got an invalid response
	TLSFailed    Code = 1015 // the TLS handshake failed
	firstLibrary Code = 3000 // first code registered by libraries; from 4000 on codes are private
	pastPrivate  Code = 5000
)

var codeNames = map[Code]string{
	Normal: "normal closure", GoingAway: "going away", Protocol: "protocol error", Unsupported: "unsupported data",
	NoCode: "no code", Abnormal: "abnormal closure", BadPayload: "invalid payload", Policy: "policy violation",
	TooBig: "message too big", NoExtension: "extension missing", ServerError: "internal error",
	Restart: "service restart", TryLater: "try again later", BadGateway: "bad gateway", TLSFailed: "TLS handshake failed",
}

// String returns the number, and the name of a registered code.
func (c Code) String() string {
	s := strconv.Itoa(int(c))
	if n := codeNames[c]; n != "" {
		s += " " + n
	}
	return s
}

// OnWire reports whether a Close frame may have c: 1000 to 1003, 1007 to 1014, 3000 to 4999 (RFC 6455 s.7.4, and three
// codes that IANA has registered since).
func (c Code) OnWire() bool {
	switch {
	case c >= Normal && c <= Unsupported, c >= BadPayload && c <= BadGateway:
		return true
	}
	return c >= firstLibrary && c < pastPrivate
}
