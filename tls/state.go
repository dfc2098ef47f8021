package tls

import (
	"crypto/x509"
	"slices"

	stdtls "crypto/tls"

	"github.com/millrace/millrace/roles"
)

// State is the result of a handshake: see roles.TLSState.
type State = roles.TLSState

// peer is what is kept of the other end's identity.
type peer struct{ chain []*x509.Certificate }

func (s *Session) describe(c *stdtls.ConnectionState) {
	s.version, s.cipher, s.group = c.Version, c.CipherSuite, uint16(c.CurveID)
	s.alpn = uint8(1 + slices.Index(s.end.alpn, c.NegotiatedProtocol))
	if c.DidResume {
		s.flags |= resumed
	}
	if len(c.PeerCertificates) > 0 {
		s.peer = &peer{c.PeerCertificates}
	}
}

// State implements roles.TLS: it is the result of the handshake.
func (s *Session) State() State {
	if s.flags&stands == 0 {
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
		t.ALPN = s.end.alpn[s.alpn-1]
	}
	if s.peer != nil {
		t.Chain = s.peer.chain
	}
	return t
}

// Asleep says that the session has given its expanded keys back, or has not needed them yet.
func (s *Session) Asleep() bool { return s.flags&ours != 0 && s.aw == nil }
