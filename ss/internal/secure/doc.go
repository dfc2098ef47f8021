// Package secure answers one question: which TLS context does a stream type of a policy need, as a client of one name
// or as a server?
//
// Contexts keeps the trust stores, client contexts and client certificates that the streams of a runtime share, so
// that streams with the same demands share connections and sessions, and drives their handshakes on the loop. A
// stream type of the policy comes in, with the name of the peer; a *tls.Client or *tls.Server comes out, which the
// caller keeps for as long as it needs it. Prune drops what no policy needs any more.
//
// The package makes no connection and parses no policy. What TLS does with a context is package tls's.
package secure
