//go:build freebsd || netbsd

package loop

import "golang.org/x/sys/unix"

const (
	tcpKeepIdle     = unix.TCP_KEEPIDLE
	tcpKeepInterval = unix.TCP_KEEPINTVL
	tcpKeepProbes   = unix.TCP_KEEPCNT
	tcpUserTimeout  = 0
)
