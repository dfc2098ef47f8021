package wsi

import (
	"cmp"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/wsi/dial"
)

// Net is the common state of the connections of one loop.
type Net struct {
	Counters Counters

	loop     *loop.Loop
	sys      loop.System
	account  *loop.Account
	cfg      Config
	resolver Resolver

	in    []byte // receive buffer
	out   arena
	aside arena // replaces out for a Send on another connection than the one being served

	vector   [loop.MaxVector][]byte // scratch of writev
	corkedAt uint64                 // bytesOut of the corked connection, at Cork

	free     [len(classes)][]*buffer
	freeSize int
	held     int // bytes of buffers in use

	stalling holdings    // of connections with bytes that can make progress, the longest stalled first
	lasting  holdings    // of connections with only lasting bytes
	none     holding     // of all connections without memory
	spare    []*holding  // for reuse
	watch    *loop.Watch // of the account
	exceeded uint32      // kinds above their share
	pressure loop.Timer  // checks for stalled connections while memory is short

	closing     []*Wsi // closed in this turn
	closingNext []*Wsi
	ending      *Wsi // whose Closed is running
	closeTask   loop.Task

	peers peers

	waiting []*listening // not accepting for lack of descriptors or memory

	open      int  // connections with a descriptor
	listening int  // sockets that listen
	closed    bool // Close was called
}

// New makes a Net on l.
func New(l *loop.Loop, c Config) *Net {
	c.Timeouts = c.Timeouts.or(&defaultTimeouts)
	if c.MaxUnread == 0 {
		c.MaxUnread = maxUnread
	}
	c.KeepAlive = cmp.Or(c.KeepAlive, keepAlive)
	n := &Net{
		loop:    l,
		sys:     l.System(),
		account: l.Account(),
		cfg:     c,
		in:      make([]byte, inSize),
		out:     arena{buf: make([]byte, outSize)},
	}
	n.resolver = c.Resolver
	if n.resolver == nil {
		n.resolver = dial.NewHosts(l, func() ([]byte, error) { return n.sys.ReadFile("/etc/hosts") })
	}
	n.watch = n.account.Watch(n.levelChanged)
	return n
}

// Loop returns the loop that drives the Net.
func (n *Net) Loop() *loop.Loop { return n.loop }

// Open returns how many connections have a descriptor now, without listeners.
func (n *Net) Open() int { return n.open }

// Held returns the bytes of all buffers for unused input and refused output.
func (n *Net) Held() int { return n.held }

// Close detaches the Net from its loop when its last connection and listener have ended. Until then it works as
// before, but the caller must not make new ones. Further calls have no effect.
func (n *Net) Close() {
	n.closed = true
	n.detach()
}

// detach detaches a closed Net from its loop if it has no connection and no listener.
func (n *Net) detach() {
	if n.closed && n.open+n.listening == 0 {
		n.watch.Stop()
		n.loop.Disarm(&n.pressure)
	}
}

// timeouts returns the Timeouts for a listener or dial with t, which may be nil.
func (n *Net) timeouts(t *Timeouts) *Timeouts {
	if t == nil {
		return &n.cfg.Timeouts
	}
	own := t.or(&n.cfg.Timeouts)
	return &own
}
