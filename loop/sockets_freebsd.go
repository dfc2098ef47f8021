package loop

import "golang.org/x/sys/unix"

const (
	hasReusePort = true
	reusePort    = unix.SO_REUSEPORT_LB // plain SO_REUSEPORT gives every connection to one listener
)
