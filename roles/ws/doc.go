// Package ws implements WebSocket (RFC 6455) with permessage-deflate (RFC 7692), for clients and servers.
//
// It parses the peer's frames, checks the rules of the protocol, and writes frames. A frame that breaks a rule fails the
// connection with the close code that the RFC gives for it, at the first octet that shows the error. The package has no
// socket, no clock and no goroutine, and does not collect messages: the Handler receives each message in the pieces in
// which it arrives. An incomplete frame header or control frame stays with the transport until the rest has come.
//
// A Conn runs over any roles.Lower: an h1 connection after its 101 response, or an h2 stream after an extended CONNECT
// (RFC 8441). Bytes come in through Rx, are unmasked in place, and reach the Handler as slices of the same buffer.
// Messages go out through Room and Commit, straight into the Lower's room. Answer (server) and Offer (client) do the
// handshake before that: they check an http.Message and return the fields to send, which the caller sends.
package ws
