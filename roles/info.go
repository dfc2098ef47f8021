package roles

import (
	stdtls "crypto/tls"
	"crypto/x509"
	"net/netip"
)

// Info describes what is below a protocol: what Lower.Info returns. It is a value of a few words: to get it costs no
// allocation and no system call. Its Conn and TLS are valid until the Upper is Closed.
type Info struct {
	// Layer is what the Lower itself is.
	Layer Layer
	// Conn is the connection at the bottom, through all layers. It is never nil.
	Conn Conn
	// TLS is the nearest TLS session below the protocol, nil without one.
	TLS TLS
}

// Layer names the type of a Lower.
type Layer uint8

const (
	// LayerSocket is a connection of the system's.
	LayerSocket Layer = iota
	// LayerTLS is a TLS session.
	LayerTLS
	// LayerH2Stream is one stream of an HTTP/2 connection (RFC 8441).
	LayerH2Stream
	// LayerWS is the messages of a WebSocket connection.
	LayerWS
)

var layerNames = [...]string{"socket", "tls", "http/2 stream", "ws"}

// String names the layer as a report does.
func (l Layer) String() string { return layerNames[l] }

// Conn is the connection at the bottom of a stack of protocols.
type Conn interface {
	// Label names the connection in reports: its protocol, its peer and its state.
	Label() string
	// PeerIP is the address of the other end. Each call asks the system, since a connection keeps no copy. It is the
	// zero AddrPort on a Unix socket, and when the system no longer knows the address.
	PeerIP() netip.AddrPort
	// InputDue reports whether the peer has sent bytes that are not read yet, as far as the loop knows: the connection
	// then waits for the loop, and not for the peer.
	InputDue() bool
	// Established ends the time that a new connection has for its handshake or its first request.
	Established()
}

// TLS is a TLS session below a protocol.
type TLS interface {
	// State is the result of the handshake, the zero TLSState before its end. It allocates nothing.
	State() TLSState
}

// TLSState is the result of a TLS handshake. The zero TLSState is that of a session whose handshake is not complete.
type TLSState struct {
	Version uint16 // crypto/tls.VersionName names it
	Suite   uint16 // crypto/tls.CipherSuiteName names it
	Group   stdtls.CurveID
	ALPN    string // the application protocol (RFC 7301), "" for none
	Resumed bool
	// Chain is the peer's certificates, the leaf first; it is empty for clients without a certificate. If Resumed it is
	// the chain of the full handshake before: the peer may have another certificate by now. The slice is shared and
	// valid after the session: do not change it.
	Chain []*x509.Certificate
	// TakenOver reports that Millrace's own record layer carries the session, and not crypto/tls's.
	TakenOver bool
}
