package sys

import (
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read reads once into b, which must not be empty. n is 0 at the end of the stream; errno is
// unix.EAGAIN when no data is available.
func Read(fd int, b []byte) (n int, errno unix.Errno) {
	for {
		r, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		if e == 0 {
			return int(r), 0
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// Write writes once from b, which must not be empty; n may be less than len(b). A connection that the
// peer has closed returns unix.EPIPE: Go's runtime ignores the signal.
func Write(fd int, b []byte) (n int, errno unix.Errno) {
	for {
		r, _, e := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		if e == 0 {
			return int(r), 0
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// Accept accepts one connection of a listener, nonblocking and with TCP_NODELAY set.
func Accept(ln int) (fd int, errno unix.Errno) {
	for {
		r, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(ln), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if e == 0 {
			_ = unix.SetsockoptInt(int(r), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
			return int(r), 0
		}
		if e != unix.EINTR {
			return -1, e
		}
	}
}

// Listen opens a nonblocking listener on 127.0.0.1 with a port picked by the kernel.
func Listen() (fd int, addr netip.AddrPort, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, addr, fmt.Errorf("sys: listen: socket: %w", err)
	}
	sa := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	err = unix.Bind(fd, sa)
	if err == nil {
		err = unix.Listen(fd, unix.SOMAXCONN)
	}
	var got unix.Sockaddr
	if err == nil {
		got, err = unix.Getsockname(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, addr, fmt.Errorf("sys: listen: 127.0.0.1: %w", err)
	}
	in := got.(*unix.SockaddrInet4)
	return fd, netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port)), nil
}

// Dial starts a nonblocking connection from src, a loopback address, to an IPv4 address. The socket
// becomes writable when the connection is established or has failed; Connected then returns the outcome. The kernel
// chooses the source port only when it knows the destination (IP_BIND_ADDRESS_NO_PORT), so each source
// address offers its whole range to each server.
func Dial(src netip.Addr, to netip.AddrPort) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("sys: dial %v: socket: %w", to, err)
	}
	err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: src.As4()})
	}
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
		if err == unix.EINPROGRESS {
			err = nil
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("sys: dial %v: from %v: %w", to, src, err)
	}
	return fd, nil
}

// Connected returns the outcome of a Dial whose socket has become writable.
func Connected(fd int) error {
	e, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && e != 0 {
		err = unix.Errno(e)
	}
	if err != nil {
		return fmt.Errorf("sys: connect: %w", err)
	}
	return nil
}

// Abort closes a connection with a reset, so that it leaves no TIME_WAIT and the next
// measurement finds its ports free.
func Abort(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	unix.Close(fd)
}

// Events is the readiness of a descriptor, as reported by epoll.
type Events = unix.EpollEvent

// Poller is an epoll instance used by one goroutine. The slice that Look and Wait return is valid
// until the next call of either.
type Poller struct {
	fd     int
	events [512]Events
}

// NewPoller creates an empty Poller.
func NewPoller() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("sys: create poller: %w", err)
	}
	return &Poller{fd: fd}, nil
}

// Add registers fd once, edge-triggered, for the given events (unix.EPOLLIN, unix.EPOLLOUT).
func (p *Poller) Add(fd int, events uint32) error {
	ev := unix.EpollEvent{Events: events | unix.EPOLLET, Fd: int32(fd)}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("sys: register descriptor %d: %w", fd, err)
	}
	return nil
}

// Look returns what is ready now, which may be empty, and never blocks.
func (p *Poller) Look() ([]Events, error) {
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])),
		uintptr(len(p.events)), 0, 0, 0)
	if e == unix.EINTR {
		return nil, nil
	}
	if e != 0 {
		return nil, fmt.Errorf("sys: look for events: %w", e)
	}
	return p.events[:n], nil
}

// Wait sleeps until a descriptor is ready or d has passed, d rounded up to milliseconds; a negative d
// means no time limit. It uses unix.Syscall, so that other goroutines run meanwhile.
func (p *Poller) Wait(d time.Duration) ([]Events, error) {
	ms := -1
	if d >= 0 {
		ms = int((d + time.Millisecond - 1) / time.Millisecond)
	}
	n, err := unix.EpollWait(p.fd, p.events[:], ms)
	if err == unix.EINTR {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sys: wait for events: %w", err)
	}
	return p.events[:n], nil
}

// Close closes the epoll instance and none of the descriptors in it.
func (p *Poller) Close() { unix.Close(p.fd) }
