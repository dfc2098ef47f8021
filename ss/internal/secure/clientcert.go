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

// clientCerts are the client certificates of the program, followed by those made of blobs.
type clientCerts struct {
	given []stdtls.Certificate
	blobs device.Blobs // nil for none
	made  map[int]*clientCert
}

// of returns the certificate that p's client_cert selects. The pointer stays the same until the certificate changes.
func (s *clientCerts) of(p *policy.Stream) (*stdtls.Certificate, error) {
	i := int(p.ClientCert)
	if i < len(s.given) {
		return &s.given[i], nil
	}
	blobs := s.blobs
	if blobs == nil {
		return nil, fmt.Errorf("client_cert %d: %w: Config.ClientCerts has %d, and there are no Config.Blobs",
			i, ErrNoClientCert, len(s.given))
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
	if c := s.made[i]; c != nil && c.digest == digest {
		c.by = p
		return &c.cert, nil
	}
	cert, err := tls.ParseCertificate(der, key)
	if err != nil {
		return nil, &device.BlobError{ID: device.BlobClientCertDER, Index: i, Key: "client_cert", Err: err}
	}
	s.made[i] = &clientCert{digest, cert, p}
	return &s.made[i].cert, nil
}

// renewable reports whether the certificate of p is made of blobs.
func (s *clientCerts) renewable(p *policy.Stream) bool {
	return p.HasClientCert && int(p.ClientCert) >= len(s.given)
}
