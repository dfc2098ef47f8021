package ss

import "github.com/millrace/millrace/policy"

// Protocol is what the connection that carries the stream now speaks, which of a stream type of h2 is H1 where
// the peer has nothing better, and WS for a WebSocket whatever carries it: of an accepted one from SERVER_UPGRADE on. ok is
// false without a connection; a client's is there once a response can come.
func (h *Handle) Protocol() (p policy.Protocol, ok bool) {
	if h.flags&destroyed != 0 {
		return 0, false
	}
	if t := h.txn(); t != nil && t.flags&txnUpgrade != 0 {
		return policy.WS, true
	}
	switch b := h.be.(type) {
	case *onward:
		return b.carrier.speaks()
	case *acceptedWS:
		return policy.WS, true
	case *lane:
		return policy.H2, true
	case acceptor:
		if h.kind.pol.Protocol == policy.Raw {
			return policy.Raw, true
		}
		return policy.H1, true
	}
	return 0, false
}
