package tls

import (
	stdtls "crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestClientJudgesServers(t *testing.T) {
	other := newAuthority("other")
	self := other.issue(func(c *x509.Certificate) {}, "example.test")
	for _, test := range []struct {
		name  string
		cert  stdtls.Certificate
		wall  time.Time
		floor time.Time
		want  string // in the error; "" for a valid certificate
		clock bool
	}{
		{name: "good", cert: example()},
		{name: "another name", cert: testCA().issue(nil, "example.org"), want: `is not for "example.test"`},
		{name: "unknown root", cert: self, want: "is signed by no authority of the trust store: judged by trust store testCA"},
		{name: "self-signed", cert: stdtls.Certificate{Certificate: [][]byte{other.cert.Raw}, PrivateKey: other.key},
			want: "is not for"},
		{name: "expired", cert: testCA().issue(func(c *x509.Certificate) { c.NotAfter = today.Add(-time.Minute) }, "example.test"),
			want: "and after 2026-06-01T11:59:00Z, and it is 2026-06-01T12:00:00Z"},
		{name: "not yet valid", cert: testCA().issue(func(c *x509.Certificate) { c.NotBefore = today.Add(time.Minute) }, "example.test"),
			want: "is not valid before 2026-06-01T12:01:00Z"},
		{name: "for clients only", cert: testCA().issue(func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}, "example.test"), want: "incompatible key usage"},
		{name: "no clock, but a floor", cert: example(), wall: time.Unix(0, 0), floor: today},
		{name: "no clock, and a floor too early", cert: example(), wall: time.Unix(0, 0), floor: today.Add(-2 * time.Hour),
			want: "system clock cannot be right: it shows 1970-01-01T00:00:00Z, but it is after 2026-06-01T10:00:00Z", clock: true},
		{name: "no clock at all", cert: example(), wall: time.Unix(1, 0), want: "is not valid before"},
	} {
		for _, v := range versions {
			t.Run(test.name+" "+v.name, func(t *testing.T) {
				sh := newShared(t, func(c *Config) {
					if !test.wall.IsZero() {
						c.Wall = func() time.Time { return test.wall }
					}
				})
				sh.SetFloor(test.floor)
				r := client(t, newClient(t, sh, nil), &stdtls.Config{Certificates: []stdtls.Certificate{test.cert}, MaxVersion: v.v})
				err := r.do(r.m.Handshake)
				if test.want == "" {
					if err != nil || !r.p.opened {
						t.Fatalf("mate: %v; us: %q", err, r.p.log)
					}
					return
				}
				var e *VerifyError
				if !errors.As(r.p.cause, &e) || !strings.Contains(e.Error(), test.want) {
					t.Fatalf("closed with %v, want a VerifyError with %q", r.p.cause, test.want)
				}
				if e.Store != "testCA" || e.Name != "example.test" || e.Depth != 0 || e.Cert == nil {
					t.Errorf("error: got store %q, name %q, depth %d, want testCA, example.test, 0", e.Store, e.Name, e.Depth)
				}
				if errors.Is(r.p.cause, ErrClock) != test.clock {
					t.Errorf("%v: is ErrClock %v, want %v", r.p.cause, !test.clock, test.clock)
				}
				if r.p.opened {
					t.Error("opened in spite of the error")
				}
				if v.v == stdtls.VersionTLS12 && (err == nil || !strings.Contains(err.Error(), "certificate")) {
					t.Errorf("the mate got %v, want an alert about the certificate", err)
				}
			})
		}
	}
}

