package wsi

import (
	"cmp"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/wsi/dial"
)

// Config configures a Net. Zero fields take the defaults named at each.
type Config struct {
	Timeouts Timeouts
	// Resolver turns names into addresses; default: dial.NewHosts, which knows localhost and the System's /etc/hosts.
	Resolver Resolver
	// ParkedMax is the most input that one connection may hold unused, in bytes. It must be more than
	// the largest unit that a role gathers (an h1 head). Default 256 KiB.
	ParkedMax int
	// KeepAlive has the system probe silent peers of TCP connections, accepted and dialled, so that one which has
	// vanished is noticed while nothing is to be sent. Those that set their own (loop.SocketOptions,
	// loop.ListenOptions) keep it. Default: after 60 s, which is less than most NATs remember a flow, every 15 s,
	// four times; a negative Idle means none.
	KeepAlive loop.KeepAlive
	// PeerMax is how many accepted connections one peer may have at a time, all listeners of the Net together: an IPv4
	// address, or the /64 network of an IPv6 one. Further ones are reset. 0, the default, is no limit, since one
	// address may be that of a proxy, or of a NAT before thousands. Unix sockets are never limited.
	PeerMax int
}

// keepAlive is the default of Config.KeepAlive: a peer is gone after two minutes.
var keepAlive = loop.KeepAlive{Idle: 60 * time.Second, Interval: 15 * time.Second, Probes: 4}

// Timeouts of connections. Zero fields of a Net's take the defaults, those given for a listener or a
// dial take the Net's; a negative value means never.
type Timeouts struct {
	// Connect runs while names are looked up and addresses tried, all of them together. Default 20 s.
	Connect time.Duration
	// Establish runs from the open socket until the owner calls Wsi.Established: until a handshake is
	// over, or a first request has come. Default 30 s.
	Establish time.Duration
	// Idle runs, once established, while no byte moves in either direction. Default never: roles have
	// rules of their own.
	Idle time.Duration
	// Write runs while the socket refuses output, from the first refusal, and anew whenever it has taken
	// WriteLeast bytes or all that was refused: a limit for peers that do not read, or take a byte now and then. The
	// system reports room late, so one more write is tried before the end.
	// The connection is reset, so that the system drops what it holds for the peer too. Default 60 s: longer than a
	// change of network takes a device, and than most pauses of a player.
	Write time.Duration
	// Linger runs while a gracefully closed connection waits for the peer: for it to take more of our
	// last bytes, anew whenever it has, and then to end its own direction. Default 5 s. Write runs beside it.
	Linger time.Duration
}

// WriteLeast is how many bytes a peer must take in each Timeouts.Write while its connection holds output. In the
// default minute that is 70 bytes a second, less than any line gives on which TCP is of use.
const WriteLeast = 4 << 10

var defaultTimeouts = Timeouts{
	Connect:   20 * time.Second,
	Establish: 30 * time.Second,
	Idle:      -1,
	Write:     60 * time.Second,
	Linger:    5 * time.Second,
}

// or fills the zero fields of t from d.
func (t Timeouts) or(d *Timeouts) Timeouts {
	t.Connect = cmp.Or(t.Connect, d.Connect)
	t.Establish = cmp.Or(t.Establish, d.Establish)
	t.Idle = cmp.Or(t.Idle, d.Idle)
	t.Write = cmp.Or(t.Write, d.Write)
	t.Linger = cmp.Or(t.Linger, d.Linger)
	return t
}

// timeouts are those of a listener or dial that was given t: the Net's own when t is nil.
func (n *Net) timeouts(t *Timeouts) *Timeouts {
	if t == nil {
		return &n.cfg.Timeouts
	}
	own := t.or(&n.cfg.Timeouts)
	return &own
}

