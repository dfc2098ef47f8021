package ws

import "time"

// Limits bound what a peer can make us store or do. 0 means no limit. The close code for a peer that exceeds one is given
// with it.
type Limits struct {
	// Frame is the longest payload of a frame, in octets: 1009.
	Frame uint64
	// Message is the longest message after inflation, in octets: 1009.
	Message uint64
	// Fragments is the largest number of frames in a message: 1008. Empty frames cost work, and Message does not
	// count them.
	Fragments uint32
	// Control is the largest number of control frames per second: 1008.
	Control uint16
}

// DefaultLimits returns limits that are safe on the open Internet.
func DefaultLimits() Limits {
	return Limits{
		Frame:     1 << 30, // frames and messages are streamed, not stored: this bounds how long one can last
		Message:   1 << 30,
		Fragments: 1 << 18, // 16 MiB in frames of 64 octets
		Control:   250,     // a Ping every 4 ms: more is an attack, not a check of the connection
	}
}

// Validity configures the checks of a silent connection. 0 disables a check.
type Validity struct {
	// Ping is the time without an octet from the peer, and since the last Ping, after which a Ping is sent.
	Ping time.Duration
	// Hangup is the time without an octet from the peer after which the connection is closed.
	Hangup time.Duration
}

// Timeouts bound the waits for the peer. 0 disables a timeout.
type Timeouts struct {
	// Close bounds each step of the closing handshake: room for our Close frame, the peer's Close frame and, at a
	// client, the end of the connection by the server (RFC 6455 s.7.1.1).
	Close time.Duration
	// Finish replaces Close after Conn.Finish, until the peer's Close frame: the time for which the peer may be
	// silent.
	Finish time.Duration
	// Message is the time that a compressed message may take from its first octet to its last, plus a second for
	// each KiB received: 1008. The message occupies an inflater of about 55 KB for that time. Time in which we do not
	// read, because the Handler has paused or our answers have no room, does not count.
	Message time.Duration
	// Validity is for connections without SetValidity.
	Validity Validity
}

// DefaultTimeouts returns the validity checks of libwebsockets, and a Close timeout that a network with losses needs.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Close:    5 * time.Second,
		Finish:   time.Minute, // our last message may need time to arrive on a slow network, and to be processed
		Message:  30 * time.Second,
		Validity: Validity{Ping: 40 * time.Second, Hangup: 50 * time.Second},
	}
}

// Config configures the connections of a Shared. It is a value: NewShared copies it, and nothing changes the copy.
type Config struct {
	Limits   Limits
	Timeouts Timeouts
	Deflate  Deflate
	// Rand fills p with unpredictable octets: clients take masking keys (RFC 6455 s.10.3) and the key of the handshake
	// from it. Servers do not need it.
	Rand func(p []byte)
}

// DefaultConfig returns a Config with the default limits and timeouts, without compression and without Rand.
func DefaultConfig() Config {
	return Config{Limits: DefaultLimits(), Timeouts: DefaultTimeouts(), Deflate: DefaultDeflate()}
}
