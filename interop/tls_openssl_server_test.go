package interop

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/tls"
)

// sServer starts openssl s_server with a credential.
func sServer(t *testing.T, c *credential, args ...string) (p *dialog, port string) {
	t.Helper()
	exe := need(t, "openssl", "openssl")
	port = freePort(t)
	if len(c.chain) > 0 {
		args = append([]string{"-cert_chain", file(t, "chain.pem", pemOf(c.chain[0]))}, args...)
	}
	p = talk(t, exe, append([]string{"s_server", "-accept", "127.0.0.1:" + port, "-cert", c.pem, "-key", c.pkey}, args...)...)
	listening(t, p.process, port)
	return p, port
}

// clientsOf returns a policy with client stream types for a server at port.
func clientsOf(t *testing.T, ca *credential, port string) string {
	return securely(t, ca, ca, strings.ReplaceAll(`
		{"get": {CLIENT, "port": PORT, "protocol": "h1", "http_url": "${path}", "metadata": [{"path": ""}]}},
		{"get_system": {"endpoint": "127.0.0.1", "port": PORT, "protocol": "h1", "tls": true, "retry": "once", "opportunistic": true}},
		{"member": {CLIENT, "port": PORT, "protocol": "h1", "client_cert": 0}},
		{"tcp": {CLIENT, "port": PORT, "protocol": "raw"}}`, "PORT", port))
}

// twice runs two transactions of a stream type, each over a new connection.
func (s *secure) twice(streamType string, metadata ...string) *call {
	s.t.Helper()
	left := 2
	c := &call{}
	c.over = func(h *ss.Handle) ss.Ret {
		if left--; left == 0 {
			return ss.DestroyMe
		}
		return h.Connect()
	}
	s.play(c, streamType, metadata...)
	return c
}

// s_server's page describes the session.
func TestOpenSSLServer(t *testing.T) {
	ca := authority(t, "lab")
	between := ca.issue(t, "between", ecKey(t), isCA)
	leaf := between.issue(t, "leaf", rsaKey(t), nil)
	member := ca.issue(t, "member", ecKey(t), nil)
	const anew, txn = "CREATING", " CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED"
	for _, c := range []struct {
		name, kind string
		args       []string
		saw        string // handshakes
		page       string
	}{
		{"1.3", "get", []string{"-tls1_3"}, "TLS 1.3, TLS 1.3 resumed", "Reused, TLSv1.3"},
		{"1.2", "get", []string{"-tls1_2"}, "TLS 1.2, TLS 1.2 resumed", "Reused, TLSv1.2"},
		{"1.3 without tickets", "get", []string{"-tls1_3", "-num_tickets", "0"}, "TLS 1.3, TLS 1.3", "New, TLSv1.3"},
		{"1.2 without tickets", "get", []string{"-tls1_2", "-no_ticket"}, "TLS 1.2, TLS 1.2", "New, TLSv1.2"},
		{"AES-256", "get", []string{"-ciphersuites", "TLS_AES_256_GCM_SHA384"}, "TLS 1.3, TLS 1.3 resumed", "TLS_AES_256_GCM_SHA384"},
		{"ChaCha20", "get", []string{"-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"}, "TLS 1.3, TLS 1.3 resumed", "TLS_CHACHA20_POLY1305_SHA256"},
		{"CBC", "get", []string{"-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA"}, "TLS 1.2, TLS 1.2 resumed", "ECDHE-RSA-AES256-SHA"},
		{"asked to try again", "get", []string{"-tls1_3", "-groups", "P-521"}, "TLS 1.3, TLS 1.3 resumed", "Shared groups: secp521r1"},
		{"client certificate, 1.3", "member", []string{"-tls1_3", "-Verify", "2", "-verify_return_error", "-CAfile", ca.pem}, "TLS 1.3, TLS 1.3 resumed", "Reused, TLSv1.3"},
		{"client certificate, 1.2", "member", []string{"-tls1_2", "-Verify", "2", "-verify_return_error", "-CAfile", ca.pem}, "TLS 1.2, TLS 1.2 resumed", "Reused, TLSv1.2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, port := sServer(t, leaf, append(c.args, "-www", "-alpn", "http/1.1")...)
			s := secureScene(t, clientsOf(t, ca, port), member.pair())
			got := s.twice(c.kind)
			got.passed(t, anew+txn+txn+" DESTROYING")
			if s.handshakes() != c.saw {
				t.Errorf("handshakes: got %q, want %q", s.handshakes(), c.saw)
			}
			if !strings.Contains(got.body.String(), c.page) {
				t.Errorf("s_server's page of the second connection has no %q:\n%s\n%s", c.page, &got.body, &p.err)
			}
			for _, v := range s.saw {
				if len(v.Chain) != 2 || v.Chain[0].Subject.CommonName != "leaf" || v.ALPN != "http/1.1" {
					t.Errorf("got a chain of %d and ALPN %q, want the leaf, its issuer, and http/1.1", len(v.Chain), v.ALPN)
				}
			}
		})
	}
}

