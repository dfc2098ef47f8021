package wsi

import (
	"os"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

// Config configures a Net. Zero fields take the defaults named at each.
type Config struct {
	Timeouts Timeouts
	// Resolver turns names into addresses; default: NewHosts, which knows localhost and /etc/hosts.
	Resolver Resolver
	// ParkedMax is the most input that one connection may hold unused, in bytes. It must be more than
	// the largest unit that a role gathers (an h1 head). Default 256 KiB.
	ParkedMax int
}

// Timeouts of connections. Zero fields take the defaults; a negative value means never.
type Timeouts struct {
	// Connect runs while names are looked up and addresses tried, all of them together. Default 20 s.
	Connect time.Duration
	// Establish runs from the open socket until the owner calls Wsi.Established: until a handshake is
	// over, or a first request has come. Default 30 s.
	Establish time.Duration
	// Idle runs, once established, while no byte moves in either direction. Default never: roles have
	// rules of their own.
	Idle time.Duration
	// Linger runs while a gracefully closed connection waits for the peer: for it to take our last
	// bytes, and to end its own direction. Default 5 s.
	Linger time.Duration
}

func (t Timeouts) withDefaults() Timeouts {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&t.Connect, 20*time.Second)
	def(&t.Establish, 30*time.Second)
	def(&t.Idle, -1)
	def(&t.Linger, 5*time.Second)
	return t
}

const (
	// inSize is the receive buffer that all connections of a loop share. More than 64 KiB per read
	// gains nothing measurable and falls out of the second-level cache.
	inSize = 64 << 10
	// outSize is the output arena: room for one full MaxRoom behind three others before it is written.
	outSize = 64 << 10
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
	InputOverflow           uint64 // connections ended for holding more than ParkedMax
	AcceptExhausted         uint64 // accepts that found no free descriptor or memory
	AcceptRefused           uint64 // accepted connections that the Acceptor did not want
	MemoryClosed            uint64 // connections closed because the account had reached its ceiling
}

// Net is what the connections of one loop share.
type Net struct {
	Counters Counters

	loop     *loop.Loop
	sys      loop.System
	account  *loop.Account
	cfg      Config
	resolver Resolver

	in  []byte // receive buffer
	out arena

	free     [len(classes)][]*buffer
	freeSize int
	holders  buffer // ring of buffers in use, for finding the worst

	closing     []*Wsi // asked to close in this turn
	closingNext []*Wsi
	closeTask   loop.Task

	stalled  []*Wsi       // not reading because the account is high
	starving []*listening // not accepting for want of descriptors or memory

	open int // connections with a descriptor
}

// New makes a Net on l.
func New(l *loop.Loop, c Config) *Net {
	c.Timeouts = c.Timeouts.withDefaults()
	if c.ParkedMax == 0 {
		c.ParkedMax = parkedMax
	}
	n := &Net{
		loop:    l,
		sys:     l.System(),
		account: l.Account(),
		cfg:     c,
		in:      make([]byte, inSize),
		out:     arena{buf: make([]byte, outSize)},
	}
	n.holders.next, n.holders.prev = &n.holders, &n.holders
	n.resolver = c.Resolver
	if n.resolver == nil {
		n.resolver = NewHosts(l, func() ([]byte, error) { return os.ReadFile("/etc/hosts") })
	}
	n.account.OnLevel = n.levelChanged
	return n
}

// Loop is the loop that drives the Net.
func (n *Net) Loop() *loop.Loop { return n.loop }

// Open is how many connections have a descriptor now, listeners not counted.
func (n *Net) Open() int { return n.open }

// Held is how many bytes of parked input and refused output connections hold now.
func (n *Net) Held() int {
	sum := 0
	for b := n.holders.next; b != &n.holders; b = b.next {
		sum += cap(b.b)
	}
	return sum
}

// levelChanged acts on the memory account: see loop.Level. Below LevelStopReading connections that
// were not read are read again, below LevelStopAccepting listeners accept again.
func (n *Net) levelChanged(v loop.Level) {
	if v < loop.LevelStopReading {
		stalled := n.stalled
		n.stalled = nil
		for _, w := range stalled {
			w.flags &^= stalledRx
			w.kick()
		}
	}
	if v < loop.LevelStopAccepting {
		n.wakeListeners()
	}
	if v == loop.LevelCloseWorst {
		n.closeWorst()
	}
}

// closeWorst ends connections that hold the most until what is left would be below the ceiling.
func (n *Net) closeWorst() {
	over := n.account.Used() - n.account.Ceiling()
	for over >= 0 {
		var worst *buffer
		for b := n.holders.next; b != &n.holders; b = b.next {
			if b.owner.flags&gone == 0 && (worst == nil || cap(b.b) > cap(worst.b)) {
				worst = b
			}
		}
		if worst == nil {
			return
		}
		over -= int64(cap(worst.b)) + 1
		n.Counters.MemoryClosed++
		worst.owner.Close(roles.Reset, &Error{Op: "keep", Wsi: worst.owner.Label(), Err: ErrMemory})
	}
}
