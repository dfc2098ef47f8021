// Package http holds what HTTP/1.1, HTTP/2 and WebSocket share: the message head, its fields, and the
// exchange of one request for one response.
//
// It answers "what does a head say": names and values that are legal (RFC 9110 section 5), well-known
// names as small numbers so that nobody compares strings twice, statuses and their phrases, dates,
// Retry-After. It does not know how a head looks on the wire, and it has no connection: roles/h1 and
// roles/h2 parse and write, and present what they do as an Exchange to a Handler.
//
// Data enters as slices of a receive buffer, which a Message's fields point into for the length of one
// call, and leaves as slices of the caller's that the protocol copies into its output. Nothing here
// keeps either.
package http
