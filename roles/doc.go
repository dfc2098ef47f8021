// Package roles holds the two interfaces by which protocols stack.
//
// A Lower is what carries a protocol: a socket, a TLS session, one stream of an HTTP/2 connection. An Upper is a protocol
// on a Lower. Which packages implement which, and which stack on which:
//
//	Upper             on Lower                                  its own user calls, and is called by
//	tls.Session       wsi.Wsi                                   (its Upper: it is a Lower too)
//	h1, h2 Server     wsi.Wsi, tls.Session                      http.Exchange, http.Handler
//	h1, h2 Client     wsi.Wsi, tls.Session                      http.Exchange, http.Handler
//	ws.Conn           wsi.Wsi, tls.Session, a stream of h2      ws.Conn, ws.Handler
//	raw.Conn          wsi.Wsi, tls.Session, a stream of h2      raw.Conn, raw.Handler
//
// Who calls whom:
//
//	Lower calls Upper    Opened, Rx, RxEnd, Writable, Woken, Timeout, Closed; Deadline after each of them
//	Upper calls Lower    at any time on the loop's goroutine; a Lower never calls back before it returns
//	WantWrite            is answered by Writable, once the transport takes output
//	Wake                 is answered by Woken, when the connection is served next
//	Resume               is answered by Rx, if input waits
//	Close                is answered by Closed, before the turn is over
//	Deadline             is answered by Timeout. It is a time, and never a way to be called at once: that is Wake
//
// Bytes come up through Upper.Rx as slices of the loop's receive buffer and go down through Lower.Room and Lower.Commit
// into the loop's output arena; neither side keeps the other's slices. Between Lower.Cork and Lower.Uncork output may be made
// outside of the connection's turn too, and a long payload that the caller has is lent instead of copied. Time comes in as an argument, and Lower.Now has it
// between the calls, so a role needs no clock, no socket and no goroutine, and can be tested by handing it bytes. What a
// protocol wants to know about the layers below, it asks Lower.Info: no layer asserts the type of its Lower or Upper. The
// optional interfaces of an Upper are those of this package: HangUpWatcher and Labelled.
//
// Quote and Plain make the text of a peer fit for errors and logs, in every layer.
//
// The package contains no protocol. Each is a package of its own below this one.
package roles
