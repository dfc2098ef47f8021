package loop

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	hasAbstract   = true
	hasReusePort  = true
	reusePort     = unix.SO_REUSEPORT
	soPriority    = unix.SO_PRIORITY
	listenNoDelay = true // accepted sockets inherit TCP_NODELAY, which saves one call for each

	tcpKeepIdle     = unix.TCP_KEEPIDLE
	tcpKeepInterval = unix.TCP_KEEPINTVL
	tcpKeepProbes   = unix.TCP_KEEPCNT
	tcpUserTimeout  = unix.TCP_USER_TIMEOUT
)

func streamSocket(family int) (int, error) {
	return unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
}

// bindToDevice binds a socket to a network interface. Before Linux 5.7 that requires a capability.
func bindToDevice(fd int, name string) bool {
	return unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, name) == nil
}

// lateBindPort leaves the choice of the port to connect, which knows the whole 4-tuple; bind alone would run out of
// ports at about thirty thousand connections. Old kernels ignore the option.
func lateBindPort(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
}

// formerPeer returns the peer of a broken connection, so that a connection need not store its peer. getpeername fails
// then, but SO_PEERNAME works as long as the socket is open. The kernel requires the exact length of the address.
func formerPeer(fd FD) (Addr, bool) {
	var raw unix.RawSockaddrAny
	for _, size := range [...]uint32{unix.SizeofSockaddrInet4, unix.SizeofSockaddrInet6} {
		n := size
		_, _, e := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERNAME,
			uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&n)), 0)
		if e != 0 {
			continue
		}
		switch {
		case raw.Addr.Family == unix.AF_INET && size == unix.SizeofSockaddrInet4:
			in := (*unix.RawSockaddrInet4)(unsafe.Pointer(&raw))
			return fromSockaddr(&unix.SockaddrInet4{Addr: in.Addr, Port: bigEndian(in.Port)})
		case raw.Addr.Family == unix.AF_INET6 && size == unix.SizeofSockaddrInet6:
			in := (*unix.RawSockaddrInet6)(unsafe.Pointer(&raw))
			return fromSockaddr(&unix.SockaddrInet6{Addr: in.Addr, Port: bigEndian(in.Port), ZoneId: in.Scope_id})
		}
	}
	return Addr{}, false
}

// bigEndian returns the number that is stored in v in network byte order.
func bigEndian(v uint16) int {
	b := (*[2]byte)(unsafe.Pointer(&v))
	return int(b[0])<<8 | int(b[1])
}

// Accept implements Sockets.
func (k *kernel) Accept(l FD) (FD, syscall.Errno) {
	for {
		fd, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(l), 0, 0,
			unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if e == 0 {
			return FD(fd), 0
		}
		if e != unix.EINTR {
			return NoFD, e
		}
	}
}

// Read implements Sockets.
func (k *kernel) Read(fd FD, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, unix.EINVAL // reading 0 bytes would look like the end of the stream
	}
	for {
		n, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))),
			uintptr(len(p)))
		if e == 0 {
			return int(n), 0
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// Write implements Sockets. It uses send with MSG_NOSIGNAL, not write: Go's runtime would ignore the SIGPIPE, but a
// signal per broken connection is slow, and in a c-shared build the signal handler is not Go's.
func (k *kernel) Write(fd FD, p []byte) (int, syscall.Errno) {
	for {
		n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))),
			uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
		if e == unix.ENOTSOCK { // a pipe or a terminal
			n, _, e = unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))),
				uintptr(len(p)))
		}
		if e == 0 {
			return int(n), 0
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// closeFD calls close once, whatever the result: on Linux the number is free even after EINTR, and another file may
// have it by a second call. close may block on a socket with SO_LINGER, so it uses the blocking entry of package
// unix.
func closeFD(fd int) { _ = unix.Close(fd) }