func TestServerJudgesClients(t *testing.T) {
	good, bad := testCA().issue(nil, "someone"), newAuthority("other").issue(nil, "someone")
	for _, test := range []struct {
		name  string
		auth  ClientAuth
		shows []stdtls.Certificate
		ok    bool
		chain int
	}{
		{"none requested, one available", AuthNone, []stdtls.Certificate{good}, true, 0},
		{"optional, none", AuthOptional, nil, true, 0},
		{"optional, good", AuthOptional, []stdtls.Certificate{good}, true, 1},
		{"required, none", AuthRequired, nil, false, 0},
		{"required, good", AuthRequired, []stdtls.Certificate{good}, true, 1},
	} {
		for _, v := range versions {
			t.Run(test.name+" "+v.name, func(t *testing.T) {
				sh := newShared(t, nil)
				r := server(t, newServer(t, sh, func(c *ServerConfig) { c.Auth, c.Clients = test.auth, testCA().store() }),
					&stdtls.Config{Certificates: test.shows, MaxVersion: v.v})
				_ = r.do(r.m.Handshake)
				if r.p.opened != test.ok {
					t.Fatalf("opened %v, want %v: %q", r.p.opened, test.ok, r.p.log)
				}
				if test.ok {
					r.echo(10)
					if n := len(r.s.State().Chain); n != test.chain {
						t.Errorf("chain: got %d, want %d", n, test.chain)
					}
				}
			})
		}
	}
	// The client of crypto/tls sends only a certificate of a requested issuer.
	sh := newShared(t, nil)
	r := server(t, newServer(t, sh, func(c *ServerConfig) { c.Auth, c.Clients = AuthRequired, testCA().store() }),
		&stdtls.Config{GetClientCertificate: func(*stdtls.CertificateRequestInfo) (*stdtls.Certificate, error) { return &bad, nil }})
	_ = r.do(r.m.Handshake)
	var e *VerifyError
	if !errors.As(r.p.cause, &e) || e.Store != "testCA" || !strings.Contains(e.Error(), "someone") {
		t.Errorf("a client of another authority: closed with %v, want a VerifyError by testCA with a certificate", r.p.cause)
	}
}

func TestClientShowsItsCertificate(t *testing.T) {
	cert := testCA().issue(nil, "someone")
	for _, v := range versions {
		sh := newShared(t, nil)
		r := client(t, newClient(t, sh, func(c *ClientConfig) { c.Certificate = &cert }),
			&stdtls.Config{ClientAuth: stdtls.RequireAndVerifyClientCert, ClientCAs: testCA().pool(), MaxVersion: v.v})
		r.handshake()
		r.echo(10)
		if got := r.m.ConnectionState().PeerCertificates; len(got) != 1 || got[0].Subject.CommonName != "someone" {
			t.Errorf("%s: the mate saw %d certificates, want one", v.name, len(got))
		}
	}
	// Without one the server refuses; in TLS 1.3 after our handshake has ended.
	for _, v := range versions {
		sh := newShared(t, nil)
		r := client(t, newClient(t, sh, nil),
			&stdtls.Config{ClientAuth: stdtls.RequireAndVerifyClientCert, ClientCAs: testCA().pool(), MaxVersion: v.v})
		_ = r.do(r.m.Handshake)
		r.low.Service()
		var e *AlertError
		if !errors.As(r.p.cause, &e) || e.Alert != 116 && e.Alert != 42 && e.Alert != 40 {
			t.Errorf("%s: closed with %v, want an alert about our certificate", v.name, r.p.cause)
		}
	}
}

