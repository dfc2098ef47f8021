package gen

import (
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestProbeH2(t *testing.T) {
	good := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, Body)
	}
	for _, c := range []struct {
		name, wantErr string
		h2, trusted   bool
		answer        http.HandlerFunc
	}{
		{"good", "", true, true, good},
		{"unknown authority", "certificate", true, false, good},
		{"no HTTP/2", "HTTP", false, true, good},
		{"404", "status 404", true, true, http.NotFound},
		{"another body", "body", true, true, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello\n") }},
	} {
		s := httptest.NewUnstartedServer(c.answer)
		s.EnableHTTP2 = c.h2
		s.StartTLS()
		roots := x509.NewCertPool()
		if c.trusted {
			roots.AddCert(s.Certificate())
		}
		err := ProbeH2(netip.MustParseAddrPort(s.Listener.Addr().String()), roots)
		s.Close()
		if c.wantErr == "" && err != nil || c.wantErr != "" && (err == nil || !strings.Contains(err.Error(), c.wantErr)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.wantErr)
		}
	}
}
