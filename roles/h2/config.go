package h2

import "time"

// Limits bound what a peer can make us hold or do. All are in bytes where nothing else is said.
type Limits struct {
	// Streams is how many streams a peer may have open at a time. It is announced; more are refused.
	Streams uint32
	// Window is how much body a peer may send on a stream ahead of what its handler has taken: what a paused
	// handler can make us keep. Announced. A peer may overrun it by up to as much again while the stream is
	// not paused and memory is not short.
	Window int32
	// ConnWindow is the same for all streams of a connection together, the patience included.
	ConnWindow int32
	// Parked is how much a connection keeps for paused handlers before the connection's window feels it, and
	// with it every other stream.
	Kept int
	// Frame is the longest frame taken. Announced; 16,384 to 16,777,215.
	Frame uint32
	// HeaderList is the largest header section, counted as RFC 9113 s.6.5.2 does: 32 more than its octets for each
	// field. Announced. A request beyond it is answered with 431.
	HeaderList int
	// Fields is how many fields a section may have. 431 likewise.
	Fields int
	// Block is the longest compressed header block, Continuations the most frames it may continue in: beyond
	// them the connection is given up, since a block must be read to the end whatever becomes of its stream.
	Block, Continuations int
	// Table is the size of the table by which the peer may compress its header blocks. Announced.
	Table uint32
	// Body is the longest body, declared or as it streams. 0 means no limit. It does not apply to a response that is
	// endless by its type (http.Message.Endless).
	Body int64
	// BodyRate is the least rate, in bytes of payload per second, at which a server takes a request's body while its
	// handler is ready for it and windows are granted. Timeouts.BodyGrace bridges what is slower. 0 means no limit.
	BodyRate int64
	// ResponseRate is the same for the body of a response at clients, except an exchange with NoDeadline.
	ResponseRate int64
	// Drain is how much of a request's body a server takes after its response is complete, before it resets
	// the stream.
	Drain int64
	// Frames is how many frames that move nothing (PING, SETTINGS, WINDOW_UPDATE, PRIORITY, empty DATA, unknown ones) a
	// peer may send in a burst, FrameRate how many of them are forgiven each second. Frames that move
	// something forgive four more.
	Frames, FrameRate int
	// Resets is how many streams a peer may open in a burst and then reset, or have reset by errors in them,
	// ResetRate how many are forgiven each second (CVE-2023-44487, CVE-2025-8671).
	Resets, ResetRate int
	// Owed is how much may be owed to a peer in answers (acknowledgements, windows, resets) that the transport
	// does not take.
	Owed int
}

// DefaultLimits are safe on the open Internet.
func DefaultLimits() Limits {
	return Limits{
		Streams:       128,       // more than RFC 9113 s.6.5.2 asks for, and what nginx allows
		Window:        256 << 10, // 10 Mbit/s at 100 ms, since it is given back in halves; what the reference announces
		ConnWindow:    1 << 20,   // four streams in full flow
		Kept:          1 << 20,
		Frame:         16384,    // one record of TLS
		HeaderList:    16 << 10, // what HTTP/1.1 is granted
		Fields:        100,
		Block:         32 << 10,
		Continuations: 8,
		Table:         4096, // the protocol's own default
		Body:          1 << 30,
		BodyRate:      240, // as on HTTP/1.1; ResponseRate is off there too
		Drain:         256 << 10,
		Frames:        4000, // a client that acknowledges every packet of a download, for a while
		FrameRate:     200,
		Resets:        200, // a browser that leaves a page with all its streams open
		ResetRate:     20,
		Owed:          16 << 10,
	}
}

// Timeouts bound how long a peer may keep us waiting. 0 switches one off.
type Timeouts struct {
	// Frame is from the first byte of a frame, or of a header block in several, to its end.
	Frame time.Duration
	// Body is between two pieces of a body while we are ready to take them.
	Body time.Duration
	// BodyGrace is how far a body may be behind Limits.BodyRate, in time. It is full at the start, and what comes
	// faster than the rate fills it again. Time in which the handler has paused, or in which we have granted no
	// window, does not count.
	BodyGrace time.Duration
	// BodyTotal is how long the body of a request may take at a server, from its head to its end, not counting the
	// time in which the handler has paused.
	BodyTotal time.Duration
	// Window is how long a body, of a request or of a response, may wait for the peer to grant a window.
	Window time.Duration
	// Idle is how long a connection without a stream is kept.
	Idle time.Duration
	// Response is how long a client waits for a response after its request is complete.
	Response time.Duration
	// HalfClosed is how long a server's stream may go without anything of its response being sent when the client has
	// ended its direction of the connection. Such a client may be gone: nothing tells, until something is sent.
	HalfClosed time.Duration
	// Continue is how long a client that asked for 100 (Continue) waits before it sends its body unasked.
	Continue time.Duration
	// Settings is how long a peer may take to acknowledge our settings, or a ping of ours that drains.
	Settings time.Duration
}

// DefaultTimeouts suit browsers and devices on bad lines. Response is off: whoever made the request knows
// what it is worth.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Frame:     10 * time.Second,
		Body:      30 * time.Second,
		BodyGrace: 30 * time.Second, // as on HTTP/1.1
		BodyTotal: 24 * time.Hour,
		Window:    60 * time.Second,
		Idle:      60 * time.Second,
		Continue:  time.Second,
		Settings:  10 * time.Second,
		// What a client is given for its response by a policy that says nothing.
		HalfClosed: 60 * time.Second,
	}
}

// Config configures the connections of a Shared. It is a value: NewShared copies it.
type Config struct {
	Limits   Limits
	Timeouts Timeouts
	// Date returns the present Date field value, which the caller caches and renews each second. nil means that
	// servers send no Date.
	Date func() []byte
	// ServerName is the Server field of responses; empty for none. It must be a legal field value.
	ServerName string
}

// DefaultConfig returns a Config with the default limits and timeouts.
func DefaultConfig() Config {
	return Config{Limits: DefaultLimits(), Timeouts: DefaultTimeouts()}
}
