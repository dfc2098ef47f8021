//go:build linux || darwin || freebsd || openbsd || netbsd || dragonfly

package loop

import (
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// sockaddr converts a for the system calls and also returns the address family.
func sockaddr(a Addr) (unix.Sockaddr, int, syscall.Errno) {
	if a.Network == Unix {
		if a.Path == "" || a.Path[0] == '@' && !hasAbstract {
			return nil, 0, unix.EINVAL
		}
		return &unix.SockaddrUnix{Name: a.Path}, unix.AF_UNIX, 0
	}
	ip, port := a.IP.Addr(), int(a.IP.Port())
	switch {
	case !ip.IsValid():
		return &unix.SockaddrInet6{Port: port}, unix.AF_INET6, 0
	case ip.Is4():
		return &unix.SockaddrInet4{Port: port, Addr: ip.As4()}, unix.AF_INET, 0
	}
	zone, e := zoneID(ip.Zone())
	return &unix.SockaddrInet6{Port: port, Addr: ip.As16(), ZoneId: zone}, unix.AF_INET6, e
}

// zoneID returns the index of the interface that an IPv6 zone names, by name or number.
func zoneID(zone string) (uint32, syscall.Errno) {
	if zone == "" {
		return 0, 0
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), 0
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, unix.ENODEV
	}
	return uint32(i.Index), 0
}

// fromSockaddr is the inverse of sockaddr. The address of an IPv4 peer on a dual-stack socket is returned as IPv4.
func fromSockaddr(sa unix.Sockaddr) (Addr, bool) {
	switch s := sa.(type) {
	case *unix.SockaddrInet4:
		return Addr{IP: netip.AddrPortFrom(netip.AddrFrom4(s.Addr), uint16(s.Port))}, true
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(s.Addr).Unmap()
		if s.ZoneId != 0 && ip.Is6() {
			ip = ip.WithZone(strconv.FormatUint(uint64(s.ZoneId), 10))
		}
		return Addr{IP: netip.AddrPortFrom(ip, uint16(s.Port))}, true
	case *unix.SockaddrUnix:
		return Addr{Network: Unix, Path: s.Name}, true
	}
	return Addr{}, false
}

// LocalAddr implements Sockets.
func (k *kernel) LocalAddr(fd FD) (Addr, bool) {
	sa, err := unix.Getsockname(int(fd))
	if err != nil {
		return Addr{}, false
	}
	return fromSockaddr(sa)
}

// PeerAddr implements Sockets.
func (k *kernel) PeerAddr(fd FD) (Addr, bool) {
	sa, err := unix.Getpeername(int(fd))
	if err != nil {
		return formerPeer(fd)
	}
	return fromSockaddr(sa)
}

// InterfaceAddrs implements Sockets.
func (k *kernel) InterfaceAddrs(name string) ([]netip.Addr, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	found, err := i.Addrs()
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, a := range found {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				if ip = ip.Unmap(); ip.IsLinkLocalUnicast() && ip.Is6() {
					ip = ip.WithZone(name)
				}
				addrs = append(addrs, ip)
			}
		}
	}
	return addrs, nil
}
