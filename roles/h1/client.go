package h1

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// clientState is what a Client expects next.
type clientState uint8

const (
	expectOpen    clientState = iota // Opened
	expectDo                         // idle: an exchange, and no byte
	expectStatus                     // the first byte of a head
	expectRest                       // the rest of a head
	expectContent                    // more of the response's body
	expectRequest                    // the rest of our own request; the response is complete
	expectEnd                        // Closed; what comes in is dropped
	expectGone                       // the connection is over, or another protocol's
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

	state  clientState
	served bool  // an exchange was completed on this connection
	failed bool  // we closed it, for a reason that Closed is told
	lf     bool  // LF without CR ends a line of a response
	blank  uint8 // empty lines since the latest head
}

var _ roles.Upper = (*Client)(nil)

// Init makes c a client on l. c must not be in use.
func (c *Client) Init(sh *Shared, l roles.Lower) {
	*c = Client{sh: sh, low: l, lf: sh.cfg.BareLF}
}

// AcceptBareLF is Config.BareLF for this connection alone. It is called after Init.
func (c *Client) AcceptBareLF() { c.lf = true }

// rules are those by which responses are read.
func (c *Client) rules() kind {
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
	if c.state >= expectEnd {
		return nil, ErrClosed
	}
	x := c.sh.take()
	x.h, x.low, x.side, x.wants = h, c.low, c, true
	c.x = x
	if c.state == expectDo {
		c.state, c.due = expectStatus, 0
		c.low.WantWrite()
		c.low.Rearm()
	}
	return x, nil
}

// Reusable tells whether an exchange can be started now on an open connection.
func (c *Client) Reusable() bool { return c.state == expectDo }

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
	if c.state < expectEnd {
		c.shut(roles.Graceful, nil)
	}
}

// Opened is roles.Upper's.
func (c *Client) Opened(now time.Duration) {
	c.sh.now = now
	if c.state != expectOpen {
		return
	}
	if c.x == nil {
		c.state, c.due = expectDo, c.sh.deadline(c.sh.cfg.Timeouts.Idle)
		return
	}
	c.state = expectStatus
	c.low.WantWrite()
}

// Writable is roles.Upper's.
func (c *Client) Writable(now time.Duration) {
	c.sh.now = now
	x := c.x
	if x == nil || c.state >= expectEnd || x.out.state == await100 {
		return
	}
	if x.out.state == awaitLastRoom {
		x.sendLast()
	} else if x.wants {
		x.wants = false
		x.h.Writable(x)
	}
	if x.out.done() && c.state == expectStatus {
		c.due = c.sh.deadline(c.sh.cfg.Timeouts.Response)
	}
	c.settle()
}

// settle ends the exchange when both messages are complete, or the connection has become another
// protocol's. It is called last, after the handler.
func (c *Client) settle() {
	x := c.x
	switch {
	case x == nil || c.state == expectEnd:
		return
	case c.state == expectGone:
	case !x.inDone || !x.out.done():
		return
	case x.close:
		c.state = expectEnd
		c.low.Close(roles.Graceful, nil)
	default:
		c.state, c.due = expectDo, c.sh.deadline(c.sh.cfg.Timeouts.Idle)
		x.start()
	}
	c.x = nil
	c.served = true
	x.h.Done(x, nil)
	c.sh.give(x)
	if c.Owner != nil && c.state == expectDo {
		c.Owner.Idle(c)
	}
}

// RxEnd is roles.Upper's.
func (c *Client) RxEnd(now time.Duration, unused int) {
	c.sh.now = now
	switch c.state {
	case expectDo, expectOpen:
		c.shut(roles.Graceful, nil)
	case expectStatus:
		// Closed makes the cause: nothing of a response has come.
		c.state = expectEnd
		c.low.Close(roles.Immediate, errHeadNone)
	case expectRest:
		c.fail(errHeadCut, nil)
	case expectContent:
		if c.x.in.kind != bodyClose {
			c.fail(errBodyCut, nil)
			return
		}
		c.complete(nil)
		c.settle()
	case expectRequest:
		c.x.close = true
		c.x.cease()
		c.settle()
	}
}

// Woken is roles.Upper's: a client asks for none.
func (c *Client) Woken(time.Duration) {}

// Deadline is roles.Upper's.
func (c *Client) Deadline() time.Duration {
	if c.state >= expectEnd {
		return 0
	}
	if x := c.x; x != nil {
		waiting := c.state == expectStatus && x.out.state != await100 || c.state == expectContent
		if x.paused || x.patient && waiting {
			return 0
		}
	}
	return c.due
}

// Timeout is roles.Upper's.
func (c *Client) Timeout(now time.Duration) {
	c.sh.now = now
	if d := c.Deadline(); d == 0 || now < d {
		return
	}
	c.due = 0
	switch c.state {
	case expectDo:
		c.shut(roles.Graceful, nil)
	case expectStatus:
		if c.x.out.state == await100 {
			c.x.release()
			return
		}
		c.fail(errRespSlow, nil)
	case expectRest:
		c.fail(errHeadSlow, nil)
	case expectContent:
		c.fail(c.sh.slowBody(c.x, c.sh.responsePace()), nil)
	}
}

// Closed is roles.Upper's.
func (c *Client) Closed(cause error) {
	x, own := c.x, c.failed
	c.state = expectGone
	if x != nil {
		c.x = nil
		x.h.Done(x, c.cause(x, cause, own))
		c.sh.give(x)
	}
	if c.Owner != nil {
		c.Owner.Closed(c, cause)
	}
}

// cause adds to the cause of an exchange's end what it means for the request: certainly not processed, or unknown.
// A request that met the end of a connection which had served before most likely crossed the peer's close on the
// way; RFC 9112 s.9.3.1 lets an idempotent one be sent again, so ErrStale tells that case from others.
func (c *Client) cause(x *exchange, cause error, own bool) error {
	if cause == nil {
		cause = errGone
	}
	switch {
	case x.answered:
		return cause
	case !x.out.begun():
		return fmt.Errorf("h1: request: not sent: %w: %w", http.ErrNotProcessed, cause)
	case !own && !x.began && c.served:
		cause = fmt.Errorf("%w: %w", ErrStale, cause)
	case !own && !x.began:
		cause = fmt.Errorf("h1: response: none: %w", cause)
	}
	return &http.OutcomeError{Cause: cause}
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
	c.failed = true
	c.shut(roles.Immediate, &e)
	return len(b)
}

func (c *Client) shut(mode roles.CloseMode, cause error) {
	c.state = expectEnd
	c.low.Close(mode, cause)
}

func (c *Client) suspended(x *exchange) { x.pace.Stop(c.low.Now()) }

func (c *Client) resumed(x *exchange) {
	if c.state == expectContent {
		c.due = x.startClock(c.sh, c.sh.responsePace())
		c.low.Rearm()
	}
}

func (c *Client) abandon(x *exchange, cause error) {
	if x == c.x && c.state < expectEnd {
		c.failed = true
		c.shut(roles.Reset, cause)
	}
}

// illegal closes the connection because of a move that a table does not have.
func (c *Client) illegal(cause error) {
	c.sh.Counters.Illegal++
	if c.state < expectEnd {
		c.failed = true
		c.shut(roles.Reset, cause)
	}
}
