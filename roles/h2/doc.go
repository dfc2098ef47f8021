// Package h2 implements both ends of an HTTP/2 connection (RFC 9113), without a socket and without a clock.
//
// It answers: what do these frames mean, and which frames may be sent now? A Server or a Client is the roles.Upper of
// a connection that begins with the preface: over TLS after ALPN "h2", or in plain text with prior knowledge. Each
// request with its response is an http.Exchange, which an http.Handler serves exactly as it serves the exchange of
// roles/h1. After an extended CONNECT (RFC 8441) a stream is the roles.Lower of the protocol that runs over it: a
// tunnel.
//
// Data enters through Rx, which parses its slice in place: Handler.Body gets the bytes of a body as views of that
// slice, piece by piece as they arrive. Data leaves in Writable, when the transport asks for it: the streams that
// want to write wait in a queue, and each in its turn fills one DATA frame. Header blocks go through
// golang.org/x/net/http2/hpack. What a paused handler does not take is kept, up to the window of its stream, and
// charged to the connection.
//
// Connections, streams and tunnels are state machines: docs/machines.md shows their tables, which are in state.go
// (RFC 9113 section 5.1), phase.go and stream_states.go.
//
// The package has no priorities of RFC 7540, no server push, and no upgrade from HTTP/1.1 (RFC 9113 dropped them). It
// knows nothing about what requests are for.
package h2
