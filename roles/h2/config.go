package h2

import "time"

// Limits bound what a peer can make this end keep or do. They are in bytes unless a comment says otherwise.
type Limits struct {
	// Streams is the number of streams that a peer may have open at a time. It is announced; more are refused.
	Streams uint32
	// Window is how much body a peer may send on a stream before the handler takes it: what a paused handler can make
	// the connection keep. It is announced. A peer may overrun it by up to as much again while the stream is not
	// paused and memory is not short.
	Window int32
	// ConnWindow is the same for all streams of a connection together, with the same tolerance.
	ConnWindow int32
	// Kept is how many bytes a connection keeps for paused handlers before it withholds the connection's window,
	// which stops all its streams.
	Kept int
	// Frame is the longest frame payload that is accepted: 16,384 to 16,777,215. It is announced.
	Frame uint32
	// HeaderList is the largest header section, counted as in RFC 9113 s.6.5.2: 32 more than its octets for each
	// field. It is announced. A larger request gets the response 431.
	HeaderList int
	// Fields is the number of fields that a section may have. A request with more gets the response 431.
	Fields int
	// Block is the longest compressed header block, and Continuations the number of CONTINUATION frames that it may
	// have. More than that ends the connection, since a block must be read to its end even if its stream is refused.
	Block, Continuations int
	// Table is the size of the dynamic table that the peer's encoder may use. It is announced.
	Table uint32
	// Body is the longest body, announced or received. 0 means no limit. It does not apply to a response that is
	// endless by its type (http.Message.Endless).
	Body int64
	// BodyRate is the least rate, in bytes of payload per second, of the body of a request at a server, while its
	// handler does not pause and windows are open. Timeouts.BodyGrace tolerates slower phases. 0 means no limit.
	BodyRate int64
	// ResponseRate is the same for the body of a response at a client. It does not apply to exchanges with NoDeadline.
	ResponseRate int64
	// Drain is how much of a request's body a server reads after its response is complete, before it resets the
	// stream.
	Drain int64
	// Frames is the number of frames without progress (PING, SETTINGS, WINDOW_UPDATE, PRIORITY, empty DATA, unknown
	// types) that a peer may send in a burst. FrameRate of them are forgiven each second, and four for each frame
	// with progress.
	Frames, FrameRate int
	// Resets is the number of streams that a peer may open in a burst and then reset, or make this end reset by
	// errors in them. ResetRate of them are forgiven each second (CVE-2023-44487, CVE-2025-8671).
	Resets, ResetRate int
	// Owed is how many bytes of control frames (acknowledgements, windows, resets) may wait for a transport that
	// takes no output.
	Owed int
}

// DefaultLimits returns limits that are safe on the open Internet.
func DefaultLimits() Limits {
	return Limits{
		Streams:       128,       // more than RFC 9113 s.6.5.2 recommends, and nginx's value
		Window:        256 << 10, // 10 Mbit/s at 100 ms, since halves are returned; libwebsockets announces the same
		ConnWindow:    1 << 20,   // four streams at full rate
		Kept:          1 << 20,
		Frame:         16384,    // one TLS record
		HeaderList:    16 << 10, // as on HTTP/1.1
		Fields:        100,
		Block:         32 << 10,
		Continuations: 8,
		Table:         4096, // the protocol's default
		Body:          1 << 30,
		BodyRate:      240, // as on HTTP/1.1; ResponseRate is 0 there too
		Drain:         256 << 10,
		Frames:        4000, // a client that acknowledges each packet of a download, for a while
		FrameRate:     200,
		Resets:        200, // a browser that leaves a page with all its streams open
		ResetRate:     20,
		Owed:          16 << 10,
	}
}

// Timeouts bound how long this end waits for a peer. 0 switches a timeout off.
type Timeouts struct {
	// Frame is the time from the first byte of a frame, or of a header block in several frames, to its end.
	Frame time.Duration
	// Body is the time between two pieces of a body while the handler does not pause.
	Body time.Duration
	// BodyGrace is how far, in time, a body may fall behind Limits.BodyRate. It is full at the start, and faster
	// input refills it. Time in which the handler pauses, or in which no window is open, does not count.
	BodyGrace time.Duration
	// BodyTotal is the time for the whole body of a request at a server, from its head to its end, without the time
	// in which the handler pauses.
	BodyTotal time.Duration
	// Window is how long a body, of a request or of a response, may wait for the peer to open a window.
	Window time.Duration
	// Idle is how long a connection without streams is kept.
	Idle time.Duration
	// Response is how long a client waits for the response after its request is complete.
	Response time.Duration
	// HalfClosed is how long a server's stream may send nothing of its response after the client has ended its
	// direction of the connection. Such a client may be gone, which only output can show.
	HalfClosed time.Duration
	// Continue is how long a client that asked for 100 (Continue) waits before it sends its body anyway.
	Continue time.Duration
	// Settings is how long a peer may take to acknowledge SETTINGS, or the PING of a drain.
	Settings time.Duration
}

// DefaultTimeouts suit browsers and devices on bad links. Response is off: the program that makes a request knows how
// long it may take.
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
		// As the default time for a response in a policy.
		HalfClosed: 60 * time.Second,
	}
}

// Config configures the connections of a Shared. It is a value: NewShared copies it.
type Config struct {
	Limits   Limits
	Timeouts Timeouts
	// Date returns the current value of the Date field, which the caller caches and renews each second. nil: servers
	// send no Date.
	Date func() []byte
	// ServerName is the value of the Server field in responses; empty: no such field. It must be a legal field value.
	ServerName string
}

// DefaultConfig returns a Config with the default limits and timeouts.
func DefaultConfig() Config {
	return Config{Limits: DefaultLimits(), Timeouts: DefaultTimeouts()}
}