// KeyUpdates of a server, with and without update_requested, and data in between.
func TestOpenSSLServerKeyUpdates(t *testing.T) {
	ca := authority(t, "lab")
	p, port := sServer(t, ca.issue(t, "leaf", ecKey(t), nil), "-tls1_3", "-msg")
	client := talk(t, millrace, "fetch", "--policy", file(t, "policy.json", clientsOf(t, ca, port)), "--stream", "tcp", "--data", "a word in confidence", "--bytes", "21")
	p.hear("a word in confidence")
	for i, command := range []string{"K", "k", "K"} {
		p.say(command)
		p.hearTimes(i+1, ">>> TLS 1.3, Handshake [length 0005], KeyUpdate")
		p.say("123456")
		client.hearTimes(i+1, "123456\n") // s_server takes lines that arrive together for data
	}
	p.hearTimes(2, "<<< TLS 1.3, Handshake [length 0005], KeyUpdate")
	if status := client.wait(); status != 0 || client.out.String() != strings.Repeat("123456\n", 3) {
		t.Errorf("got status %d and %q, want 0 and three times 123456\n%s", status, &client.out, &client.err)
	}
}

// Servers with invalid certificates: the cause that the stream gets and the alert that the server gets for each.
func TestUntrustedServers(t *testing.T) {
	need(t, "nginx", "nginx-light")
	ca, stranger := authority(t, "lab"), authority(t, "elsewhere")
	between := ca.issue(t, "between", ecKey(t), isCA)
	alone := between.issue(t, "no intermediate", ecKey(t), nil)
	alone.pem = file(t, "alone.pem", pemOf(alone.cert))
	last := ca.issue(t, "one below", ecKey(t), func(x *x509.Certificate) {
		isCA(x)
		x.MaxPathLenZero = true
	}).issue(t, "two below", ecKey(t), isCA)
	cases := []struct {
		name string
		leaf *credential
		says []string
		is   func(err error) bool
	}{
		{"wrong name", ca.issue(t, "other", ecKey(t), func(x *x509.Certificate) {
			x.IPAddresses, x.DNSNames = []net.IP{net.IPv4(127, 0, 0, 2)}, []string{"other.example"}
		}), []string{`certificate "CN=other" (number 1 of the peer's chain, serial `, `is not for "127.0.0.1"`, "trust store lab"},
			is[x509.HostnameError]},
		{"expired", ca.issue(t, "old", ecKey(t), func(x *x509.Certificate) {
			x.NotBefore, x.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
		}), []string{`certificate "CN=old"`, "is not valid before ", " and after ", "trust store lab"},
			is[x509.CertificateInvalidError]},
		{"not yet valid", ca.issue(t, "young", ecKey(t), func(x *x509.Certificate) {
			x.NotBefore, x.NotAfter = time.Now().Add(24*time.Hour), time.Now().Add(48*time.Hour)
		}), []string{`certificate "CN=young"`, "is not valid before ", "trust store lab"}, is[x509.CertificateInvalidError]},
		{"self-signed", (*credential)(nil).issue(t, "self", ecKey(t), nil),
			[]string{`certificate "CN=self"`, "is self-signed and not in the trust store", "trust store lab"},
			is[x509.UnknownAuthorityError]},
		{"unknown root", stranger.issue(t, "foreign", ecKey(t), nil),
			[]string{`certificate "CN=foreign"`, "is signed by no authority of the trust store", "trust store lab"}, is[x509.UnknownAuthorityError]},
		{"intermediate missing", alone, []string{`certificate "CN=no intermediate"`, "is signed by no authority of the trust store"},
			is[x509.UnknownAuthorityError]},
		{"for clients only", ca.issue(t, "client", ecKey(t), func(x *x509.Certificate) {
			x.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}), []string{`certificate "CN=client"`, "key usage", "trust store lab"}, is[x509.CertificateInvalidError]},
		{"chain too long", last.issue(t, "far", ecKey(t), nil), []string{`certificate "CN=one below" (number 3 of the peer's chain, serial `,
			"too many intermediates for path length constraint", "trust store lab"}, is[x509.CertificateInvalidError]},
	}
	var servers strings.Builder
	ports := make([]string, len(cases))
	for i, c := range cases {
		ports[i] = freePort(t)
		fmt.Fprintf(&servers, "server { listen 127.0.0.1:%s ssl; ssl_certificate %s; ssl_certificate_key %s; return 200 \"secret\"; }\n",
			ports[i], c.leaf.pem, c.leaf.pkey)
	}
	n := startNginx(t, "error_log stderr info;\n"+servers.String(), "")
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := secureScene(t, clientsOf(t, ca, ports[i]))
			got := &call{}
			s.play(got, "get", "path", "/")
			got.passed(t, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED DESTROYING")
			if len(got.causes) == 0 {
				t.Fatal("got no cause")
			}
			err := got.causes[0]
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("cause: got %q, want %q in it", err, part)
				}
			}
			var v *tls.VerifyError
			if !errors.As(err, &v) || !c.is(err) {
				t.Errorf("cause: got a %T, want a tls.VerifyError above crypto/x509's own", err)
			}
			// crypto/tls has one alert for all problems of a server's certificate.
			poll(t, "nginx to log the alert", func() bool { return strings.Count(n.err.String(), "alert bad certificate") == i+1 })
		})
	}
	s := secureScene(t, clientsOf(t, ca, ports[4]))
	got := &call{}
	s.play(got, "get_system")
	got.passed(t, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED DESTROYING")
	if len(got.causes) == 0 || !strings.Contains(got.causes[0].Error(), "trust store of the system") {
		t.Errorf("got causes %v, want one that names the trust store of the system", got.causes)
	}
}

