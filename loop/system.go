package loop

import (
	"net/netip"
	"syscall"
	"time"
)

// FD is a descriptor of a System. Real systems use the kernel's numbers; sim hands out its own,
// lowest free first as POSIX does, so that code which mishandles a reused number fails there too.
type FD int32

// NoFD is the descriptor of something that is not open.
const NoFD FD = -1

// Forever is a wait without a limit.
const Forever time.Duration = -1

// Ready says what a descriptor can do since it was last asked to its limit. Readiness is
// edge-triggered: a bit comes once, and again only after the call it announces returned EAGAIN or
// came up short.
type Ready uint8

const (
	// Readable: a read will return bytes, an end, or the socket's error.
	Readable Ready = 1 << iota
	// Writable: a write will take bytes; on a socket that is connecting: the outcome is known.
	Writable
	// HangUp: the peer has ended its direction. Bytes may still wait in front of the end.
	HangUp
	// Broken: both directions are over, or the socket holds an error.
	Broken
	// Failed: the socket holds an error: a reset, or a peer that does not answer. It comes with Broken; Broken without
	// it is what two orderly ends look like, or an error that a call has returned already. kqueue tells of it only
	// beside an end (EV_EOF with fflags).
	Failed
)

// Token names a registration: descriptor number in the low half, the generation the caller gave in
// the high half. A stale event is recognised by its generation, whatever became of the number.
type Token uint64

// MakeToken packs a descriptor and a generation.
func MakeToken(fd FD, gen uint32) Token { return Token(gen)<<32 | Token(uint32(fd)) }

// FD returns the descriptor half.
func (t Token) FD() FD { return FD(int32(uint32(t))) }

// Gen returns the generation half.
func (t Token) Gen() uint32 { return uint32(t >> 32) }

// Event is one descriptor's news.
type Event struct {
	Token Token
	Ready Ready
}

// Network is a family of addresses and a kind of socket on them.
type Network uint8

const (
	// TCP is a stream socket over IPv4 or IPv6, whichever the address is.
	TCP Network = iota
	// Unix is a stream socket in the Unix domain. A path that begins with '@' lies in Linux's
	// abstract namespace (the '@' stands for the leading zero byte).
	Unix
)

// Addr is where a socket is bound or connected.
type Addr struct {
	Network Network
	IP      netip.AddrPort // TCP; a zero Addr with a port means every address of the machine, v6 and v4
	Path    string         // Unix
}

// String prints the address as an operator would type it. What does not print in the path of a Unix socket, which a
// peer may have bound to any, is escaped.
func (a Addr) String() string {
	switch {
	case a.Network == Unix && a.Path == "":
		return "unix:(unnamed)"
	case a.Network == Unix:
		return "unix:" + plainPath(a.Path)
	case !a.IP.Addr().IsValid():
		return "*:" + portString(a.IP.Port())
	}
	return a.IP.String()
}

// ListenOptions configure a listening socket.
type ListenOptions struct {
	Backlog   int    // 0 means the system's largest
	ReusePort bool   // several listeners share the port; the kernel spreads connections (Linux, FreeBSD)
	V6Only    bool   // an IPv6 wildcard does not take IPv4
	Mode      uint32 // permission bits of a Unix socket's file; 0 leaves the umask's
	// KeepAlive and UserTimeout are for the accepted connections, which inherit them from the listening socket
	// (Linux; elsewhere as far as the system lets them): no call for each of them. See SocketOptions.
	KeepAlive   KeepAlive
	UserTimeout time.Duration
}

// SocketOptions are set on connections, dialled or accepted. Zero values leave the system's defaults,
// apart from Nagle's algorithm, which is always off on TCP: writes are already gathered per turn.
type SocketOptions struct {
	TOS       int    // IP_TOS / IPV6_TCLASS
	Priority  int    // SO_PRIORITY (Linux), 0..7
	Interface string // local interface or address to bind to before connecting
	RcvBuf    int    // SO_RCVBUF
	SndBuf    int    // SO_SNDBUF
	// KeepAlive has the system ask a silent TCP peer whether it is still there.
	KeepAlive KeepAlive
	// UserTimeout is TCP_USER_TIMEOUT (RFC 5482), in steps of a millisecond; other systems than Linux ignore it. A
	// connection whose bytes, or whose window probes while the peer's window is shut, have found no
	// acknowledgement for so long is broken (ETIMEDOUT). With keepalive it takes the place of KeepAlive.Probes: the
	// connection is broken by the first probe that falls due when nothing has come for so long and one probe was
	// left without an answer.
	UserTimeout time.Duration
}

