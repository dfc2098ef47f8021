package tls

import (
	stdtls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"time"
)

// This file converts errors of crypto/tls to errors of this package, with texts that name the cause and the remedy.
// endpoint.explain is its entry: handshakes (handshake.go) and sessions that keep their tls.Conn (std_conn.go) call it.

// verifyError describes a certificate that crypto/tls rejected. Cert is the certificate at fault, if crypto/x509 names one,
// else the leaf.
func (e *endpoint) verifyError(c *stdtls.CertificateVerificationError) *VerifyError {
	v := &VerifyError{Store: e.store.label(), Name: e.name, Depth: -1, Reason: c.Err.Error(), Err: c.Err}
	v.Now, v.Wall = e.sh.time(), e.sh.wall()
	if len(c.UnverifiedCertificates) > 0 {
		v.Cert = c.UnverifiedCertificates[0]
	}
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	switch {
	case errors.As(c.Err, &host):
		v.Cert, v.Reason = host.Certificate, wrongName(host)
	case errors.As(c.Err, &invalid):
		v.Cert = invalid.Cert
		if invalid.Reason == x509.Expired && invalid.Cert != nil && e.sh.cfg.Wall != nil {
			v.Reason = fmt.Sprintf("is not valid before %s and after %s, and it is %s",
				invalid.Cert.NotBefore.UTC().Format(time.RFC3339), invalid.Cert.NotAfter.UTC().Format(time.RFC3339), v.Now.UTC().Format(time.RFC3339))
		}
	case errors.As(c.Err, &unknown):
		if unknown.Cert != nil {
			v.Cert = unknown.Cert
		}
		v.Reason = "is signed by no authority of the trust store"
		if v.Cert != nil && string(v.Cert.RawIssuer) == string(v.Cert.RawSubject) {
			v.Reason = "is self-signed and not in the trust store"
		}
	}
	for i, x := range c.UnverifiedCertificates { // the peer's chain
		if v.Cert != nil && x.Equal(v.Cert) {
			v.Depth = i
		}
	}
	return v
}

// explain wraps an error that crypto/tls returned from op: "handshake", "read" or "write".
func (e *endpoint) explain(op string, err error) error {
	return &Error{Op: op, Peer: e.name, Err: e.cause(op, err)}
}

// cause returns the error of this package for err, or err itself if there is none.
func (e *endpoint) cause(op string, err error) error {
	var verify *stdtls.CertificateVerificationError
	var header stdtls.RecordHeaderError
	var alert *net.OpError
	switch {
	case errors.As(err, &verify):
		return e.verifyError(verify)
	case errors.As(err, &header) && op == "handshake":
		return fmt.Errorf("%w: its first bytes are %q: %w", ErrNotTLS, header.RecordHeader[:], err)
	case errors.As(err, &header):
		return fmt.Errorf("a record starts with %q: %w", header.RecordHeader[:], err)
	case errors.As(err, &alert):
		// The alert of crypto/tls is an unexported uint8.
		v := reflect.ValueOf(alert.Err)
		switch {
		case v.Kind() != reflect.Uint8:
		case alert.Op == "remote error":
			return &AlertError{Alert(v.Uint())}
		case alert.Op == "local error":
			return &ProtocolError{Alert(v.Uint()), "a message that crypto/tls rejects"}
		}
	}
	return err
}

// wrongName describes a certificate for other names. It adds the remedy if the certificate has no subjectAltName of
// the right type: a common name is no longer used (RFC 9525 s.2).
func wrongName(e x509.HostnameError) string {
	nameType := "DNS"
	_, err := netip.ParseAddr(e.Host)
	if err == nil {
		nameType = "IP"
	}
	remedy := fmt.Sprintf("re-issue it with subjectAltName %s:%s, as `millrace cert` does", nameType, e.Host)
	switch c := e.Certificate; {
	case !hasAltNames(c):
		return fmt.Sprintf("is not for %q: it has no subjectAltName, and its common name is not used: %s", e.Host, remedy)
	case nameType == "IP" && len(c.IPAddresses) == 0:
		return fmt.Sprintf("is not for %q: its subjectAltName has no IP address: %s", e.Host, remedy)
	case nameType == "DNS" && len(c.DNSNames) == 0:
		return fmt.Sprintf("is not for %q: its subjectAltName has no DNS name: %s", e.Host, remedy)
	}
	return fmt.Sprintf("is not for %q: %v", e.Host, e)
}

// hasAltNames reports whether c has the extension subjectAltName (RFC 5280 s.4.2.1.6).
func hasAltNames(c *x509.Certificate) bool {
	return slices.ContainsFunc(c.Extensions, func(x pkix.Extension) bool { return x.Id.Equal(oidAltName) })
}

var oidAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
