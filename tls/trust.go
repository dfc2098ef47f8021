package tls

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"runtime/debug"
	"time"
)

// TrustStore is a named set of roots. It is immutable and may be shared between loops.
type TrustStore struct {
	Name string
	pool *x509.CertPool
	id   [sha256.Size]byte
}

// NewTrustStore makes a store of DER certificates; an element may contain several, concatenated. A certificate that
// is not an authority is trusted itself.
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
// goroutine. Connections without a store use the same roots, read at the first of them.
func SystemStore() (*TrustStore, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("tls: read the system's trust store: %w", err)
	}
	return &TrustStore{Name: systemStore, pool: pool}, nil
}

const systemStore = "of the system"

func (t *TrustStore) label() string {
	if t == nil {
		return systemStore
	}
	return t.Name
}

// identity distinguishes stores with different roots; the system's identity is all zeroes.
func (t *TrustStore) identity() []byte {
	if t == nil {
		return make([]byte, sha256.Size)
	}
	return t.id[:]
}

// BuildTime returns the commit time of this program's source, or the zero Time if the build does not contain it.
// Certificates cannot be checked with an earlier time.
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
