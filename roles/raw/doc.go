// Package raw is a stream of bytes without a protocol, over a TCP or Unix socket, a TLS session, or a connection that
// another protocol has upgraded.
//
// It has no framing, no deadlines and no limits. The transport provides backpressure (Room returns nil, Pause) and idle
// timeouts.
//
// Bytes enter through Conn.Rx and reach Handler.Rx as a view of the buffer of the transport. A handler with output calls
// WantWrite; in Handler.Writable it fills Room and calls Commit.
package raw
