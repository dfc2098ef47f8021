package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/h1"
	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/ss"
	ssdevice "github.com/millrace/millrace/ss/device"
)

// runner is a loop with a runtime, its log, and its end: all that a subcommand with streams needs.
type runner struct {
	app   *app
	loop  *loop.Loop
	rt    *ss.Runtime
	log   *slog.Logger
	grace time.Duration // how long a drain may take

	timer       loop.Timer
	ending      bool
	interrupted bool
	forced      atomic.Bool // a second signal has stopped it

	signals     <-chan os.Signal
	reload      func()
	stopSignals func() // ends the delivery of signals to the runner

	stopLog context.CancelFunc
	logDone chan struct{}
	stopped chan struct{} // closed when run has returned
}

// runnerOptions are the options of open.
type runnerOptions struct {
	policy  *policy.Policy
	level   slog.Level
	grace   time.Duration
	observe func(h *ss.Handle, s ss.State, n ss.Notice)
	socks   string     // SOCKS5 proxy of the environment for client streams; "" for none
	reload  func()     // called for SIGHUP, not on the loop; if nil, SIGHUP has the effect of SIGTERM
	h1      *h1.Config // nil: the limits of the library
	h2      *h2.Config // the same
	device  device
}

// open returns a runner. The caller must call close.
func (a *app) open(o runnerOptions) (*runner, error) {
	sys, err := loop.NewSystem()
	if err != nil {
		return nil, fmt.Errorf("millrace: start the loop: %w", err)
	}
	h := &runner{app: a, grace: o.grace, reload: o.reload, logDone: make(chan struct{}), stopped: make(chan struct{})}
	ring := ss.NewLogRing(0, o.level)
	h.log = slog.New(ring)
	h.loop = loop.New(sys, loop.Config{OnSlow: func(who string, took time.Duration) {
		h.log.Warn("slow callback", "name", who, "duration", took)
	}})
	h.rt, err = ss.New(ss.Config{Loop: h.loop, Policy: o.policy, Log: h.log, Observe: o.observe, SocksProxy: o.socks, H1: o.h1, H2: o.h2,
		Blobs: o.device.blobs, ClientCerts: o.device.certs, Cookies: ssdevice.Cookies{Store: o.device.cookies}})
	if err != nil {
		h.loop.Close()
		return nil, err
	}
	h.loop.Account().Watch(tightenHeap)
	boundHeap(h.loop.Account().Ceiling())
	h.signals, h.stopSignals = a.signals, func() {}
	if h.signals == nil {
		c := make(chan os.Signal, 4)
		signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1)
		if h.reload != nil || !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
			signal.Notify(c, syscall.SIGHUP)
		}
		h.signals, h.stopSignals = c, func() { signal.Stop(c) }
	}
	a.running.Store(true)
	ctx, cancel := context.WithCancel(context.Background())
	h.stopLog = cancel
	go func() {
		defer close(h.logDone)
		ring.Drain(ctx, slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: o.level}))
	}()
	return h, nil
}

// shortHeap is the GOGC value while memory is short: the memory of connections is most of the heap then, and the
// process should need at most half as much again.
const shortHeap = 25

// boundHeap sets the soft limit of the heap to the account's ceiling plus three eighths of it for everything else, unless
// the environment sets GOMEMLIMIT. Above it the garbage collector runs more often than with shortHeap.
func boundHeap(ceiling int64) {
	if os.Getenv("GOMEMLIMIT") == "" && ceiling > 0 {
		debug.SetMemoryLimit(ceiling + ceiling*3/8)
	}
}

