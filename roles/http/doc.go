// Package http defines what HTTP/1.1, HTTP/2 and WebSocket share: the head of a message, its fields, and the exchange of
// one request for one response.
//
// It checks names and values (RFC 9110 s.5), gives the well-known names small numbers so that a name is compared once,
// and knows statuses and their phrases, dates, Retry-After, redirects, and URI references. It does not know the wire
// format, and it has no connection: roles/h1 and roles/h2 parse and write heads, and present each request with its
// response to a Handler as an Exchange.
//
// The slices of a received Message are views of a receive buffer, valid during one call. The slices of a Message to send
// belong to the caller; the protocol copies them into its output. This package keeps neither.
package http
