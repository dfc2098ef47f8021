//go:build linux || darwin || freebsd || openbsd || netbsd || dragonfly

package loop

import (
	"crypto/rand"
	"fmt"
	"time"
)

// kernel is the real System. What it is made of lies in files by concern: the poller (poll_linux.go,
// poll_kqueue.go), sockets, listeners, addresses, offloaded work.
type kernel struct {
	poller
	offloader
	base  time.Time
	files map[FD]socketFile // listening Unix sockets that have a file to remove
}

// NewSystem returns the operating system this program runs on. It holds descriptors until Shutdown.
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

// Rand implements Clock. crypto/rand ends the program rather than return an error.
func (k *kernel) Rand(p []byte) { rand.Read(p) }

// Shutdown implements System.
func (k *kernel) Shutdown() error {
	k.offloader.close()
	return k.poller.close()
}
