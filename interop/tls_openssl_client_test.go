package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sClient starts openssl s_client against a server with a certificate of ca, and waits until the session is established.
func sClient(t *testing.T, ca *credential, at string, args ...string) *dialog {
	t.Helper()
	return talk(t, need(t, "openssl", "openssl"),
		append([]string{"s_client", "-connect", at, "-CAfile", ca.pem, "-verify_return_error", "-verify_ip", "127.0.0.1"}, args...)...)
}

// Every suite that crypto/tls offers by default, with both types of keys.
func TestOpenSSLClientSuites(t *testing.T) {
	need(t, "openssl", "openssl")
	ca := authority(t, "lab")
	ec, rsa := ca.issue(t, "ec", ecKey(t), nil), ca.issue(t, "rsa", rsaKey(t), nil)
	for _, c := range []struct {
		name   string
		leaf   *credential
		suites []string
	}{
		{"1.3", ec, []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}},
		{"1.2 with ECDSA", ec, []string{"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
			"ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA"}},
		{"1.2 with RSA", rsa, []string{"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305",
			"ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, at := serve(t, securely(t, ca, c.leaf, secureServers), "tcp", "--echo")
			for _, suite := range c.suites {
				how := []string{"-tls1_2", "-cipher", suite}
				if c.name == "1.3" {
					how = []string{"-tls1_3", "-ciphersuites", suite}
				}
				d := sClient(t, ca, at, how...)
				d.hear("Cipher is " + suite)
				d.hear("Verify return code: 0 (ok)")
				d.echoed("first " + suite)
				d.echoed("second " + suite)
				d.closeInput()
			}
		})
	}
}

// A client that offers a key share only for a group that we do not support gets a HelloRetryRequest (RFC 8446 s.4.1.4).
func TestOpenSSLClientHelloRetry(t *testing.T) {
	ca := authority(t, "lab")
	_, at := serve(t, securely(t, ca, ca.issue(t, "leaf", ecKey(t), nil), secureServers), "tcp", "--echo")
	for _, groups := range []string{"ffdhe2048:X25519", "ffdhe2048:P-384", "ffdhe3072:P-256"} {
		d := sClient(t, ca, at, "-tls1_3", "-groups", groups, "-msg")
		d.echoed("over " + groups)
		if n := strings.Count(d.out.String(), "], ClientHello"); n != 2 {
			t.Errorf("%s: got %d ClientHellos, want 2\n%s", groups, n, &d.out)
		}
		d.closeInput()
	}
	d := sClient(t, ca, at, "-tls1_3", "-groups", "P-384:X25519", "-msg")
	d.echoed("P-384 is known")
	d.closeInput()
}

func TestOpenSSLClientCertificate(t *testing.T) {
	ca, stranger := authority(t, "lab"), authority(t, "elsewhere")
	leaf := ca.issue(t, "leaf", ecKey(t), nil)
	member, other := ca.issue(t, "member", rsaKey(t), nil), stranger.issue(t, "other", ecKey(t), nil)
	s, at := serve(t, securely(t, ca, leaf, secureServers), "tcp_members", "--echo", "-v")
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		d := sClient(t, ca, at, version, "-cert", member.pem, "-key", member.pkey)
		d.echoed("let in " + version)
		d.closeInput()
		for _, c := range []struct {
			name string
			args []string
			want string // the alert
		}{
			{"no certificate", nil, "certificate required"},
			{"a stranger's", []string{"-cert", other.pem, "-key", other.pkey}, "unknown ca"},
		} {
			if version == "-tls1_2" && c.args == nil {
				c.want = "handshake failure" // RFC 5246 s.7.4.6
			}
			d := sClient(t, ca, at, append(c.args, version)...)
			d.hear(c.want)
			d.wait()
		}
	}
	poll(t, "the server to tell of its members", func() bool { return strings.Count(s.err.String(), `chain="CN=member`) == 2 })
}

