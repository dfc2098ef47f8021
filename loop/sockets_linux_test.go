package loop

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func option(t *testing.T, fd FD, level, name int) int {
	t.Helper()
	v, err := unix.GetsockoptInt(int(fd), level, name)
	if err != nil {
		t.Fatalf("getsockopt %d %d: %v", level, name, err)
	}
	return v
}

func TestDescriptorsAreSetUp(t *testing.T) {
	k := newKernel(t)
	client, server := join(t, k, tcp("127.0.0.1:0"), SocketOptions{})
	for name, fd := range map[string]FD{"dialled": client, "accepted": server} {
		if option(t, fd, unix.IPPROTO_TCP, unix.TCP_NODELAY) == 0 {
			t.Errorf("%s: Nagle's algorithm is on", name)
		}
		if fl, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); fl&unix.O_NONBLOCK == 0 {
			t.Errorf("%s: blocks", name)
		}
		if fl, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); fl&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: is not close-on-exec", name)
		}
	}
}

// TestKeepAlive: options of a listening socket apply to accepted connections, options set before connect to the
// dialled one. Times are rounded up to seconds, and the zero value changes nothing.
func TestKeepAlive(t *testing.T) {
	k := newKernel(t)
	ka := KeepAlive{Idle: 1500 * time.Millisecond, Interval: 3 * time.Second, Probes: 7}
	user := 12345 * time.Millisecond
	l, at, err := k.Listen(tcp("127.0.0.1:0"), ListenOptions{KeepAlive: ka, UserTimeout: user})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(l)
	want := map[int]int{unix.TCP_KEEPIDLE: 2, unix.TCP_KEEPINTVL: 3, unix.TCP_KEEPCNT: 7, unix.TCP_USER_TIMEOUT: 12345}
	check := func(who string, fd FD, on int, want map[int]int) {
		t.Helper()
		if got := option(t, fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE); got != on {
			t.Errorf("%s: SO_KEEPALIVE is %d, want %d", who, got, on)
		}
		for name, v := range want {
			if got := option(t, fd, unix.IPPROTO_TCP, name); got != v {
				t.Errorf("%s: TCP option %d is %d, want %d", who, name, got, v)
			}
		}
	}
	client, e := k.Connect(at, SocketOptions{KeepAlive: ka, UserTimeout: user})
	if e != 0 && e != unix.EINPROGRESS {
		t.Fatal(e)
	}
	defer k.Close(client)
	server, e := k.Accept(l)
	if e != 0 {
		t.Fatal(e)
	}
	defer k.Close(server)
	check("accepted", server, 1, want)
	check("dialled", client, 1, want)
	if err := k.SetOptions(server, SocketOptions{}); err != nil {
		t.Fatal(err)
	}
	check("accepted, after options without keepalive", server, 1, want)
	if err := k.SetOptions(server, SocketOptions{KeepAlive: KeepAlive{Idle: -1}}); err != nil {
		t.Fatal(err)
	}
	check("accepted, switched off", server, 0, nil)
	if err := k.SetOptions(server, SocketOptions{KeepAlive: KeepAlive{Idle: 100 * time.Hour, Probes: 1000}}); err != nil {
		t.Errorf("keepalive with more probes than the kernel's maximum: %v", err)
	}
}

// TestKeepAliveOnTheKernel: the connection to a peer that drops all packets breaks after the time of KeepAlive,
// shortened by UserTimeout to one probe.
func TestKeepAliveOnTheKernel(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two seconds")
	}
	k := newKernel(t)
	client, server := join(t, k, tcp("127.0.0.1:0"), SocketOptions{
		KeepAlive:   KeepAlive{Idle: time.Second, Interval: time.Second, Probes: 9},
		UserTimeout: time.Second,
	})
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K} // 0 bytes of each packet
	if err := unix.SetsockoptSockFprog(int(server), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop}); err != nil {
		t.Skipf("cannot silence the peer: %v", err)
	}
	if err := k.Add(client, MakeToken(client, 1)); err != nil {
		t.Fatal(err)
	}
	start := k.Now()
	var ev [4]Event
	for r := Ready(0); r&Failed == 0; {
		n, err := k.Wait(ev[:], 10*time.Second)
		if n == 0 || err != nil {
			t.Fatalf("after %v: got %d events, %v, want the failure", k.Now()-start, n, err)
		}
		for _, e := range ev[:n] {
			r |= e.Ready
		}
	}
	if took := k.Now() - start; took < 1500*time.Millisecond || took > 5*time.Second {
		t.Errorf("noticed after %v, want two seconds", took)
	}
	if e := k.SocketError(client); e != syscall.ETIMEDOUT {
		t.Errorf("the error: got %v, want ETIMEDOUT", e)
	}
}

