package sim

import (
	"errors"
	"time"
)

// Kernel figures that an Options leaves at zero.
const (
	defaultSndBuf  = 128 << 10         // what a Linux loopback connection has after its first round trips, about
	defaultRcvBuf  = 128 << 10         //
	minBuf         = 256               // SO_SNDBUF and SO_RCVBUF have a floor on every kernel
	defaultBacklog = 4096              // net.core.somaxconn
	maxBacklog     = 4096              // a larger one is cut to it without a word
	connectTimeout = 127 * time.Second // six SYN retries, doubling from one second
	ackTimeout     = 924 * time.Second // tcp_retries2 = 15 as ip-sysctl counts it
	halfOpenTime   = 63 * time.Second  // net.ipv4.tcp_synack_retries = 5
	orphanTimeout  = 60 * time.Second  // net.ipv4.tcp_fin_timeout: then the peer's next bytes get a reset
	arpTimeout     = 3 * time.Second   // nobody on the segment answers for an address
)

// Link holds the faults of one direction between two hosts. The zero value is a perfect wire: what
// is written has arrived when Write returns, as on a Linux loopback. It applies to TCP, a host's
// connections to itself included; sockets of the Unix domain have no link.
type Link struct {
	Latency   time.Duration // one way
	Jitter    time.Duration // up to this much more, drawn anew per segment; order within a connection is kept
	Bandwidth int           // bytes per second, shared by all connections in this direction; 0: no limit

	Refuse    float64 // chance that a connect is answered by a reset: ECONNREFUSED
	BlackHole float64 // chance that a connect is never answered: ETIMEDOUT after Options.ConnectTimeout
	Reset     float64 // chance that an established connection is reset from outside
	Die       float64 // chance that an established connection dies silently: writes are swallowed, nothing comes
	// FaultWithin bounds the moment of Reset and Die, counted from establishment. Default one second.
	FaultWithin time.Duration
}

// Options are the faults of a Network. The zero value has none. Chances are between 0 and 1.
type Options struct {
	Link // every link that SetLink did not override

	ConnectTimeout time.Duration // of the kernel, for a connect that nobody answers; default 127 s
	AckTimeout     time.Duration // until unacknowledged bytes on a cut connection become ETIMEDOUT; default 924 s

	SndBuf     int     // send buffer in bytes; default 128 KiB
	RcvBuf     int     // receive buffer in bytes; default 128 KiB
	ReadMax    int     // most bytes one Read returns; 0: no limit
	WriteMax   int     // most bytes one Write takes; 0: no limit
	ShortRead  float64 // chance that a Read returns a random part (from one byte) of what there is
	ShortWrite float64 // chance that a Write takes a random part (from one byte) of what would fit

	MaxDescriptors int // per host, open at once; then EMFILE. 0: no limit

	SpuriousWake  float64       // chance that a Wait ends early with nothing
	SpuriousReady float64       // chance that a Wait names some connection that has nothing new
	LateReady     float64       // chance that an edge is reported late,
	LateReadyMax  time.Duration // by up to this. Default one millisecond
	ShuffleReady  bool          // the events of one Wait come in random order
	StrictEdges   bool          // an edge is withheld until the call it announces returned EAGAIN or came up short

	WallJump    float64       // chance per Wait that the calendar jumps,
	WallJumpMax time.Duration // by up to this, either way. Default one day
	Pause       float64       // chance per Wait that the process is suspended after it,
	PauseMax    time.Duration // for up to this: Now and the network go on. Default ten seconds
	CallCost    time.Duration // virtual time every system call takes

	OffloadMax  time.Duration // offloaded work takes up to this
	OffloadFail float64       // chance that offloaded work fails with ErrInjected and is not run

	// OutsideWake says that another goroutine calls Wake: a Wait(Forever) with nothing under way
	// blocks until it does. Without it such a Wait can never end, and returns ErrDeadlock.
	OutsideWake bool
	// Record keeps the event trace as text. The digest is always kept.
	Record bool
}

var (
	// ErrInjected is the failure of offloaded work that Options.OffloadFail chose.
	ErrInjected = errors.New("sim: injected failure of offloaded work")
	// ErrDeadlock ends a wait during which nothing can ever happen.
	ErrDeadlock = errors.New("sim: deadlock: every wait is forever and nothing is under way")
	// ErrLimit ends a Run whose limit of virtual time has passed.
	ErrLimit = errors.New("sim: virtual time ran out")
	// ErrLivelock ends a Run whose loops stay busy without the clock moving.
	ErrLivelock = errors.New("sim: livelock: turns without end at one instant")
	// ErrClosed is what a closed host's Wait and Offload say.
	ErrClosed = errors.New("sim: host is closed")
)

// or returns v, or def when v is zero.
func or[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}
