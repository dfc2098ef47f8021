package h1

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// ErrBusy and ErrClosed are why Do cannot start an exchange.
var (
	ErrBusy   = errors.New("h1: do: an exchange is in progress")
	ErrClosed = fmt.Errorf("h1: do: connection is closed: %w", http.ErrNotProcessed)
)

// maxBlank is how many empty lines may precede a response: some servers end a body with a line end too many. More are
// no mistake.
const maxBlank = 8

// ErrStale is wrapped by the cause of an exchange when a connection that had served before ended and nothing of a
// response had come. The outcome is unknown (http.ErrOutcomeUnknown), but an idempotent request is worth another
// connection at once.
var ErrStale = errors.New("h1: response: none on a reused connection")

// maxInterim is how many 1xx heads one response may be announced by: a peer could send them for ever.
const maxInterim = 16

// Owner is told when a Client has nothing to do and when it is over.
type Owner interface {
	// Idle says that an exchange is over and another can be started.
	Idle(c *Client)
	// Closed says that the connection is over; it comes after the exchange's Done.
	Closed(c *Client, cause error)
}

// Client is the client's end of a connection. It is a value to embed: call Init, then hand it to the
// transport as its roles.Upper. It carries one exchange at a time.
//
// A response may come while the request's body is still being sent. One that refuses (status 300 and
// above) ends the sending: nothing more is asked of the handler, the response is read to its end, and
// the connection closes with the exchange (RFC 9112 s.9.3, s.9.5). During any other the sending goes on,
// since what the response says may depend on what is still to be sent: an echo, say. Done comes when
// both messages are complete; where the response announced close, when it is.
type Client struct {
	sh  *Shared
	low roles.Lower
	// Owner may be nil. It is set after Init.
	Owner Owner
	x     *exchange
	due   time.Duration
	scan  scan

	state    clientState
	served   bool  // an exchange was completed on this connection
	ownFault bool  // we closed it, for a reason that Closed is told
	lf       bool  // LF without CR ends a line of a response
	blank    uint8 // empty lines since the latest head
}

var _ roles.Upper = (*Client)(nil)

// Init makes c a client on l. c must not be in use.
func (c *Client) Init(sh *Shared, l roles.Lower) {
	*c = Client{sh: sh, low: l, lf: sh.cfg.BareLF}
}

// AcceptBareLF is Config.BareLF for this connection alone. It is called after Init.
func (c *Client) AcceptBareLF() { c.lf = true }

// rules are those by which responses are read.
func (c *Client) rules() syntax {
	if c.lf {
		return ofResponse | lenient
	}
	return ofResponse
}

// Lower is what c stands on.
func (c *Client) Lower() roles.Lower { return c.low }

// Do starts an exchange. h.Writable is called, unasked, when the request can be sent: once the
// connection is open. The error is ErrBusy or ErrClosed.
func (c *Client) Do(h http.Handler) (http.Exchange, error) {
	if c.x != nil {
		return nil, ErrBusy
	}
	if c.state >= clientClosing {
		return nil, ErrClosed
	}
	x := c.sh.newExchange()
	x.h, x.low, x.side, x.wantsWrite = h, c.low, c, true
	c.x = x
	if c.state == awaitDo {
		c.move(expectResponse)
		c.due = 0
		c.low.WantWrite()
		c.low.Rearm()
	}
	return x, nil
}

// Reusable tells whether an exchange can be started now on an open connection.
func (c *Client) Reusable() bool { return c.state == awaitDo }

// Free is how many exchanges can be started now on an open connection: one, or none.
func (c *Client) Free() int {
	if c.Reusable() {
		return 1
	}
	return 0
}

// Reused tells whether the connection has completed an exchange.
func (c *Client) Reused() bool { return c.served }

// Close ends the connection in order, or with it the exchange in progress.
func (c *Client) Close() {
	if c.state < clientClosing {
		c.close(roles.Graceful, nil)
	}
}

// fail gives the connection up for a fault of the peer's. It returns len(b), so that nothing more is
// looked at.
func (c *Client) fail(f *fault, b []byte) int {
	if errors.Is(f, http.ErrTimeout) {
		c.sh.Counters.Timeouts++
	} else {
		c.sh.Counters.Malformed++
	}
	e := *f
	e.Where, e.Status = "response: "+f.Where, 0
	c.ownFault = true
	c.close(roles.Immediate, &e)
	return len(b)
}

// move changes the state. A move that the table does not have closes the connection: see illegal.
func (c *Client) move(to clientState) {
	if from := c.state; !clientTable.Allows(uint8(from), uint8(to)) {
		c.illegal(illegalMove(clientTable, uint8(from), uint8(to)))
		return
	}
	c.state = to
}

func (c *Client) close(mode roles.CloseMode, cause error) {
	c.move(clientClosing)
	c.low.Close(mode, cause)
}

func (c *Client) reset(x *exchange, cause error) {
	if x == c.x && c.state < clientClosing {
		c.ownFault = true
		c.close(roles.Reset, cause)
	}
}

// illegal closes the connection because of a move that a table does not have.
func (c *Client) illegal(cause error) {
	c.sh.Counters.Illegal++
	if c.state < clientClosing {
		c.ownFault = true
		c.close(roles.Reset, cause)
	}
}
