package loop

import (
	"net/netip"
	"syscall"
	"time"
)

// FD is a descriptor of a System. Real systems use the kernel's numbers. Package sim assigns its own, lowest free
// number first as POSIX does, so that code which mishandles a reused number fails there too.
type FD int32

// NoFD is the invalid descriptor.
const NoFD FD = -1

// Forever is a wait without a limit.
const Forever time.Duration = -1

// Ready is what a descriptor can do. Readiness is edge-triggered: a bit is reported once, and again only after the
// call that it announces has returned EAGAIN or transferred less than requested.
type Ready uint8

const (
	// Readable: a read will return bytes, the end of the stream, or the socket's error.
	Readable Ready = 1 << iota
	// Writable: a write will accept bytes. For a connecting socket: the outcome is known.
	Writable
	// HangUp: the peer has closed its direction. There may be unread bytes before the end.
	HangUp
	// Broken: both directions are closed, or the socket has an error.
	Broken
	// Failed: the socket has an error: a reset, or a peer that does not respond. It is reported together with Broken.
	// Broken alone means two orderly ends, or an error that a call has already returned. kqueue reports Failed only
	// together with an end (EV_EOF with fflags).
	Failed
)

// Token identifies a registration: the descriptor is the low half, the caller's generation the high half. A stale
// event is recognised by its generation, even if the number is in use again.
type Token uint64

// MakeToken packs a descriptor and a generation.
func MakeToken(fd FD, gen uint32) Token { return Token(gen)<<32 | Token(uint32(fd)) }

// FD returns the descriptor half.
func (t Token) FD() FD { return FD(int32(uint32(t))) }

// Gen returns the generation half.
func (t Token) Gen() uint32 { return uint32(t >> 32) }

// Event is the new readiness of one descriptor.
type Event struct {
	Token Token
	Ready Ready
}

// Network is an address family and a socket type.
type Network uint8

const (
	// TCP is a stream socket over IPv4 or IPv6, depending on the address.
	TCP Network = iota
	// Unix is a stream socket in the Unix domain. A path that starts with '@' is in Linux's abstract namespace (the '@'
	// represents the leading zero byte).
	Unix
)

// Addr is the address to which a socket is bound or connected.
type Addr struct {
	Network Network
	IP      netip.AddrPort // TCP; a zero Addr with a port means every address of the machine, v6 and v4
	Path    string         // Unix
}

// String formats the address as an operator would type it. It escapes unprintable characters in the path of a Unix
// socket, since a peer may bind to any path.
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
	Backlog   int    // 0 means the system's maximum
	ReusePort bool   // several listeners share the port; the kernel spreads connections (Linux, FreeBSD)
	V6Only    bool   // an IPv6 wildcard does not accept IPv4
	Mode      uint32 // permission bits of a Unix socket's file; 0 applies the umask
	// KeepAlive and UserTimeout apply to the accepted connections, which inherit them from the listening socket (on
	// Linux; on other systems as far as they support it), so no call is made per connection. See SocketOptions.
	KeepAlive   KeepAlive
	UserTimeout time.Duration
}

// SocketOptions are set on connections, dialled or accepted. Zero values keep the system's defaults. Nagle's
// algorithm is always off on TCP: writes are already gathered per turn.
type SocketOptions struct {
	TOS       int    // IP_TOS / IPV6_TCLASS
	Priority  int    // SO_PRIORITY (Linux), 0..7
	Interface string // local interface or address to bind to before connecting
	RcvBuf    int    // SO_RCVBUF
	SndBuf    int    // SO_SNDBUF
	// KeepAlive makes the system probe a silent TCP peer.
	KeepAlive KeepAlive
	// UserTimeout is TCP_USER_TIMEOUT (RFC 5482), in milliseconds; systems other than Linux ignore it. A connection
	// breaks (ETIMEDOUT) when its bytes, or the window probes for a closed window, have not been acknowledged for so
	// long. With keepalive it replaces KeepAlive.Probes: the connection breaks at the first probe that is due after
	// nothing was received for so long and one probe was unanswered.
	UserTimeout time.Duration
}

// KeepAlive configures the probing of a silent TCP connection (RFC 9293 s.3.8.4). If the peer does not respond, the
// connection ends with ETIMEDOUT after Idle plus Probes times Interval. Unix sockets ignore it.
type KeepAlive struct {
	// Idle is how long the peer must be silent before the first probe. 0 keeps the system's default, which is off; a
	// negative value switches keepalive off.
	Idle time.Duration
	// Interval is the time between unanswered probes; 0 is the system's default (75 s on most).
	Interval time.Duration
	// Probes is the number of unanswered probes before the connection breaks; 0 is the system's default (8 or 9).
	Probes int
}

