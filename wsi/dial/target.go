package dial

import (
	"net/netip"
	"strconv"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

// Target is what to connect to: a host and port, or the path of a Unix socket ('@' as the first character selects the
// abstract namespace).
type Target struct {
	Host string
	Port uint16
	Path string
}

// String formats the target as an operator would type it. It is escaped, since a redirect may have named it.
func (t Target) String() string {
	if t.Path != "" {
		return "unix:" + roles.Plain(t.Path)
	}
	if a, err := netip.ParseAddr(t.Host); err == nil {
		return netip.AddrPortFrom(a, t.Port).String()
	}
	return roles.Plain(t.Host) + ":" + strconv.Itoa(int(t.Port))
}

// literal returns the address if the target is one; name reports whether it needs a resolver.
func (t Target) literal() (a loop.Addr, name bool) {
	if t.Path != "" {
		return loop.Addr{Network: loop.Unix, Path: t.Path}, false
	}
	if ip, err := netip.ParseAddr(t.Host); err == nil {
		return loop.Addr{IP: netip.AddrPortFrom(ip, t.Port)}, false
	}
	return loop.Addr{}, true
}
