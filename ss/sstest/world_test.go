package sstest_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/sstest"
)

const (
	clientDoc = `{"retry":[{"r":{"backoff":[1000],"conceal":65535,"jitterpc":0}}],"s":[
		{"get":{"endpoint":"host.example","port":80,"protocol":"h1","retry":"r","opportunistic":true}},
		{"raw":{"endpoint":"host.example","port":81,"protocol":"raw","retry":"r","opportunistic":true}},
		{"ws":{"endpoint":"host.example","port":82,"protocol":"ws","retry":"r","opportunistic":true}},
		{"badaddress":{"endpoint":"10.0.0.","port":80,"protocol":"raw","retry":"r","opportunistic":true}}]}`
	serverDoc = `{"s":[{"web":{"server":true,"port":80,"protocol":"h1"}},{"wire":{"server":true,"port":81,"protocol":"raw"}},
		{"sock":{"server":true,"port":82,"protocol":"ws"}}]}`
)

// report is a TB that collects what a World reports. Fatalf panics with report itself.
type report struct {
	failed   bool
	lines    []string
	cleanups []func()
}

func (r *report) Helper()                      {}
func (r *report) Logf(f string, args ...any)   { r.lines = append(r.lines, fmt.Sprintf(f, args...)) }
func (r *report) Errorf(f string, args ...any) { r.failed = true; r.Logf(f, args...) }
func (r *report) Fatalf(f string, args ...any) { r.Errorf(f, args...); panic(r) }
func (r *report) Failed() bool                 { return r.failed }
func (r *report) Cleanup(f func())             { r.cleanups = append(r.cleanups, f) }

// end runs what testing runs when a test ends, and returns everything that was reported.
func (r *report) end() string {
	for i := len(r.cleanups); i > 0; i-- {
		r.cleanups[i-1]()
	}
	return strings.Join(r.lines, "\n")
}

type expirer struct{}

func (expirer) Expired(time.Duration) {}
func (expirer) Label() string         { return "forgotten" }

// TestLeaksAreReported: each kind of thing that a program can leave behind fails the test, with its name and the seed. A program
// that leaves nothing passes.
func TestLeaksAreReported(t *testing.T) {
	for _, c := range []struct {
		what string
		leak func(w *sstest.World, h *ss.Handle)
		want string // "": the test passes
	}{
		{"nothing", func(*sstest.World, *ss.Handle) {}, ""},
		{"a stream that is connected, which the end destroys", func(w *sstest.World, h *ss.Handle) { h.Connect(); w.Settle() }, ""},
		{"bytes that a stream of the program holds", func(_ *sstest.World, h *ss.Handle) { new(ss.Memory).Set(h, 1000) }, "1000 bytes on the account"},
		{"a timer", func(w *sstest.World, _ *ss.Handle) {
			w.Client.Loop.Arm(new(loop.Timer), w.Net.Now()+time.Hour, expirer{})
		}, "1 timers armed"},
		{"a descriptor", func(w *sstest.World, _ *ss.Handle) {
			if _, _, err := w.Client.Host.Listen(loop.Addr{IP: netip.AddrPortFrom(sstest.ClientIP, 99)}, loop.ListenOptions{}); err != nil {
				t.Fatal(err)
			}
		}, "descriptors"},
		{"a stream that a program makes of the end of another", func(w *sstest.World, h *ss.Handle) {
			h.ChangeHandlers(immortal{w: w})
		}, ""}, // a closed runtime refuses it
	} {
		r := new(report)
		w := sstest.New(r, clientDoc, sstest.Options{Seed: 4711, ServerPolicy: serverDoc})
		w.Serve("web", sstest.Answer(200, "hello"))
		c.leak(w, w.Create("get", sstest.NewScript()))
		got := r.end()
		switch {
		case c.want == "" && (r.failed || got != ""):
			t.Errorf("%s: the test failed, want it to pass:\n%s", c.what, got)
		case c.want != "" && (!r.failed || !strings.Contains(got, c.want) || !strings.Contains(got, "client: left over at the end") || !strings.Contains(got, "seed 4711")):
			t.Errorf("%s: failed %v, want the test to fail with %q and the seed:\n%s", c.what, r.failed, c.want, got)
		}
		if w.End(); c.want != "" && strings.Join(r.lines, "\n") != got {
			t.Errorf("%s: a second End reports again", c.what)
		}
	}
}

// immortal creates another stream when it ends.
type immortal struct {
	ss.Base
	w *sstest.World
}

func (i immortal) State(_ *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	if s == ss.Destroying {
		i.w.Client.Runtime.Create(ss.Info{StreamType: "get"})
	}
	return ss.OK
}