// Clock provides time and randomness.
type Clock interface {
	// Now is monotonic time since an arbitrary origin, greater than zero. It never goes back.
	Now() time.Duration
	// Wall is the calendar time. It may jump.
	Wall() time.Time
	// Rand fills p with cryptographically secure random bytes.
	Rand(p []byte)
}

// Poller reports which descriptors are ready.
type Poller interface {
	// Add registers fd for both directions, edge-triggered. The first events report its present state.
	Add(fd FD, t Token) error
	// Remove ends the registration. Events already fetched may still name it; Token.Gen identifies them.
	Remove(fd FD)
	// Wait fills ev and returns the number of events. It waits at most timeout, rounded up: 0 polls, Forever waits until
	// there is an event or Wake is called. n is 0 if the time ran out, Wake was called, or a signal arrived. The same
	// token may occur more than once.
	Wait(ev []Event, timeout time.Duration) (n int, err error)
	// Wake makes the present or next Wait return, also one with timeout 0. It may be called from any goroutine, at any
	// time until Shutdown.
	Wake()
	// PollFD returns a descriptor that another event loop can poll: it is readable when Wait would return events. It is
	// NoFD if there is none.
	PollFD() FD
}

// MaxVector is the maximum of slices per Writev. POSIX guarantees 16 (_XOPEN_IOV_MAX).
const MaxVector = 16

// Sockets are the calls on descriptors. They never block. The Errno is 0 on success and EAGAIN if the call would
// block; other numbers are the platform's (package syscall), also on sim. EINTR is never returned.
type Sockets interface {
	// Listen opens a listening socket and returns its actual address.
	Listen(a Addr, o ListenOptions) (FD, Addr, error)
	// Accept accepts one connection, non-blocking and close-on-exec.
	Accept(l FD) (FD, syscall.Errno)
	// Connect starts a connection. Errno 0: it is connected. EINPROGRESS: Writable reports the end of the attempt, and
	// SocketError its outcome. Any other Errno is the failure, and fd is NoFD.
	Connect(a Addr, o SocketOptions) (FD, syscall.Errno)
	// SocketError returns and clears the socket's pending error.
	SocketError(fd FD) syscall.Errno
	// SetOptions applies o to an open connection, as far as the platform knows it.
	SetOptions(fd FD, o SocketOptions) error
	// Read reads bytes. n is 0 with Errno 0 at the end of the stream. p is not empty.
	Read(fd FD, p []byte) (n int, e syscall.Errno)
	// Write writes bytes, possibly fewer than all. A broken pipe is EPIPE, never a signal.
	Write(fd FD, p []byte) (n int, e syscall.Errno)
	// Writev writes the bytes of all slices of p, in order, like one Write. p has at most MaxVector slices; none
	// is kept.
	Writev(fd FD, p [][]byte) (n int, e syscall.Errno)
	// CloseWrite closes our direction after all written bytes are delivered.
	CloseWrite(fd FD) syscall.Errno
	// Close closes the descriptor. Written bytes are still delivered.
	Close(fd FD)
	// Abort closes the descriptor and resets the connection.
	Abort(fd FD)
	// LocalAddr and PeerAddr return the two addresses; ok is false if the system no longer knows. Linux and sim know the
	// peer of a TCP connection until the descriptor is closed, even after a reset; other systems until the connection is
	// broken.
	LocalAddr(fd FD) (a Addr, ok bool)
	PeerAddr(fd FD) (a Addr, ok bool)
	// InterfaceAddrs returns the addresses of a named network interface.
	InterfaceAddrs(name string) ([]netip.Addr, error)
}

// Offloader runs jobs that may block (files, fsync, name-service files) outside the loop's thread.
type Offloader interface {
	// Offload runs job outside the loop's thread, and later done with job's error on the loop's thread, through post.
	// Jobs may run in any order. After Shutdown neither is called.
	Offload(job func() error, done func(error), post func(func()))
}

// Files are the files that the runtime reads and writes. The methods block: they are called only in offloaded jobs,
// possibly several at the same time.
type Files interface {
	// ReadFile returns the contents of a file. The error matches fs.ErrNotExist if there is none.
	ReadFile(name string) ([]byte, error)
	// ReplaceFile writes a file with mode 0600. The old contents stay until the new ones are complete and on disk.
	ReplaceFile(name string, text []byte) error
}

// System is the reactor's interface to the kernel: time, randomness, readiness, sockets, files, and jobs that may
// block. NewSystem returns the real one; sim.Network makes systems that exist in memory and replay from a seed. All
// code above System runs on both unchanged.
//
// Apart from Wake and the methods of Files, methods are called only on the loop's goroutine.
type System interface {
	Clock
	Poller
	Sockets
	Files
	Offloader
	// Shutdown closes the poller and waits for running jobs. It does not close descriptors that the caller opened. (The
	// name Close is in use: it closes a descriptor.)
	Shutdown() error
}
