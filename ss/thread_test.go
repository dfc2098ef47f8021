package ss_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// records is a log that a test reads after the end of the loop.
type records struct{ strings.Builder }

func (r *records) Enabled(context.Context, slog.Level) bool { return true }
func (r *records) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *records) WithGroup(string) slog.Handler            { return r }
func (r *records) Handle(_ context.Context, e slog.Record) error {
	fmt.Fprintf(r, "%v %s", e.Level, e.Message)
	e.Attrs(func(a slog.Attr) bool { fmt.Fprintf(r, " %s=%v", a.Key, a.Value); return true })
	r.WriteByte('\n')
	return nil
}

// running runs a runtime on real sockets on a goroutine of its own, and f on the test's.
func running(t *testing.T, change func(*loop.Config, *ss.Config), f func(l *loop.Loop, rt *ss.Runtime, h *ss.Handle)) (*ss.Runtime, string) {
	t.Helper()
	sys, err := loop.NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	pol, err := policy.Parse([]byte(`{"s":[{"cli":{"endpoint":"+@unserved","protocol":"raw","metadata":[{"m":""}]}},{"srv":{"server":true,"endpoint":"127.0.0.1","port":0,"protocol":"raw"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	log := new(records)
	lc, c := loop.Config{}, ss.Config{Policy: pol, Log: slog.New(log)}
	if change != nil {
		change(&lc, &c)
	}
	c.Loop = loop.New(sys, lc)
	defer c.Loop.Close()
	rt, err := ss.New(c)
	if err != nil {
		t.Fatal(err)
	}
	h, err := rt.Create(ss.Info{StreamType: "cli"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- c.Loop.Run(context.Background()) }()
	up := make(chan bool)
	c.Loop.Post(func() { close(up) })
	<-up
	f(c.Loop, rt, h)
	c.Loop.Stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return rt, log.String()
}

// TestWrongGoroutine: with CheckThread a method that is called on a goroutine other than the loop's does nothing,
// returns an error if it can, and is logged with its name and the stream's, and counted; with PanicOnIllegal it
// panics.
func TestWrongGoroutine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux distinguishes threads")
	}
	methods := []struct {
		name string
		call func(h *ss.Handle) any
		want any
	}{
		{"Connect", func(h *ss.Handle) any { return h.Connect() }, ss.Destroyed},
		{"RequestTx", func(h *ss.Handle) any { return h.RequestTx() }, ss.Destroyed},
		{"RequestTxLen", func(h *ss.Handle) any { return h.RequestTxLen(1) }, ss.Destroyed},
		{"Disconnect", func(h *ss.Handle) any { h.Disconnect(); return nil }, nil},
		{"DisconnectWith", func(h *ss.Handle) any { return h.DisconnectWith(1000, "") }, ss.ErrWrongThread},
		{"Finish", func(h *ss.Handle) any { return h.Finish(1000, "") }, ss.ErrWrongThread},
		{"Destroy", func(h *ss.Handle) any { h.Destroy(); return nil }, nil},
		{"Pause", func(h *ss.Handle) any { h.Pause(); return nil }, nil},
		{"Resume", func(h *ss.Handle) any { h.Resume(); return nil }, nil},
		{"ChangeHandlers", func(h *ss.Handle) any { h.ChangeHandlers(ignoring{}); return nil }, nil},
		{"StartTimeout", func(h *ss.Handle) any { h.StartTimeout(time.Second); return nil }, nil},
		{"SetMetadata", func(h *ss.Handle) any { return h.SetMetadata("m", nil) }, ss.ErrWrongThread},
		{"SetMetadataString", func(h *ss.Handle) any { return h.SetMetadataString("m", "") }, ss.ErrWrongThread},
		{"Metadata", func(h *ss.Handle) any { h.Metadata("m"); return nil }, nil},
		{"Send", func(h *ss.Handle) any { _, err := h.Send([]byte("x"), 0); return err }, ss.ErrWrongThread},
		{"ServerAck", func(h *ss.Handle) any { h.ServerAck(200); return nil }, nil},
		{"AddPeerTxCredit", func(h *ss.Handle) any { return h.AddPeerTxCredit(1) }, ss.ErrWrongThread},
		{"SetCertificates", func(h *ss.Handle) any { return h.SetCertificates(nil) }, ss.ErrWrongThread},
	}
	rt, log := running(t, func(_ *loop.Config, c *ss.Config) { c.CheckThread = true }, func(l *loop.Loop, rt *ss.Runtime, h *ss.Handle) {
		for _, m := range methods {
			if got := m.call(h); got != m.want {
				t.Errorf("%s: got %v, want %v", m.name, got, m.want)
			}
		}
		if _, err := rt.Create(ss.Info{StreamType: "srv"}); !errors.Is(err, ss.ErrWrongThread) {
			t.Errorf("Create: got %v, want ErrWrongThread", err)
		}
		rt.Drain(func() { t.Error("Drain was done") })
		rt.Close()
		right := make(chan ss.Ret)
		l.Post(func() { right <- h.RequestTx() })
		if got := <-right; got != ss.OK {
			t.Errorf("RequestTx on the loop's goroutine: got %v, want OK", got)
		}
	})
	for _, m := range methods {
		if want := "Handle." + m.name + `: stream type "cli": called from a goroutine other than the loop`; !strings.Contains(log, want) {
			t.Errorf("log: want a line with %q; got\n%s", want, log)
		}
	}
	if got, want := rt.Counters.WrongThread, uint64(len(methods)+3); got != want {
		t.Errorf("calls counted: got %d, want %d", got, want)
	}
	running(t, func(_ *loop.Config, c *ss.Config) { c.CheckThread, c.PanicOnIllegal = true, true }, func(_ *loop.Loop, _ *ss.Runtime, h *ss.Handle) {
		defer func() {
			if err, _ := recover().(error); !errors.Is(err, ss.ErrWrongThread) || !strings.Contains(err.Error(), "Handle.RequestTx") {
				t.Errorf("RequestTx with PanicOnIllegal: got %v, want a panic with ErrWrongThread", err)
			}
		}()
		h.RequestTx()
	})
}

// TestSlowCallbackIsLogged: the runtime's log names a callback that blocks the loop, unless the loop has an OnSlow.
func TestSlowCallbackIsLogged(t *testing.T) {
	slow := func(l *loop.Loop, rt *ss.Runtime, h *ss.Handle) {
		done := make(chan bool)
		l.Post(func() {
			rt.Create(ss.Info{StreamType: "cli", New: func(h *ss.Handle) ss.Stream {
				s := &sleepy{}
				h.StartTimeout(time.Millisecond)
				time.AfterFunc(100*time.Millisecond, func() { close(done) })
				return s
			}})
		})
		<-done
	}
	short := func(lc *loop.Config, _ *ss.Config) { lc.Slow = 10 * time.Millisecond }
	if _, log := running(t, short, slow); !strings.Contains(log, "WARN ss: slow callback owner=timer of stream cli took=") {
		t.Errorf("log: got %q, want the slow callback of stream cli", log)
	}
	hooked := ""
	_, log := running(t, func(lc *loop.Config, c *ss.Config) {
		short(lc, c)
		lc.OnSlow = func(who string, _ time.Duration) { hooked += who }
	}, slow)
	if strings.Contains(log, "slow callback") || !strings.Contains(hooked, "stream cli") {
		t.Errorf("with a hook of the loop's own: log %q, hook %q; want the hook alone", log, hooked)
	}
}

// sleepy sleeps in TIMEOUT.
type sleepy struct{ ignoring }

func (*sleepy) State(_ *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	if s == ss.Timeout {
		time.Sleep(30 * time.Millisecond)
	}
	return ss.OK
}
