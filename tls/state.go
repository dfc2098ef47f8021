package tls

import (
	"crypto/x509"
	"slices"

	stdtls "crypto/tls"

	"github.com/millrace/millrace/roles"
)

// State is the result of a handshake: see roles.TLSState.
type State = roles.TLSState

// peer is the stored identity of the peer.
type peer struct{ chain []*x509.Certificate }

func (s *Session) describe(c *stdtls.ConnectionState) {
	s.version, s.cipher, s.group = c.Version, c.CipherSuite, uint16(c.CurveID)
	s.alpn = uint8(1 + slices.Index(s.endpoint.alpn, c.NegotiatedProtocol))
	if c.DidResume {
		s.flags |= resumed
	}
	if len(c.PeerCertificates) > 0 {
		s.peer = &peer{c.PeerCertificates}
	}
}

// State implements roles.TLS: it returns the result of the handshake.
func (s *Session) State() State {
	if s.flags&established == 0 {
		return State{}
	}
	t := State{
		Version:   s.version,
		Suite:     s.cipher,
		Group:     stdtls.CurveID(s.group),
		Resumed:   s.flags&resumed != 0,
		TakenOver: s.flags&ours != 0,
	}
	if s.alpn > 0 {
		t.ALPN = s.endpoint.alpn[s.alpn-1]
	}
	if s.peer != nil {
		t.Chain = s.peer.chain
	}
	return t
}

// Asleep reports whether the session has no expanded keys, since it dropped them or has not needed them yet.
func (s *Session) Asleep() bool { return s.flags&ours != 0 && s.aw == nil }
