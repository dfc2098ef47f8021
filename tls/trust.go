package tls

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"runtime/debug"
	"time"
)

// TrustStore is a named set of roots: ServerConfig.Clients and ClientConfig.Store refer to one. It is immutable and may be
// shared between loops. A nil *TrustStore represents the operating system's roots.
type TrustStore struct {
	Name string // for error texts
	pool *x509.CertPool
	id   [sha256.Size]byte // hash of the roots; zero for the system's
}

// NewTrustStore makes a store of DER certificates; an element of ders may contain several, concatenated. A certificate
// that is not an authority is trusted itself. The store keeps no reference to ders.
func NewTrustStore(name string, ders [][]byte) (*TrustStore, error) {
	t := &TrustStore{Name: name, pool: x509.NewCertPool()}
	h := sha256.New()
	for i, der := range ders {
		list, err := x509.ParseCertificates(der)
		if err != nil {
			return nil, fmt.Errorf("tls: make trust store %s: certificate %d: %w", name, i+1, err)
		}
		for _, c := range list {
			t.pool.AddCert(c)
		}
		h.Write(der)
	}
	h.Sum(t.id[:0])
	return t, nil
}

// SystemStore reads the operating system's roots, which takes files and milliseconds: do not call it on the loop's
// goroutine. Connections without a store use the same roots: crypto/x509 reads them when the first one verifies a
// certificate.
func SystemStore() (*TrustStore, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("tls: read the system's trust store: %w", err)
	}
	return &TrustStore{Name: systemStore, pool: pool}, nil
}

const systemStore = "of the system"

// label returns the store's name for error texts. t may be nil.
func (t *TrustStore) label() string {
	if t == nil {
		return systemStore
	}
	return t.Name
}

// identity returns the hash of the roots, all zeroes for the system's. Sessions are resumed only with the same identity,
// since a ticket represents a chain that these roots verified. t may be nil; do not write to the slice.
func (t *TrustStore) identity() []byte {
	if t == nil {
		return make([]byte, sha256.Size)
	}
	return t.id[:]
}

// BuildTime returns the commit time of this program's source, or the zero Time if the build does not contain it.
// Certificates are not checked with an earlier time, since that shows a wrong system clock.
func BuildTime() time.Time {
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if s.Key == "vcs.time" {
				t, _ := time.Parse(time.RFC3339, s.Value)
				return t
			}
		}
	}
	return time.Time{}
}
