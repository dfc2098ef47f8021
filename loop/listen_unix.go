//go:build linux || darwin || freebsd || openbsd || netbsd || dragonfly

package loop

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxBacklog is asked for when nothing is: every system cuts it to its own limit.
const maxBacklog = 1<<16 - 1

// socketFile identifies the file of a Unix socket, so that only our own is ever removed.
type socketFile struct {
	path string
	info os.FileInfo
}

// Listen implements Sockets. The error wraps the errno.
func (k *kernel) Listen(a Addr, o ListenOptions) (FD, Addr, error) {
	fd, err := k.listen(a, o)
	if a.Network == TCP && !a.IP.Addr().IsValid() &&
		(errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL)) {
		// A machine without IPv6: all of its addresses are IPv4.
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
	if family == unix.AF_UNIX {
		err = k.bindUnix(fd, a.Path, sa, o)
	} else {
		err = bindTCP(fd, family, sa, o)
	}
	if err != nil {
		return -1, err
	}
	backlog := o.Backlog
	if backlog <= 0 {
		backlog = maxBacklog
	}
	return fd, unix.Listen(fd, backlog)
}

func bindTCP(fd, family int, sa unix.Sockaddr, o ListenOptions) error {
	set := func(level, name, value int) error { return unix.SetsockoptInt(fd, level, name, value) }
	// Connections of an earlier life in TIME_WAIT do not keep the port.
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
	// Keepalive is a precaution: a system that does not take the times still listens.
	setKeepAlive(func(level, name, value int) { _ = set(level, name, value) }, o.KeepAlive, o.UserTimeout)
	if family == unix.AF_INET6 {
		only := 0
		if o.V6Only {
			only = 1
		}
		// OpenBSD has no dual-stack sockets and refuses the 0.
		if err := set(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil && o.V6Only {
			return err
		}
	}
	return unix.Bind(fd, sa)
}

// bindUnix binds to a path. The file that a dead server left there is in the way and is removed; a
// live server's, or anything that is not a socket, never is. Two processes that start in the same
// instant can still race for the path; the loser sees the address in use.
func (k *kernel) bindUnix(fd int, path string, sa unix.Sockaddr, o ListenOptions) error {
	err := unix.Bind(fd, sa)
	if err == unix.EADDRINUSE && path[0] != '@' && abandoned(path, sa) {
		if err = os.Remove(path); err == nil || errors.Is(err, os.ErrNotExist) {
			err = unix.Bind(fd, sa)
		}
	}
	if err != nil || path[0] == '@' {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if k.files == nil {
		k.files = make(map[FD]socketFile)
	}
	k.files[FD(fd)] = socketFile{strings.Clone(path), info}
	if o.Mode != 0 {
		return os.Chmod(path, os.FileMode(o.Mode).Perm()) // before listen: nobody has slipped in
	}
	return nil
}

// abandoned says whether path is a socket to which nobody listens.
func abandoned(path string, sa unix.Sockaddr) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return false
	}
	probe, err := streamSocket(unix.AF_UNIX)
	if err != nil {
		return false
	}
	defer unix.Close(probe)
	return unix.Connect(probe, sa) == syscall.Errno(unix.ECONNREFUSED)
}

// removeFile removes the file of the listening socket fd, if it has one and it is still the same.
func (k *kernel) removeFile(fd FD) {
	f, ok := k.files[fd]
	if !ok {
		return
	}
	delete(k.files, fd)
	if info, err := os.Lstat(f.path); err == nil && os.SameFile(info, f.info) {
		_ = os.Remove(f.path)
	}
}
