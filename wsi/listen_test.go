package wsi

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
)

// Every kind of address can be listened on, reports its port, and accepts a dial.
func TestListenAndDial(t *testing.T) {
	for _, c := range []struct {
		bind   Bind
		target Target // Port 0: the listener's
	}{
		{Bind{Host: "127.0.0.1"}, Target{Host: "127.0.0.1"}},
		{Bind{Host: "::1"}, Target{Host: "::1"}},
		{Bind{Host: "10.0.0.2"}, Target{Host: "10.0.0.2"}},
		{Bind{Host: "localhost"}, Target{Host: "localhost"}},
		{Bind{Host: "lo"}, Target{Host: "127.0.0.1"}},
		{Bind{Host: "lo"}, Target{Host: "::1"}},
		{Bind{Host: "eth0"}, Target{Host: "fd00::2"}},
		{Bind{}, Target{Host: "127.0.0.1"}},
		{Bind{}, Target{Host: "::1"}},
		{Bind{}, Target{Host: "10.0.0.2"}},
		{Bind{Port: 8080}, Target{Host: "10.0.0.2", Port: 8080}},
		{Bind{Path: "/run/m.sock"}, Target{Path: "/run/m.sock"}},
		{Bind{Path: "@millrace"}, Target{Path: "@millrace"}},
	} {
		t.Run(c.bind.String()+" from "+c.target.Host, func(t *testing.T) {
			wd := plain(t)
			a := wd.listenAt(c.bind, nil)
			got := a.l.Addr()
			if c.bind.Path == "" && (got.IP.Port() == 0 || c.bind.Port != 0 && got.IP.Port() != c.bind.Port) {
				t.Errorf("address: got %s, want a port", got)
			}
			if c.target.Path == "" && c.target.Port == 0 {
				c.target.Port = got.IP.Port()
			}
			f := wd.dial(c.target, DialOptions{})
			f.send("hello")
			wd.pass(time.Second)
			f.wantOpen()
			if len(a.all) != 1 || string(a.all[0].got) != "hello" {
				t.Fatalf("accepted: got %d connections, want 1 that received hello", len(a.all))
			}
			a.all[0].w.Close(roles.Graceful, nil)
			wd.pass(time.Second)
			f.w.Close(roles.Graceful, nil)
			a.l.Close()
			wd.pass(time.Second)
			wd.wantEmpty(0)
			if again, err := wd.net.Listen(c.bind, loop.ListenOptions{}, nil, a); err != nil {
				t.Errorf("listening again after Close: got %v, want success", err)
			} else {
				again.Close()
				wd.settle()
			}
		})
	}
}

func TestListenErrors(t *testing.T) {
	for _, c := range []struct {
		bind Bind
		text string
		is   error
	}{
		{Bind{Host: "10.0.0.2", Port: 80}, "wsi: listen: 10.0.0.2:80: ", syscall.EADDRINUSE},
		{Bind{Host: "eth0", Port: 80}, "wsi: listen: eth0:80: ", syscall.EADDRINUSE},
		{Bind{Host: "192.0.2.9", Port: 1}, "wsi: listen: 192.0.2.9:1: ", syscall.EADDRNOTAVAIL},
		{Bind{Host: "nic7", Port: 1}, `wsi: listen: nic7:1: "nic7" is neither an address nor an interface`, syscall.ENODEV},
		{Bind{Path: "/run/taken"}, "wsi: listen: unix:/run/taken: ", syscall.EADDRINUSE},
	} {
		wd := plain(t)
		wd.listenAt(Bind{Host: "fd00::2", Port: 80}, nil)
		wd.listenAt(Bind{Host: "10.0.0.2", Port: 80}, nil)
		wd.listenAt(Bind{Path: "/run/taken"}, nil)
		_, err := wd.net.Listen(c.bind, loop.ListenOptions{}, nil, nil)
		var le *ListenError
		if !errors.As(err, &le) || le.Bind != c.bind || !errors.Is(err, c.is) || !strings.HasPrefix(err.Error(), c.text) {
			t.Errorf("listen on %v: got %v, want %s...: %v", c.bind, err, c.text, c.is)
		}
		wd.wantEmpty(3) // the socket of an interface's first address is closed at once
	}
}

// An interface with only link-local addresses has none to listen on.
func TestListenOnInterfaceWithoutAddresses(t *testing.T) {
	n := sim.New(1, sim.Options{})
	nd := newNode(t, n.Host("h", netip.MustParseAddr("fe80::1")), loop.Config{}, Config{})
	_, err := nd.net.Listen(Bind{Host: "eth0"}, loop.ListenOptions{}, nil, nil)
	if err == nil || !strings.Contains(err.Error(), `interface "eth0" has no address to listen on`) {
		t.Errorf("listen: got %v, want an error about the missing address", err)
	}
}

// Accepts continue until no connection waits, up to a limit per turn.
func TestAcceptBudget(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{Accepts: 10}, Config{})
	a := wd.listen()
	for range 35 {
		wd.knock()
	}
	for _, want := range []int{10, 20, 30, 35} {
		wd.turn()
		if len(a.all) != want {
			t.Fatalf("accepted after this turn: got %d, want %d", len(a.all), want)
		}
		for _, f := range a.all {
			f.wantOpen() // in the same turn
		}
	}
	accepts := wd.b.Calls().Accepts
	wd.settle()
	if got := wd.b.Calls().Accepts - accepts; got != 0 {
		t.Errorf("accepts without a waiting connection: got %d, want 0", got)
	}
}