// tightenHeap makes the garbage collector run more often while memory is short, unless the environment sets GOGC.
func tightenHeap(v loop.Level) {
	percent := 100
	if v >= loop.LevelStopReading {
		percent = shortHeap
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// run runs the loop until the drain that end starts is complete, until ctx is done, or until a second signal.
func (h *runner) run(ctx context.Context) error {
	go h.watchSignals()
	err := h.loop.Run(ctx)
	close(h.stopped)
	return err
}

// watchSignals handles signals: the first SIGINT or SIGTERM drains, the second stops at once, SIGUSR1
// dumps the streams. SIGHUP calls reload; without reload it means that the terminal is gone, and drains.
func (h *runner) watchSignals() {
	asked := false
	for {
		select {
		case <-h.stopped:
			return
		case s := <-h.signals:
			switch {
			case s == syscall.SIGUSR1:
				h.dump()
			case s == syscall.SIGHUP && h.reload != nil:
				h.reload()
			case asked:
				h.forced.Store(true)
				h.loop.Stop()
			default:
				asked = true
				h.post(func() {
					h.interrupted = true
					h.log.Info("draining", "signal", s.String(), "streams", h.rt.Len(), "at_most", h.grace)
					h.end()
				})
			}
		}
	}
}

// post runs f on the loop. It ignores the error of a loop that has ended.
func (h *runner) post(f func()) { _ = h.loop.Post(f) }

// dump writes the streams to standard error, not on the loop's thread.
func (h *runner) dump() {
	text := make(chan []byte, 1)
	h.post(func() {
		var b bytes.Buffer
		h.rt.Dump(&b)
		text <- b.Bytes()
	})
	select {
	case b := <-text:
		h.app.err.Write(b)
	case <-h.stopped:
	}
}

// end drains the runtime; run returns when no stream is left, or after the grace time. It is
// called on the loop's goroutine. Later calls have no effect.
func (h *runner) end() {
	if h.ending {
		return
	}
	h.ending = true
	h.loop.Arm(&h.timer, h.loop.Now()+h.grace, h)
	h.rt.Drain(h.loop.Stop)
}

// Expired implements loop.Expirer: the grace time has passed.
func (h *runner) Expired(time.Duration) {
	h.log.Warn("streams did not end in time", "streams", h.rt.Len(), "grace", h.grace)
	h.rt.Close()
	h.loop.Stop()
}

// Label implements loop.Expirer.
func (h *runner) Label() string { return "millrace" }

// logPatience limits the wait for a standard error without a reader.
const logPatience = time.Second

// close ends the loop and the log. It is called after run.
func (h *runner) close() {
	h.stopSignals()
	h.app.running.Store(false)
	if err := h.loop.Close(); err != nil {
		h.log.Error("loop close", "err", err)
	}
	h.stopLog()
	select {
	case <-h.logDone:
	case <-time.After(logPatience):
	}
}

// logStates returns an observer that logs every state under its reference name, and with CONNECTED the status of the
// response, the subprotocol of a WebSocket, and the TLS parameters.
func logStates(log func() *slog.Logger) func(h *ss.Handle, s ss.State, n ss.Notice) {
	return func(h *ss.Handle, s ss.State, n ss.Notice) {
		l := log()
		if !l.Enabled(context.Background(), slog.LevelInfo) {
			return
		}
		attrs := append(make([]slog.Attr, 0, 6), slog.String("stream", h.StreamType()))
		if s >= ss.UserBase {
			attrs = append(attrs, slog.Uint64("user_state", uint64(s)))
		}
		attrs = append(attrs, slog.Uint64("ordinal", uint64(n.Ordinal)))
		if h.Server() != nil {
			if p, ok := h.Peer(); ok {
				attrs = append(attrs, slog.String("peer", p.String()))
			}
		}
		if p, ok := h.Protocol(); ok && s == ss.Connected {
			attrs = append(attrs, slog.String("protocol", p.String()))
			if code := h.HTTPStatus(); code != 0 {
				attrs = append(attrs, slog.Int("status", code))
			}
			if name := h.Subprotocol(); name != "" {
				attrs = append(attrs, slog.String("subprotocol", roles.Plain(name)))
			}
		}
		if n.Cause != nil {
			attrs = append(attrs, slog.String("cause", roles.Plain(n.Cause.Error())))
		}
		l.LogAttrs(context.Background(), slog.LevelInfo, s.String(), attrs...)
		if s == ss.Connected {
			if t, ok := h.TLS(); ok {
				l.LogAttrs(context.Background(), slog.LevelInfo, "tls", tlsAttrs(&t)...)
			}
		}
	}
}
