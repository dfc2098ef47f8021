//go:build !(linux || darwin || freebsd || openbsd || netbsd || dragonfly)

package loop

import (
	"errors"
	"fmt"
	"runtime"
)

// NewSystem returns an error: there is no poller for this operating system. The systems of package sim work
// everywhere.
func NewSystem() (System, error) {
	return nil, fmt.Errorf("loop: open the poller: on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
