//go:build darwin || freebsd || openbsd || netbsd || dragonfly

package loop

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// vector is empty: package unix allocates the arguments.
type vector struct{}

// Writev implements Sockets. It uses the plain wrapper: see sockets_kqueue.go.
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
