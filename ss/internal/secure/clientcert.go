package secure

import (
	"crypto/sha256"
	stdtls "crypto/tls"
	"errors"
	"fmt"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss/device"
	"github.com/millrace/millrace/tls"
)

// ErrNoClientCert means that the policy names a client certificate that the program has not given.
var ErrNoClientCert = errors.New("there is no such client certificate")

// clientCert is a client certificate made of blobs. It is kept until the blobs change.
type clientCert struct {
	digest [sha256.Size]byte // of both blobs
	cert   stdtls.Certificate
	by     *policy.Stream // used it last
}

// clientCert returns the certificate that p's client_cert selects: Config's, or else that of the blobs. The pointer
// stays the same until the certificate changes.
func (s *Contexts) clientCert(p *policy.Stream) (*stdtls.Certificate, error) {
	i := int(p.ClientCert)
	if i < len(s.config.ClientCerts) {
		return &s.config.ClientCerts[i], nil
	}
	blobs := s.config.Blobs
	if blobs == nil {
		return nil, fmt.Errorf("client_cert %d: %w: Config.ClientCerts has %d, and there are no Config.Blobs",
			i, ErrNoClientCert, len(s.config.ClientCerts))
	}
	der, err := device.Lookup(blobs, device.BlobClientCertDER, i, "client_cert")
	if err != nil {
		return nil, fmt.Errorf("client_cert %d: %w: %w", i, ErrNoClientCert, err)
	}
	der = append([]byte(nil), der...) // valid only until the next Lookup
	key, err := device.Lookup(blobs, device.BlobClientKeyDER, i, "client_cert")
	if err != nil {
		return nil, fmt.Errorf("client_cert %d: %w: %w", i, ErrNoClientCert, err)
	}
	both := sha256.New()
	both.Write(der)
	both.Write(key)
	var digest [sha256.Size]byte
	both.Sum(digest[:0])
	if c := s.certs[i]; c != nil && c.digest == digest {
		c.by = p
		return &c.cert, nil
	}
	cert, err := tls.ParseCertificate(der, key)
	if err != nil {
		return nil, &device.BlobError{ID: device.BlobClientCertDER, Index: i, Key: "client_cert", Err: err}
	}
	s.certs[i] = &clientCert{digest, cert, p}
	return &s.certs[i].cert, nil
}

// Renewable reports whether the client certificate of p can change between two attempts, since it is made of blobs.
func (s *Contexts) Renewable(p *policy.Stream) bool {
	return p.HasClientCert && int(p.ClientCert) >= len(s.config.ClientCerts)
}
