package sim

import (
	"errors"
	"time"
)

// These are the kernel's values for zero fields of Options.
const (
	defaultSndBuf  = 128 << 10         // about what a Linux loopback connection has after its first round trips
	defaultRcvBuf  = 128 << 10         //
	minBuf         = 256               // every kernel has a minimum for SO_SNDBUF and SO_RCVBUF
	defaultBacklog = 4096              // net.core.somaxconn
	maxBacklog     = 4096              // a larger backlog is silently reduced
	connectTimeout = 127 * time.Second // six SYN retries, doubling from one second
	ackTimeout     = 924 * time.Second // tcp_retries2 = 15, as computed in ip-sysctl
	halfOpenTime   = 63 * time.Second  // net.ipv4.tcp_synack_retries = 5
	orphanTimeout  = 60 * time.Second  // net.ipv4.tcp_fin_timeout: after it the peer's next bytes get a reset
	arpTimeout     = 3 * time.Second   // no host on the segment answers for an address
)

// Link has the faults of one direction between two hosts. The zero value is a perfect wire: written bytes have
// arrived when Write returns, as on a Linux loopback. It applies to TCP, including connections of a host to itself;
// Unix sockets have no link.
type Link struct {
	Latency   time.Duration // one way
	Jitter    time.Duration // maximum of additional latency, random per segment; order within a connection is kept
	Bandwidth int           // bytes per second, shared by all connections in this direction; 0: no limit

	Refuse    float64 // probability that a connect is answered by a reset: ECONNREFUSED
	BlackHole float64 // probability that a connect is never answered: ETIMEDOUT after Options.ConnectTimeout
	Reset     float64 // probability that an established connection is reset by the network
	Die       float64 // probability that an established connection dies silently: writes succeed, but nothing arrives
	// FaultWithin is the maximum time from establishment to Reset or Die. Default one second.
	FaultWithin time.Duration
}

// Options are the faults of a Network. The zero value has none. Probabilities are between 0 and 1.
type Options struct {
	Link // default of all links; SetLink overrides it

	ConnectTimeout time.Duration // of the kernel, for an unanswered connect; default 127 s
	AckTimeout     time.Duration // until unacknowledged bytes on a cut connection become ETIMEDOUT; default 924 s

	SndBuf     int     // send buffer in bytes; default 128 KiB
	RcvBuf     int     // receive buffer in bytes; default 128 KiB
	ReadMax    int     // maximum of bytes per Read; 0: no limit
	WriteMax   int     // maximum of bytes per Write; 0: no limit
	ShortRead  float64 // probability that a Read returns only a part of random size, at least one byte
	ShortWrite float64 // probability that a Write accepts only a part of random size, at least one byte

	MaxDescriptors int // open at the same time, per host; then EMFILE. 0: no limit

	SpuriousWake  float64       // probability that a Wait ends early without an event
	SpuriousReady float64       // probability that a Wait reports a connection without new readiness
	LateReady     float64       // probability that an edge is reported late,
	LateReadyMax  time.Duration // by at most this. Default one millisecond
	ShuffleReady  bool          // the events of one Wait are in random order
	StrictEdges   bool          // an edge is withheld until the call that it announces has returned EAGAIN or was short

	WallJump    float64       // probability per Wait that the calendar jumps,
	WallJumpMax time.Duration // by at most this, in either direction. Default one day
	Pause       float64       // probability per Wait that the process is suspended after it,
	PauseMax    time.Duration // for at most this, while Now and the network continue. Default ten seconds
	CallCost    time.Duration // virtual time of every system call

	OffloadMax  time.Duration // maximum duration of an offloaded job
	OffloadFail float64       // probability that an offloaded job is not run and fails with ErrInjected

	// OutsideWake means that another goroutine calls Wake: a Wait(Forever) without scheduled events blocks until it
	// does. Without it such a Wait could never end, so it returns ErrDeadlock.
	OutsideWake bool
	// Limit is the virtual time after which every Wait returns ErrLimit; 0: no limit. It is for loops that their own Run
	// drives: in virtual time a program whose end never comes, but whose timers do, keeps Run busy forever.
	Limit time.Duration
	// Record keeps the event trace as text. The digest is always kept.
	Record bool
}

var (
	// ErrInjected is the failure of an offloaded job caused by Options.OffloadFail.
	ErrInjected = errors.New("sim: injected failure of an offloaded job")
	// ErrDeadlock ends a wait during which no event can happen.
	ErrDeadlock = errors.New("sim: deadlock: every wait is endless and no event is scheduled")
	// ErrLimit ends a Run at its limit of virtual time, and a Wait after Options.Limit.
	ErrLimit = errors.New("sim: virtual time ran out")
	// ErrLivelock ends a Run whose loops stay busy while the clock does not advance.
	ErrLivelock = errors.New("sim: livelock: endless turns at one instant")
	// ErrClosed is returned by Wait and Offload of a closed host.
	ErrClosed = errors.New("sim: host is closed")
)

// or returns v, or def if v is zero.
func or[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}
