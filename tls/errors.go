package tls

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/roles"
)

// These errors are causes that an Upper over TLS receives in Closed, wrapped: match them with errors.Is.
var (
	// ErrTruncated: the connection ended without close_notify: the peer or an attacker closed it. The received data may
	// be incomplete (RFC 8446 s.6.1).
	ErrTruncated = errors.New("connection ended without close_notify")
	// ErrTimeout: the handshake took too long.
	ErrTimeout = errors.New("handshake took too long")
	// ErrDisplaced: a limit of handshakes in progress was reached, and this one had waited longest for its peer: another
	// got its place.
	ErrDisplaced = errors.New("peer kept the handshake waiting while others waited for a place")
	// ErrShutdown: Shared.Close ended the handshake.
	ErrShutdown = errors.New("shutting down")
	// ErrMemory: the session must keep its tls.Conn (TLS 1.2, and all clients), and the memory for such sessions is used up.
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
	if e.wrongClock() {
		s += fmt.Sprintf(": %v: it shows %s, but it is after %s", ErrClock, e.Wall.UTC().Format(time.RFC3339), e.Now.UTC().Format(time.RFC3339))
	}
	return roles.Plain(s)
}

// Unwrap returns the error of crypto/x509.
func (e *VerifyError) Unwrap() error { return e.Err }

// Is matches ErrClock if the dates failed and the system's clock was overridden.
func (e *VerifyError) Is(target error) bool { return target == ErrClock && e.wrongClock() }

// wrongClock reports whether the dates failed and the system's clock was overridden by a later time.
func (e *VerifyError) wrongClock() bool {
	var c x509.CertificateInvalidError
	return errors.As(e.Err, &c) && c.Reason == x509.Expired && e.Wall.Before(e.Now)
}
