package tls

import (
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

	stdtls "crypto/tls"

	"github.com/millrace/millrace/roles"
)

// errors.Is finds these in the cause given to Closed.
var (
	// ErrTruncated: the connection ended without close_notify: the peer or an attacker closed it. The received data may
	// be incomplete (RFC 8446 s.6.1).
	ErrTruncated = errors.New("connection ended without close_notify")
	// ErrTimeout: the handshake took too long.
	ErrTimeout = errors.New("handshake took too long")
	// ErrDisplaced: the peer kept its handshake waiting longest while other handshakes waited for a place.
	ErrDisplaced = errors.New("peer kept the handshake waiting while others waited for a place")
	// ErrShutdown: Shared.Close ended the handshake.
	ErrShutdown = errors.New("shutting down")
	// ErrMemory: the session would have to keep its tls.Conn, and the memory for such sessions is used up.
	ErrMemory = errors.New("no memory for another session that keeps its tls.Conn")
	// ErrClock: a certificate's dates could not be checked since the system's clock is wrong.
	ErrClock = errors.New("system clock cannot be right")
	// ErrNotTLS: the first bytes of the peer are not TLS.
	ErrNotTLS = errors.New("peer does not speak TLS")
)

// Error wraps the failure of a session with its operation. Its text, and that of VerifyError, is escaped
// (roles.Plain), since certificates contain arbitrary text. The texts of wrapped errors are not escaped.
type Error struct {
	Op   string // "handshake", "read", "write"
	Peer string // the server's name, for clients
	Err  error
}

// Error implements error.
func (e *Error) Error() string {
	s := "tls: " + e.Op + ": "
	if e.Peer != "" {
		s += e.Peer + ": "
	}
	return roles.Plain(s + e.Err.Error())
}

// Unwrap implements errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// AlertError reports that the peer ended the session with an alert: the peer considers us at fault.
type AlertError struct{ Alert Alert }

// Error implements error.
func (e *AlertError) Error() string { return "peer sent alert " + e.Alert.String() }

// ProtocolError reports that the peer violated the protocol. Alert was sent to the peer.
type ProtocolError struct {
	Alert Alert
	What  string // what the peer sent
}

// Error implements error.
func (e *ProtocolError) Error() string {
	return "peer sent " + e.What + ": answered with alert " + e.Alert.String()
}

// VerifyError reports why a peer's certificate was not accepted.
type VerifyError struct {
	Store  string            // name of the trust store
	Name   string            // the name that the peer had to prove, for clients
	Cert   *x509.Certificate // the certificate that failed
	Depth  int               // its index in the chain that the peer sent, 0 for the leaf; -1 if the peer did not send it
	Reason string
	Now    time.Time // the time used for the dates
	Wall   time.Time // the system's time, which differs from Now if it is wrong
	Err    error     // the error of crypto/x509
}

// Error implements error.
func (e *VerifyError) Error() string {
	who := "certificate"
	if e.Cert != nil {
		who = fmt.Sprintf("certificate %s (number %d of the peer's chain, serial %x)", roles.Quote(e.Cert.Subject.String()), e.Depth+1, e.Cert.SerialNumber)
		if e.Depth < 0 {
			who = fmt.Sprintf("certificate %s (serial %x)", roles.Quote(e.Cert.Subject.String()), e.Cert.SerialNumber)
		}
	}
	s := who + ": " + e.Reason + ": judged by trust store " + e.Store
	if e.clock() {
		s += fmt.Sprintf(": %v: it shows %s, but it is after %s", ErrClock, e.Wall.UTC().Format(time.RFC3339), e.Now.UTC().Format(time.RFC3339))
	}
	return roles.Plain(s)
}

// Unwrap returns the error of crypto/x509.
func (e *VerifyError) Unwrap() error { return e.Err }

// Is matches ErrClock if the dates failed and the system's clock was overridden.
func (e *VerifyError) Is(target error) bool { return target == ErrClock && e.clock() }

func (e *VerifyError) clock() bool {
	var c x509.CertificateInvalidError
	return errors.As(e.Err, &c) && c.Reason == x509.Expired && e.Wall.Before(e.Now)
}

// verifyError converts an error of crypto/tls.
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
	for i, x := range c.UnverifiedCertificates {
		if v.Cert != nil && x.Equal(v.Cert) {
			v.Depth = i
		}
	}
	return v
}

// wrongName describes a certificate for other names. It adds the remedy if the certificate has no subjectAltName of
// the right type: a common name is no longer used (RFC 9525 s.2).
func wrongName(e x509.HostnameError) string {
	kind := "DNS"
	_, err := netip.ParseAddr(e.Host)
	if err == nil {
		kind = "IP"
	}
	remedy := fmt.Sprintf("re-issue it with subjectAltName %s:%s, as `millrace cert` does", kind, e.Host)
	switch c := e.Certificate; {
	case !hasAltNames(c):
		return fmt.Sprintf("is not for %q: it has no subjectAltName, and its common name is not used: %s", e.Host, remedy)
	case kind == "IP" && len(c.IPAddresses) == 0:
		return fmt.Sprintf("is not for %q: its subjectAltName has no IP address: %s", e.Host, remedy)
	case kind == "DNS" && len(c.DNSNames) == 0:
		return fmt.Sprintf("is not for %q: its subjectAltName has no DNS name: %s", e.Host, remedy)
	}
	return fmt.Sprintf("is not for %q: %v", e.Host, e)
}

// hasAltNames reports whether c has the extension subjectAltName (RFC 5280 s.4.2.1.6).
func hasAltNames(c *x509.Certificate) bool {
	return slices.ContainsFunc(c.Extensions, func(x pkix.Extension) bool { return x.Id.Equal(oidAltName) })
}

var oidAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// explain converts an error of crypto/tls to one of this package.
func (e *endpoint) explain(op string, err error) error {
	return &Error{Op: op, Peer: e.name, Err: e.cause(op, err)}
}

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
