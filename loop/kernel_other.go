//go:build !(linux || darwin || freebsd || openbsd || netbsd || dragonfly)

package loop

import (
	"errors"
	"fmt"
	"runtime"
)

// NewSystem returns the operating system this program runs on. There is no poller for this one; sim's
// systems work everywhere.
func NewSystem() (System, error) {
	return nil, fmt.Errorf("loop: open the poller: on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
