package secure

import (
	"strings"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/tls"
)

// Client returns the context with which a stream of type p reaches name, offering alpn. The same demands give the same
// pointer. identify is true if name is the policy's endpoint, and false if a redirect leads there: only the
// endpoint gets the client certificate.
func (s *Contexts) Client(p *policy.Stream, name string, identify bool, alpn []string) (*tls.Client, error) {
	key := clientKey{p.TrustStore, name, strings.Join(alpn, ","), nil, p.TLSMinVersion, strings.Join(p.TLSGroups, ":")}
	var err error
	if p.HasClientCert && identify {
		if key.cert, err = s.certs.of(p); err != nil {
			return nil, err
		}
	}
	store, err := s.stores.of(p)
	if err != nil {
		return nil, err
	}
	if c := s.clients[key]; c != nil {
		c.by = p
		return c.Client, nil
	}
	cfg := tls.ClientConfig{Name: name, ALPN: alpn, Certificate: key.cert, Store: store}
	if cfg.MinVersion, cfg.Groups, err = demands(p); err != nil {
		return nil, err
	}
	c, err := tls.NewClient(s.shared, cfg)
	if err != nil {
		return nil, err
	}
	if len(s.clients) >= maxClients {
		clear(s.clients) // names made of metadata may be any number
	}
	s.clients[key] = &client{c, p}
	return c, nil
}

// Check returns what is wrong with the TLS of a client stream type, before any attempt. A certificate in blobs is not
// checked: it may be set later.
func (s *Contexts) Check(p *policy.Stream) error {
	if p.HasClientCert && s.certs.blobs == nil {
		if _, err := s.certs.of(p); err != nil {
			return err
		}
	}
	_, err := s.stores.of(p)
	return err
}

// Renewable reports whether the client certificate of p can change between two attempts, since it is made of blobs.
func (s *Contexts) Renewable(p *policy.Stream) bool { return s.certs.renewable(p) }
