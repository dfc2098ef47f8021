package tls

import (
	"crypto/fips140"
	"crypto/sha256"
	"fmt"
	"strings"

	stdtls "crypto/tls"
)

// ClientAuth says what a server demands of its clients.
type ClientAuth uint8

// What a server may demand.
const (
	AuthNone     ClientAuth = iota // no certificate
	AuthOptional                   // a good one, or none
	AuthRequired                   // a good one
)

// ServerConfig says what a server shows and what it takes. It may be shared between loops.
type ServerConfig struct {
	// Certificates are chosen from by the name that the client asks for; the first is for those that
	// ask for none or an unknown one. See ParseCertificate.
	Certificates []stdtls.Certificate
	// ALPN are the protocols offered, best first. A client that offers some, and none of these, is
	// refused with no_application_protocol (RFC 7301 s.3.2).
	ALPN []string
	// Auth demands a client certificate that leads to Clients.
	Auth    ClientAuth
	Clients *TrustStore
	// MinVersion is the least version taken; 0 is crypto/tls's default, TLS 1.2.
	MinVersion uint16
	// Groups are the key exchanges taken; nil is crypto/tls's default, X25519MLKEM768 first.
	Groups []stdtls.CurveID
	// NoTickets leaves out session tickets.
	NoTickets bool
}

// ClientConfig says whom a client wants to reach and whom it trusts. It may be shared between loops.
type ClientConfig struct {
	// Name is what the server must prove to be: a DNS name or an IP address. Names are also sent (SNI).
	Name string
	// Store holds the trusted roots; nil is the operating system's.
	Store *TrustStore
	// ALPN are the protocols offered, best first.
	ALPN []string
	// Certificate is shown when the server asks for one; nil for none.
	Certificate *stdtls.Certificate
	// MinVersion is the least version taken; 0 is crypto/tls's default, TLS 1.2.
	MinVersion uint16
	// Groups are the key exchanges offered; nil is crypto/tls's default, X25519MLKEM768 first.
	Groups []stdtls.CurveID
	// NoResume leaves out session resumption.
	NoResume bool
}

// end is what Server and Client have in common.
type end struct {
	sh     *Shared
	conf   *stdtls.Config
	other  *stdtls.Config // with larger or smaller hellos than conf; see ErrSilent
	store  *TrustStore    // the peer's certificate is held against it
	name   string         // whom the peer must prove to be
	alpn   []string
	client bool
	keep   bool        // never take the record layer over
	scope  string      // of ticket keys
	keys   *TicketKeys // in use by conf
}

// Server is one listener's side of TLS on one loop.
type Server struct {
	end
	certs *certificates
}

// Client is one endpoint's side of TLS on one loop.
type Client struct{ end }

// NewServer makes a Server on sh.
func NewServer(sh *Shared, c ServerConfig) (*Server, error) {
	certs, err := indexed(c.Certificates)
	if err != nil {
		return nil, fmt.Errorf("tls: make server: %w", err)
	}
	v := &Server{certs: certs}
	v.end = end{sh: sh, store: c.Clients, alpn: c.ALPN}
	// crypto/fips140's "only" mode refuses an AEAD whose nonces come from outside of crypto/tls.
	v.keep = fips140.Enforced()
	conf := v.base(c.MinVersion, c.Groups)
	conf.GetCertificate = func(h *stdtls.ClientHelloInfo) (*stdtls.Certificate, error) { return v.certs.choose(h), nil }
	conf.SessionTicketsDisabled = c.NoTickets
	conf.KeyLogWriter = &keyLog{sh}
	switch c.Auth {
	case AuthOptional:
		conf.ClientAuth = stdtls.VerifyClientCertIfGiven
	case AuthRequired:
		conf.ClientAuth = stdtls.RequireAndVerifyClientCert
	}
	if c.Auth != AuthNone {
		if c.Clients == nil || c.Clients.pool == nil {
			return nil, fmt.Errorf("tls: make server: client certificates are asked for and no trust store is named to judge them by")
		}
		conf.ClientCAs = c.Clients.pool
	}
	// A ticket stands for the certificate that was shown for it: one from a listener with other demands
	// must not open this one.
	v.scope = fmt.Sprintf("%d %x", c.Auth, c.Clients.identity())
	return v, nil
}

// SetCertificates puts others in place of ServerConfig.Certificates, for handshakes that begin from now
// on. Connections that stand are not touched. On an error nothing changes.
func (v *Server) SetCertificates(list []stdtls.Certificate) error {
	certs, err := indexed(list)
	if err != nil {
		return fmt.Errorf("tls: set certificates: %w", err)
	}
	v.certs = certs
	return nil
}

// NewClient makes a Client on sh.
func NewClient(sh *Shared, c ClientConfig) (*Client, error) {
	if c.Name == "" {
		return nil, fmt.Errorf("tls: make client: there is no name for the server to prove")
	}
	v := &Client{}
	v.end = end{sh: sh, store: c.Store, name: c.Name, alpn: c.ALPN, client: true, keep: true}
	conf := v.base(c.MinVersion, c.Groups)
	conf.ServerName = c.Name
	if c.Store != nil {
		conf.RootCAs = c.Store.pool
	}
	who := ""
	if c.Certificate != nil {
		conf.GetClientCertificate = func(*stdtls.CertificateRequestInfo) (*stdtls.Certificate, error) { return c.Certificate, nil }
		h := sha256.New()
		for _, der := range c.Certificate.Certificate {
			h.Write(der)
		}
		who = string(h.Sum(nil))
	}
	if sh.cache != nil && !c.NoResume {
		// A session stands for how the server was judged and for whom we said that we are.
		conf.ClientSessionCache = &cacheView{sh.cache, fmt.Sprintf("%x %x %x ", c.Store.identity(), who, strings.Join(c.ALPN, " "))}
	}
	if c.Groups == nil {
		v.other = conf.Clone()
		v.other.CurvePreferences = smallGroups
	}
	return v, nil
}

func (e *end) base(version uint16, groups []stdtls.CurveID) *stdtls.Config {
	e.conf = &stdtls.Config{
		NextProtos:       e.alpn,
		MinVersion:       version,
		CurvePreferences: groups,
		// Records are as long as what is committed: the sender knows best.
		DynamicRecordSizingDisabled: true,
	}
	if e.sh.cfg.Wall != nil {
		e.conf.Time = e.sh.time
	}
	return e.conf
}

// ready brings the ticket keys up to date before a handshake.
func (e *end) ready() {
	if k := e.sh.tickets; k != nil && k != e.keys && !e.client {
		e.keys = k
		e.conf.SetSessionTicketKeys(k.scoped(e.scope))
	}
}
