// Package h2 is HTTP/2 (RFC 9113), both ends of it, without a socket and without a clock.
//
// It answers "what do these frames mean, and which may be sent now". A Server or a Client is the
// roles.Upper of a connection that begins with the preface: over TLS after ALPN "h2", in clear with prior
// knowledge. Each request with its response is an http.Exchange of its own, presented to an http.Handler
// exactly as roles/h1 presents its one; what runs over a stream after an extended CONNECT (RFC 8441) gets the
// stream as a roles.Lower.
//
// Data enters through Rx, whose slice is parsed where it lies: a body's bytes reach Handler.Body as views of it,
// in pieces as they come. Data leaves when the transport asks for it: streams that want to write stand in a
// queue, and each in turn fills one DATA frame, all of them in one output. Header blocks go through
// golang.org/x/net/http2/hpack. What a paused handler does not take is kept, up to its window, and charged.
//
// The package does no priorities of RFC 7540, no server push, and no upgrade from HTTP/1.1 (RFC 9113 dropped
// them); it knows nothing of what requests are for.
package h2
