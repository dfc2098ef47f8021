package ss_test

import (
	stdtls "crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// certServer is a TLS server on a loop, whose certificates a test checks.
type certServer struct {
	t  *testing.T
	l  *loop.Loop
	h  *ss.Handle
	at string
}

// serveCerts starts a server with the policy's certificates or with other ones.
func serveCerts(t *testing.T, certs any, keys string, given []stdtls.Certificate) (*certServer, error) {
	t.Helper()
	sys, err := loop.NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	s := &certServer{t: t, l: loop.New(sys, loop.Config{})}
	t.Cleanup(func() { s.l.Close() })
	list, err := json.Marshal(certs)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(fmt.Appendf(nil, `{"certs":%s,"s":[{"srv":{"server":true,"endpoint":"127.0.0.1","port":0,"protocol":"raw","tls":true%s}}]}`, list, keys))
	if err != nil {
		t.Fatal(err)
	}
	rt, err := ss.New(ss.Config{Loop: s.l, Policy: p})
	if err != nil {
		t.Fatal(err)
	}
	if s.h, err = rt.Create(ss.Info{StreamType: "srv", Certificates: given}); err != nil {
		return nil, err
	}
	a, _ := s.h.Addr()
	s.at = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), a.IP.Port()).String()
	return s, nil
}

// shown is the certificate for a client with a server name, verified with a root.
func (s *certServer) shown(name, root string) (chain []*x509.Certificate, err error) {
	s.t.Helper()
	der, _ := base64.StdEncoding.DecodeString(root)
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &stdtls.Config{ServerName: name, RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(ca)
	done := make(chan error, 1)
	go func() {
		conn, err := stdtls.Dial("tcp", s.at, c)
		if err == nil {
			chain = conn.ConnectionState().PeerCertificates
			conn.Close()
		}
		done <- err
	}()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		select {
		case err := <-done:
			return chain, err
		default:
		}
		if err := s.l.Service(); err != nil {
			s.t.Fatal(err)
		}
	}
	return nil, errors.New("no answer")
}

func (s *certServer) wantShown(name, root string, length int) {
	s.t.Helper()
	if chain, err := s.shown(name, root); err != nil || len(chain) != length {
		s.t.Errorf("asked for %s: got a chain of %d, %v; want %d", name, len(chain), err, length)
	}
}

type entry map[string]string

// A listener has the certificates that its policy names, with their chains, as DER or PEM; the client's SNI
// selects one.
func TestSeveralCertificates(t *testing.T) {
	a, b, c := newPKI(t, "a.test"), newChain(t, 1, "b.test"), newPKI(t, "127.0.0.1")
	chain := ""
	der, _ := base64.StdEncoding.DecodeString(b.leaf)
	list, err := x509.ParseCertificates(der)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range list {
		chain += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: x.Raw}))
	}
	s, err := serveCerts(t, []entry{{"a": a.leaf, "a_key": a.key}, {"b": b.leaf, "b_key": b.key, "b_pem": chain}},
		`,"server_cert":["a","b"],"server_key":["a_key","b_key"]`, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.wantShown("a.test", a.ca, 1)
	s.wantShown("b.test", b.ca, 2)
	if _, err := s.shown("unknown.test", b.ca); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("asked for an unknown name: got %v, want the first certificate refused", err)
	}
	if err := s.h.SetCertificates([]stdtls.Certificate{c.pair}); err != nil {
		t.Fatal(err)
	}
	s.wantShown("127.0.0.1", c.ca, 1)

	s, err = serveCerts(t, []entry{{"b_pem": chain, "b_key": b.key}}, `,"server_cert":"b_pem","server_key":"b_key"`, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.wantShown("b.test", b.ca, 2)
}

// A program may set certificates in place of the policy's.
func TestCertificatesOfTheProgram(t *testing.T) {
	a, b := newPKI(t, "a.test"), newPKI(t, "b.test")
	s, err := serveCerts(t, []entry{}, "", []stdtls.Certificate{b.pair})
	if err != nil {
		t.Fatal(err)
	}
	s.wantShown("b.test", b.ca, 1)
	s, err = serveCerts(t, []entry{{"a": a.leaf, "a_key": a.key}}, `,"server_cert":"a","server_key":"a_key"`, []stdtls.Certificate{b.pair})
	if err != nil {
		t.Fatal(err)
	}
	s.wantShown("b.test", b.ca, 1)
	if _, err := serveCerts(t, []entry{}, "", nil); err == nil || !strings.Contains(err.Error(), "Info.Certificates") {
		t.Errorf("no certificate at all: got %v", err)
	}
}

// TestLeastVersion: tls_min_version is the lowest version of a server; the default is 1.2.
func TestLeastVersion(t *testing.T) {
	p := newPKI(t, "device.example", "127.0.0.1")
	for _, c := range []struct {
		keys string
		ok   bool
	}{{"", true}, {`,"tls_min_version":"1.2"`, true}, {`,"tls_min_version":"1.3"`, false}} {
		l, srv, _ := secureWorld(t, p, `"protocol":"raw"`+c.keys, `"endpoint":"127.0.0.1","protocol":"raw"`)
		var at loop.Addr
		srv.Each(func(h *ss.Handle) { at, _ = h.Addr() })
		conn, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), at.IP.Port()).String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		verdict := make(chan error, 1)
		go func() {
			verdict <- stdtls.Client(conn, &stdtls.Config{InsecureSkipVerify: true, MaxVersion: stdtls.VersionTLS12}).Handshake()
		}()
		for end, done := time.Now().Add(10*time.Second), false; !done; {
			if err := l.Service(); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-verdict:
				if done = true; (err == nil) != c.ok {
					t.Errorf("server with {%s}, client with TLS 1.2: got %v, want success: %v", c.keys, err, c.ok)
				}
			default:
				if time.Now().After(end) {
					t.Fatal("no handshake in ten seconds")
				}
			}
		}
	}
}
