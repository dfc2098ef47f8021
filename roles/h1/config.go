package h1

import (
	"time"
)

// Limits bound what a peer can make this end store or do. They are in bytes unless noted. The status is that with which a
// server refuses the request.
type Limits struct {
	// StartLine is the longest request line or status line. 414, or 501 if the method is what is too long.
	StartLine int
	// Head is the longest head with start line and line ends: as much as a transport must store for a peer that sends it
	// slowly. 431.
	Head int
	// Fields is the number of header fields, or of trailer fields, that a message may have. 431.
	Fields int
	// Body is the longest body, announced or received. 413. 0 means no limit. It does not apply to a response whose type
	// has no end (http.Message.Endless).
	Body int64
	// BodyRate is the least rate of a request's body, in bytes of payload per second, while the handler is ready for it.
	// Timeouts.BodyGrace allows for pauses. 408. 0 means no limit.
	BodyRate int64
	// ResponseRate is the same for the body of a response at a client, except an exchange with NoDeadline.
	ResponseRate int64
	// ChunkLine is the longest line before a chunk.
	ChunkLine int
	// ChunkExtra is the total length of the chunk extensions of one body: they cost time and have no use here.
	ChunkExtra int
	// Trailers is the longest trailer section with its line ends. 431.
	Trailers int
	// Drain is the most that a server reads of a request's body after the response is complete, to keep the connection.
	// If more is to come the server closes the connection.
	Drain int64
}

// DefaultLimits returns limits that are safe on the open Internet.
func DefaultLimits() Limits {
	return Limits{
		StartLine: 8192,     // RFC 9112 s.3 asks for 8,000 at least
		Head:      16 << 10, // what browsers with many cookies reach, and one record of TLS
		Fields:    100,      // proxies add a dozen to a browser's twenty
		Body:      1 << 30,  // bodies are streamed and never stored: this bounds the length of one message
		BodyRate:  240,      // a modem of 2,400 bit/s; other servers ask for 240 to 500
		// ResponseRate is 0: the client asked for the response, and event streams are slow by design.
		ChunkLine:  256,       // 16 digits and an extension with a signature of the chunk
		ChunkExtra: 16 << 10,  // a signed upload of 12 MiB in chunks of 64 KiB
		Trailers:   4096,      // a digest and a signature
		Drain:      256 << 10, // on a slow line this takes about as long as a new connection
	}
}

// Timeouts bound how long this end waits for the peer. 0 disables a timeout. The status is that with which a server
// refuses the request, unless the response has begun.
type Timeouts struct {
	// Head is the time from the first byte of a head to its end. 408.
	Head time.Duration
	// Body is the time between two pieces of a body while the handler is ready for them. 408.
	Body time.Duration
	// BodyGrace is how far a body may fall behind Limits.BodyRate or ResponseRate, as a time. It is full at the start of
	// the body, and payload that comes faster than the rate refills it. It stops while the handler has paused.
	BodyGrace time.Duration
	// BodyTotal is the time of the body of a request from its head to its end, without the time in which the handler has
	// paused. 408.
	BodyTotal time.Duration
	// Idle is the time without an exchange: at a server from the start of the connection or the end of an exchange to the
	// first byte of the next request; at a client between two exchanges.
	Idle time.Duration
	// Response is the time from the end of a client's request to the first byte of the response.
	Response time.Duration
	// HalfClosed is the time without a byte of the response being sent after the client has ended its direction. Such a
	// client may be gone, which a server learns only when it sends.
	HalfClosed time.Duration
	// Continue is the time for which a client waits for 100 (Continue); then it sends the body without it (RFC 9110
	// s.10.1.1).
	Continue time.Duration
}

// DefaultTimeouts returns timeouts that suit browsers and devices on bad lines. Response is 0: only the program knows how
// long its request may take.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Head:      10 * time.Second, // a head fits in a few packets, and retransmissions take seconds
		Body:      30 * time.Second, // outlasts a change of cell or access point
		BodyGrace: 30 * time.Second, // as Body: a peer that is otherwise fast enough may pause for as long
		BodyTotal: 24 * time.Hour,   // longer than an honest upload; ends one that stays just above the least rate
		Idle:      60 * time.Second, // less than the 120 s after which many NATs forget a connection
		Continue:  time.Second,      // servers that support Expect answer at once, the others never
		// As long as ss waits for a response by default.
		HalfClosed: 60 * time.Second,
	}
}

// Config configures the connections of a Shared. It is a value: NewShared copies it, and nothing changes it afterwards.
type Config struct {
	Limits   Limits
	Timeouts Timeouts
	// Date returns the current value of the Date field; the caller caches it for a second. The slice must be valid until
	// the next call. nil means that servers send no Date, as RFC 9110 s.6.6.1 requires of a server without a clock.
	Date func() []byte
	// ServerName is the value of the Server field of responses; "" for no field. It must be a legal field value.
	ServerName string
	// BareLF makes clients accept LF without CR as a line end in responses, also in chunk lines (RFC 9112 s.2.2): some
	// devices end all lines so. It does not affect requests. Client.AcceptBareLF sets it for one connection.
	BareLF bool
}

// DefaultConfig returns a Config with the default limits and timeouts.
func DefaultConfig() Config {
	return Config{Limits: DefaultLimits(), Timeouts: DefaultTimeouts()}
}
