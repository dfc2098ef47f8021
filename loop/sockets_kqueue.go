//go:build darwin || freebsd || openbsd || netbsd || dragonfly

package loop

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// These systems use the plain wrappers: OpenBSD kills a program that enters the kernel from anywhere but libc, and
// darwin's system call numbers are private. SIGPIPE needs no handling: Go's runtime ignores it on every descriptor
// except 1 and 2 (see package os/signal).

const (
	hasAbstract   = false
	soPriority    = 0
	listenNoDelay = false // inheritance differs between systems, so each accepted socket is set
)

// streamSocket needs two steps here. ForkLock prevents a fork between them, which would leak the descriptor.
func streamSocket(family int) (int, error) {
	syscall.ForkLock.RLock()
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err == nil {
		if err = unix.SetNonblock(fd, true); err != nil {
			unix.Close(fd)
		}
	}
	return fd, err
}

func bindToDevice(int, string) bool { return false }

func lateBindPort(int) {}

// formerPeer returns the peer of a broken connection. These systems no longer know it.
func formerPeer(FD) (Addr, bool) { return Addr{}, false }

// Accept implements Sockets.
func (k *kernel) Accept(l FD) (FD, syscall.Errno) {
	for {
		syscall.ForkLock.RLock()
		fd, sa, err := unix.Accept(int(l))
		if err == nil {
			unix.CloseOnExec(fd)
		}
		syscall.ForkLock.RUnlock()
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return NoFD, errnoOf(err)
		}
		if err = unix.SetNonblock(fd, true); err != nil {
			unix.Close(fd)
			return NoFD, errnoOf(err)
		}
		if _, local := sa.(*unix.SockaddrUnix); !local {
			_ = noDelay(fd) // fails if the peer is gone already; the first read reports that
		}
		return FD(fd), 0
	}
}

// Read implements Sockets.
func (k *kernel) Read(fd FD, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, unix.EINVAL // reading 0 bytes would look like the end of the stream
	}
	for {
		n, err := unix.Read(int(fd), p)
		if err == nil {
			return n, 0
		}
		if err != unix.EINTR {
			return 0, errnoOf(err)
		}
	}
}

// Write implements Sockets.
func (k *kernel) Write(fd FD, p []byte) (int, syscall.Errno) {
	for {
		n, err := unix.Write(int(fd), p)
		if err == nil {
			return n, 0
		}
		if err != unix.EINTR {
			return 0, errnoOf(err)
		}
	}
}

func closeFD(fd int) { _ = unix.Close(fd) }
