package raw

import (
	"time"

	"github.com/millrace/millrace/roles"
)

// Handler is told what happens on a Conn. Slices are views, valid during the call.
type Handler interface {
	// Opened says that bytes can flow, both ways.
	Opened(c *Conn)
	// Rx is what has arrived. All of it counts as taken, also when the handler pauses meanwhile.
	Rx(c *Conn, b []byte)
	// RxEnd says that the peer has ended its direction. Ours is still open: CloseWrite or Close.
	RxEnd(c *Conn)
	// Writable answers WantWrite: Room has something to give.
	Writable(c *Conn)
	// Closed is the last call. cause is nil after our own orderly Close.
	Closed(c *Conn, cause error)
}

// Conn is a stream of bytes on a transport, either end of it. It is a value to embed: call Init, then
// hand it to the transport as its roles.Upper. The transport's calls (Room, Commit, WantWrite, Pause,
// Resume, CloseWrite, Close) are its own.
type Conn struct {
	roles.Lower
	h Handler
}

var _ roles.Upper = (*Conn)(nil)

// Init makes c a stream on l that tells h. c must not be in use.
func (c *Conn) Init(l roles.Lower, h Handler) { *c = Conn{Lower: l, h: h} }

// SetHandler puts another Handler in place of the present one. It is told of what comes next.
func (c *Conn) SetHandler(h Handler) { c.h = h }

// Label names the connection in reports: by what its Handler is called, if it says.
func (c *Conn) Label() string {
	if l, ok := c.h.(roles.Labelled); ok {
		return l.Label()
	}
	return "raw connection"
}

// Send commits as much of b as there is room for now and returns how much that was. It is for use
// inside Writable by those who hold their bytes already; to make them in place, use Room and Commit.
func (c *Conn) Send(b []byte) (n int) {
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

// piece is the most that Rx passes on at a time. Whoever copies it and sends it on, as echoes and
// proxies do, then finds it in the first-level cache both times: a bulk echo spends a third less time
// copying than with 64 KiB.
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

// Deadline is roles.Upper's: raw has none.
func (c *Conn) Deadline() time.Duration { return 0 }

// Timeout is roles.Upper's.
func (c *Conn) Timeout(time.Duration) {}

// Closed is roles.Upper's.
func (c *Conn) Closed(cause error) { c.h.Closed(c, cause) }
