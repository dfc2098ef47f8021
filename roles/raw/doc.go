// Package raw passes bytes through: the protocol that adds nothing.
//
// It answers "how does a stream of plain bytes stand on a transport", for TCP and Unix sockets, for TLS
// sessions, and for a connection that another protocol has upgraded. It frames nothing, times nothing
// and limits nothing: backpressure is the transport's (Room is nil, Pause), and so are idle timeouts.
//
// Bytes come in through Conn.Rx and go to Handler.Rx as a view of the transport's buffer. A handler that
// has something to say asks with WantWrite, and in Handler.Writable fills Room and calls Commit.
package raw
