package raw

import (
	"time"

	"github.com/millrace/millrace/roles"
)

// Handler receives the events of a Conn. Slices are views of the receive buffer, valid during the call.
type Handler interface {
	// Opened reports that the connection is established.
	Opened(c *Conn)
	// Rx receives input. The handler has used all of b, also if it pauses in the call.
	Rx(c *Conn, b []byte)
	// RxEnd reports that the peer has ended its direction. The other direction stays open until CloseWrite or Close.
	RxEnd(c *Conn)
	// Writable answers WantWrite: Room returns space.
	Writable(c *Conn)
	// Closed is the last call. cause is nil after Close(mode, nil).
	Closed(c *Conn, cause error)
}

// Conn is either end of a stream of bytes. It is a value to embed: call Init, then give it to the transport as its
// roles.Upper. It has the methods of its Lower (Room, Commit, WantWrite, Pause, Resume, CloseWrite, Close).
type Conn struct {
	roles.Lower
	h Handler
}

var _ roles.Upper = (*Conn)(nil)

// Init sets c up as a stream over l with handler h. c must not be in use.
func (c *Conn) Init(l roles.Lower, h Handler) { *c = Conn{Lower: l, h: h} }

// SetHandler replaces the Handler.
func (c *Conn) SetHandler(h Handler) { c.h = h }

// Label returns the name of the connection in reports: that of its Handler if it is roles.Labelled.
func (c *Conn) Label() string {
	if l, ok := c.h.(roles.Labelled); ok {
		return l.Label()
	}
	return "raw connection"
}

// Send sends as much of b as the transport takes now, and returns how much that was. It may be called at any time, from
// inside a Handler's methods or not, and calls none of them. b is the caller's again. When it was not all, WantWrite
// asks for the moment to go on. To make bytes in place, use Room and Commit in Writable.
func (c *Conn) Send(b []byte) (n int) {
	if !c.Cork() {
		return 0
	}
	defer c.Uncork()
	if len(b) >= roles.LendMin && c.Lendable(0) > 0 {
		return c.Lend(b)
	}
	for n < len(b) {
		r := c.Room(min(len(b)-n, roles.MaxRoom))
		if len(r) == 0 {
			break
		}
		k := copy(r, b[n:])
		c.Commit(k)
		n += k
	}
	return n
}

// Opened is roles.Upper's.
func (c *Conn) Opened(time.Duration) { c.h.Opened(c) }

// piece is the most bytes that Rx passes on in one call. A handler that copies and sends them, as an echo or a proxy does,
// then finds them in the first-level cache both times: a bulk echo spends a third less time on copies than with 64 KiB.
const piece = 16 << 10

// Rx is roles.Upper's.
func (c *Conn) Rx(_ time.Duration, b []byte) (used int) {
	b = b[:min(len(b), piece)]
	if len(b) > 0 {
		c.h.Rx(c, b)
	}
	return len(b)
}

// RxEnd is roles.Upper's.
func (c *Conn) RxEnd(time.Duration, int) { c.h.RxEnd(c) }

// Writable is roles.Upper's.
func (c *Conn) Writable(time.Duration) { c.h.Writable(c) }

// Woken is roles.Upper's: raw asks for none.
func (c *Conn) Woken(time.Duration) {}

// Deadline is roles.Upper's. A Conn has none.
func (c *Conn) Deadline() time.Duration { return 0 }

// Timeout is roles.Upper's.
func (c *Conn) Timeout(time.Duration) {}

// Closed is roles.Upper's.
func (c *Conn) Closed(cause error) { c.h.Closed(c, cause) }
