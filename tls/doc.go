// Package tls runs TLS between a nonblocking transport and a protocol.
//
// A Session authenticates the peer and encrypts the bytes. It is a roles.Upper for the transport and the roles.Lower
// of the protocol above it. crypto/tls, unmodified, performs the handshake in a coroutine on the loop's thread; this
// package neither writes nor checks handshake messages. After a TLS 1.3 handshake on the server side, the Session
// takes over the record layer (RFC 8446 s.5) and drops the tls.Conn, so that an idle connection stores two secrets
// and two sequence numbers. TLS 1.2 sessions and clients keep their tls.Conn and read it without blocking.
//
// Ciphertext enters by Session.Rx, is decrypted in place, and is passed up as a slice of the same buffer. Plaintext
// that the protocol does not use stays in the transport's buffer. Output is written into the transport's buffer,
// after space for the record header, and encrypted there. A Shared has the state that all sessions of a loop share; a
// Server or a Client has the settings of one listener or one endpoint.
//
// The package uses no socket, no clock and no goroutine, reads no file except the system's trust store (SystemStore),
// and knows no policy.
package tls
