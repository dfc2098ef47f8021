package ss

import "github.com/millrace/millrace/policy"

// Protocol is what the connection that carries the stream now speaks, which of a stream type of h2 is H1 where
// the peer has nothing better, and WS for a WebSocket whatever carries it: of an accepted one from SERVER_UPGRADE on. ok is
// false without a connection; a client's is there once a response can come.
func (h *Handle) Protocol() (p policy.Protocol, ok bool) {
	if h.flags&destroyed != 0 {
		return 0, false
	}
	return h.be.protocol()
}
