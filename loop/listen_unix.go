//go:build linux || darwin || freebsd || openbsd || netbsd || dragonfly

package loop

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// maxBacklog is the default backlog: every system reduces it to its own limit.
const maxBacklog = 1<<16 - 1

// Listen implements Sockets. The error wraps the errno.
func (k *kernel) Listen(a Addr, o ListenOptions) (FD, Addr, error) {
	fd, err := k.listen(a, o)
	if a.Network == TCP && !a.IP.Addr().IsValid() &&
		(errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL)) {
		// The machine has no IPv6, so all of its addresses are IPv4.
		fd, err = k.listen(Addr{IP: netip.AddrPortFrom(netip.IPv4Unspecified(), a.IP.Port())}, o)
	}
	if err != nil {
		return NoFD, Addr{}, fmt.Errorf("loop: listen: on %s: %w", a, err)
	}
	got, _ := k.LocalAddr(FD(fd))
	return FD(fd), got, nil
}

func (k *kernel) listen(a Addr, o ListenOptions) (fd int, err error) {
	sa, family, e := sockaddr(a)
	if e != 0 {
		return -1, e
	}
	if fd, err = streamSocket(family); err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			k.Close(FD(fd))
		}
	}()
	backlog := o.Backlog
	if backlog <= 0 {
		backlog = maxBacklog
	}
	if family == unix.AF_UNIX {
		return fd, k.listenUnix(fd, a.Path, sa, o, backlog)
	}
	if err = bindTCP(fd, family, sa, o); err != nil {
		return -1, err
	}
	return fd, unix.Listen(fd, backlog)
}

func bindTCP(fd, family int, sa unix.Sockaddr, o ListenOptions) error {
	set := func(level, name, value int) error { return unix.SetsockoptInt(fd, level, name, value) }
	// Connections in TIME_WAIT from a previous process do not block the port.
	if err := set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if o.ReusePort {
		if !hasReusePort {
			return fmt.Errorf("share the port: %w", errors.ErrUnsupported)
		}
		if err := set(unix.SOL_SOCKET, reusePort, 1); err != nil {
			return err
		}
	}
	if listenNoDelay {
		if err := noDelay(fd); err != nil {
			return err
		}
	}
	// Keepalive is optional: a system that rejects the times still listens.
	setKeepAlive(func(level, name, value int) { _ = set(level, name, value) }, o.KeepAlive, o.UserTimeout)
	if family == unix.AF_INET6 {
		only := 0
		if o.V6Only {
			only = 1
		}
		// OpenBSD has no dual-stack sockets and rejects the value 0.
		if err := set(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil && o.V6Only {
			return err
		}
	}
	return unix.Bind(fd, sa)
}
