//go:build linux || darwin || freebsd || openbsd || netbsd || dragonfly

package loop

import (
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errnoOf returns the errno of an error of package unix.
func errnoOf(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if e, ok := err.(syscall.Errno); ok {
		return e
	}
	return unix.EINVAL
}

// Connect implements Sockets.
func (k *kernel) Connect(a Addr, o SocketOptions) (FD, syscall.Errno) {
	sa, family, e := sockaddr(a)
	if e != 0 {
		return NoFD, e
	}
	fd, err := streamSocket(family)
	if err != nil {
		return NoFD, errnoOf(err)
	}
	if e = k.prepare(fd, family, o); e == 0 {
		// A non-blocking connect continues after EINTR (POSIX).
		if e = errnoOf(unix.Connect(fd, sa)); e == unix.EINTR {
			e = unix.EINPROGRESS
		}
	}
	if e != 0 && e != unix.EINPROGRESS {
		unix.Close(fd)
		return NoFD, e
	}
	return FD(fd), e
}

// prepare sets the options that must be set before connect.
func (k *kernel) prepare(fd, family int, o SocketOptions) syscall.Errno {
	if family != unix.AF_UNIX {
		if err := noDelay(fd); err != nil {
			return errnoOf(err)
		}
	}
	if err := setOptions(fd, family, o); err != nil {
		return errnoOf(err)
	}
	if o.Interface == "" || family == unix.AF_UNIX {
		return 0
	}
	ip, err := netip.ParseAddr(o.Interface)
	if err != nil {
		if bindToDevice(fd, o.Interface) {
			return 0
		}
		if ip, err = k.addrOf(o.Interface, family); err != nil {
			return unix.ENODEV
		}
	}
	sa, of, e := sockaddr(Addr{IP: netip.AddrPortFrom(ip, 0)})
	if e == 0 && of != family {
		e = unix.EAFNOSUPPORT
	}
	if e != 0 {
		return e
	}
	lateBindPort(fd)
	return errnoOf(unix.Bind(fd, sa))
}

// addrOf returns the first address of the named interface in the family.
func (k *kernel) addrOf(name string, family int) (netip.Addr, error) {
	addrs, err := k.InterfaceAddrs(name)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, ip := range addrs {
		if ip.Is4() == (family == unix.AF_INET) {
			return ip, nil
		}
	}
	return netip.Addr{}, unix.EADDRNOTAVAIL
}

// SocketError implements Sockets.
func (k *kernel) SocketError(fd FD) syscall.Errno {
	n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return errnoOf(err)
	}
	return syscall.Errno(n)
}

// SetOptions implements Sockets. It ignores Interface: an open connection cannot change its interface.
func (k *kernel) SetOptions(fd FD, o SocketOptions) error {
	sa, err := unix.Getsockname(int(fd))
	if err != nil {
		return err
	}
	family := unix.AF_UNIX
	switch sa.(type) {
	case *unix.SockaddrInet4:
		family = unix.AF_INET
	case *unix.SockaddrInet6:
		family = unix.AF_INET6
	}
	return setOptions(int(fd), family, o)
}

func setOptions(fd, family int, o SocketOptions) error {
	var first error
	set := func(level, name, value int) {
		if err := unix.SetsockoptInt(fd, level, name, value); err != nil && first == nil {
			first = err
		}
	}
	if o.RcvBuf > 0 {
		set(unix.SOL_SOCKET, unix.SO_RCVBUF, o.RcvBuf)
	}
	if o.SndBuf > 0 {
		set(unix.SOL_SOCKET, unix.SO_SNDBUF, o.SndBuf)
	}
	if o.TOS > 0 && family == unix.AF_INET {
		set(unix.IPPROTO_IP, unix.IP_TOS, o.TOS)
	}
	if o.TOS > 0 && family == unix.AF_INET6 {
		set(unix.IPPROTO_IPV6, unix.IPV6_TCLASS, o.TOS)
		// This is for an IPv4 peer on a dual-stack socket; a purely IPv6 socket may reject it.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, o.TOS)
	}
	if o.Priority > 0 && soPriority != 0 {
		set(unix.SOL_SOCKET, soPriority, o.Priority)
	}
	if family != unix.AF_UNIX {
		setKeepAlive(set, o.KeepAlive, o.UserTimeout)
	}
	return first
}

// setKeepAlive sets k and SocketOptions.UserTimeout, as far as the system has options for them.
func setKeepAlive(set func(level, name, value int), k KeepAlive, user time.Duration) {
	switch {
	case k.Idle < 0:
		set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
	case k.Idle > 0:
		set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		if tcpKeepIdle != 0 {
			set(unix.IPPROTO_TCP, tcpKeepIdle, wholeSeconds(k.Idle))
		}
		if tcpKeepInterval != 0 && k.Interval > 0 {
			set(unix.IPPROTO_TCP, tcpKeepInterval, wholeSeconds(k.Interval))
		}
		if tcpKeepProbes != 0 && k.Probes > 0 {
			set(unix.IPPROTO_TCP, tcpKeepProbes, min(k.Probes, maxKeepProbes))
		}
	}
	if tcpUserTimeout != 0 && user > 0 {
		set(unix.IPPROTO_TCP, tcpUserTimeout, int(min(max(user/time.Millisecond, 1), 1<<31-1)))
	}
}

const (
	maxKeepSeconds = 32767 // MAX_TCP_KEEPIDLE of Linux, the lowest limit of all systems
	maxKeepProbes  = 127   // MAX_TCP_KEEPCNT
)

// wholeSeconds rounds up to seconds, the unit of the TCP options.
func wholeSeconds(d time.Duration) int {
	return int(min(max((d+time.Second-1)/time.Second, 1), maxKeepSeconds))
}

func noDelay(fd int) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}

// CloseWrite implements Sockets.
func (k *kernel) CloseWrite(fd FD) syscall.Errno {
	return errnoOf(unix.Shutdown(int(fd), unix.SHUT_WR))
}

// Close implements Sockets. It also removes the file of a listening Unix socket.
func (k *kernel) Close(fd FD) {
	if len(k.files) > 0 {
		k.removeFile(fd)
	}
	closeFD(int(fd))
}

// Abort implements Sockets.
func (k *kernel) Abort(fd FD) {
	_ = unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	k.Close(fd)
}
