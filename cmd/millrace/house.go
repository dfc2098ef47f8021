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

// house is a loop with a runtime on it, its log, and the way to end it: what every subcommand that
// moves bytes needs.
type house struct {
	app   *app
	loop  *loop.Loop
	rt    *ss.Runtime
	log   *slog.Logger
	grace time.Duration // how long a drain may take

	timer       loop.Timer
	ending      bool
	interrupted bool
	forced      atomic.Bool // a second signal ended it at once

	signals <-chan os.Signal
	reload  func()
	unhook  func() // gives the process's signals back

	stopLog context.CancelFunc
	logDone chan struct{}
	over    chan struct{} // closed when run is over
}

// houseOptions say how the house is to be.
type houseOptions struct {
	policy  *policy.Policy
	level   slog.Level
	grace   time.Duration
	observe func(h *ss.Handle, s ss.State, n ss.Notice)
	socks   string     // SOCKS5 proxy of the environment, for streams that go out; "" for none
	reload  func()     // called for SIGHUP, away from the loop; with nil that signal is like SIGTERM
	h1      *h1.Config // nil: the library's limits
	h2      *h2.Config // the same
	device  device
}

// open makes a house. close must follow.
func (a *app) open(o houseOptions) (*house, error) {
	sys, err := loop.NewSystem()
	if err != nil {
		return nil, fmt.Errorf("millrace: start the loop: %w", err)
	}
	h := &house{app: a, grace: o.grace, reload: o.reload, logDone: make(chan struct{}), over: make(chan struct{})}
	ring := ss.NewLogRing(0, o.level)
	h.log = slog.New(ring)
	h.loop = loop.New(sys, loop.Config{OnSlow: func(who string, took time.Duration) {
		h.log.Warn("a callback held the loop", "who", who, "for", took)
	}})
	h.rt, err = ss.New(ss.Config{Loop: h.loop, Policy: o.policy, Log: h.log, Observe: o.observe, SocksProxy: o.socks, H1: o.h1, H2: o.h2,
		Blobs: o.device.blobs, ClientCerts: o.device.certs, Cookies: ssdevice.Cookies{Store: o.device.cookies}})
	if err != nil {
		h.loop.Close()
		return nil, err
	}
	h.loop.Account().Watch(tightenHeap)
	boundHeap(h.loop.Account().Ceiling())
	h.signals, h.unhook = a.signals, func() {}
	if h.signals == nil {
		c := make(chan os.Signal, 4)
		signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1)
		if h.reload != nil || !signal.Ignored(syscall.SIGHUP) { // nohup has it ignored
			signal.Notify(c, syscall.SIGHUP)
		}
		h.signals, h.unhook = c, func() { signal.Stop(c) }
	}
	a.housed.Store(true)
	ctx, cancel := context.WithCancel(context.Background())
	h.stopLog = cancel
	go func() {
		defer close(h.logDone)
		ring.Drain(ctx, slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: o.level}))
	}()
	return h, nil
}

// shortHeap is how much garbage, in percent of what lives, may gather while memory is short: what connections hold
// is most of the heap then, and the process is to stay within half as much again.
const shortHeap = 25

// boundHeap sets the collector's soft limit to the account's ceiling and three eighths of it for everything else, if the
// environment leaves that to us: from there on it runs more often than shortHeap says.
func boundHeap(ceiling int64) {
	if os.Getenv("GOMEMLIMIT") == "" && ceiling > 0 {
		debug.SetMemoryLimit(ceiling + ceiling*3/8)
	}
}

// tightenHeap has the collector run more often while the account is short, if the environment leaves that to us.
func tightenHeap(v loop.Level) {
	percent := 100
	if v >= loop.LevelStopReading {
		percent = shortHeap
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// run turns the loop until end has been called and everything is in order, until ctx is done, or until
// signals ask for it.
func (h *house) run(ctx context.Context) error {
	go h.watchSignals()
	err := h.loop.Run(ctx)
	close(h.over)
	return err
}

// watchSignals obeys signals: the first of SIGINT and SIGTERM drains, the second stops at once, SIGUSR1
// shows the live streams. SIGHUP reloads what can be reloaded; where nothing can, it says that the terminal has gone, and
// is like SIGTERM.
func (h *house) watchSignals() {
	asked := false
	for {
		select {
		case <-h.over:
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

// post has f run on the loop, if it still turns: nobody minds otherwise.
func (h *house) post(f func()) { _ = h.loop.Post(f) }

// dump writes the live streams to standard error, away from the loop's thread.
func (h *house) dump() {
	text := make(chan []byte, 1)
	h.post(func() {
		var b bytes.Buffer
		h.rt.Dump(&b)
		text <- b.Bytes()
	})
	select {
	case b := <-text:
		h.app.err.Write(b)
	case <-h.over:
	}
}

// end drains the runtime and has run return: when nothing is left, or when the grace is over. It is
// called on the loop's goroutine; more than once is once.
func (h *house) end() {
	if h.ending {
		return
	}
	h.ending = true
	h.loop.Arm(&h.timer, h.loop.Now()+h.grace, h)
	h.rt.Drain(h.loop.Stop)
}

// Expired implements loop.Expirer: the grace is over.
func (h *house) Expired(time.Duration) {
	h.log.Warn("not everything ended in time", "streams", h.rt.Len(), "grace", h.grace)
	h.rt.Close()
	h.loop.Stop()
}

// Label implements loop.Expirer.
func (h *house) Label() string { return "millrace" }

// logPatience bounds the wait for a standard error that nobody reads.
const logPatience = time.Second

// close ends the loop and the log. It is called after run.
func (h *house) close() {
	h.unhook()
	h.app.housed.Store(false)
	if err := h.loop.Close(); err != nil {
		h.log.Error("loop close", "err", err)
	}
	h.stopLog()
	select {
	case <-h.logDone:
	case <-time.After(logPatience):
	}
}

// logStates is an observer that logs every state under its reference name, and with CONNECTED the response's status and
// what TLS and a WebSocket's handshake settled on.
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
