package interop

import (
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"

	stdtls "crypto/tls"
)

func TestCurlTLS(t *testing.T) {
	need(t, "curl", "curl")
	ca := authority(t, "lab")
	leaf := ca.issue(t, "leaf", ecKey(t), nil)
	body := pattern(1<<20, 41)
	data := "@" + file(t, "body", body)
	_, at := serve(t, securely(t, ca, leaf, secureServers), "web", "--echo")
	url := "https://" + at + "/"
	for _, how := range [][]string{{"--tlsv1.3"}, {"--tlsv1.2", "--tls-max", "1.2"}} {
		args := append(how, "--cacert", ca.pem)
		r := curl(t, append(args, "-v", "-w", " %{num_connects} %{http_version}\n", "-d", "x", url, url)...)
		same(t, "two POSTs", r.out, "x 1 1.1\nx 0 1.1\n")
		if !strings.Contains(r.err, "ALPN: server accepted http/1.1") {
			t.Errorf("curl printed no ALPN:\n%s", r.err)
		}
		same(t, "1 MiB", curl(t, append(args, "--data-binary", data, url)...).out, body)
		same(t, "1 MiB in chunks", curl(t, append(args, "-H", "Transfer-Encoding: chunked", "--data-binary", data, url)...).out, body)
	}
	// curl without our CA refuses the connection.
	if r := finish(t, nil, need(t, "curl", "curl"), "-sS", url); r.status != 60 {
		t.Errorf("curl without --cacert: status %d, want 60\n%s", r.status, r.err)
	}
	// A client that offers only other protocols is refused (RFC 7301 s.3.2); a client without TLS gets no response.
	d := sClient(t, ca, at, "-alpn", "h2")
	d.hear("no application protocol")
	d.wait()
	if r := finish(t, nil, need(t, "curl", "curl"), "-sS", "http://"+at+"/"); r.status == 0 {
		t.Errorf("curl without TLS got a response: %q", r.out)
	}
	same(t, "afterwards", curl(t, "--cacert", ca.pem, "-d", "x", url).out, "x")
}

func TestCurlClientCertificate(t *testing.T) {
	need(t, "curl", "curl")
	ca := authority(t, "lab")
	leaf, member := ca.issue(t, "leaf", ecKey(t), nil), ca.issue(t, "member", ecKey(t), nil)
	_, at := serve(t, securely(t, ca, leaf, secureServers), "web_members", "--reply", "hello\n")
	url := "https://" + at + "/"
	r := curl(t, "--cacert", ca.pem, "--cert", member.pem, "--key", member.pkey, url, url)
	same(t, "as a member", r.out, "hello\nhello\n")
	if r := finish(t, nil, need(t, "curl", "curl"), "-sS", "--cacert", ca.pem, url); r.status == 0 || !strings.Contains(r.err, "certificate required") {
		t.Errorf("without a certificate: got status %d, %s; want the alert certificate required", r.status, r.err)
	}
}

// gnutls-cli: both versions, resumption, and its KeyUpdate.
func TestGnuTLSClient(t *testing.T) {
	gnutls := need(t, "gnutls-cli", "gnutls-bin")
	ca := authority(t, "lab")
	_, at := serve(t, securely(t, ca, ca.issue(t, "leaf", ecKey(t), nil), secureServers), "tcp", "--echo")
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, priority string }{
		{"TLS1.3", "NORMAL:-VERS-ALL:+VERS-TLS1.3"},
		{"TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.2"},
		{"TLS1.3", "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305"},
		{"TLS1.3", "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM"},
	} {
		d := talk(t, gnutls, "--x509cafile", ca.pem, "--priority", c.priority, "--inline-commands", "-p", port, host)
		d.hear("Description: (" + c.name)
		d.hear("Simple Client Mode")
		d.echoed("hello")
		if c.name == "TLS1.3" {
			d.say("^rekey^")
			d.echoed("after a KeyUpdate")
		}
		d.closeInput()
	}
	d := talk(t, gnutls, "--x509cafile", ca.pem, "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.3", "--waitresumption", "-r", "-p", port, host)
	d.hear("This is a resumed session")
	d.echoed("resumed")
	d.closeInput()
}

// net/http on either side.
func TestNetHTTPTLS(t *testing.T) {
	ca := authority(t, "lab")
	leaf, member := ca.issue(t, "leaf", ecKey(t), nil), ca.issue(t, "member", ecKey(t), nil)
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	body := pattern(1<<20, 42)

	_, at := serve(t, securely(t, ca, leaf, secureServers), "web", "--echo")
	_, members := serve(t, securely(t, ca, leaf, secureServers), "web_members", "--echo")
	for _, version := range []uint16{stdtls.VersionTLS12, stdtls.VersionTLS13} {
		for _, host := range []string{at, members} {
			tr := &http.Transport{TLSClientConfig: &stdtls.Config{RootCAs: roots, MinVersion: version, MaxVersion: version, NextProtos: []string{"http/1.1"},
				Certificates: []stdtls.Certificate{member.pair()}, ClientSessionCache: stdtls.NewLRUClientSessionCache(8)}}
			client := &http.Client{Transport: tr, Timeout: patience}
			for round := range 2 {
				r, err := client.Post("https://"+host+"/", "text/plain", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r.Body)
				r.Body.Close()
				if err != nil {
					t.Fatal(err)
				}
				same(t, "net/http's POST", string(got), body)
				if r.TLS.Version != version || r.TLS.NegotiatedProtocol != "http/1.1" || r.TLS.DidResume != (round == 1) {
					t.Errorf("round %d: got %s over %q, resumed %v; want %s over http/1.1, resumed in the second round", round,
						stdtls.VersionName(r.TLS.Version), r.TLS.NegotiatedProtocol, r.TLS.DidResume, stdtls.VersionName(version))
				}
				tr.CloseIdleConnections()
			}
		}
	}

	clients := x509.NewCertPool()
	clients.AddCert(ca.cert)
	l, err := stdtls.Listen("tcp", "127.0.0.1:0", &stdtls.Config{Certificates: []stdtls.Certificate{leaf.pair()},
		ClientAuth: stdtls.RequireAndVerifyClientCert, ClientCAs: clients, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName+"\n"+body)
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	s := secureScene(t, clientsOf(t, ca, port), member.pair())
	c := s.twice("member")
	same(t, "net/http's answer", c.body.String(), "member\n"+body)
	if got, want := s.handshakes(), "TLS 1.3, TLS 1.3 resumed"; got != want {
		t.Errorf("handshakes: got %q, want %q", got, want)
	}
}
