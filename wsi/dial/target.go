package dial

import (
	"net/netip"
	"strconv"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
)

// Target is what to connect to: a host and port, or the path of a Unix socket ('@' in front for the
// abstract namespace).
type Target struct {
	Host string
	Port uint16
	Path string
}

// String prints the target as an operator would type it, escaped: a redirect may have named it.
func (t Target) String() string {
	if t.Path != "" {
		return "unix:" + roles.Plain(t.Path)
	}
	if a, err := netip.ParseAddr(t.Host); err == nil {
		return netip.AddrPortFrom(a, t.Port).String()
	}
	return roles.Plain(t.Host) + ":" + strconv.Itoa(int(t.Port))
}

// literal returns the address that the target names without a resolver; name is true if it needs one.
func (t Target) literal() (a loop.Addr, name bool) {
	if t.Path != "" {
		return loop.Addr{Network: loop.Unix, Path: t.Path}, false
	}
	if ip, err := netip.ParseAddr(t.Host); err == nil {
		return loop.Addr{IP: netip.AddrPortFrom(ip, t.Port)}, false
	}
	return loop.Addr{}, true
}
