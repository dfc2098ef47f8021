package ws

import "time"

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

// Config configures the connections of one loop. It is a value: NewShared copies it, and nothing changes it afterwards.
type Config struct {
	Limits   Limits
	Timeouts Timeouts
	Deflate  Deflate
	// Rand fills p with octets that nobody can guess: clients mask with them (RFC 6455 s.10.3), and make
	// their handshake's key. Servers need none.
	Rand func(p []byte)
}

// DefaultConfig has the default limits and timeouts, no compression, and no Rand.
func DefaultConfig() Config {
	return Config{Limits: DefaultLimits(), Timeouts: DefaultTimeouts(), Deflate: DefaultDeflate()}
}
