package dial

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/sim"
)

// TestDial checks the outcomes of dials, and that each frees its resources.
func TestDial(t *testing.T) {
	silent := netip.MustParseAddr("10.0.0.9")
	for _, c := range []struct {
		name     string
		resolver fixed
		target   Target
		want     string
	}{
		{"an address", nil, Target{Host: "10.0.0.1", Port: 80}, "[connected 10.0.0.1:80, writable true]"},
		{"a name", fixed{ipA}, Target{Host: "x", Port: 80}, "[connected 10.0.0.1:80, writable true]"},
		{"the second address", fixed{ipB, ipA}, Target{Host: "x", Port: 80}, "[connected 10.0.0.1:80, writable true]"},
		{"the second address after a silent one", fixed{silent, ipA}, Target{Host: "x", Port: 80}, "[connected 10.0.0.1:80, writable true]"},
		{"refused", nil, Target{Host: "10.0.0.1", Port: 81},
			"[failed: wsi: dial: 10.0.0.1:81: connect 10.0.0.1:81: connection refused, timed out false]"},
		{"silent", nil, Target{Host: "10.0.0.9", Port: 80}, "[failed: wsi: dial: 10.0.0.9:80: connect 10.0.0.9:80: timed out, timed out true]"},
		{"no address", fixed{}, Target{Host: "x", Port: 80}, "[failed: wsi: dial: x:80: resolve: no address for this name, timed out false]"},
		{"no Unix socket", nil, Target{Path: "/none"},
			"[failed: wsi: dial: unix:/none: connect unix:/none: no such file or directory, timed out false]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wd := newWorld(t, sim.Options{})
			wd.n.Kill(wd.n.Host("silent", silent))
			if _, _, err := wd.a.Listen(loop.Addr{IP: netip.AddrPortFrom(ipA, 80)}, loop.ListenOptions{}); err != nil {
				t.Fatal(err)
			}
			o := &owner{wd: wd}
			o.Start(wd.loop, c.resolver, o, c.target, Options{Timeout: 10 * time.Second})
			wd.pass(time.Minute)
			if got := fmt.Sprint(o.log); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if o.src.Watched() {
				wd.loop.Unwatch(&o.src)
				wd.b.Close(o.src.FD())
			}
			wd.wantEmpty()
		})
	}
}

// A halted dial does not call its owner, and a canceled one has no descriptor or timer, in every state.
func TestHaltAndCancel(t *testing.T) {
	for _, c := range []struct {
		name  string
		after time.Duration
		state string
		open  bool
	}{
		{"while the name is resolved", time.Second, "resolving", false},
		{"while an address is tried", 3 * time.Second, "connecting", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			wd := newWorld(t, sim.Options{OffloadMax: 2 * time.Second, Link: sim.Link{Latency: 2 * time.Second}})
			hosts := NewHosts(wd.loop, func() ([]byte, error) { return wd.b.ReadFile("/etc/hosts") })
			if _, _, err := wd.a.Listen(loop.Addr{IP: netip.AddrPortFrom(ipA, 80)}, loop.ListenOptions{}); err != nil {
				t.Fatal(err)
			}
			o := &owner{wd: wd}
			o.Start(wd.loop, hosts, o, Target{Host: "a", Port: 80}, Options{Timeout: 20 * time.Second})
			for o.State() != c.state {
				wd.pass(10 * time.Millisecond)
			}
			o.Halt()
			wd.pass(time.Minute)
			if len(o.log) > 0 || o.State() != c.state && c.open {
				t.Errorf("after Halt: got calls %q in state %s, want none in state %s", o.log, o.State(), c.state)
			}
			if open := o.Cancel(); open != c.open {
				t.Errorf("Cancel: got open %v, want %v", open, c.open)
			}
			wd.pass(time.Minute)
			if len(o.log) > 0 {
				t.Errorf("after Cancel: got calls %q, want none", o.log)
			}
			wd.wantEmpty()
		})
	}
}

// Readiness during the connect is reported with Connected, and later readiness to the owner's source.
func TestTakeKeepsEvents(t *testing.T) {
	wd := newWorld(t, sim.Options{})
	l, _, err := wd.a.Listen(loop.Addr{IP: netip.AddrPortFrom(ipA, 80)}, loop.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	o := &owner{wd: wd}
	o.Start(wd.loop, nil, o, Target{Host: "10.0.0.1", Port: 80}, Options{})
	wd.pass(time.Second)
	fd, e := wd.a.Accept(l)
	if e != 0 {
		t.Fatalf("accept: %v", e)
	}
	wd.a.Write(fd, []byte("x"))
	wd.pass(time.Second)
	want := fmt.Sprintf("[connected 10.0.0.1:80, writable true ready %d]", loop.Readable|loop.Writable)
	if got := fmt.Sprint(o.log); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	wd.loop.Unwatch(&o.src)
	wd.b.Close(o.src.FD())
	wd.wantEmpty()
}
