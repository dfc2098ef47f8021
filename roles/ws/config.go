package ws

import (
	"encoding/binary"
	"time"
)

// Limits bound what a peer can make us hold or do. 0 means no limit, where nothing else is said.
type Limits struct {
	// Frame is the longest frame, in octets of payload. 1009.
	Frame uint64
	// Message is the longest message, in octets, after inflation. 1009.
	Message uint64
	// Fragments is how many frames one message may have: empty ones cost work, and length does not count
	// them. 1008.
	Fragments uint32
	// Control is how many control frames may come within a second. 1008.
	Control uint16
}

// DefaultLimits are safe on the open Internet.
func DefaultLimits() Limits {
	return Limits{
		Frame:     1 << 30, // frames and messages are streamed, never held: it bounds how long one can go on
		Message:   1 << 30,
		Fragments: 1 << 18, // 16 MiB in pieces of 64 octets
		Control:   250,     // a ping every 4 ms: more is no check of a line but an attack
	}
}

// Validity says how a connection that is silent is checked. 0 switches a check off.
type Validity struct {
	// Ping is how long nothing may come from the peer, or since the last one, before a Ping is sent.
	Ping time.Duration
	// Hangup is how long nothing may come before the connection is closed.
	Hangup time.Duration
}

// Timeouts bound how long a peer may keep us waiting. 0 switches one off.
type Timeouts struct {
	// Close is how long a Close frame may wait for its answer, for room, or, at a client, for the server
	// to end the connection behind it (RFC 6455 s.7.1.1).
	Close time.Duration
	// Finish is the same for the Close frame of Conn.Finish, until it is answered: how long the peer may be silent.
	Finish time.Duration
	// Message is how long a compressed message may take from its first octet to its last, and a second more for
	// each KiB of it that has come: until then an inflater is kept for it, some 55 KB. Time in which the handler has
	// paused, or does not read because its answers are not taken, is not counted. 1008.
	Message time.Duration
	// Validity is that of connections without one of their own.
	Validity Validity
}

// DefaultTimeouts are libwebsockets' validity, and as long for a close as a line with losses needs.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Close:    5 * time.Second,
		Finish:   time.Minute, // what we sent last may still be under way on a slow line, and be worked on then
		Message:  30 * time.Second,
		Validity: Validity{Ping: 40 * time.Second, Hangup: 50 * time.Second},
	}
}

// Counters count since the Config was made.
type Counters struct {
	Opened     uint64 // connections
	RxMessages uint64 // messages begun by peers
	TxMessages uint64 // messages begun by us
	Pings      uint64 // pings received
	Probes     uint64 // pings sent because a peer was silent
	Silent     uint64 // connections closed because their peer stayed silent
	Timeouts   uint64 // closing handshakes that were not completed in time
	Abnormal   uint64 // connections whose peer ended them without one
	Malformed  uint64 // connections failed for a breach of the protocol, 1002
	BadText    uint64 // for text, or compressed data, that is none, 1007
	Over       uint64 // for passing a limit, 1008, 1009, 1013
	Slow       uint64 // of Over, those whose compressed message was not completed in time, 1008
	Evicted    uint64 // of Over, those whose compressed message had stalled while another needed its memory, 1013
	Declined   uint64 // handshakes without the compression that the peer had offered, since memory was short, or for Deflate.PerConnection
	Flooded    uint64 // connections ended at once because the peer went on to send after its Close frame, or a fault
	Inflated   uint64 // octets that came out of inflation
	Deflated   uint64 // octets that went into deflation
}

// Config is what the connections of one loop share. It must not be copied once it is in use, and all
// of its connections must be driven by one goroutine.
type Config struct {
	Limits   Limits
	Timeouts Timeouts
	Deflate  Deflate
	// Rand fills p with octets that nobody can guess: clients mask with them (RFC 6455 s.10.3), and make
	// their handshake's key. Servers need none.
	Rand     func(p []byte)
	Counters Counters

	now    time.Duration // of the latest call into any connection
	inside bool          // and it is not over
	chance [256]byte     // from Rand; what is used is wiped
	unused int           // of chance, at its end
	room   []byte        // what the last Room has of its transport
	roomOf *Conn         // to whom it was given
	given  int           // and how much
	pool   pool          // of inflaters
	plain  []byte        // what Room gives where messages are compressed, behind what was sent before
	sink   sink
}

// NewConfig returns a Config with the default limits and timeouts, and without compression.
func NewConfig() *Config {
	return &Config{Limits: DefaultLimits(), Timeouts: DefaultTimeouts(), Deflate: DefaultDeflate()}
}

// key returns a masking key.
func (c *Config) key() uint32 {
	if c.unused < 4 {
		c.Rand(c.chance[:])
		c.unused = len(c.chance)
	}
	p := c.chance[len(c.chance)-c.unused:][:4]
	c.unused -= 4
	k := binary.LittleEndian.Uint32(p)
	clear(p)
	return k
}

// count counts a connection that fails with f.
func (c *Config) count(f *fault) {
	switch Code(f.Status) {
	case Protocol:
		c.Counters.Malformed++
	case BadPayload:
		c.Counters.BadText++
	default:
		c.Counters.Over++
	}
}

// enter and leave stand around each of the transport's calls. Outside of them now is the past.
func (c *Config) enter(now time.Duration) { c.now, c.inside = now, true }
func (c *Config) leave()                  { c.inside = false }

// deadline is d after the present call, or never.
func (c *Config) deadline(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return c.now + d
}
