// Package ws speaks WebSocket (RFC 6455) with permessage-deflate (RFC 7692), either end of it.
//
// It answers "what do these frames say, and what may follow them", strictly: what a rule forbids fails the
// connection with the rule's close code, at the first octet that shows it. It has no socket, no clock and no
// goroutine, and collects nothing: a message is passed on in the pieces in which it comes, and frame heads
// and control frames that are not complete are left with the transport until they are.
//
// A Conn stands on any roles.Lower: an h1 connection behind its 101, or a stream of h2 behind an extended
// CONNECT (RFC 8441). Bytes come in through Rx, are unmasked where they lie, and go on to a Handler as views
// of the same buffer; messages go out through Room and Commit, straight into the Lower's room. Who says
// what before that, in the handshake, are Accept for a server and Offer for a client: they judge an
// http.Message and give the fields to send, and it is for the caller to send them.
package ws
