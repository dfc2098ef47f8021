package gen

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// serveTLS runs net/http over TLS on loopback for the length of a test. conf may be nil.
func serveTLS(t *testing.T, h http.HandlerFunc, conf *tls.Config) (netip.AddrPort, *x509.CertPool) {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.TLS = conf
	srv.Config.ErrorLog = discard
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return netip.MustParseAddrPort(srv.Listener.Addr().String()), roots
}

func TestProbeOverTLS(t *testing.T) {
	addr, roots := serveTLS(t, hello, nil)
	a, err := Probe(addr, roots)
	if err != nil || a.Size < 100 {
		t.Fatalf("got %+v, %v", a, err)
	}
	if _, err := Probe(addr, x509.NewCertPool()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("untrusted certificate: got %v", err)
	}
}

func TestClosedOverTLS(t *testing.T) {
	addr, roots := serveTLS(t, hello, nil)
	a, err := Probe(addr, roots)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Closed(Load{Addr: addr, Conns: 8, Depth: 1, Size: a.Size, TLS: true}, window())
	if err != nil || r.Done == 0 || r.Done != r.Latency.N() {
		t.Errorf("got %+v, %v", r, err)
	}
	if r, err := Closed(Load{Addr: addr, Conns: 1, Depth: 1, Size: a.Size - 1, TLS: true}, window()); err == nil {
		t.Errorf("a response that is too long: got %+v", r)
	}
}

// A server without TLS 1.3 and the common cipher suite is refused.
func TestSecureRefuses(t *testing.T) {
	addr, _ := serveTLS(t, hello, &tls.Config{MaxVersion: tls.VersionTLS12})
	if h, err := Hold(Stay{Addr: addr, Conns: 1, Size: 100, TLS: true}); err == nil {
		h.Release()
		t.Error("TLS 1.2: connected")
	} else if !strings.Contains(err.Error(), "handshake") {
		t.Errorf("TLS 1.2: got %v, want an error about the handshake", err)
	}
	plain := serve(t, hello)
	if h, err := Hold(Stay{Addr: plain, Conns: 1, Size: 100, TLS: true}); err == nil {
		h.Release()
		t.Error("no TLS: connected")
	}
}

func TestHoldOverTLSAndWake(t *testing.T) {
	addr, roots := serveTLS(t, hello, nil)
	a, err := Probe(addr, roots)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Hold(Stay{Addr: addr, Conns: 50, Size: a.Size, TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release()
	for set := range 2 {
		woken, err := h.Wake(20)
		if err != nil || woken <= 0 {
			t.Errorf("set %d: woken: got %v, %v", set, woken, err)
		}
		again, err := h.Again()
		if err != nil || again <= 0 {
			t.Errorf("set %d: again: got %v, %v", set, again, err)
		}
	}
	if _, err := h.Wake(20); err == nil || !strings.Contains(err.Error(), "10 have not been woken") {
		t.Errorf("third set: got %v, want an error that 10 are left", err)
	}
}
