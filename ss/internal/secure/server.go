package secure

import (
	stdtls "crypto/tls"
	"errors"
	"fmt"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/tls"
)

// Certificates returns the certificates that the policy names for servers of a stream type, with their keys; nil if it
// names none.
func Certificates(p *policy.Stream) (list []stdtls.Certificate, err error) {
	if len(p.ServerCerts) != len(p.ServerKeys) {
		return nil, fmt.Errorf("certificates of stream type %q: %d in \"server_cert\", %d in \"server_key\"", p.Name, len(p.ServerCerts), len(p.ServerKeys))
	}
	for i, cert := range p.ServerCerts {
		key := p.ServerKeys[i]
		c, err := tls.ParseCertificate(cert.DER, key.DER)
		if err != nil {
			return nil, fmt.Errorf("certificates of stream type %q: server_cert %q, server_key %q: %w", p.Name, cert.Name, key.Name, err)
		}
		list = append(list, c)
	}
	return list, nil
}

// Server makes the context of a server of stream type p. certs are its certificates; nil means those that the policy
// names. If the policy names a trust store, clients must present a certificate that it trusts.
func (s *Contexts) Server(p *policy.Stream, certs []stdtls.Certificate) (_ *tls.Server, err error) {
	if certs == nil {
		if certs, err = Certificates(p); err != nil {
			return nil, err
		}
	}
	if len(certs) == 0 {
		return nil, errors.New(`a server with "tls" needs "server_cert" and "server_key", or Info.Certificates`)
	}
	c := tls.ServerConfig{Certificates: certs, ALPN: ALPN(p)}
	if p.TrustStore != nil {
		if c.Clients, err = s.stores.of(p); err != nil {
			return nil, err
		}
		c.Auth = tls.AuthRequired
	}
	if c.MinVersion, c.Groups, err = demands(p); err != nil {
		return nil, err
	}
	return tls.NewServer(s.shared, c)
}