func TestSocketOptions(t *testing.T) {
	k := newKernel(t)
	o := SocketOptions{TOS: 0x28, Priority: 5, RcvBuf: 32 << 10, SndBuf: 48 << 10}
	client, server := join(t, k, tcp("127.0.0.1:0"), o)
	if err := k.SetOptions(server, o); err != nil {
		t.Fatalf("SetOptions: %v", err)
	}
	for name, fd := range map[string]FD{"dialled": client, "accepted": server} {
		for _, c := range []struct {
			name        string
			level, what int
			want        int
		}{
			{"IP_TOS", unix.IPPROTO_IP, unix.IP_TOS, 0x28},
			{"SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, 5},
			{"SO_RCVBUF", unix.SOL_SOCKET, unix.SO_RCVBUF, 64 << 10}, // the kernel doubles
			{"SO_SNDBUF", unix.SOL_SOCKET, unix.SO_SNDBUF, 96 << 10},
		} {
			if got := option(t, fd, c.level, c.what); got != c.want {
				t.Errorf("%s: %s: got %#x, want %#x", name, c.name, got, c.want)
			}
		}
	}
	if err := k.SetOptions(1<<20, o); err != syscall.EBADF {
		t.Errorf("SetOptions on NoFD: got %v, want EBADF", err)
	}
}

// TestPeerAfterReset: the system still names the peer of a connection that was reset, before and after the error is read.
func TestPeerAfterReset(t *testing.T) {
	for _, ip := range []string{"127.0.0.1:0", "[::1]:0"} {
		k := newKernel(t)
		client, server := join(t, k, tcp(ip), SocketOptions{})
		want, _ := k.LocalAddr(client)
		if got, ok := k.PeerAddr(server); !ok || got != want {
			t.Errorf("peer: got %s, %v, want %s", got, ok, want)
		}
		k.Abort(client)
		var b [1]byte
		for _, when := range []string{"before", "after"} {
			if got, ok := k.PeerAddr(server); !ok || got != want {
				t.Errorf("peer after a reset, %s its error was read: got %s, %v, want %s", when, got, ok, want)
			}
			if _, e := k.Read(server, b[:]); when == "before" && e != syscall.ECONNRESET {
				t.Fatalf("read: got %v, want ECONNRESET", e)
			}
		}
	}
	k := newKernel(t)
	if a, ok := k.PeerAddr(1 << 20); ok {
		t.Errorf("peer of NoFD: got %s", a)
	}
}

func TestBindBeforeConnect(t *testing.T) {
	k := newKernel(t)
	client, _ := join(t, k, tcp("127.0.0.1:0"), SocketOptions{Interface: "127.0.0.7"})
	if a, _ := k.LocalAddr(client); a.IP.Addr() != netip.MustParseAddr("127.0.0.7") {
		t.Errorf("bound to 127.0.0.7, got %s", a)
	}
	join(t, k, tcp("127.0.0.1:0"), SocketOptions{Interface: "lo"})
	l, at, err := k.Listen(tcp("127.0.0.1:0"), ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(l)
	for _, c := range []struct {
		name string
		want syscall.Errno
	}{{"no-such-if0", unix.ENODEV}, {"::1", unix.EAFNOSUPPORT}, {"192.0.2.1", unix.EADDRNOTAVAIL}} {
		if fd, e := k.Connect(at, SocketOptions{Interface: c.name}); fd != NoFD || e != c.want {
			t.Errorf("bound to %s: got fd %d, %v, want none, %v", c.name, fd, e, c.want)
		}
	}
	if addrs, err := k.InterfaceAddrs("lo"); err != nil || len(addrs) == 0 || !addrs[0].IsLoopback() {
		t.Errorf("InterfaceAddrs of lo: got %v, %v", addrs, err)
	}
	if _, err := k.InterfaceAddrs("no-such-if0"); err == nil {
		t.Error("InterfaceAddrs of an interface that does not exist: got success")
	}
}

// Without free descriptors Accept returns EMFILE, and the connection stays in the queue until one is free.
func TestAcceptWithoutDescriptors(t *testing.T) {
	k := newKernel(t)
	l, at, err := k.Listen(tcp("127.0.0.1:0"), ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(l)
	c, e := k.Connect(at, SocketOptions{})
	if e != 0 && e != syscall.EINPROGRESS {
		t.Fatal(e)
	}
	defer k.Close(c)
	poll(t, l, unix.POLLIN)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	tight := was
	tight.Cur = uint64(c) + 1
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &tight); err != nil {
		t.Skipf("cannot tighten the limit: %v", err)
	}
	fill := []int{}
	for {
		fd, err := unix.Dup(int(c))
		if err != nil {
			break
		}
		fill = append(fill, fd)
	}
	_, e = k.Accept(l)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	for _, fd := range fill {
		unix.Close(fd)
	}
	if e != syscall.EMFILE {
		t.Errorf("Accept: got %v, want EMFILE", e)
	}
	s, e := k.Accept(l)
	if e != 0 {
		t.Fatalf("Accept with a free descriptor: got %v, want the connection", e)
	}
	k.Close(s)
}
