package secure

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	stdtls "crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss/device"
	"github.com/millrace/millrace/tls"
)

// newCert returns a self-signed certificate and its key as DER.
func newCert(t *testing.T) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, DNSNames: []string{"a.test"}}
	if cert, err = x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k); err != nil {
		t.Fatal(err)
	}
	if key, err = x509.MarshalPKCS8PrivateKey(k); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func newContexts(c Config) *Contexts {
	n := sim.New(1, sim.Options{})
	return New(loop.New(n.Host("device", netip.MustParseAddr("10.0.0.1")), loop.Config{}), c, nil)
}

// TestClientContexts: the same demands give the same context, and other demands another one.
func TestClientContexts(t *testing.T) {
	der, _ := newCert(t)
	lab := &policy.TrustStore{Name: "lab", Stack: []*policy.Cert{{Name: "ca", DER: der}}}
	again := &policy.TrustStore{Name: "lab", Stack: lab.Stack}
	s := newContexts(Config{ClientCerts: make([]stdtls.Certificate, 2)})
	seen := map[*tls.Client]string{}
	for _, c := range []struct {
		what     string
		p        policy.Stream
		name     string
		identify bool
		alpn     []string
		same     string // as which earlier one
	}{
		{"system roots", policy.Stream{}, "a.test", true, nil, ""},
		{"system roots, another stream type", policy.Stream{Name: "x"}, "a.test", true, nil, "system roots"},
		{"another name", policy.Stream{}, "b.test", true, nil, ""},
		{"a trust store", policy.Stream{TrustStore: lab}, "a.test", true, nil, ""},
		{"the trust store of another policy", policy.Stream{TrustStore: again}, "a.test", true, nil, ""},
		{"a protocol", policy.Stream{}, "a.test", true, ALPNH1, ""},
		{"two protocols", policy.Stream{}, "a.test", true, alpnH2, ""},
		{"a version", policy.Stream{TLSMinVersion: "1.3"}, "a.test", true, nil, ""},
		{"groups", policy.Stream{TLSGroups: []string{"X25519"}}, "a.test", true, nil, ""},
		{"a client certificate", policy.Stream{HasClientCert: true}, "a.test", true, nil, ""},
		{"another client certificate", policy.Stream{HasClientCert: true, ClientCert: 1}, "a.test", true, nil, ""},
		{"a client certificate, after a redirect", policy.Stream{HasClientCert: true}, "a.test", false, nil, "system roots"},
	} {
		got, err := s.Client(&c.p, c.name, c.identify, c.alpn)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if seen[got] != c.same {
			t.Errorf("%s: got the context of %q, want that of %q", c.what, seen[got], c.same)
		}
		if c.same == "" {
			seen[got] = c.what
		}
	}
	if stores, clients, certs := s.Len(); stores != 2 || clients != 10 || certs != 0 {
		t.Errorf("kept: %d stores, %d clients, %d certificates; want 2, 10, 0", stores, clients, certs)
	}
	for i := range 3 * maxClients {
		if _, err := s.Client(&policy.Stream{}, fmt.Sprintf("host%d.test", i), true, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, clients, _ := s.Len(); clients > maxClients {
		t.Errorf("after %d names: %d client contexts kept, want at most %d", 3*maxClients, clients, maxClients)
	}
}

// TestClientCertOfBlobs: the certificate is made anew when a blob changes, and only then.
func TestClientCertOfBlobs(t *testing.T) {
	cert, key := newCert(t)
	p := &policy.Stream{HasClientCert: true, ClientCert: 1}
	if _, err := newContexts(Config{}).certs.of(p); !errors.Is(err, ErrNoClientCert) {
		t.Errorf("without certificates and blobs: got %v, want ErrNoClientCert", err)
	}
	var m device.BlobMemory
	s := newContexts(Config{ClientCerts: make([]stdtls.Certificate, 1), Blobs: &m})
	if s.Renewable(&policy.Stream{}) || s.Renewable(&policy.Stream{HasClientCert: true}) || !s.Renewable(p) {
		t.Error("Renewable: want true only for a certificate that the program has not given")
	}
	if _, err := s.certs.of(p); !errors.Is(err, ErrNoClientCert) || !errors.Is(err, device.ErrNoBlob) {
		t.Errorf("without the blob: got %v, want ErrNoClientCert and ErrNoBlob", err)
	}
	if err := s.Check(p); err != nil {
		t.Errorf("check without the blob: got %v, want nil: it may be set later", err)
	}
	m.Set(device.BlobClientCertDER, 1, cert)
	m.Set(device.BlobClientKeyDER, 1, key)
	first, err := s.certs.of(p)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.certs.of(p); err != nil || again != first {
		t.Errorf("the same blobs: got another certificate (%v), want the same", err)
	}
	m.Set(device.BlobClientKeyDER, 1, []byte("rubbish"))
	var e *device.BlobError
	if _, err := s.certs.of(p); !errors.As(err, &e) || e.Index != 1 {
		t.Errorf("a key that is none: got %v, want a BlobError for index 1", err)
	}
	cert, key = newCert(t)
	m.Set(device.BlobClientCertDER, 1, cert)
	m.Set(device.BlobClientKeyDER, 1, key)
	if other, err := s.certs.of(p); err != nil || other == first {
		t.Errorf("other blobs: got the same certificate (%v), want another", err)
	}
}

// TestPrune drops what belongs to stream types that are not used any more, and nothing else.
func TestPrune(t *testing.T) {
	der, key := newCert(t)
	var m device.BlobMemory
	s := newContexts(Config{Blobs: &m})
	types := make([]*policy.Stream, 4)
	for i := range types {
		store := &policy.TrustStore{Name: "lab", Stack: []*policy.Cert{{Name: "ca", DER: der}}}
		types[i] = &policy.Stream{Name: fmt.Sprint(i), TrustStore: store, HasClientCert: true, ClientCert: uint8(i)}
		m.Set(device.BlobClientCertDER, i, der)
		m.Set(device.BlobClientKeyDER, i, key)
		if _, err := s.Client(types[i], "a.test", true, nil); err != nil {
			t.Fatal(err)
		}
	}
	heir := *types[2] // another stream type with the same demands, which used them last
	if _, err := s.Client(&heir, "a.test", true, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		used []*policy.Stream
		want int
	}{{append(types, &heir), 4}, {[]*policy.Stream{types[0], &heir}, 2}, {[]*policy.Stream{types[1], &heir}, 1}, {nil, 0}} {
		s.Prune(func(p *policy.Stream) bool { return slices.Contains(c.used, p) })
		if stores, clients, certs := s.Len(); stores != c.want || clients != c.want || certs != c.want {
			t.Errorf("pruned to %d stream types: %d stores, %d clients, %d certificates; want %d of each", len(c.used), stores, clients, certs, c.want)
		}
	}
}

// TestServerContexts: a server needs certificates, its own or the policy's.
func TestServerContexts(t *testing.T) {
	der, key := newCert(t)
	s := newContexts(Config{})
	cert, private := &policy.Cert{Name: "c", DER: der}, &policy.Cert{Name: "k", DER: key}
	p := &policy.Stream{Name: "srv", ServerCerts: []*policy.Cert{cert}, ServerKeys: []*policy.Cert{private}}
	if _, err := s.Server(p, nil); err != nil {
		t.Errorf("with the policy's certificate: %v", err)
	}
	list, err := Certificates(p)
	if err != nil || len(list) != 1 {
		t.Errorf("Certificates: got %d, %v; want one", len(list), err)
	}
	if _, err := s.Server(&policy.Stream{}, list); err != nil {
		t.Errorf("with certificates of the program: %v", err)
	}
	if _, err := s.Server(&policy.Stream{}, nil); err == nil || !strings.Contains(err.Error(), "server_cert") {
		t.Errorf("without certificates: got %v, want an error that names server_cert", err)
	}
	p.ServerKeys = nil
	if _, err := s.Server(p, nil); err == nil || !strings.Contains(err.Error(), "0 in \"server_key\"") {
		t.Errorf("without a key: got %v, want an error that counts both lists", err)
	}
	p.ServerKeys = []*policy.Cert{cert}
	if _, err := s.Server(p, nil); err == nil || !strings.Contains(err.Error(), `server_key "c"`) {
		t.Errorf("with a certificate for a key: got %v, want an error that names the key", err)
	}
}

// TestALPN lists what each protocol offers.
func TestALPN(t *testing.T) {
	for _, c := range []struct {
		p    policy.Stream
		want string
	}{
		{policy.Stream{Protocol: policy.H1}, "http/1.1"},
		{policy.Stream{Protocol: policy.H2}, "h2 http/1.1"},
		{policy.Stream{Protocol: policy.WS}, "http/1.1"},
		{policy.Stream{Protocol: policy.WS, WS: policy.WSParams{OverH2: true}}, "h2 http/1.1"},
		{policy.Stream{Protocol: policy.Raw}, ""},
	} {
		if got := strings.Join(ALPN(&c.p), " "); got != c.want {
			t.Errorf("protocol %v, over h2 %v: got %q, want %q", c.p.Protocol, c.p.WS.OverH2, got, c.want)
		}
	}
}

// TestDemands: an unknown version or group is an error on both sides.
func TestDemands(t *testing.T) {
	s := newContexts(Config{})
	cert, key := newCert(t)
	pair, err := tls.ParseCertificate(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []policy.Stream{{TLSMinVersion: "1.9"}, {TLSGroups: []string{"X25519", "P-1"}}} {
		if _, err := s.Client(&p, "a.test", true, nil); err == nil {
			t.Errorf("client with %q, %q: got no error", p.TLSMinVersion, p.TLSGroups)
		}
		if _, err := s.Server(&p, []stdtls.Certificate{pair}); err == nil {
			t.Errorf("server with %q, %q: got no error", p.TLSMinVersion, p.TLSGroups)
		}
	}
}
