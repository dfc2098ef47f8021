package secure

import (
	stdtls "crypto/tls"
	"strings"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/tls"
)

// clientKey is what two endpoints have in common that are trusted, and addressed, alike.
type clientKey struct {
	store   *policy.TrustStore
	name    string
	alpn    string              // offered, separated by commas
	cert    *stdtls.Certificate // ours, nil for none
	version string
	groups  string
}

// client is a client context.
type client struct {
	*tls.Client
	by *policy.Stream // used it last
}

// maxClients bounds the client contexts that are kept. A context that was dropped is made again; sessions to resume
// are kept elsewhere.
const maxClients = 1024

// Client returns the context with which a stream of type p reaches name, offering alpn. The same demands give the same
// pointer. identify is true if name is the policy's endpoint, and false if a redirect leads there: only the
// endpoint gets the client certificate.
func (s *Contexts) Client(p *policy.Stream, name string, identify bool, alpn []string) (*tls.Client, error) {
	key := clientKey{p.TrustStore, name, strings.Join(alpn, ","), nil, p.TLSMinVersion, strings.Join(p.TLSGroups, ":")}
	var err error
	if p.HasClientCert && identify {
		if key.cert, err = s.clientCert(p); err != nil {
			return nil, err
		}
	}
	store, err := s.store(p)
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
	if p.HasClientCert && s.config.Blobs == nil {
		if _, err := s.clientCert(p); err != nil {
			return err
		}
	}
	_, err := s.store(p)
	return err
}
