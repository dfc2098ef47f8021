package wsi

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
)

// answers is a Resolver with fixed answers.
type answers struct {
	addrs    []netip.Addr
	err      error
	hold     bool // until answer is called
	asked    []string
	canceled int
	done     func([]netip.Addr, error)
}

func (r *answers) Resolve(name string, done func([]netip.Addr, error)) (cancel func()) {
	r.asked = append(r.asked, name)
	r.done = done
	if !r.hold {
		done(r.addrs, r.err)
	}
	return func() { r.canceled++ }
}

// resolving returns a world whose host a dials with r.
func resolving(t *testing.T, r Resolver, o sim.Options) (wd *world, client *node) {
	wd = newWorld(t, 1, o, loop.Config{}, Config{})
	return wd, wd.other(loop.Config{}, Config{Resolver: r, Timeouts: Timeouts{Connect: 12 * time.Second}})
}

// Addresses are tried in order until one accepts, each with its share of the remaining time.
func TestDialFallsBack(t *testing.T) {
	const (
		refused = "10.0.0.3" // a host without a listener
		silent  = "10.0.0.4" // a host that was killed
		good    = "10.0.0.2"
	)
	for _, c := range []struct {
		addrs string
		took  time.Duration
		want  string // attempts of the error; "" if it connects
	}{
		{good, 0, ""},
		{refused + " " + good, 0, ""},
		{silent + " " + good, 6 * time.Second, ""},
		{silent + " " + refused + " " + good, 4 * time.Second, ""},
		{silent + " " + silent + " " + good, 8 * time.Second, ""},
		{refused, 0, "connect 10.0.0.3:80: connection refused"},
		{silent, 12 * time.Second, "connect 10.0.0.4:80: timed out"},
		{refused + " fd00::9 " + refused, 3 * time.Second,
			"connect 10.0.0.3:80: connection refused; connect [fd00::9]:80: no route to host; connect 10.0.0.3:80: connection refused"},
		{refused + " " + silent, 12 * time.Second,
			"connect 10.0.0.3:80: connection refused; connect 10.0.0.4:80: timed out"},
		{"", 0, "resolve: no address for this name"},
	} {
		t.Run(c.addrs, func(t *testing.T) {
			r := &answers{}
			for _, a := range strings.Fields(c.addrs) {
				r.addrs = append(r.addrs, netip.MustParseAddr(a))
			}
			wd, client := resolving(t, r, sim.Options{})
			wd.n.Host("refused", netip.MustParseAddr(refused))
			wd.n.Kill(wd.n.Host("silent", netip.MustParseAddr(silent)))
			a := wd.listen()
			start := wd.n.Now()
			f := client.dial(Target{Host: "x.example", Port: 80}, DialOptions{})
			wd.until(func() bool { return f.open || f.closed > 0 })
			if got := wd.n.Now() - start; got != c.took {
				t.Errorf("took: got %v, want %v", got, c.took)
			}
			if c.want == "" {
				f.wantOpen()
				f.send("hi")
				wd.pass(time.Minute) // no timer of the dial expires afterwards
				if len(a.all) != 1 || string(a.all[0].got) != "hi" {
					t.Errorf("accepted: got %d, want 1 that got hi", len(a.all))
				}
				f.w.Close(roles.Reset, nil)
			} else {
				var de *DialError
				if !errors.As(f.cause, &de) || f.cause.Error() != "wsi: dial: x.example:80: "+c.want {
					t.Errorf("error: got %v, want %s", f.cause, c.want)
				}
				if client.net.Counters.ConnectFailed != 1 {
					t.Errorf("failures counted: got %d, want 1", client.net.Counters.ConnectFailed)
				}
			}
			wd.pass(time.Minute)
			client.wantEmpty(0)
			wd.wantEmpty(1)
		})
	}
}