// TestRunGivesUp: a condition that never holds ends the test, with what the test waited for, and a dump.
func TestRunGivesUp(t *testing.T) {
	r := new(report)
	w := sstest.New(r, clientDoc, sstest.Options{Seed: 12, ServerPolicy: serverDoc})
	w.Create("get", sstest.NewScript())
	func() {
		defer func() {
			if recover() != any(r) {
				t.Error("Run returned, want it to end the test")
			}
		}()
		w.Run("godot", func() bool { return false })
	}()
	got := r.end()
	for _, want := range []string{"waiting for godot", "client: 1 streams", "seed 12"} {
		if !strings.Contains(got, want) {
			t.Errorf("a condition that never holds: got a report without %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "left over") {
		t.Errorf("a condition that never holds: the end was checked too, want one reason:\n%s", got)
	}
}

// TestPolicyErrors: a document that is no policy, and a stream type that it does not have, end the test.
func TestPolicyErrors(t *testing.T) {
	for want, f := range map[string]func(r *report){
		"server's policy": func(r *report) { sstest.New(r, clientDoc, sstest.Options{ServerPolicy: `{"s":`}) },
		"policy":          func(r *report) { sstest.New(r, `[]`, sstest.Options{}) },
		"create none":     func(r *report) { sstest.New(r, clientDoc, sstest.Options{}).Create("none", sstest.NewScript()) },
		"single":          func(r *report) { sstest.New(r, clientDoc, sstest.Options{Single: true}).Outage(time.Second) },
	} {
		r := new(report)
		func() {
			defer func() { recover() }()
			f(r)
		}()
		if got := strings.Join(r.lines, "\n"); !r.failed || !strings.Contains(got, want) {
			t.Errorf("got %q, want an error with %q", got, want)
		}
	}
}

// TestOutage: virtual time passes, the retries of the outage fail, and the stream gets its answer afterwards.
func TestOutage(t *testing.T) {
	w := sstest.New(t, clientDoc, sstest.Options{ServerPolicy: serverDoc, Net: sim.Options{Link: sim.Link{Latency: 10 * time.Millisecond}}})
	w.Serve("web", sstest.Answer(200, "hello"))
	s := sstest.NewScript()
	began := w.Net.Now()
	w.Net.At(time.Minute, func() { w.Create("get", s).Connect() })
	w.Outage(10 * time.Minute)
	if d := w.Net.Now() - began; d != 10*time.Minute {
		t.Errorf("an outage of ten minutes took %v", d)
	}
	if n := s.Told(ss.Unreachable); n < 5 || s.Told(ss.Connected) > 0 {
		t.Errorf("during the outage: %d attempts failed, %d succeeded; want many and none: %s", n, s.Told(ss.Connected), s.Life())
	}
	w.Run("an answer", func() bool { return s.Told(ss.QOSAckRemote) == 1 })
	if string(s.Got) != "hello" {
		t.Errorf("after the outage: got %q, want hello", s.Got)
	}
}

// TestReset: connections break on both sides.
func TestReset(t *testing.T) {
	w := sstest.New(t, clientDoc, sstest.Options{ServerPolicy: serverDoc})
	w.Serve("wire", sstest.Echo)
	s := sstest.NewScript()
	s.When(ss.Disconnected, (*ss.Handle).Connect)
	w.Create("raw", s).Connect()
	w.Run("a connection", func() bool { return s.Told(ss.Connected) == 1 })
	w.Reset()
	w.Run("another", func() bool { return s.Told(ss.Connected) == 2 })
	w.WantLife("the client", s, "CREATING CONNECTING CONNECTED DISCONNECTED CONNECTING CONNECTED")
	w.WantLife("the server's first stream", w.Accepted[0], "CREATING CONNECTING CONNECTED DISCONNECTED DESTROYING")
}

// TestNames: every name is the server machine's, and a mistyped address is no name.
func TestNames(t *testing.T) {
	w := sstest.New(t, clientDoc, sstest.Options{ServerPolicy: serverDoc})
	s := sstest.NewScript()
	w.Create("badaddress", s).Connect()
	w.Advance(500 * time.Millisecond)
	w.WantLife("a stream to 10.0.0.", s, "CREATING CONNECTING UNREACHABLE")
}

// TestSeeds: one seed gives one run, another seed another.
func TestSeeds(t *testing.T) {
	run := func(seed uint64) uint64 {
		w := sstest.New(t, clientDoc, sstest.Options{Seed: seed, ServerPolicy: serverDoc, Net: sim.Options{Link: sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond}, ShortRead: 0.5}})
		w.Serve("web", sstest.Answer(200, "hello"))
		s := sstest.NewScript()
		w.Create("get", s).Connect()
		w.Run("an answer", func() bool { return s.Told(ss.QOSAckRemote) == 1 })
		w.End()
		return w.Net.Digest()
	}
	if a, b := run(1), run(1); a != b {
		t.Errorf("seed 1, twice: digests %x and %x, want the same", a, b)
	}
	if a, b := run(1), run(2); a == b {
		t.Errorf("seeds 1 and 2: the same digest %x", a)
	}
}

// TestPrinter prints and panics.
func TestPrinter(t *testing.T) {
	runtime.LockOSThread()
	p := new(sstest.Printer)
	if p.Failed() {
		t.Error("a new Printer has failed")
	}
	defer func() {
		if got := recover(); got != "x 1" || !p.Failed() {
			t.Errorf("Fatalf: panicked with %v, failed %v; want x 1, true", got, p.Failed())
		}
	}()
	p.Fatalf("x %d", 1)
}