// KeepAlive says how a silent TCP connection is probed (RFC 9293 s.3.8.4). A peer that does not answer ends the
// connection with ETIMEDOUT, after Idle and Probes times Interval. Unix sockets have no such thing and need none.
type KeepAlive struct {
	// Idle is how long nothing must have come from the peer before the first probe. 0 leaves the system's
	// default, which is off; negative switches keepalive off.
	Idle time.Duration
	// Interval is the time between probes that go unanswered; 0 is the system's (75 s on most).
	Interval time.Duration
	// Probes is how many go unanswered before the connection is broken; 0 is the system's (8 or 9).
	Probes int
}

// Clock tells time and chance.
type Clock interface {
	// Now is monotonic time since an arbitrary origin, greater than zero. It never goes back.
	Now() time.Duration
	// Wall is the calendar's time. It may jump.
	Wall() time.Time
	// Rand fills p with bytes fit for keys.
	Rand(p []byte)
}

// Poller tells which descriptors are ready.
type Poller interface {
	// Add registers fd for both directions, edge-triggered. The first events report its present state.
	Add(fd FD, t Token) error
	// Remove ends the registration. Events already fetched may still name it; Token.Gen tells.
	Remove(fd FD)
	// Wait fills ev and returns how many there are, waiting at most timeout, rounded up (0: a look;
	// Forever: until there is one, or Wake). n is 0 when time ran out, Wake was called, or a signal
	// came. A token may be named more than once.
	Wait(ev []Event, timeout time.Duration) (n int, err error)
	// Wake makes the present or next Wait return; a look uses it up too. It may be called from any
	// goroutine, at any time until Shutdown.
	Wake()
	// PollFD is a descriptor that another event loop can watch for readability: readable when Wait
	// would return events. NoFD where there is none.
	PollFD() FD
}

// Sockets are the calls on descriptors. All of them return at once. The Errno is 0 on success;
// EAGAIN when the call would block; other numbers are the platform's own (package syscall), the same
// on sim as on the kernel below it. EINTR is never returned.
type Sockets interface {
	// Listen opens a listening socket and returns the address it really got.
	Listen(a Addr, o ListenOptions) (FD, Addr, error)
	// Accept takes one connection, non-blocking and close-on-exec.
	Accept(l FD) (FD, syscall.Errno)
	// Connect starts a connection. Errno 0: connected already; EINPROGRESS: Writable will tell, then
	// ask SocketError. Otherwise the failure, and fd is NoFD.
	Connect(a Addr, o SocketOptions) (FD, syscall.Errno)
	// SocketError returns and clears the socket's pending error.
	SocketError(fd FD) syscall.Errno
	// SetOptions applies o to an open connection, as far as the platform knows it.
	SetOptions(fd FD, o SocketOptions) error
	// Read takes bytes. n is 0 with Errno 0 at the end of the stream. p is not empty.
	Read(fd FD, p []byte) (n int, e syscall.Errno)
	// Write gives bytes; it may take fewer than all. A broken pipe is EPIPE, never a signal.
	Write(fd FD, p []byte) (n int, e syscall.Errno)
	// CloseWrite ends our direction once what was written is delivered.
	CloseWrite(fd FD) syscall.Errno
	// Close gives the descriptor back. What was written is still delivered.
	Close(fd FD)
	// Abort gives the descriptor back and resets the connection.
	Abort(fd FD)
	// LocalAddr and PeerAddr name the ends; ok is false when the system no longer knows. Linux, and sim, know the peer
	// of a TCP connection until the descriptor is given back, a reset or not; other systems until it is broken.
	LocalAddr(fd FD) (a Addr, ok bool)
	PeerAddr(fd FD) (a Addr, ok bool)
	// InterfaceAddrs are the addresses of a named network interface.
	InterfaceAddrs(name string) ([]netip.Addr, error)
}

// Offloader runs what may block (files, fsync, name-service files) away from the loop's thread.
type Offloader interface {
	// Offload runs job elsewhere and later, on the loop's thread by way of post, done with job's
	// error. The order between jobs is not promised. After Shutdown neither is called.
	Offload(job func() error, done func(error), post func(func()))
}

// Files are the files that the runtime reads and keeps. The methods block: they are called in offloaded jobs alone, and
// may be called from several at once.
type Files interface {
	// ReadFile returns the contents of a file. The error is fs.ErrNotExist if there is none.
	ReadFile(name string) ([]byte, error)
	// ReplaceFile writes a file that its owner alone may read. The old contents stay until the new ones are complete
	// and on the disk.
	ReplaceFile(name string, text []byte) error
}

// System is the kernel as the reactor sees it: time, chance, readiness, sockets, files, and work that may
// block. NewSystem is the real one; sim.Network makes ones that live in memory and replay from a
// seed. Everything above runs on both unchanged.
//
// Apart from Wake and those of Files, methods are called from the loop's goroutine alone.
type System interface {
	Clock
	Poller
	Sockets
	Files
	Offloader
	// Shutdown releases the poller and waits for offloaded jobs that have begun. Descriptors that the
	// caller opened are the caller's to close. (Close is taken: it closes a descriptor.)
	Shutdown() error
}