// errors.Is finds the errno of an attempt.
func TestDialErrorIs(t *testing.T) {
	wd, client := resolving(t, &answers{}, sim.Options{})
	f := client.dial(Target{Host: "10.0.0.2", Port: 9}, DialOptions{})
	wd.pass(time.Second)
	f.wantClosed(syscall.ECONNREFUSED)
	f = client.dial(Target{Path: "/none"}, DialOptions{})
	wd.pass(time.Second)
	f.wantClosed(syscall.ENOENT)
	if text := f.cause.Error(); text != "wsi: dial: unix:/none: connect unix:/none: no such file or directory" {
		t.Errorf("text: got %q", text)
	}
	o := wd.n.Options()
	o.MaxDescriptors = 1
	wd.n.SetOptions(o)
	wd.a.Listen(loop.Addr{IP: netip.AddrPortFrom(ipA, 1)}, loop.ListenOptions{})
	f = client.dial(Target{Host: "10.0.0.2", Port: 9}, DialOptions{})
	wd.pass(time.Second)
	f.wantClosed(syscall.EMFILE)
}

// A slow resolver uses up the dial's time, and is canceled when its answer is no longer needed.
func TestDialResolver(t *testing.T) {
	boom := errors.New("server failure")
	addrs := []netip.Addr{ipB}
	for _, c := range []struct {
		name     string
		run      func(wd *world, r *answers, f *fake)
		cause    error
		text     string
		open     bool
		canceled int
	}{
		{"answers at once", func(wd *world, r *answers, f *fake) {}, nil, "", true, 0},
		{"answers late", func(wd *world, r *answers, f *fake) {
			wd.pass(5 * time.Second)
			r.done(addrs, nil)
		}, nil, "", true, 0},
		{"answers twice", func(wd *world, r *answers, f *fake) {
			r.done(addrs, nil)
			r.done(addrs, nil)
			wd.pass(time.Second)
			r.done(nil, boom)
		}, nil, "", true, 0},
		{"fails", func(wd *world, r *answers, f *fake) { r.done(nil, boom) },
			boom, "wsi: dial: x.example:80: resolve: server failure", false, 0},
		{"takes too long", func(wd *world, r *answers, f *fake) {
			wd.pass(12 * time.Second)
			r.done(addrs, nil)
		}, ErrTimeout, "wsi: dial: x.example:80: resolve: timed out", false, 1},
		{"is canceled", func(wd *world, r *answers, f *fake) {
			wd.pass(time.Second)
			f.w.Close(roles.Graceful, nil)
			wd.pass(time.Second)
			r.done(addrs, nil)
		}, nil, "", false, 1},
		{"answers in the turn of the close", func(wd *world, r *answers, f *fake) {
			f.w.Close(roles.Graceful, nil)
			r.done(addrs, nil)
		}, nil, "", false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &answers{addrs: addrs, hold: c.name != "answers at once"}
			wd, client := resolving(t, r, sim.Options{})
			wd.listen()
			f := client.dial(Target{Host: "x.example", Port: 80}, DialOptions{})
			c.run(wd, r, f)
			wd.pass(20 * time.Second)
			if f.open != c.open {
				t.Errorf("opened: got %v, want %v; calls %q", f.open, c.open, f.log)
			}
			if r.canceled != c.canceled || !slices.Equal(r.asked, []string{"x.example"}) {
				t.Errorf("resolver: got %d cancels, asked %q; want %d, once", r.canceled, r.asked, c.canceled)
			}
			if c.open {
				f.w.Close(roles.Immediate, nil)
				wd.pass(time.Second)
			}
			f.wantClosed(c.cause)
			if c.text != "" && f.cause.Error() != c.text {
				t.Errorf("cause: got %q, want %q", f.cause, c.text)
			}
			wd.pass(time.Minute)
			client.wantEmpty(0)
		})
	}
}

// If the owner closes a dial at any time and in any way, Closed is called once and no other method, and all resources
// are freed.
func TestCloseWhileDialling(t *testing.T) {
	for _, mode := range []roles.CloseMode{roles.Graceful, roles.Immediate, roles.Reset} {
		for _, after := range []time.Duration{0, time.Millisecond, 500 * time.Millisecond, 4 * time.Second, 7 * time.Second} {
			t.Run(fmt.Sprint(mode, after), func(t *testing.T) {
				r := &answers{addrs: []netip.Addr{netip.MustParseAddr("10.0.0.4"), ipB}}
				wd, client := resolving(t, r, sim.Options{Link: sim.Link{Latency: 2 * time.Second}})
				wd.n.Kill(wd.n.Host("silent", netip.MustParseAddr("10.0.0.4")))
				wd.listen()
				f := client.dial(Target{Host: "x", Port: 80}, DialOptions{})
				if after > 0 {
					wd.pass(after)
				}
				cause := errors.New("changed my mind")
				f.w.Close(mode, cause)
				f.w.Rearm()
				f.w.WantWrite()
				wd.pass(time.Minute)
				f.wantClosed(cause)
				f.wantLog("closed changed my mind")
				client.wantEmpty(0)
			})
		}
	}
}

