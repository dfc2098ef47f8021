//go:build darwin || openbsd || netbsd || dragonfly

package loop

// On these systems SO_REUSEPORT does not spread connections over the listeners, or nobody promises it:
// one acceptor has to hand them out.
const (
	hasReusePort = false
	reusePort    = 0
)
