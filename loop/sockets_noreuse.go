//go:build darwin || openbsd || netbsd || dragonfly

package loop

// On these systems SO_REUSEPORT does not spread connections over the listeners, or the documentation does not promise
// it. One acceptor has to distribute them.
const (
	hasReusePort = false
	reusePort    = 0
)