const (
	// inSize is the receive buffer that all connections of a loop share. More than 64 KiB per read
	// gains nothing measurable and falls out of the second-level cache.
	inSize = 64 << 10
	// outSize is the output arena: room for one full MaxRoom behind three others before it is written.
	outSize = 64 << 10
	// lingerMax is how many bytes a peer may send while a closed connection lingers: what was under way in a fast
	// and long network, so that our last bytes are not lost to a reset. A peer that sends more does not care for them.
	lingerMax = 4 << 20
	// parkedMax is the default of Config.ParkedMax.
	parkedMax = 256 << 10
)

// Counters count what happened on a Net since it was made. They are plain numbers: read them on the
// loop's goroutine.
type Counters struct {
	Accepted, Dialled       uint64 // connections opened, by the peer and by us
	ConnectFailed           uint64 // dials that ended without a connection
	Closed                  uint64 // connections given back, dialled and accepted
	BytesIn, BytesOut       uint64 // payload of sockets
	Reads, Writes           uint64 // system calls that moved bytes or told an end
	EmptyReads, EmptyWrites uint64 // system calls that found the socket not ready
	ShortWrites             uint64 // writes of which the socket refused a part
	Resets                  uint64 // connections broken by the peer or the network
	TimedOut                uint64 // connections ended by one of Timeouts
	Flooded                 uint64 // closed connections given back early since their peer went on to send
	WriteTimedOut           uint64 // of TimedOut, those whose peer did not take our output: Timeouts.Write
	InputOverflow           uint64 // connections ended for holding more than ParkedMax
	AcceptExhausted         uint64 // accepts that found no free descriptor or memory
	PeerRefused             uint64 // accepted connections of peers that had PeerMax of them
	AcceptRefused           uint64 // accepted connections that the Acceptor did not want
	Illegal                 uint64 // moves that the table of phases does not have: a bug in Millrace
	MemoryClosed            uint64 // connections closed because memory was short: see loop.Level
}

// Net is what the connections of one loop share.
type Net struct {
	Counters Counters

	loop     *loop.Loop
	sys      loop.System
	account  *loop.Account
	cfg      Config
	resolver Resolver

	in    []byte // receive buffer
	out   arena
	aside arena // takes the place of out for a Send on another connection than the one that is being served

	vector   [loop.MaxVector][]byte // scratch of writev
	corkedAt uint64                 // bytesOut of the corked connection, at Cork

	free     [len(classes)][]*buffer
	freeSize int
	held     int // bytes of buffers in use

	stalling holdings    // of connections with bytes that can make progress, the longest stalled first
	lasting  holdings    // of connections with lasting bytes alone
	none     holding     // of all connections that hold nothing
	spare    []*holding  // for the next connections that hold something
	watch    *loop.Watch // of the account
	exceeded uint32      // kinds that have used up more than their share
	pressure loop.Timer  // looks for stalled connections while memory is short

	closing     []*Wsi // asked to close in this turn
	closingNext []*Wsi
	ending      *Wsi // being told Closed
	closeTask   loop.Task

	peers peers

	starving []*listening // not accepting for want of descriptors or memory

	open      int  // connections with a descriptor
	listening int  // sockets that listen
	closed    bool // Close was called
}

// New makes a Net on l.
func New(l *loop.Loop, c Config) *Net {
	c.Timeouts = c.Timeouts.or(&defaultTimeouts)
	if c.ParkedMax == 0 {
		c.ParkedMax = parkedMax
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

// Loop is the loop that drives the Net.
func (n *Net) Loop() *loop.Loop { return n.loop }

// Open is how many connections have a descriptor now, listeners not counted.
func (n *Net) Open() int { return n.open }

// Held is how many bytes of buffers for unused input and refused output connections have now.
func (n *Net) Held() int { return n.held }

// Close detaches the Net from its loop as soon as its last connection and listener have ended. Until then it works as
// before, but new ones must not be made. Further calls have no effect.
func (n *Net) Close() {
	n.closed = true
	n.letGo()
}

// letGo detaches a closed Net from its loop when it has no connection and no listener.
func (n *Net) letGo() {
	if n.closed && n.open+n.listening == 0 {
		n.watch.Stop()
		n.loop.Disarm(&n.pressure)
	}
}