func TestCertificatesByName(t *testing.T) {
	sh := newShared(t, nil)
	a, b := testCA().issue(nil, "a.test", "*.a.test"), testCA().issue(nil, "b.test")
	v := newServer(t, sh, func(c *ServerConfig) { c.Certificates = []stdtls.Certificate{a, b} })
	shown := func(name string) string {
		r := server(t, v, &stdtls.Config{ServerName: name, InsecureSkipVerify: true})
		r.handshake()
		r.echo(10)
		return r.m.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	for name, want := range map[string]string{
		"a.test": "a.test", "x.a.test": "a.test", "x.y.a.test": "a.test", "b.test": "b.test", "B.Test": "b.test",
		"unknown.test": "a.test", "10.0.0.1": "a.test",
	} {
		if got := shown(name); got != want {
			t.Errorf("asked for %s: got the certificate of %s, want %s", name, got, want)
		}
	}
	standing := server(t, v, &stdtls.Config{ServerName: "b.test"})
	standing.handshake()
	if err := v.SetCertificates([]stdtls.Certificate{testCA().issue(nil, "c.test"), b}); err != nil {
		t.Fatal(err)
	}
	if got := shown("a.test"); got != "c.test" {
		t.Errorf("after the reload: got the certificate of %s, want c.test", got)
	}
	standing.echo(1000)
	if err := v.SetCertificates(nil); err == nil {
		t.Error("a reload without a certificate succeeded")
	}
	if got := shown("b.test"); got != "b.test" {
		t.Errorf("after a failed reload: got the certificate of %s, want b.test", got)
	}
}

func TestTicketKeysRotate(t *testing.T) {
	var k *TicketKeys
	for range 6 {
		var err error
		if k, err = k.Rotate(ones{}); err != nil {
			t.Fatal(err)
		}
	}
	if len(k.keys) != ticketGenerations {
		t.Errorf("keys after six rotations: got %d, want %d", len(k.keys), ticketGenerations)
	}
	if slices.Equal(k.scoped("a"), k.scoped("b")) {
		t.Error("two scopes have the same keys")
	}
}

func TestMisconfigurationIsRefused(t *testing.T) {
	sh := newShared(t, nil)
	for name, c := range map[string]ServerConfig{
		"no certificate": {},
		"no key":         {Certificates: []stdtls.Certificate{{Certificate: [][]byte{testCA().cert.Raw}}}},
		"no DER":         {Certificates: []stdtls.Certificate{{Certificate: [][]byte{{1}}, PrivateKey: testCA().key}}},
		"no store":       {Certificates: []stdtls.Certificate{example()}, Auth: AuthRequired},
	} {
		if _, err := NewServer(sh, c); err == nil || !strings.HasPrefix(err.Error(), "tls: make server: ") {
			t.Errorf("%s: got %v, want an error that contains the operation", name, err)
		}
	}
	if _, err := NewClient(sh, ClientConfig{}); err == nil {
		t.Error("a client without a name was made")
	}
	if _, err := NewTrustStore("bad", [][]byte{{1, 2}}); err == nil || !strings.Contains(err.Error(), "trust store bad: certificate 1") {
		t.Errorf("bad DER in a store: got %v", err)
	}
}

// A certificate with only a common name is refused, with the reason and the remedy.
func TestCertificateWithoutAltNames(t *testing.T) {
	for _, c := range []struct {
		name, host string
		dns        []string
		ips        []net.IP
		says       string
	}{
		{"common name alone", "device.test", nil, nil, "it has no subjectAltName, and its common name is not used: re-issue it with subjectAltName DNS:device.test, as `millrace cert` does"},
		{"common name alone, which is another", "other.test", nil, nil, "it has no subjectAltName, and its common name is not used: re-issue it with subjectAltName DNS:other.test"},
		{"common name alone, address", "192.0.2.1", nil, nil, "it has no subjectAltName, and its common name is not used: re-issue it with subjectAltName IP:192.0.2.1, as"},
		{"names and no address", "192.0.2.1", []string{"device.test"}, nil, "its subjectAltName has no IP address: re-issue it with subjectAltName IP:192.0.2.1"},
		{"addresses and no name", "device.test", nil, []net.IP{net.IPv4(192, 0, 2, 1)}, "its subjectAltName has no DNS name: re-issue it with subjectAltName DNS:device.test"},
		{"another name", "device.test", []string{"other.test"}, nil, `is not for "device.test": x509: certificate is valid for other.test`},
	} {
		cert := testCA().issue(func(x *x509.Certificate) { x.DNSNames, x.IPAddresses = c.dns, c.ips }, "device.test")
		sh := newShared(t, nil)
		r := client(t, newClient(t, sh, func(f *ClientConfig) { f.Name = c.host }), &stdtls.Config{Certificates: []stdtls.Certificate{cert}})
		_ = r.do(r.m.Handshake)
		var v *VerifyError
		if !errors.As(r.p.cause, &v) || !strings.Contains(r.p.cause.Error(), c.says) {
			t.Errorf("%s: closed with %v, want a VerifyError with %q", c.name, r.p.cause, c.says)
		}
	}
}
