//go:build linux || darwin || freebsd || openbsd || netbsd || dragonfly

package loop

import (
	"crypto/rand"
	"fmt"
	"time"
)

// kernel is the real System. Its parts are in files of their own: the poller (poll_linux.go, poll_kqueue.go),
// sockets, listeners, addresses, offloaded jobs.
type kernel struct {
	poller
	offloader
	vector
	base  time.Time
	files map[FD]socketFile // listening Unix sockets that have a file to remove
}

// NewSystem returns the System of the operating system. It keeps descriptors open until Shutdown.
func NewSystem() (System, error) {
	k := &kernel{base: time.Now()}
	if err := k.poller.open(); err != nil {
		return nil, fmt.Errorf("loop: open the poller: %w", err)
	}
	return k, nil
}

// Now implements Clock.
func (k *kernel) Now() time.Duration { return time.Since(k.base) + 1 }

// Wall implements Clock.
func (k *kernel) Wall() time.Time { return time.Now() }

// Rand implements Clock. crypto/rand terminates the program if it fails; it never returns an error.
func (k *kernel) Rand(p []byte) { rand.Read(p) }

// Shutdown implements System.
func (k *kernel) Shutdown() error {
	k.offloader.close()
	return k.poller.close()
}
