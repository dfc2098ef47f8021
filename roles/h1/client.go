package h1

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// ErrBusy and ErrClosed are the reasons for which Do cannot start an exchange.
var (
	ErrBusy   = errors.New("h1: do: an exchange is in progress")
	ErrClosed = fmt.Errorf("h1: do: connection is closed: %w", http.ErrNotProcessed)
)

// maxBlank is the number of empty lines that may precede a response: some servers send an extra line end after a body.
const maxBlank = 8

// ErrStale is wrapped by the cause of an exchange if a reused connection ended before the first byte of the response. The
// outcome is unknown (http.ErrOutcomeUnknown), but an idempotent request can be repeated at once on another connection.
var ErrStale = errors.New("h1: response: none on a reused connection")

// maxInterim is the number of 1xx heads that may precede a final head: a server could send them without end.
const maxInterim = 16

// Owner receives the events of a Client that concern its connection.
type Owner interface {
	// Idle reports that an exchange is over and Do can start another.
	Idle(c *Client)
	// Closed reports the end of the connection, after Done of the exchange. cause is that of roles.Upper.
	Closed(c *Client, cause error)
}

// Client is the client end of a connection. It is a value to embed: call Init, then give it to the transport as its
// roles.Upper. It carries one exchange at a time.
//
// A response may begin before the request is complete. After a final status of 300 or above the client stops sending,
// calls no more Writable, reads the response to its end, and closes the connection (RFC 9112 s.9.3, s.9.5). Otherwise it
// goes on sending, since the response may depend on the rest of the request, as an echo does. Done follows when both
// messages are complete, or when the response is if it announced the close of the connection.
type Client struct {
	sh  *Shared
	low roles.Lower
	// Owner may be nil. Set it after Init.
	Owner Owner
	x     *exchange     // nil while idle
	due   time.Duration // deadline of the current state; 0 for none
	scan  scan          // position in an incomplete head

	state    clientState
	served   bool  // the connection has completed an exchange
	ownFault bool  // this end closed the connection, with the cause of Closed
	lf       bool  // see AcceptBareLF
	blank    uint8 // number of empty lines since the last head
}

var _ roles.Upper = (*Client)(nil)

// Init sets c up as a client over l. c must not be in use.
func (c *Client) Init(sh *Shared, l roles.Lower) {
	*c = Client{sh: sh, low: l, lf: sh.cfg.BareLF}
}

// AcceptBareLF sets Config.BareLF for this connection. Call it after Init.
func (c *Client) AcceptBareLF() { c.lf = true }

// rules returns the syntax of responses on this connection.
func (c *Client) rules() syntax {
	if c.lf {
		return ofResponse | lenient
	}
	return ofResponse
}

// Lower returns the Lower of c.
func (c *Client) Lower() roles.Lower { return c.low }

// Do starts an exchange. The client calls h.Writable, without a WantWrite, when the request can be sent: at the earliest
// when the connection is open. The error is ErrBusy or ErrClosed.
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

// Reusable reports whether the connection is open and Do can start an exchange now.
func (c *Client) Reusable() bool { return c.state == awaitDo }

// Free returns the number of exchanges that Do can start now on the open connection: 1 or 0.
func (c *Client) Free() int {
	if c.Reusable() {
		return 1
	}
	return 0
}

// Reused reports whether the connection has completed an exchange.
func (c *Client) Reused() bool { return c.served }

// Close closes the connection gracefully, also during an exchange.
func (c *Client) Close() {
	if c.state < clientClosing {
		c.close(roles.Graceful, nil)
	}
}

// fail closes the connection because of a fault of the server. It returns len(b), so that the rest of the input is dropped.
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
