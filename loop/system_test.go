package loop

import (
	"net/netip"
	"testing"
)

func TestToken(t *testing.T) {
	for _, c := range []struct {
		fd  FD
		gen uint32
	}{{0, 0}, {0, 1}, {7, 0xffffffff}, {1<<31 - 1, 3}, {NoFD, 9}} {
		if tok := MakeToken(c.fd, c.gen); tok.FD() != c.fd || tok.Gen() != c.gen {
			t.Errorf("token %#x: got fd %d, generation %d, want %d, %d", uint64(tok), tok.FD(), tok.Gen(), c.fd, c.gen)
		}
	}
}

func TestAddrString(t *testing.T) {
	for _, c := range []struct {
		a    Addr
		want string
	}{
		{Addr{IP: netip.MustParseAddrPort("127.0.0.1:80")}, "127.0.0.1:80"},
		{Addr{IP: netip.MustParseAddrPort("[fe80::1%eth0]:80")}, "[fe80::1%eth0]:80"},
		{Addr{IP: netip.AddrPortFrom(netip.Addr{}, 7681)}, "*:7681"},
		{Addr{}, "*:0"},
		{Addr{Network: Unix, Path: "/run/x"}, "unix:/run/x"},
		{Addr{Network: Unix, Path: "@x"}, "unix:@x"},
		{Addr{Network: Unix}, "unix:(unnamed)"},
	} {
		if got := c.a.String(); got != c.want {
			t.Errorf("%#v: got %q, want %q", c.a, got, c.want)
		}
	}
}
