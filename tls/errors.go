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

// What errors.Is finds in the cause of a Closed.
var (
	// ErrTruncated: the peer, or somebody between, ended the connection without close_notify. What was
	// received last may not be all that was sent (RFC 8446 s.6.1).
	ErrTruncated = errors.New("connection ended without close_notify")
	// ErrTimeout: the handshake took too long.
	ErrTimeout = errors.New("handshake took too long")
	// ErrDisplaced: the peer kept its handshake waiting for longer than any other, and others waited for its place.
	ErrDisplaced = errors.New("peer kept the handshake waiting while others waited for a place")
	// ErrShutdown: Shared.Close ended the handshake.
	ErrShutdown = errors.New("shutting down")
	// ErrMemory: the session would have to keep its tls.Conn, and there are as many of them as there is memory for.
	ErrMemory = errors.New("no memory for another session that keeps its tls.Conn")
	// ErrClock: a certificate's dates could not be judged since the system's clock cannot be right.
	ErrClock = errors.New("system clock cannot be right")
	// ErrNotTLS: what the peer sent first is no TLS.
	ErrNotTLS = errors.New("peer does not speak TLS")
)

// Error says what was attempted when a session failed. Its text, and that of VerifyError, is escaped (roles.Plain):
// certificates hold what their makers like. The text of the errors that it wraps is not.
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

// AlertError says that the peer has ended the session with an alert: it found fault with us.
type AlertError struct{ Alert Alert }

// Error implements error.
func (e *AlertError) Error() string { return "peer sent alert " + e.Alert.String() }

// ProtocolError says that the peer broke the rules. Alert is what it was told.
type ProtocolError struct {
	Alert Alert
	What  string // what came
}

// Error implements error.
func (e *ProtocolError) Error() string {
	return "peer sent " + e.What + ": answered with alert " + e.Alert.String()
}

// VerifyError says why a peer's certificate was not accepted.
type VerifyError struct {
	Store  string            // name of the trust store it was held against
	Name   string            // the name the peer should have proved, for clients
	Cert   *x509.Certificate // the certificate at fault
	Depth  int               // its place in the chain that the peer sent, 0 the leaf; -1 not from the peer
	Reason string
	Now    time.Time // the time by which dates were judged
	Wall   time.Time // the system's, which is earlier when it cannot be right
	Err    error     // crypto/x509's
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
		s += fmt.Sprintf(": %v: it shows %s, and it is after %s", ErrClock, e.Wall.UTC().Format(time.RFC3339), e.Now.UTC().Format(time.RFC3339))
	}
	return roles.Plain(s)
}

// Unwrap gives crypto/x509's error.
func (e *VerifyError) Unwrap() error { return e.Err }

// Is finds ErrClock when the dates are at fault and the system's clock was not believed.
func (e *VerifyError) Is(target error) bool { return target == ErrClock && e.clock() }

func (e *VerifyError) clock() bool {
	var c x509.CertificateInvalidError
	return errors.As(e.Err, &c) && c.Reason == x509.Expired && e.Wall.Before(e.Now)
}

// verifyError explains what crypto/tls found.
func (e *end) verifyError(c *stdtls.CertificateVerificationError) *VerifyError {
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
		v.Reason = "is signed by nobody in the trust store"
		if v.Cert != nil && string(v.Cert.RawIssuer) == string(v.Cert.RawSubject) {
			v.Reason = "is signed by itself and stands not in the trust store"
		}
	}
	for i, x := range c.UnverifiedCertificates {
		if v.Cert != nil && x.Equal(v.Cert) {
			v.Depth = i
		}
	}
	return v
}

// wrongName describes a certificate for other names, with the remedy if it has no subjectAltName of the right type: a
// common name no longer counts (RFC 9525 s.2).
func wrongName(e x509.HostnameError) string {
	kind := "DNS"
	_, err := netip.ParseAddr(e.Host)
	if err == nil {
		kind = "IP"
	}
	remedy := fmt.Sprintf("re-issue it with subjectAltName %s:%s, as `millrace cert` does", kind, e.Host)
	switch c := e.Certificate; {
	case !hasAltNames(c):
		return fmt.Sprintf("is not for %q: it has no subjectAltName, and its common name does not count: %s", e.Host, remedy)
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

// explain turns an error of crypto/tls into one of ours.
func (e *end) explain(op string, err error) error {
	return &Error{Op: op, Peer: e.name, Err: e.cause(op, err)}
}

func (e *end) cause(op string, err error) error {
	var verify *stdtls.CertificateVerificationError
	var header stdtls.RecordHeaderError
	var alert *net.OpError
	switch {
	case errors.As(err, &verify):
		return e.verifyError(verify)
	case errors.As(err, &header) && op == "handshake":
		return fmt.Errorf("%w: its first bytes are %q: %w", ErrNotTLS, header.RecordHeader[:], err)
	case errors.As(err, &header):
		return fmt.Errorf("a record begins with %q: %w", header.RecordHeader[:], err)
	case errors.As(err, &alert):
		// crypto/tls's alert is an unexported uint8.
		v := reflect.ValueOf(alert.Err)
		switch {
		case v.Kind() != reflect.Uint8:
		case alert.Op == "remote error":
			return &AlertError{Alert(v.Uint())}
		case alert.Op == "local error":
			return &ProtocolError{Alert(v.Uint()), "what crypto/tls does not take"}
		}
	}
	return err
}
