package h1

import (
	"time"
)

// Limits bound what a peer can make us hold or do. All are in bytes where nothing else is said.
type Limits struct {
	// StartLine is the longest request line or status line. 414 on a server, 501 if the method makes it too long.
	StartLine int
	// Head is the longest head, start line and line ends included: as much as a transport must park for
	// a peer that dribbles. 431 on a server.
	Head int
	// Fields is how many header fields, or trailer fields, a message may have. 431 on a server.
	Fields int
	// Body is the longest body, declared or as it streams. 413 on a server. 0 means no limit. It does not apply to a
	// response that is endless by its type (http.Message.Endless).
	Body int64
	// BodyRate is the least rate, in bytes of payload per second, at which a server takes a request's body while its
	// handler is ready for it. Timeouts.BodyGrace bridges what is slower. 0 means no limit. 408.
	BodyRate int64
	// ResponseRate is the same for the body of a response at clients, those of Unhurried exchanges apart.
	ResponseRate int64
	// ChunkLine is the longest line in front of a chunk.
	ChunkLine int
	// ChunkExtra is the most that chunk extensions may add up to in one body, since they cost work and
	// bring nothing.
	ChunkExtra int
	// Trailers is the longest trailer section, line ends included. 431 on a server.
	Trailers int
	// Drain is how much of a request's body a server takes after its response is complete, in order to
	// keep the connection. More costs the connection.
	Drain int64
}

// DefaultLimits are safe on the open Internet.
func DefaultLimits() Limits {
	return Limits{
		StartLine: 8192,     // RFC 9112 s.3 asks for 8,000 at least
		Head:      16 << 10, // what browsers with many cookies reach, and one record of TLS
		Fields:    100,      // proxies add a dozen to a browser's twenty
		Body:      1 << 30,  // streamed, never held: it bounds how long one message can go on
		BodyRate:  240,      // a modem of 2,400 bit/s; other servers ask for 240 to 500
		// ResponseRate is off: a client has asked for what it gets, and event streams are slow by their nature.
		ChunkLine:  256,       // 16 digits and an extension of the kind that signs chunks
		ChunkExtra: 16 << 10,  // a signed upload of 12 MiB in chunks of 64 KiB
		Trailers:   4096,      // a digest and a signature
		Drain:      256 << 10, // about what a new connection costs, in time, on a slow line
	}
}

// Timeouts bound how long a peer may keep us waiting. 0 switches one off.
type Timeouts struct {
	// Head is from the first byte of a head to its end. 408 on a server.
	Head time.Duration
	// Body is between two pieces of a body while we are ready to take them. 408 on a server that has
	// not answered yet.
	Body time.Duration
	// BodyGrace is how far a body may be behind Limits.BodyRate, in time. It is full at the start, and what comes
	// faster than the rate fills it again. Time in which the handler has paused does not count.
	BodyGrace time.Duration
	// BodyTotal is how long the body of a request may take at a server, from its head to its end, not counting the
	// time in which the handler has paused. 408.
	BodyTotal time.Duration
	// Idle is how long a connection without an exchange is kept: on a server from the start of the
	// connection or the end of an exchange to the first byte of the next; on a client between exchanges.
	Idle time.Duration
	// Response is how long a client waits for the first byte of a response after its request is
	// complete.
	Response time.Duration
	// HalfClosed is how long a server's connection whose client has ended its direction may go without a byte of the
	// response being sent. Such a client may be gone: nothing tells, until something is sent.
	HalfClosed time.Duration
	// Continue is how long a client that asked for 100 (Continue) waits before it sends its body
	// unasked (RFC 9110 s.10.1.1).
	Continue time.Duration
}

// DefaultTimeouts suit browsers and devices on bad lines. Response is off: whoever made the request
// knows what it is worth.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Head:      10 * time.Second, // a head fits in a few packets, and retransmissions take seconds
		Body:      30 * time.Second, // outlasts a change of cell or access point
		BodyGrace: 30 * time.Second, // the same: whoever sends faster otherwise may be away for as long as Body
		BodyTotal: 24 * time.Hour,   // uploads of hours pass; one that is kept just above the least rate ends
		Idle:      60 * time.Second, // less than the 120 s after which many NATs forget
		Continue:  time.Second,      // servers that know Expect answer at once, the others never
		// What a client is given for its response by a policy that says nothing.
		HalfClosed: 60 * time.Second,
	}
}

// Config configures the connections of a Shared. It is a value: NewShared copies it.
type Config struct {
	Limits   Limits
	Timeouts Timeouts
	// Date returns the present Date field value, which the caller caches and renews each second. nil
	// means that servers send no Date, as one without a clock must (RFC 9110 s.6.6.1).
	Date func() []byte
	// ServerName is the Server field of responses; empty for none. It must be a legal field value.
	ServerName string
	// BareLF has clients accept LF without CR as the end of a line in responses (RFC 9112 s.2.2), chunk lines
	// included: some devices end all their lines so. Requests are not affected. See Client.AcceptBareLF.
	BareLF bool
}

// DefaultConfig returns a Config with the default limits and timeouts.
func DefaultConfig() Config {
	return Config{Limits: DefaultLimits(), Timeouts: DefaultTimeouts()}
}
