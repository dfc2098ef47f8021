package http

// Exchange is one request with its response, as one of the two ends sees it: on an h1 connection, or on a stream of an h2
// connection. A server receives the request and sends the response; a client sends the request and receives the response.
// The calls are the same.
//
// SendHead, Room, Commit and SendTrailers are called from inside Handler.Writable, or between Cork and Uncork; Send between
// those two. All other calls may be made at any time from the goroutine of the loop, also from inside the methods of a
// Handler. No call calls the Handler back before it returns. After Done the Exchange must not be used: another request may
// use it.
type Exchange interface {
	// SendHead sends the head of the message of this end. A server may send any number of informational heads (1xx) before
	// the final one. m.Length is the length of the body in bytes, or UnknownLength for a body that Commit or SendTrailers
	// ends; end means that no body follows, whatever m.Length announces (a response to HEAD, a 304). m is not kept.
	// m.Fields must not have the fields that frame a message (Content-Length, Transfer-Encoding, Connection, and at a
	// server Date): the exchange writes them. On an error nothing was sent; it describes what is wrong with m, or it is
	// ErrNoRoom.
	SendHead(m *Message, end bool) error
	// Room returns space for body bytes, at least MinRoom unless less remains of an announced length, of the peer's window,
	// or of the output of this turn. It returns nil if the transport takes nothing now: call WantWrite, and wait for
	// Writable. The slice is valid until the next call on the exchange.
	Room() []byte
	// Commit appends the first n bytes of the last Room to the body. end ends the body; so does reaching an announced
	// length, also of 0. n may be 0. An end before the announced length breaks the exchange, so that the peer does not
	// accept an incomplete body.
	Commit(n int, end bool)
	// Cork opens the exchange for Send from anywhere: inside a Handler's methods, of this exchange or another, or between
	// the loop's turns. Until Uncork, SendHead and Send may be called, and nothing of another exchange. It
	// reports whether anything can be taken now; false: nothing was opened, and Writable answers WantWrite.
	Cork() bool
	// Send appends b to our body, straight from the caller's memory where the transport can do that, and returns how
	// many bytes it took, from the front. What the windows, an announced length or the transport have no place for
	// is not taken. end completes the body, if all of b was taken; whole reports that b was, and end with it. Send
	// forgets an earlier Room. It calls no Handler.
	Send(b []byte, end bool) (n int, whole bool)
	// Uncork sends what was given since Cork. The memory of Send is the caller's again.
	Uncork()
	// SendTrailers ends the body with trailer fields. If the protocol cannot send them, it ends the body without them. The
	// errors are those of SendHead.
	SendTrailers(t []Field) error
	// WantWrite asks for one Writable.
	WantWrite()
	// Pause stops the calls of Body, and by flow control the peer. End may still come.
	Pause()
	// Resume ends a Pause.
	Resume()
	// Credit reports that the Handler has finished with n bytes of body, for a protocol that grants windows. It has no effect
	// before FlowControlled.ManualCredit: until then the exchange grants the window itself.
	Credit(n int)
	// Reset abandons the exchange; on h1 it also closes the connection. Done follows with cause.
	Reset(cause error)
	// SetHandler replaces the Handler.
	SetHandler(h Handler)
}

// FlowControlled is implemented by an Exchange whose protocol grants the peer a window for each body (RFC 9113 s.5.2).
type FlowControlled interface {
	// ManualCredit makes the window of the peer grow by Exchange.Credit alone. Before that it grows as Body returns.
	ManualCredit()
	// PeerWindow returns the number of body bytes that the peer may still send by the granted window.
	PeerWindow() int64
}

// NoDeadline is implemented by the Exchange of a client, on h1 and h2.
type NoDeadline interface {
	// NoDeadline removes the deadlines for the response and for the pieces of its body.
	NoDeadline()
}

// HalfCloseWatcher is implemented by a server's Handler that needs to know that the client has ended its direction of the
// connection before the response is complete. The exchange goes on, since a client may do so after its request; but it
// breaks if nothing of the response is sent for the role's Timeouts.HalfClosed.
type HalfCloseWatcher interface {
	// HalfClosed is called at most once per connection, for each exchange that is in progress.
	HalfClosed(x Exchange)
}

// MinRoom is the least length of the slice that Exchange.Room returns if only the transport bounds it.
const MinRoom = 16<<10 - 64

// Handler receives what happens on an exchange. Slices are views of the receive buffer, valid during the call.
type Handler interface {
	// Head receives the head of the peer's message. A client also receives informational heads (1xx except 101) before
	// the final one.
	Head(x Exchange, m *Message)
	// Body receives the next piece of the peer's body.
	Body(x Exchange, b []byte)
	// End reports that the peer's message is complete.
	End(x Exchange, trailers []Field)
	// Writable answers WantWrite. A client's exchange gets its first Writable without a WantWrite, for the request.
	Writable(x Exchange)
	// Done is the last call. cause is nil if both messages are complete, else it is why the exchange broke. At a client that
	// has received no final head, errors.Is finds exactly one of ErrNotProcessed and ErrOutcomeUnknown in cause.
	Done(x Exchange, cause error)
}
