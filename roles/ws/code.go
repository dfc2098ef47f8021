package ws

import "strconv"

// Code is why a connection ends, as a Close frame says it (RFC 6455 s.7.4).
type Code uint16

// The registered codes. NoCode, Abnormal and TLSFailed never stand in a frame: they name what a
// connection came to that ended without one.
const (
	Normal       Code = 1000 // the purpose is fulfilled
	GoingAway    Code = 1001 // a server goes down, a browser leaves the page
	Protocol     Code = 1002 // the peer broke the protocol
	Unsupported  Code = 1003 // text where only binary is understood, or the other way round
	NoCode       Code = 1005 // the peer's Close frame had no code
	Abnormal     Code = 1006 // no Close frame came
	BadPayload   Code = 1007 // text that is not UTF-8, or data that does not inflate
	Policy       Code = 1008 // whatever no other code says
	TooBig       Code = 1009 // a frame or message over our limits
	NoExtension  Code = 1010 // a client misses an extension it needs
	ServerError  Code = 1011 // a server met what it did not expect
	Restart      Code = 1012 // the service restarts
	TryLater     Code = 1013 // too much load
	BadGateway   Code = 1014 // a gateway got no good answer
	TLSFailed    Code = 1015 // the TLS handshake failed
	firstLibrary Code = 3000 // registered by libraries, and from 4000 on agreed upon in private
	pastPrivate  Code = 5000
)

var codeNames = map[Code]string{
	Normal: "normal closure", GoingAway: "going away", Protocol: "protocol error", Unsupported: "unsupported data",
	NoCode: "no code", Abnormal: "abnormal closure", BadPayload: "invalid payload", Policy: "policy violation",
	TooBig: "message too big", NoExtension: "extension missing", ServerError: "internal error",
	Restart: "service restart", TryLater: "try again later", BadGateway: "bad gateway", TLSFailed: "TLS handshake failed",
}

// String prints the number, and the name of those that have one.
func (c Code) String() string {
	s := strconv.Itoa(int(c))
	if n := codeNames[c]; n != "" {
		s += " " + n
	}
	return s
}

// OnWire tells whether c may stand in a Close frame (RFC 6455 s.7.4, and the three that IANA has
// registered since): 1000 to 1003, 1007 to 1014, 3000 to 4999.
func (c Code) OnWire() bool {
	switch {
	case c >= Normal && c <= Unsupported, c >= BadPayload && c <= BadGateway:
		return true
	}
	return c >= firstLibrary && c < pastPrivate
}