// A ticket resumes another connection, with the hash of any suite; clients without tickets work too.
func TestOpenSSLClientTickets(t *testing.T) {
	ca := authority(t, "lab")
	leaf := ca.issue(t, "leaf", ecKey(t), nil)
	s, at := serve(t, securely(t, ca, leaf, secureServers), "tcp", "--echo", "-v")
	session := filepath.Join(t.TempDir(), "session")
	for _, how := range [][]string{
		{"-tls1_3"}, {"-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"}, {"-tls1_2"},
	} {
		d := sClient(t, ca, at, append(how, "-sess_out", session)...)
		d.hear("New, TLSv1")
		d.echoed("anew")
		d.closeInput()
		for range 2 { // a ticket of this server is valid more than once
			d = sClient(t, ca, at, append(how, "-sess_in", session)...)
			d.hear("Reused, TLSv1")
			d.echoed("resumed")
			d.closeInput()
		}
		d = sClient(t, ca, at, append(how, "-no_ticket")...)
		d.hear("New, TLSv1")
		d.echoed("without a ticket")
		d.closeInput()
	}
	poll(t, "the server's log", func() bool { return strings.Count(s.err.String(), "msg=tls ") == 12 })
	if n := strings.Count(s.err.String(), "resumed=true"); n != 6 {
		t.Errorf("the server resumed %d sessions, want 6\n%s", n, &s.err)
	}
}

// KeyUpdates from the client, with and without update_requested (RFC 8446 s.4.6.3), and data in between.
func TestOpenSSLClientKeyUpdates(t *testing.T) {
	ca := authority(t, "lab")
	_, at := serve(t, securely(t, ca, ca.issue(t, "leaf", ecKey(t), nil), secureServers), "tcp", "--echo")
	for _, suite := range []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"} {
		d := sClient(t, ca, at, "-tls1_3", "-ciphersuites", suite, "-msg")
		d.echoed("before")
		for i, command := range []string{"K", "k", "K", "K"} {
			d.say(command)
			d.hearTimes(i+1, "KEYUPDATE") // s_client takes a line that comes too early for part of the command
			d.echoed("after " + strings.Repeat("another ", i) + command)
		}
		// Three of the four updates request ours.
		if sent, got := strings.Count(d.out.String(), ">>> TLS 1.3, Handshake [length 0005], KeyUpdate"),
			strings.Count(d.out.String(), "<<< TLS 1.3, Handshake [length 0005], KeyUpdate"); sent != 4 || got != 3 {
			t.Errorf("%s: got %d KeyUpdates sent and %d received, want 4 and 3\n%s", suite, sent, got, &d.out)
		}
		d.closeInput()
	}
}

// Our server refuses renegotiation and closes the connection.
func TestOpenSSLClientRenegotiation(t *testing.T) {
	ca := authority(t, "lab")
	_, at := serve(t, securely(t, ca, ca.issue(t, "leaf", ecKey(t), nil), secureServers), "tcp", "--echo")
	d := sClient(t, ca, at, "-tls1_2")
	d.echoed("before")
	d.say("R")
	d.hear("RENEGOTIATING")
	d.hear("unexpected message")
	d.wait()
	d = sClient(t, ca, at, "-tls1_2")
	d.echoed("others are served")
	d.closeInput()
}

// crypto/tls refuses a client that sends early data with a ticket of another server; other connections are not affected.
// A client with our ticket offers no early data, since our tickets do not allow it.
func TestOpenSSLClientEarlyData(t *testing.T) {
	ca := authority(t, "lab")
	leaf := ca.issue(t, "leaf", ecKey(t), nil)
	_, at := serve(t, securely(t, ca, leaf, secureServers), "tcp", "--echo")
	dir := t.TempDir()
	session, early := filepath.Join(dir, "session"), filepath.Join(dir, "early")
	if err := os.WriteFile(early, []byte("too early\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := sClient(t, ca, at, "-tls1_3", "-sess_out", session)
	d.echoed("anew")
	d.closeInput()
	d = sClient(t, ca, at, "-tls1_3", "-sess_in", session, "-early_data", early)
	d.hear("Early data was not sent")
	d.echoed("resumed")
	d.closeInput()

	foreign := filepath.Join(dir, "foreign")
	p, port := sServer(t, leaf, "-tls1_3", "-early_data")
	d = sClient(t, ca, "127.0.0.1:"+port, "-tls1_3", "-sess_out", foreign)
	d.say("hello")
	p.hear("hello")
	p.say("welcome") // the ticket goes out together with this line
	d.hear("welcome")
	d.closeInput()
	d = sClient(t, ca, at, "-tls1_3", "-sess_in", foreign, "-early_data", early)
	d.hear("unsupported extension")
	d.wait()
	d = sClient(t, ca, at, "-tls1_3")
	d.echoed("others are served")
	d.closeInput()
}
