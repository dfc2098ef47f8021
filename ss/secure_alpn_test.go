package ss_test

import (
	stdtls "crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// A server without ALPN ignores an offer of h2 and http/1.1: it speaks HTTP/1.1.
func TestServerWithoutALPN(t *testing.T) {
	p := newPKI(t, "127.0.0.1")
	for _, version := range []uint16{stdtls.VersionTLS12, stdtls.VersionTLS13} {
		at, err := stdtls.Listen("tcp", "127.0.0.1:0", &stdtls.Config{Certificates: []stdtls.Certificate{p.pair}, MaxVersion: version})
		if err != nil {
			t.Fatal(err)
		}
		protos := make(chan string, 8)
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			protos <- r.Proto
			io.WriteString(w, "hello")
		})}
		go s.Serve(at)
		t.Cleanup(func() { s.Close() })
		l, cli := secureClient(t, p, at.Addr().(*net.TCPAddr).Port, `"protocol":"h2"`)
		got := runSecure(t, l, cli, "")
		if want := "CREATING CONNECTING CONNECTED helloQOS_ACK_REMOTE DISCONNECTED "; got.String() != want {
			t.Errorf("%s: got %q, want %q; cause %v", stdtls.VersionName(version), got, want, got.cause)
		}
		if !strings.HasPrefix(got.tls, stdtls.VersionName(version)+"  resumed") {
			t.Errorf("got %q, want %s and no name", got.tls, stdtls.VersionName(version))
		}
		if n := len(protos); n != 1 || <-protos != "HTTP/1.1" {
			t.Errorf("%s: the server saw %d requests, want one over HTTP/1.1", stdtls.VersionName(version), n)
		}
	}
}
