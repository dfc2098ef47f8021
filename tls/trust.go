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

// NewTrustStore makes a store of DER certificates; an element may be several, one behind the other. Those
// that are no authorities may be among them: they are then trusted as they are.
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

// SystemStore reads the operating system's roots, which takes files and milliseconds: call it away from
// the loop. Connections without a store use the same roots, read at the first of them.
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

// identity tells stores with different roots apart; the system's is all zeroes.
func (t *TrustStore) identity() []byte {
	if t == nil {
		return make([]byte, sha256.Size)
	}
	return t.id[:]
}

// BuildTime is when the source of this program was committed, the zero Time when the build does not
// say: certificates cannot be judged by an earlier time.
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
