//go:build openbsd || dragonfly

package loop

// OpenBSD has one set of keepalive times for the whole machine (sysctl net.inet.tcp.keepidle), and DragonFly has
// changed the unit of its options between releases. On both, keepalive is only switched on or off.
const (
	tcpKeepIdle     = 0
	tcpKeepInterval = 0
	tcpKeepProbes   = 0
	tcpUserTimeout  = 0
)
