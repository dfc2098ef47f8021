package ss

import (
	"crypto/sha256"
	stdtls "crypto/tls"
	"fmt"

	"github.com/millrace/millrace/ss/device"
	"github.com/millrace/millrace/tls"
)

// blobCert is a client certificate made of blobs. It is kept for as long as they do not change.
type blobCert struct {
	digest [sha256.Size]byte
	cert   stdtls.Certificate
}

// clientCert is the certificate that the policy's client_cert counts: Config's, or else that of the blobs.
// The pointer stays the same as long as the certificate does.
func (r *Runtime) clientCert(i int) (*stdtls.Certificate, error) {
	if i < len(r.cfg.ClientCerts) {
		return &r.cfg.ClientCerts[i], nil
	}
	if r.cfg.Blobs == nil {
		return nil, fmt.Errorf("client_cert %d: %w: Config.ClientCerts has %d, and there are no Config.Blobs",
			i, ErrNoClientCert, len(r.cfg.ClientCerts))
	}
	der, err := device.Lookup(r.cfg.Blobs, device.BlobClientCertDER, i, "client_cert")
	if err != nil {
		return nil, fmt.Errorf("client_cert %d: %w: %w", i, ErrNoClientCert, err)
	}
	der = append([]byte(nil), der...) // the next call of Blob may take it away
	key, err := device.Lookup(r.cfg.Blobs, device.BlobClientKeyDER, i, "client_cert")
	if err != nil {
		return nil, fmt.Errorf("client_cert %d: %w: %w", i, ErrNoClientCert, err)
	}
	s := r.security()
	both := sha256.New()
	both.Write(der)
	both.Write(key)
	var digest [sha256.Size]byte
	both.Sum(digest[:0])
	if c := s.certs[i]; c != nil && c.digest == digest {
		return &c.cert, nil
	}
	cert, err := tls.ParseCertificate(der, key)
	if err != nil {
		return nil, &device.BlobError{ID: device.BlobClientCertDER, Index: i, Key: "client_cert", Err: err}
	}
	s.certs[i] = &blobCert{digest, cert}
	return &s.certs[i].cert, nil
}
