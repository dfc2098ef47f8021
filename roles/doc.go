// Package roles holds the two interfaces by which protocols stack.
//
// A Lower is what a protocol stands on: a socket, a TLS session, one stream of an h2 connection, a ws
// connection. An Upper is a protocol standing there. Bytes come up through Upper.Rx as slices of the
// loop's receive buffer and go down through Lower.Room and Lower.Commit into the loop's output arena;
// neither side keeps the other's slices. Time comes in as an argument, so a role needs no clock, no
// socket and no goroutine, and can be tested by handing it bytes.
//
// Quote and Plain make what a peer says fit for errors and logs, in every layer.
//
// The package contains no protocol. Each lives in a package of its own below this one.
package roles