// The socket becomes ready in the turn in which an earlier callback closes the connection.
func TestCloseInTheTurnOfTheConnect(t *testing.T) {
	wd := plain(t)
	a := wd.listen()
	f := wd.dial(Target{Host: "10.0.0.2", Port: 80}, DialOptions{})
	a.script = func(*fake) { f.w.Close(roles.Immediate, nil) }
	wd.pass(time.Second)
	f.wantLog("closed <nil>")
	if c := wd.net.Counters; c.Dialled != 0 || c.ConnectFailed != 1 {
		t.Errorf("counted: got %d dialled, %d failed, want 0 and 1", c.Dialled, c.ConnectFailed)
	}
	a.all[0].w.Close(roles.Immediate, nil)
	wd.settle()
	wd.wantEmpty(1)
}

// Requests of the owner before the connection is established are served after it is, and Rearm does not extend an
// attempt.
func TestAskWhileDialling(t *testing.T) {
	r := &answers{addrs: []netip.Addr{netip.MustParseAddr("10.0.0.4"), ipB}}
	wd, client := resolving(t, r, sim.Options{})
	wd.n.Kill(wd.n.Host("silent", netip.MustParseAddr("10.0.0.4")))
	a := wd.listen()
	first := newFake(t, "first")
	client.net.Dial(first.w, Target{Host: "x", Port: 80}, first, DialOptions{})
	second := newFake(t, "second")
	second.w = first.w
	first.w.Replace(second)
	second.send("early")
	wd.pass(time.Second)
	first.w.Rearm()
	first.w.Established()
	wd.pass(5*time.Second + time.Millisecond)
	first.wantLog()
	if len(second.log) == 0 || second.log[0] != "opened" {
		t.Fatalf("second: got %q, want opened after half the time", second.log)
	}
	wd.pass(time.Second)
	a.all[0].wantLog("opened", `rx "early"`)
}

// The timeout of a dial between turns starts at the present time, not at the last turn's.
func TestDialBetweenTurns(t *testing.T) {
	wd, client := resolving(t, &answers{hold: true}, sim.Options{})
	wd.pass(time.Second)
	wd.n.Advance(time.Hour) // without a turn
	start := wd.n.Now()
	f := client.dial(Target{Host: "x", Port: 80}, DialOptions{})
	wd.until(func() bool { return f.closed > 0 })
	if got := wd.n.Now() - start; got != 12*time.Second {
		t.Errorf("timed out after: got %v, want 12s", got)
	}
	f = client.dial(Target{Host: "x", Port: 80}, DialOptions{Timeouts: &Timeouts{Connect: time.Second}})
	start = wd.n.Now()
	wd.until(func() bool { return f.closed > 0 })
	if got := wd.n.Now() - start; got != time.Second {
		t.Errorf("with a timeout of its own: got %v, want 1s", got)
	}
}

// After a dial to a peer that answers and ends at once, the bytes and the end are both reported.
func TestDialMeetsAnEnd(t *testing.T) {
	wd, client := resolving(t, &answers{}, sim.Options{})
	a := wd.listen()
	a.script = func(f *fake) {
		f.onOpened = func() {
			f.w.Commit(copy(f.w.Room(1), "go away"))
			f.w.CloseWrite()
			f.w.WantWrite() // has no effect
		}
	}
	f := client.dial(Target{Host: "10.0.0.2", Port: 80}, DialOptions{})
	wd.pass(time.Second)
	a.all[0].wantLog("opened")
	if string(f.got) != "go away" || !f.ended {
		t.Errorf("got %q, ended %v, want the bytes and the end", f.got, f.ended)
	}
}

func TestTargetString(t *testing.T) {
	for _, c := range []struct {
		t    Target
		want string
	}{
		{Target{Host: "x.example", Port: 443}, "x.example:443"}, {Target{Host: "::1", Port: 80}, "[::1]:80"},
		{Target{Host: "10.0.0.1", Port: 80}, "10.0.0.1:80"}, {Target{Path: "/run/x"}, "unix:/run/x"},
	} {
		if got := c.t.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
