//go:build darwin || freebsd || openbsd || netbsd || dragonfly

package loop

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// vector is empty: package unix makes what the call needs.
type vector struct{}

// Writev implements Sockets: the plain wrapper, as sockets_kqueue.go says.
func (k *kernel) Writev(fd FD, p [][]byte) (int, syscall.Errno) {
	for {
		n, err := unix.SendmsgBuffers(int(fd), p, nil, nil, 0)
		if err == nil {
			return n, 0
		}
		if err != unix.EINTR {
			return 0, errnoOf(err)
		}
	}
}
