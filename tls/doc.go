// Package tls puts TLS between a nonblocking transport and a protocol.
//
// It answers "who is the peer, and what did it say in confidence". A Session is a roles.Upper towards the
// transport and the roles.Lower of the protocol above it. The handshake is crypto/tls's, unmodified, as a
// coroutine on the loop's own thread; no handshake message is written or judged here. After a TLS 1.3
// handshake on the server's side the Session takes the record layer over (RFC 8446 s.5) and drops the
// tls.Conn, so that an idle connection holds two secrets and two sequence numbers. TLS 1.2 and clients
// keep their tls.Conn and read it without blocking.
//
// Ciphertext comes in through Session.Rx, is opened where it lies, and goes up as a view of the same
// buffer; plaintext that the protocol leaves stays in the transport's buffer. Output is written into the
// transport's room behind space for the header and sealed there. A Shared holds what the sessions of one
// loop have in common; a Server and a Client hold what those of one listener or one endpoint have.
//
// The package has no socket, no clock and no goroutine, reads no file, and knows no policy.
package tls