// Without a free descriptor a listener waits: it neither spins nor loses a connection, established connections work,
// and it continues as soon as a descriptor is free.
func TestDescriptorExhaustion(t *testing.T) {
	for _, freed := range []string{"here", "elsewhere"} {
		t.Run(freed, func(t *testing.T) {
			wd := newWorld(t, 1, sim.Options{}, loop.Config{}, Config{})
			a := wd.listen()
			p, f := wd.connect(a)
			l2, _, err := wd.b.Listen(loop.Addr{IP: netip.AddrPortFrom(ipB, 81)}, loop.ListenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				wd.knock()
			}
			o := wd.n.Options()
			o.MaxDescriptors = 3 // the listeners and f, on this host; the other host only closes
			wd.n.SetOptions(o)
			wd.pass(time.Millisecond)
			if len(a.all) != 1 {
				t.Fatalf("accepted without descriptors: got %d, want 1", len(a.all))
			}
			accepts := wd.b.Calls().Accepts
			wd.pass(time.Second)
			if got := wd.b.Calls().Accepts - accepts; got < 5 || got > 15 {
				t.Errorf("accepts tried in a second of want: got %d, want about 10", got)
			}
			p.write("are you there?")
			f.onRx = func(b []byte) int { f.send("yes"); return len(b) }
			wd.pass(time.Millisecond)
			p.want("yes", syscall.EAGAIN)
			if freed == "here" {
				f.w.Close(roles.Immediate, nil)
				wd.settle()
			} else {
				wd.b.Close(l2)
				wd.pass(retryAccept)
			}
			if len(a.all) != 2 {
				t.Errorf("accepted with a free descriptor: got %d, want 2", len(a.all))
			}
			if wd.net.Counters.AcceptExhausted == 0 {
				t.Error("exhaustion counted: got 0, want some")
			}
			o.MaxDescriptors = 0
			wd.n.SetOptions(o)
			wd.pass(retryAccept)
			if len(a.all) != 4 {
				t.Errorf("accepted at the end: got %d, want all 4", len(a.all))
			}
			a.l.Close()
			wd.pass(time.Second)
			if k := wd.loop.Stats().Timers; k != 0 {
				t.Errorf("timers after the listener's close: got %d, want 0", k)
			}
		})
	}
}

// Closing a listener that waits for descriptors frees its resources.
func TestCloseWaitingListener(t *testing.T) {
	wd := plain(t)
	a := wd.listen()
	wd.knock()
	wd.n.SetOptions(sim.Options{MaxDescriptors: 1})
	wd.pass(10 * time.Millisecond)
	if len(wd.net.waiting) != 1 {
		t.Fatalf("waiting: got %d, want 1", len(wd.net.waiting))
	}
	a.l.Close()
	a.l.Close()
	wd.pass(time.Second)
	if len(wd.net.waiting) != 0 {
		t.Errorf("waiting after Close: got %d, want 0", len(wd.net.waiting))
	}
	wd.wantEmpty(0)
}

// A refused connection is closed, and the listener continues.
func TestRefuse(t *testing.T) {
	wd := plain(t)
	a := wd.listen()
	a.refuse = true
	p := wd.knock()
	wd.settle()
	p.want("", 0)
	if wd.net.Counters.AcceptRefused != 1 || len(wd.b.Open()) != 1 {
		t.Errorf("refused: got %d, open %q, want 1 and the listener", wd.net.Counters.AcceptRefused, wd.b.Open())
	}
	a.refuse = false
	wd.connect(a)
}

// The acceptor may close the listener inside Accept.
func TestCloseListenerWhileAccepting(t *testing.T) {
	wd := plain(t)
	a := wd.listen()
	a.script = func(*fake) { a.l.Close() }
	for range 3 {
		wd.knock()
	}
	wd.pass(time.Second)
	if len(a.all) != 1 {
		t.Errorf("accepted: got %d, want the 1 before Close", len(a.all))
	}
	a.all[0].wantOpen()
	a.all[0].w.Close(roles.Reset, nil)
	wd.settle()
	wd.wantEmpty(0)
}

// Above LevelStopAccepting no connection is accepted; below it the waiting ones are.
func TestStopAccepting(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{Memory: 1000}, Config{})
	a := wd.listen()
	wd.loop.Account().Charge(800)
	wd.knock()
	turns := wd.loop.Stats().Turns
	wd.pass(time.Minute)
	if len(a.all) != 0 {
		t.Errorf("accepted with little memory: got %d, want 0", len(a.all))
	}
	if k := wd.loop.Stats().Turns - turns; k > 5 {
		t.Errorf("turns while waiting for memory: got %d, want a few", k)
	}
	wd.loop.Account().Release(800)
	wd.settle()
	if len(a.all) != 1 {
		t.Errorf("accepted with memory available: got %d, want 1", len(a.all))
	}
}

// Zero fields of a listener's timeouts select the Net's.
func TestListenerTimeouts(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{}, Config{Timeouts: Timeouts{Establish: 7 * time.Second}})
	a := wd.listenAt(Bind{Port: 80}, &Timeouts{Idle: time.Second})
	want := Timeouts{Connect: 20 * time.Second, Establish: 7 * time.Second, Idle: time.Second, Write: 60 * time.Second, Linger: 5 * time.Second}
	if *a.l.timeouts != want {
		t.Errorf("timeouts: got %+v, want %+v", *a.l.timeouts, want)
	}
}

func TestBindString(t *testing.T) {
	for _, c := range []struct {
		b    Bind
		want string
	}{
		{Bind{}, "*:0"}, {Bind{Port: 80}, "*:80"}, {Bind{Host: "::1", Port: 80}, "[::1]:80"},
		{Bind{Host: "eth0", Port: 80}, "eth0:80"}, {Bind{Path: "@x"}, "unix:@x"},
	} {
		if got := fmt.Sprint(c.b); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
