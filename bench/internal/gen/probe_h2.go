package gen

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/netip"
)

// ProbeH2 sends two requests over one connection of HTTP/2 and TLS 1.3, and checks certificate and responses: 200, Body,
// content-length, content-type and date.
func ProbeH2(addr netip.AddrPort, roots *x509.CertPool) error {
	if err := probeH2(addr, roots); err != nil {
		return fmt.Errorf("gen: probe over HTTP/2: %v: %w", addr, err)
	}
	return nil
}

func probeH2(addr netip.AddrPort, roots *x509.CertPool) error {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	conf := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}
	only := new(http.Protocols)
	only.SetHTTP2(true)
	tr := &http.Transport{TLSClientConfig: conf, Protocols: only, DisableCompression: true}
	defer tr.CloseIdleConnections()
	for i := range 2 {
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+addr.String()+"/", nil)
		if err != nil {
			return err
		}
		a, err := tr.RoundTrip(q)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(a.Body)
		a.Body.Close()
		if err != nil {
			return err
		}
		if a.Proto != "HTTP/2.0" {
			return fmt.Errorf("answer %d: over %s", i+1, a.Proto)
		}
		if err := checkFields(a, string(body)); err != nil {
			return fmt.Errorf("answer %d: %w", i+1, err)
		}
	}
	return nil
}
