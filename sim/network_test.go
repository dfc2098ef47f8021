package sim

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
)

// Bytes written during a partition arrive after it; bytes in flight are sent again.
func TestPartitionAndHeal(t *testing.T) {
	p := join(t, 1, Options{Link: Link{Latency: 10 * time.Millisecond}})
	write(t, p.a, p.c, "in flight, ")
	p.n.Advance(5 * time.Millisecond)
	p.n.Partition(p.a, p.b)
	write(t, p.a, p.c, "meanwhile")
	p.a.CloseWrite(p.c)
	p.n.Advance(time.Minute)
	read(t, p.b, p.s, "", syscall.EAGAIN)
	p.n.Heal(p.a, p.b)
	p.n.Advance(10 * time.Millisecond)
	read(t, p.b, p.s, "in flight, meanwhile", 0)
	read(t, p.b, p.s, "", 0)
}

// If a partition loses a reset, the other end stays open until it sends.
func TestLostReset(t *testing.T) {
	p := join(t, 1, Options{})
	p.n.Partition(p.a, p.b)
	p.a.Abort(p.c)
	p.n.Advance(time.Minute)
	p.n.Heal(p.a, p.b)
	read(t, p.b, p.s, "", syscall.EAGAIN)
	write(t, p.b, p.s, "hello?")
	read(t, p.b, p.s, "", syscall.ECONNRESET)
	p.b.Close(p.s)
	p.b.Close(p.l)
	wantClosed(t, p.n)
}

// An end that timed out answers with a reset when the partition has healed.
func TestTimeoutThenHeal(t *testing.T) {
	p := join(t, 1, Options{AckTimeout: time.Minute})
	p.n.Partition(p.a, p.b)
	write(t, p.a, p.c, "lost")
	p.n.Advance(time.Hour)
	read(t, p.a, p.c, "", syscall.ETIMEDOUT)
	p.n.Heal(p.a, p.b)
	write(t, p.b, p.s, "hello?")
	read(t, p.b, p.s, "", syscall.ECONNRESET)
}

// A killed host is silent. After its reboot its peers are reset as soon as they send.
func TestKillAndReboot(t *testing.T) {
	p := join(t, 1, Options{})
	p.n.Kill(p.b)
	write(t, p.a, p.c, "anybody?")
	p.n.Advance(time.Minute)
	read(t, p.a, p.c, "", syscall.EAGAIN)
	again := p.n.Host("b again", ipB)
	read(t, p.a, p.c, "", syscall.ECONNRESET)
	if _, _, err := again.Listen(at(ipB, 80), loop.ListenOptions{}); err != nil {
		t.Fatal(err)
	}
	if e, _ := p.outcome(at(ipB, 80), loop.SocketOptions{}); e != 0 {
		t.Errorf("connect to the rebooted host: got %v, want success", e)
	}
}

func TestResets(t *testing.T) {
	for name, strike := range map[string]func(p *pair){
		"all of a host": func(p *pair) { p.n.ResetAll(p.b) },
		"one":           func(p *pair) { p.a.Reset(p.c) },
		"one picked":    func(p *pair) { p.b.Reset(p.b.Established()[0]) },
	} {
		p := join(t, 1, Options{})
		add(t, p.a, p.c)
		write(t, p.b, p.s, "before")
		strike(p)
		if r := ready(t, p.a)[p.c]; r != loop.Readable|loop.Writable|loop.HangUp|loop.Broken|loop.Failed {
			t.Errorf("%s: got readiness %b, want all", name, r)
		}
		read(t, p.a, p.c, "before", 0)
		read(t, p.a, p.c, "", syscall.ECONNRESET)
		read(t, p.b, p.s, "", syscall.ECONNRESET)
	}
}

// One direction of one link can be slow while the others are fast.
func TestSetPath(t *testing.T) {
	p := join(t, 1, Options{})
	p.n.SetPath(p.b, p.a, &Link{Latency: time.Second})
	write(t, p.a, p.c, "fast")
	read(t, p.b, p.s, "fast", 0)
	write(t, p.b, p.s, "slow")
	read(t, p.a, p.c, "", syscall.EAGAIN)
	p.n.Advance(time.Second)
	read(t, p.a, p.c, "slow", 0)
	p.n.SetLink(p.a, p.b, nil)
	write(t, p.b, p.s, "fast again")
	read(t, p.a, p.c, "fast again", 0)
}

// Two connections share the bandwidth of a link.
func TestBandwidthIsShared(t *testing.T) {
	p := join(t, 1, Options{Link: Link{Bandwidth: 10_000}})
	other, _ := p.a.Connect(at(ipB, 80), loop.SocketOptions{})
	p.n.Advance(time.Second)
	s2, e := p.b.Accept(p.l)
	if e != 0 {
		t.Fatal(e)
	}
	text := strings.Repeat("x", 10_000)
	write(t, p.a, p.c, text)
	write(t, p.a, other, text)
	p.n.Advance(1900 * time.Millisecond)
	got := func(fd loop.FD) int { s := p.b.at(fd); return int(s.in.arrived - s.in.read) }
	if k := got(p.s) + got(s2); k < 18_500 || k > 19_500 {
		t.Errorf("after 1.9 s at 10,000 B/s: got %d bytes, want about 19,000", k)
	}
}

func TestAddresses(t *testing.T) {
	n := New(1, Options{})
	h := n.Host("h", ipA)
	if got, err := h.InterfaceAddrs("eth0"); err != nil || len(got) != 1 || got[0] != ipA {
		t.Errorf("eth0: got %v, %v, want %v", got, err, ipA)
	}
	if got, err := h.InterfaceAddrs("lo"); err != nil || len(got) != 2 {
		t.Errorf("lo: got %v, %v, want two", got, err)
	}
	if _, err := h.InterfaceAddrs("wlan0"); errnoOf(err) != syscall.ENODEV {
		t.Errorf("wlan0: got %v, want ENODEV", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("an address used twice: got no panic")
		}
	}()
	n.Host("twin", ipA)
}
