package ss

import "github.com/millrace/millrace/policy"

// Protocol is what the connection that carries the stream now speaks, which of a stream type of h2 is H1 where
// the peer has nothing better. ok is false without a connection; a client's is there once a response can come.
func (h *Handle) Protocol() (p policy.Protocol, ok bool) {
	if h.flags&destroyed != 0 {
		return 0, false
	}
	switch b := h.be.(type) {
	case *onward:
		return b.carrier.speaks()
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
