package ss

import (
	stdtls "crypto/tls"
	"fmt"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss/internal/secure"
	"github.com/millrace/millrace/tls"
)

// contexts returns the runtime's TLS contexts, and creates them on first use.
func (r *Runtime) contexts() *secure.Contexts {
	if r.secure == nil {
		r.secure = secure.New(r.loop, secure.Config{TLS: r.cfg.TLS, ClientCerts: r.cfg.ClientCerts, Blobs: r.cfg.Blobs}, r.tickets)
	}
	return r.secure
}

// TLS returns the shared state of the runtime's TLS sessions, nil before the first TLS stream is created.
func (r *Runtime) TLS() *tls.Shared {
	if r.secure == nil {
		return nil
	}
	return r.secure.Shared()
}

// SetTicketKeys sets the keys with which servers seal and open session tickets, from the next handshake on. Loops of
// one process, or processes of one service, with the same keys resume each other's sessions. nil leaves the keys to
// crypto/tls, which changes them every day.
func (r *Runtime) SetTicketKeys(k *tls.TicketKeys) {
	r.tickets = k
	if r.secure != nil {
		r.secure.Shared().SetTicketKeys(k)
	}
}

// Certificates returns the certificates that the policy names for servers of a stream type, with their keys; nil if it
// names none.
func Certificates(p *policy.Stream) ([]stdtls.Certificate, error) {
	list, err := secure.Certificates(p)
	if err != nil {
		return nil, fmt.Errorf("ss: %w", err)
	}
	return list, nil
}

// SetCertificates replaces the certificates of a TLS server stream for later full handshakes. Established connections are
// not affected. The name that the client asks for (SNI) selects the certificate; the first is for other clients. On an
// error nothing changes.
//
// A client that resumes a session receives no certificate (RFC 8446 s.2.2): it keeps that of its full handshake, as
// long as it resumes. Runtime.SetTicketKeys with keys that are all new ends that.
func (h *Handle) SetCertificates(list []stdtls.Certificate) error {
	if h.astray("SetCertificates") {
		return ErrWrongThread
	}
	return h.be.setCertificates(h, list)
}

// TLS returns the result of the TLS handshake of the stream's connection; ok is false without one.
func (h *Handle) TLS() (s tls.State, ok bool) {
	return h.be.tlsState()
}

// secureClient returns the TLS context for a client stream of type p to name. identify is true if name is the policy's
// endpoint, and false if a redirect leads there.
func (r *Runtime) secureClient(p *policy.Stream, name string, identify bool) (*tls.Client, error) {
	return r.contexts().Client(p, name, identify, secure.ALPN(p))
}

// checkSecure returns an error in the TLS of a client stream type, before any attempt. It makes no contexts for types
// without TLS.
func (r *Runtime) checkSecure(p *policy.Stream) error {
	if p.TrustStore == nil && !p.HasClientCert {
		return nil
	}
	return r.contexts().Check(p)
}
