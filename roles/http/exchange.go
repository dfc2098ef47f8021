package http

// Exchange is one request and its response, as one side of it sees them: over an h1 connection, or
// over a stream of an h2 connection. A server receives the request and sends the response, a client
// the other way round; the calls are the same.
//
// Send calls are made from inside Handler.Writable. All other calls may be made at any time from the
// loop's goroutine, also from inside a Handler's methods; none calls the Handler back before it
// returns. After Done an Exchange must not be used: it may be serving somebody else.
type Exchange interface {
	// SendHead queues the head of our message. A server may send any number of informational heads
	// (1xx) before the final one. m.Length is the body's length in bytes, or UnknownLength for a
	// body whose end Commit or SendTrailers will tell; end says that no body follows, whatever
	// m.Length announces (a response to HEAD, a 304). m is not kept. Framing fields (Content-Length,
	// Transfer-Encoding, Connection, and a server's Date) are the exchange's own business and must
	// not be among m.Fields. The error says what is wrong with m, and nothing was sent.
	SendHead(m *Message, end bool) error
	// Room returns space for body bytes, at least MinRoom unless less than that is left of an
	// announced length, of the peer's window, or of what leaves together; nil when nothing can be taken
	// now: then WantWrite, and wait for Writable. Valid until the next call on the exchange.
	Room() []byte
	// Commit appends the first n bytes of Room to our body; end completes it, and so does reaching an
	// announced length, be it 0. n may be 0. To end short of the announced length breaks the exchange,
	// so that the peer does not take what it got for the whole.
	Commit(n int, end bool)
	// SendTrailers completes our body with trailer fields, where the protocol can carry them, and
	// without them where it cannot. The errors are those of SendHead.
	SendTrailers(t []Field) error
	// WantWrite asks for one Writable.
	WantWrite()
	// Pause stops Body, and thereby the peer; End may still come. Resume undoes it.
	Pause()
	Resume()
	// Credit says that n bytes given to Body have left the Handler's hands, for protocols that grant
	// windows. Until a Handler asks for manual credit the exchange grants by itself.
	Credit(n int)
	// Reset abandons the exchange. On h1 this costs the connection. Done follows, with cause.
	Reset(cause error)
	// SetHandler puts another Handler in place of the present one.
	SetHandler(h Handler)
}

// Windowed is what an Exchange is besides when its protocol grants the peer a window for each body
// (RFC 9113 s.5.2).
type Windowed interface {
	// ManualCredit has the peer's window grow by Exchange.Credit alone from now on. Until then it grows
	// as Body returns.
	ManualCredit()
	// PeerWindow is how many bytes of body the peer may still send, as far as we have granted.
	PeerWindow() int64
}

// Unhurried is what a client's Exchange is besides, of either protocol.
type Unhurried interface {
	// Unhurried lets the server take all the time it wants for its response, and between the pieces of the body.
	Unhurried()
}

// HalfCloseWatcher is a server's Handler that wants to know when the client has ended its direction of the connection
// before it was answered. The exchange goes on, for a client may end its direction behind its request; but it breaks
// when nothing of the response is sent for the role's Timeouts.HalfClosed.
type HalfCloseWatcher interface {
	// HalfClosed is called at most once per connection, for the exchanges that are under way then.
	HalfClosed(x Exchange)
}

// MinRoom is the least that Exchange.Room offers, where nothing but the transport bounds it.
const MinRoom = 16<<10 - 64

// Handler is told what happens on an exchange. Slices are views into the receive buffer, valid during
// the call.
type Handler interface {
	// Head is the peer's head. A client is also given informational ones (1xx other than 101), with
	// the final one to come.
	Head(x Exchange, m *Message)
	// Body is the next piece of the peer's body.
	Body(x Exchange, b []byte)
	// End says that the peer's message is complete.
	End(x Exchange, trailers []Field)
	// Writable answers WantWrite. On a client's exchange it comes first unasked: for the request.
	Writable(x Exchange)
	// Done is the last call: both messages are complete (cause nil), or the exchange broke. On a client that
	// has not been given a final head, errors.Is finds exactly one of ErrNotProcessed and ErrOutcomeUnknown
	// in cause.
	Done(x Exchange, cause error)
}
