//go:build darwin || freebsd || openbsd || netbsd || dragonfly

package loop

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// These systems get the plain wrappers: OpenBSD kills a program that enters the kernel from anywhere
// but libc, and darwin's numbers are private. SIGPIPE needs no care: Go's runtime ignores it on every
// descriptor but 1 and 2 (package os/signal says so).

const (
	hasAbstract   = false
	soPriority    = 0
	listenNoDelay = false // whether it is inherited differs; accepted sockets are set one by one
)

// streamSocket is two steps here, between which a fork would pass the descriptor on: ForkLock.
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

// formerPeer is the peer of a connection that is broken: these systems have forgotten it.
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
			_ = noDelay(fd) // a peer that is gone already makes this fail; the first read will tell
		}
		return FD(fd), 0
	}
}

// Read implements Sockets.
func (k *kernel) Read(fd FD, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, unix.EINVAL // 0 bytes would look like the end
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
