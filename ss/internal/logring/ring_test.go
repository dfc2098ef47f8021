package logring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/ss/internal/logring"
)

// plain renders records without their time.
func plain(w *bytes.Buffer) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			return slog.Attr{}
		}
		return a
	}})
}

// drained passes everything in the ring to a text handler and returns the text.
func drained(r *logring.Ring) string {
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.Drain(ctx, plain(&out))
	return out.String()
}

func TestRingKeepsOrderAndScopes(t *testing.T) {
	r := logring.New(8, nil)
	log := slog.New(r)
	log.Debug("below the level")
	log.Info("one", "n", 1)
	log.With("stream", "get").Warn("two", "cause", errors.New("refused"))
	log.WithGroup("peer").With("ip", "127.0.0.1").Error("three", "port", 80)
	log.With().WithGroup("").Info("four", slog.Group("g", "b", []byte("raw")))
	want := "level=INFO msg=one n=1\n" +
		"level=WARN msg=two stream=get cause=refused\n" +
		"level=ERROR msg=three peer.ip=127.0.0.1 peer.port=80\n" +
		"level=INFO msg=four g.b=raw\n"
	if got := drained(r); got != want {
		t.Errorf("drained\n%swant\n%s", got, want)
	}
	if got := drained(r); got != "" {
		t.Errorf("drained again: %q, want nothing", got)
	}
}

// A full ring drops new records, and reports their number after the records that it held.
func TestRingDropsAndCounts(t *testing.T) {
	r := logring.New(2, nil)
	log := slog.New(r)
	for i := range 5 {
		log.Info(fmt.Sprint("record ", i))
	}
	if got := r.Dropped(); got != 3 {
		t.Errorf("Dropped() = %d, want 3 of 5 in a ring of 2", got)
	}
	want := "level=INFO msg=\"record 0\"\nlevel=INFO msg=\"record 1\"\n" +
		"level=WARN msg=\"log records were dropped: the log is read too slowly\" dropped=3\n"
	if got := drained(r); got != want {
		t.Errorf("drained\n%swant\n%s", got, want)
	}
	log.Info("room again")
	if got, want := drained(r), "level=INFO msg=\"room again\"\n"; got != want {
		t.Errorf("after the gap: drained %q, want %q", got, want)
	}
}

// onEach calls f before each record that it passes on.
type onEach struct {
	slog.Handler
	f func()
}

func (h onEach) Handle(ctx context.Context, r slog.Record) error {
	h.f()
	return h.Handler.Handle(ctx, r)
}

// The warning comes where the records are missing, also in a ring that never becomes empty.
func TestRingMarksTheGap(t *testing.T) {
	var out bytes.Buffer
	r := logring.New(1, nil)
	log := slog.New(r)
	log.Info("a")
	log.Info("lost")
	more := true
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.Drain(ctx, onEach{plain(&out), func() {
		if more {
			more = false
			log.Info("b")
		}
	}})
	want := "level=INFO msg=a\n" +
		"level=WARN msg=\"log records were dropped: the log is read too slowly\" dropped=1\n" +
		"level=INFO msg=b\n"
	if got := out.String(); got != want {
		t.Errorf("drained\n%swant\n%s", got, want)
	}
}

type live struct{ state string }

func (l *live) LogValue() slog.Value { return slog.StringValue(l.state) }
func (l *live) String() string       { return l.state }

// A record shows the values at the time of logging.
func TestRingRendersAtOnce(t *testing.T) {
	r := logring.New(4, nil)
	buf := []byte("before")
	l := &live{"before"}
	slog.New(r).Info("x", "bytes", buf, "value", l, "any", struct{ fmt.Stringer }{l})
	copy(buf, "after!")
	l.state = "after"
	if got, want := drained(r), "level=INFO msg=x bytes=before value=before any=before\n"; got != want {
		t.Errorf("drained %q, want %q", got, want)
	}
}

// stuck is a handler that blocks until release is closed.
type stuck struct {
	slog.Handler
	entered chan struct{}
	release chan struct{}
	once    sync.Once
}

func (s *stuck) Handle(ctx context.Context, rec slog.Record) error {
	s.once.Do(func() { close(s.entered) })
	<-s.release
	return s.Handler.Handle(ctx, rec)
}

// While the reader blocks, logging goes on and drops only what does not fit.
func TestRingNeverWaits(t *testing.T) {
	var out bytes.Buffer
	r := logring.New(4, nil)
	log := slog.New(r)
	s := &stuck{Handler: plain(&out), entered: make(chan struct{}), release: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.Drain(ctx, s) }()
	log.Info("first")
	<-s.entered
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		for i := range 100 {
			log.Info("more", "i", i)
		}
	}()
	select {
	case <-logged:
	case <-time.After(10 * time.Second):
		t.Fatal("100 records into a ring whose reader hangs: still waiting after 10 s, want no wait at all")
	}
	close(s.release)
	cancel()
	<-done
	lines := strings.Count(out.String(), "\n")
	if got := r.Dropped(); got != 96 || lines != 6 {
		t.Errorf("dropped %d and read %d lines, want 96 dropped, and 1 + 4 + the warning:\n%s", got, lines, out.String())
	}
}

// Many goroutines log while one drains: a ring that is large enough drops nothing.
func TestRingConcurrent(t *testing.T) {
	var out bytes.Buffer
	r := logring.New(4000, slog.LevelDebug)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.Drain(ctx, plain(&out)) }()
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 1000 {
				slog.New(r).Debug("m", "w", w, "i", i)
			}
		})
	}
	writers.Wait()
	cancel()
	<-done
	if got := strings.Count(out.String(), "\n"); got != 4000 {
		t.Errorf("drained %d records, want 4000; dropped %d", got, r.Dropped())
	}
}
