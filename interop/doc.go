// Package interop answers whether Millrace works with programs that others wrote: curl, nginx, net/http, nghttp2's
// tools, h2spec, Chromium, openssl, gnutls-cli, netcat, socat, wrk and ab, and the WebSockets of gorilla, coder, gws,
// node and Python.
//
// It holds tests only, in a module of its own. They build the millrace binary, start it and its peers on loopback
// ports that the system picks, look at what each side saw, and stop every process by its id. Some use the ss
// package in the test's own process, where the states of a stream matter.
//
// A peer that is not installed skips its tests and says which package has it; with CI=true in the environment that
// is a failure. The whole takes about three minutes, of which hostile peers take one: `go -C interop test ./...`.
package interop