// is reports whether the chain of err has an error of type T.
func is[T error](err error) bool {
	var t T
	return errors.As(err, &t)
}

// nginx with TLS: keep-alive and uploads over 1.2 and 1.3.
func TestNginxTLS(t *testing.T) {
	need(t, "nginx", "nginx-light")
	ca := authority(t, "lab")
	leaf := ca.issue(t, "leaf", ecKey(t), nil)
	body := pattern(3<<20, 31)
	for _, version := range []string{"TLSv1.2", "TLSv1.3"} {
		port := freePort(t)
		n := startNginx(t, fmt.Sprintf(`server { listen 127.0.0.1:%s ssl; ssl_certificate %s; ssl_certificate_key %s; ssl_protocols %s;
			ssl_session_cache shared:s:1m; root www; add_header X-Protocol $ssl_protocol; }`, port, leaf.pem, leaf.pkey, version), "", "file", body)
		r := finish(t, nil, millrace, "fetch", "https://127.0.0.1:"+port+"/file", "--ca", ca.pem, "-v")
		same(t, "a file over "+version, r.out, body)
		if want := strings.Replace(version, "v", " ", 1); r.status != 0 || !strings.Contains(r.err, `version="`+want+`"`) {
			t.Errorf("%s: status %d\n%s", version, r.status, r.err)
		}
		s := secureScene(t, clientsOf(t, ca, port))
		got := s.twice("get", "path", "file")
		same(t, "again", got.body.String(), body)
		want := strings.Replace(version, "v", " ", 1)
		if s.handshakes() != want+", "+want+" resumed" {
			t.Errorf("handshakes: got %q, want %s and then resumed", s.handshakes(), want)
		}
		n.down()
	}
}
