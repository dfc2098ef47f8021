package ss_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/sstest"
)

// program is a simulated machine on which Run runs a loop. A second runtime on the loop has the clients.
type program struct {
	t       *testing.T
	net     *sim.Network
	host    *sim.Host
	c       ss.Config
	clients *ss.Runtime
	answers []string
}

func newProgram(t *testing.T) *program {
	t.Helper()
	p, err := policy.Parse([]byte(`{"retry":[{"r":{"backoff":[60000],"conceal":0,"jitterpc":0}}],"s":[
		{"srv":{"server":true,"endpoint":"10.0.0.2","port":80,"protocol":"h1"}},
		{"cli":{"endpoint":"10.0.0.2","port":80,"protocol":"h1","http_url":"/","opportunistic":true,"retry":"r"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	g := &program{t: t, net: sim.New(1, sim.Options{})}
	g.host = g.net.Host("both", netip.MustParseAddr("10.0.0.2"))
	g.c = ss.Config{Loop: loop.New(g.host, loop.Config{}), Policy: p, PanicOnIllegal: true}
	if g.clients, err = ss.New(g.c); err != nil {
		t.Fatal(err)
	}
	return g
}

// ask makes a client with one request.
func (g *program) ask() {
	h, err := g.clients.Create(ss.Info{StreamType: "cli", New: func(*ss.Handle) ss.Stream {
		return &ss.Collector{Done: func(_ *ss.Handle, body []byte, err error) ss.Ret {
			if err != nil {
				body = []byte("cut")
			}
			g.answers = append(g.answers, string(body))
			return ss.DestroyMe
		}}
	}})
	if err != nil {
		g.t.Error(err)
		return
	}
	h.Connect()
}

// slowServer answers each request after a delay, and calls seen at its start.
type slowServer struct {
	ss.Base
	ss.Body
	delay time.Duration
	seen  func(h *ss.Handle)
}

func (s *slowServer) State(h *ss.Handle, st ss.State, _ ss.Notice) ss.Ret {
	if st == ss.ServerTxn {
		s.SetBytes([]byte("answer"))
		s.seen(h)
		h.After(s.delay, func() {
			h.ServerAck(200)
			s.Request(h)
		})
	}
	return ss.OK
}

// Tx resolves the ambiguity of two embedded types.
func (s *slowServer) Tx(h *ss.Handle, n uint32, b []byte) (int, ss.Flags, ss.Ret) {
	return s.Body.Tx(h, n, b)
}

func serverAfter(delay time.Duration, seen func(h *ss.Handle)) ss.Info {
	return ss.Info{StreamType: "srv", New: func(*ss.Handle) ss.Stream { return &slowServer{delay: delay, seen: seen} }}
}

// cancelled cancels a context, and waits until its goroutines have posted: virtual time does not wait for them.
func cancelled(cancel func()) {
	cancel()
	time.Sleep(20 * time.Millisecond)
}

// run runs the program, and checks its error, how long it took on the virtual clock, and that nothing is left.
func (g *program) run(ctx context.Context, want error, took time.Duration, streams ...ss.Info) {
	g.t.Helper()
	start := g.net.Now()
	err := ss.Run(ctx, g.c, streams...)
	if d := (g.net.Now() - start).Round(100 * time.Millisecond); !errors.Is(err, want) || want == nil && err != nil || d != took {
		g.t.Errorf("Run: got %v after %v, want %v after %v", err, d, want, took)
	}
	l := g.c.Loop
	if l.Poisoned() != nil {
		return
	}
	stop := time.Duration(0)
	g.net.At(time.Second, g.clients.Close)
	g.net.At(11*time.Second, func() { stop = g.net.Now(); l.Stop() })
	if err := l.Run(context.Background()); err != nil || stop == 0 {
		g.t.Fatalf("the loop after Run: %v", err)
	}
	if n := l.Stats().Timers; n != 0 || len(g.host.Open()) != 0 {
		g.t.Errorf("left over: %d timers, descriptors %q", n, g.host.Open())
	}
	if err := l.Close(); err != nil {
		g.t.Errorf("closing the loop after Run: %v", err)
	}
}

// A transaction that has started before the end of ctx is completed.
func TestRunDrains(t *testing.T) {
	g := newProgram(t)
	ctx, cancel := context.WithCancel(context.Background())
	g.ask()
	g.run(ctx, nil, 3*time.Second, serverAfter(3*time.Second, func(*ss.Handle) { cancelled(cancel) }))
	if got := strings.Join(g.answers, " "); got != "answer" {
		t.Errorf("the client got %q, want the answer", got)
	}
}

// What is left at the end of the grace is aborted, at once if the grace is negative.
func TestRunGrace(t *testing.T) {
	for _, grace := range []time.Duration{0, 2 * time.Second, -1} {
		g := newProgram(t)
		g.c.Grace = grace
		want := max(grace, 0)
		if grace == 0 {
			want = 10 * time.Second
		}
		ctx, cancel := context.WithCancel(context.Background())
		g.ask()
		g.run(ctx, ss.ErrNotDrained, want, serverAfter(time.Hour, func(*ss.Handle) { cancelled(cancel) }))
		if got := strings.Join(g.answers, " "); got != "cut" {
			t.Errorf("grace %v: the client got %q, want that it was cut", grace, got)
		}
	}
}

// The first Stop of the loop starts the end, a second one completes it.
func TestRunAndStop(t *testing.T) {
	g := newProgram(t)
	g.ask()
	g.run(context.Background(), nil, 3*time.Second, serverAfter(3*time.Second, func(h *ss.Handle) { h.Runtime().Loop().Stop() }))
	g = newProgram(t)
	g.ask()
	g.run(context.Background(), ss.ErrNotDrained, time.Second, serverAfter(time.Hour, func(h *ss.Handle) {
		l := h.Runtime().Loop()
		l.Stop()
		g.clients.After(time.Second, l.Stop)
	}))
}

// Run returns when all streams are destroyed, and at once if the context is already done.
func TestRunEndsWithItsStreams(t *testing.T) {
	g := newProgram(t)
	end := func(after time.Duration) ss.Info {
		return ss.Info{StreamType: "cli", New: func(h *ss.Handle) ss.Stream {
			h.After(after, h.Destroy)
			return ss.Base{}
		}}
	}
	g.run(context.Background(), nil, 5*time.Second, end(time.Second), end(5*time.Second))
	g = newProgram(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancelled(cancel)
	g.run(ctx, nil, 0, serverAfter(0, nil), end(time.Minute))
}

// If a stream cannot be created Run destroys the others and returns the error.
func TestRunCannotCreate(t *testing.T) {
	g := newProgram(t)
	var states []string
	s := newScript()
	s.World = &sstest.World{Net: g.net, T: t}
	g.run(context.Background(), ss.ErrNoSuchStreamType, 0, ss.Info{StreamType: "srv", New: func(*ss.Handle) ss.Stream { return s }}, ss.Info{StreamType: "other"})
	if states = append(states, s.Life()); states[0] != "CREATING DESTROYING" {
		t.Errorf("the first stream received %v, want CREATING DESTROYING", states)
	}
}

// A panic in a callback reaches the caller of Run, as that of the loop's Run, and poisons the loop.
func TestRunPanics(t *testing.T) {
	g := newProgram(t)
	defer func() {
		if recover() == nil || !errors.Is(g.c.Loop.Poisoned(), loop.ErrPoisoned) {
			t.Errorf("after a panic: poisoned: %v, want ErrPoisoned", g.c.Loop.Poisoned())
		}
	}()
	g.ask()
	g.run(context.Background(), nil, 0, serverAfter(0, func(*ss.Handle) { panic("a callback's") }))
}

// Run makes a loop on the real kernel if Config.Loop is nil.
func TestRunOnItsOwnLoop(t *testing.T) {
	g := newProgram(t)
	c := ss.Config{Policy: g.c.Policy}
	g.clients.Close()
	var rt *ss.Runtime
	err := ss.Run(t.Context(), c, ss.Info{StreamType: "cli", New: func(h *ss.Handle) ss.Stream {
		rt = h.Runtime()
		h.After(time.Millisecond, h.Destroy)
		return ss.Base{}
	}})
	if err != nil {
		t.Errorf("Run: got %v, want nil", err)
	}
	if err := rt.Do(t.Context(), func() {}); !errors.Is(err, ss.ErrClosed) {
		t.Errorf("Do after Run: got %v, want ErrClosed", err)
	}
	if err := ss.Run(t.Context(), ss.Config{}); err == nil {
		t.Error("Run without a policy: got nil, want an error")
	}
}
