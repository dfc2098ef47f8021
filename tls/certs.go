package tls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	stdtls "crypto/tls"
)

// ParseCertificate parses a certificate chain with its key. chain is the leaf and the intermediates that lead to a
// root, as PEM or as concatenated DER; key is PEM or DER, PKCS #8, SEC 1 or PKCS #1. ParseCertificate does not keep
// the slices. Errors describe the problem and never contain the key.
func ParseCertificate(chain, key []byte) (stdtls.Certificate, error) {
	var c stdtls.Certificate
	der, err := blocks(chain, "CERTIFICATE")
	if err != nil {
		return c, fmt.Errorf("tls: parse certificate: %w", err)
	}
	list, err := x509.ParseCertificates(der)
	if err != nil {
		return c, fmt.Errorf("tls: parse certificate: %w", err)
	}
	if len(list) == 0 {
		return c, errors.New("tls: parse certificate: no certificate found")
	}
	for _, x := range list {
		c.Certificate = append(c.Certificate, x.Raw)
	}
	c.Leaf = list[0]
	k, err := parseKey(key)
	if err != nil {
		return c, fmt.Errorf("tls: parse key: %w", err)
	}
	pub, ok := c.Leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(k.Public()) {
		return c, fmt.Errorf("tls: parse key: it does not match certificate %q", c.Leaf.Subject)
	}
	c.PrivateKey = k
	return c, nil
}

// blocks returns the DER of the PEM blocks of a kind, or b itself if it is not PEM.
func blocks(b []byte, kind string) ([]byte, error) {
	if !bytes.Contains(b, []byte("-----BEGIN")) {
		return b, nil
	}
	var out []byte
	for {
		var p *pem.Block
		if p, b = pem.Decode(b); p == nil {
			break
		}
		if strings.HasSuffix(p.Type, kind) {
			out = append(out, p.Bytes...)
		}
	}
	if out == nil {
		return nil, fmt.Errorf("PEM without a block of type %s", kind)
	}
	return out, nil
}

func parseKey(b []byte) (crypto.Signer, error) {
	der, err := blocks(b, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k, nil
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil {
		return k, nil
	}
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("unknown format (not PKCS #8, SEC 1 or PKCS #1), or encrypted")
	}
	switch k := k.(type) {
	case *rsa.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, fmt.Errorf("a %T cannot sign for TLS", k)
}

// certificates is a snapshot of a server's certificates, indexed by name.
type certificates struct {
	all    []stdtls.Certificate
	byName map[string][]*stdtls.Certificate
}

func indexed(list []stdtls.Certificate) (*certificates, error) {
	if len(list) == 0 {
		return nil, errors.New("no certificate")
	}
	s := &certificates{all: append([]stdtls.Certificate(nil), list...), byName: map[string][]*stdtls.Certificate{}}
	for i := range s.all {
		c := &s.all[i]
		if len(c.Certificate) == 0 || c.PrivateKey == nil {
			return nil, fmt.Errorf("certificate %d lacks its chain or its key", i+1)
		}
		if c.Leaf == nil {
			x, err := x509.ParseCertificate(c.Certificate[0])
			if err != nil {
				return nil, fmt.Errorf("certificate %d: %w", i+1, err)
			}
			c.Leaf = x
		}
		for _, name := range c.Leaf.DNSNames {
			name = strings.ToLower(name)
			s.byName[name] = append(s.byName[name], c)
		}
	}
	return s, nil
}

// choose selects a certificate by the name that the client asks for (RFC 6066 s.3): an exact match, then a wildcard
// for the first label (RFC 9525 s.6.3), then the first certificate of all. If a name has several certificates, it
// returns the first that the client supports.
func (s *certificates) choose(h *stdtls.ClientHelloInfo) *stdtls.Certificate {
	name := strings.TrimSuffix(strings.ToLower(h.ServerName), ".")
	found := s.byName[name]
	if found == nil && name != "" {
		if _, rest, ok := strings.Cut(name, "."); ok {
			found = s.byName["*."+rest]
		}
	}
	if found == nil {
		return s.usable(h)
	}
	for _, c := range found {
		if len(found) == 1 || h.SupportsCertificate(c) == nil {
			return c
		}
	}
	return found[0]
}

// usable returns the first certificate whose key type the client supports, whatever its name.
func (s *certificates) usable(h *stdtls.ClientHelloInfo) *stdtls.Certificate {
	if len(s.all) > 1 {
		hello := *h
		hello.ServerName = ""
		for i := range s.all {
			if hello.SupportsCertificate(&s.all[i]) == nil {
				return &s.all[i]
			}
		}
	}
	return &s.all[0]
}
