// Package pool decides which connection serves which request.
//
// A Pool has one Route per key. Requests with the same key share the connections of a route: one after another
// (HTTP/1.1), or many at a time (HTTP/2). A connection that no request uses stays warm for the next one. A request
// that cannot be served yet waits in the route's queue, in the order of its ticket.
//
// The package knows no protocol and no socket. Its user embeds a Conn in each connection and a Ticket in each request,
// and implements Link and Request for them: small interfaces by which the pool starts an exchange, makes a connection,
// or ends one. The user reports what happens to a connection by the methods of Conn: Up, Ready, GoingAway, Gone,
// Closed.
//
// Nothing here allocates after a route exists, and nothing blocks, reads the clock or starts a timer.
package pool
