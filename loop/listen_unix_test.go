//go:build linux || darwin || freebsd || openbsd || netbsd || dragonfly

package loop

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestUnixSocketFiles(t *testing.T) {
	k := newKernel(t)
	path := filepath.Join(t.TempDir(), "s")
	a := Addr{Network: Unix, Path: path}
	listen := func() (FD, error) {
		fd, _, err := k.Listen(a, ListenOptions{Mode: 0o640})
		return fd, err
	}

	live, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode: got %v, %v, want 0640", info.Mode(), err)
	}
	if _, err := listen(); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), path) {
		t.Errorf("beside a live server: got %v, want EADDRINUSE on %s", err, path)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the live server's file was removed: %v", err)
	}
	k.Close(live)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close: the file exists (%v)", err)
	}

	dead, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(int(dead)) // as a crash does
	heir, err := listen()
	if err != nil {
		t.Fatalf("after a dead server: %v", err)
	}
	stranger := filepath.Join(filepath.Dir(path), "other")
	if err := os.WriteFile(stranger, []byte("keep me"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(stranger, path); err != nil {
		t.Fatal(err)
	}
	k.Close(heir)
	if b, err := os.ReadFile(path); string(b) != "keep me" {
		t.Errorf("Close removed another owner's file: got %q, %v", b, err)
	}
	if _, err := listen(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("on a regular file: got %v, want EADDRINUSE", err)
	}
	if b, err := os.ReadFile(path); string(b) != "keep me" {
		t.Errorf("Listen touched a regular file: got %q, %v", b, err)
	}
	if len(k.files) != 1 { // dead's, which this test closed without the kernel's knowledge
		for fd := range k.files {
			if fd != dead {
				t.Errorf("fd %d still has a file", fd)
			}
		}
	}
}

func TestListenWildcard(t *testing.T) {
	k := newKernel(t)
	l, at, err := k.Listen(Addr{}, ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(l)
	port := at.IP.Port()
	v4, v6 := netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()
	_, s := meet(t, k, l, Addr{IP: netip.AddrPortFrom(v4, port)}, SocketOptions{})
	if a, ok := k.PeerAddr(s); !ok || a.IP.Addr() != v4 {
		t.Errorf("an IPv4 peer of a dual-stack socket: got %s, want %s", a, v4)
	}
	if !at.IP.Addr().Is6() {
		t.Skip("no IPv6 here")
	}
	c, e := k.Connect(Addr{IP: netip.AddrPortFrom(v6, port)}, SocketOptions{TOS: 0x28})
	if e == syscall.EADDRNOTAVAIL || e == syscall.ENETUNREACH {
		t.Skip("no IPv6 loopback here")
	}
	k.Close(c)
	only, at, err := k.Listen(Addr{IP: netip.AddrPortFrom(netip.IPv6Unspecified(), 0)}, ListenOptions{V6Only: true})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(only)
	both, _, err := k.Listen(Addr{IP: netip.AddrPortFrom(netip.IPv4Unspecified(), at.IP.Port())}, ListenOptions{})
	if err != nil {
		t.Errorf("IPv4 beside a V6Only wildcard: %v", err)
	}
	k.Close(both)
}

func TestReusePort(t *testing.T) {
	k := newKernel(t)
	if !hasReusePort {
		if _, _, err := k.Listen(tcp("127.0.0.1:0"), ListenOptions{ReusePort: true}); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("got %v, want ErrUnsupported", err)
		}
		return
	}
	a, at, err := k.Listen(tcp("127.0.0.1:0"), ListenOptions{ReusePort: true})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(a)
	b, _, err := k.Listen(at, ListenOptions{ReusePort: true})
	if err != nil {
		t.Fatalf("the second listener: %v", err)
	}
	k.Close(b)
}

func TestListenRefuses(t *testing.T) {
	k := newKernel(t)
	for _, c := range []struct {
		a    Addr
		want syscall.Errno
	}{
		{tcp("192.0.2.1:0"), syscall.EADDRNOTAVAIL},
		{Addr{Network: Unix}, syscall.EINVAL},
		{Addr{Network: Unix, Path: "/" + strings.Repeat("x", 200)}, syscall.EINVAL},
		{Addr{Network: Unix, Path: "/no/such/directory/s"}, syscall.ENOENT},
		{tcp("[fe80::1%no-such-if0]:0"), syscall.ENODEV},
	} {
		if fd, _, err := k.Listen(c.a, ListenOptions{}); fd != NoFD || !errors.Is(err, c.want) {
			t.Errorf("Listen on %s: got fd %d, %v, want none, %v", c.a, fd, err, c.want)
		}
	}
}
