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
	listenNoDelay = true // accepted sockets inherit TCP_NODELAY: one call less for each

	tcpKeepIdle     = unix.TCP_KEEPIDLE
	tcpKeepInterval = unix.TCP_KEEPINTVL
	tcpKeepProbes   = unix.TCP_KEEPCNT
	tcpUserTimeout  = unix.TCP_USER_TIMEOUT
)

func streamSocket(family int) (int, error) {
	return unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
}

// bindToDevice confines a socket to an interface. Before Linux 5.7 that takes a privilege.
func bindToDevice(fd int, name string) bool {
	return unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, name) == nil
}

// lateBindPort leaves the choice of the port to connect, which knows the whole tuple; bind alone would
// run out of ports at some thirty thousand connections. Old kernels do not know it, and do as before.
func lateBindPort(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
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
		return 0, unix.EINVAL // 0 bytes would look like the end
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

// Write implements Sockets. It is send with MSG_NOSIGNAL, not write: Go's runtime would swallow the
// SIGPIPE, but a signal per broken connection is dear, and in a c-shared build the handler is not Go's.
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

// closeFD closes once, whatever comes: on Linux the number is free even after EINTR, and may be
// somebody else's by a second try. Closing may block in a socket that lingers, hence the ordinary entry
// of package unix.
func closeFD(fd int) { _ = unix.Close(fd) }
