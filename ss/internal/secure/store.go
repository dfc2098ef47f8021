package secure

import (
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/tls"
)

// store is a trust store of a policy.
type store struct {
	*tls.TrustStore
	by *policy.Stream // used it last
}

// stores are the trust stores that were made.
type stores map[*policy.TrustStore]*store

// of returns the trust store of p, nil if p names none: TLS then uses the system's.
func (s stores) of(p *policy.Stream) (*tls.TrustStore, error) {
	if p.TrustStore == nil {
		return nil, nil
	}
	if t := s[p.TrustStore]; t != nil {
		t.by = p
		return t.TrustStore, nil
	}
	var ders [][]byte
	for _, c := range p.TrustStore.Stack {
		ders = append(ders, c.DER)
	}
	t, err := tls.NewTrustStore(p.TrustStore.Name, ders)
	if err != nil {
		return nil, err
	}
	s[p.TrustStore] = &store{t, p}
	return t, nil
}
