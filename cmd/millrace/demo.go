package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"strconv"
	"syscall"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

var demoCommand = command{
	name: "demo", brief: "run server and client streams in one process, and show what they did",
	help: `
Needs nothing: a built-in policy, a web server and a raw server on ports that the system picks, and client
streams that use them over real loopback sockets, one after the other. Each line shows a stream, what it
sent and received, how long it took, and the states that it passed. A stream is ok when states and payload
are exactly those that belong to it: one of them finds its port closed, and is to say so.

examples:
  millrace demo
  millrace demo -v`,
	run: runDemo,
}

// demoPolicy describes the streams of the demo.
//
//go:embed demo.json
var demoPolicy []byte

const (
	// demoLimit is when streams that have not ended are failures: below the ten seconds in which the
	// demo promises to be over.
	demoLimit = 8 * time.Second
	demoGrace = time.Second
)

// demo is one run.
type demo struct {
	house  *house
	steps  []*step
	web    *demoServer
	pipe   *demoServer
	traces map[*ss.Handle]*trace
	order  []*trace // the traces as they began
	at     int      // the step under way
	timer  loop.Timer
	late   bool
}

// trace is what one stream passed.
type trace struct {
	of     *ss.Handle
	server *ss.Handle // whose accepted stream it is, nil for others
	states []ss.State
}

func runDemo(a *app, c *command, args []string) int {
	f := a.flags(c)
	verbose := f.Bool("v", false, "log the states of all streams, accepted ones included")
	if _, status, ok := a.parse(c, f, args, 0); !ok {
		return status
	}
	p, err := policy.Parse(demoPolicy)
	if err != nil {
		return a.fail(exitLocal, "demo: the built-in policy: %v", err)
	}
	d := &demo{traces: map[*ss.Handle]*trace{}}
	o := houseOptions{policy: p, level: slog.LevelWarn, grace: demoGrace, observe: d.observe}
	if *verbose {
		o.level = slog.LevelInfo
		log := logStates(func() *slog.Logger { return d.house.log })
		o.observe = func(h *ss.Handle, s ss.State, n ss.Notice) {
			log(h, s, n)
			d.observe(h, s, n)
		}
	}
	if d.house, err = a.open(o); err != nil {
		return a.fail(exitLocal, "demo: %v", err)
	}
	defer d.house.close()
	return a.demo(d)
}

// demo runs d and reports.
func (a *app) demo(d *demo) int {
	closed, release, err := closedPort()
	if err != nil {
		return a.fail(exitLocal, "demo: reserve a port on which nobody listens: %v", err)
	}
	defer release()
	if err := d.serve(); err != nil {
		return a.fail(exitLocal, "demo: %v", err)
	}
	d.plan(closed)
	d.house.loop.Arm(&d.timer, d.house.loop.Now()+demoLimit, d)
	if err := d.house.loop.Post(d.next); err != nil {
		return a.fail(exitLocal, "demo: %v", err)
	}
	if err := d.house.run(context.Background()); err != nil {
		return a.fail(exitLocal, "demo: %v", err)
	}
	return d.report(a)
}

// closedPort returns a port of 127.0.0.1 that refuses connections for certain: a socket is bound to it,
// so nobody else can be, and does not listen.
func closedPort() (port uint16, release func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return 0, nil, err
	}
	release = func() { syscall.Close(fd) }
	if err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err == nil {
		var at syscall.Sockaddr
		if at, err = syscall.Getsockname(fd); err == nil {
			return uint16(at.(*syscall.SockaddrInet4).Port), release, nil
		}
	}
	release()
	return 0, nil, err
}

// observe notes the states of every stream.
func (d *demo) observe(h *ss.Handle, s ss.State, _ ss.Notice) {
	t := d.traces[h]
	if t == nil {
		t = &trace{of: h, server: h.Server()}
		d.traces[h] = t
		d.order = append(d.order, t)
	}
	t.states = append(t.states, s)
}

// plan lists what is going to be shown.
func (d *demo) plan(closed uint16) {
	hello, large := d.web.hello.content.text, d.web.large.content.text
	note := []byte("a note to be sent there and back")
	bulk := pattern(300<<10, 7)
	answered := []ss.State{ss.Creating, ss.Connecting, ss.Connected, ss.QOSAckRemote, ss.Disconnected, ss.Destroying}
	refused := []ss.State{ss.Creating, ss.Connecting, ss.Connected, ss.QOSNackRemote, ss.Disconnected, ss.Destroying}
	piped := []ss.State{ss.Creating, ss.Connecting, ss.Connected, ss.Disconnected, ss.Destroying}
	failed := []ss.State{ss.Creating, ss.Connecting, ss.Unreachable, ss.Poll, ss.Connecting, ss.Unreachable,
		ss.Poll, ss.Connecting, ss.Unreachable, ss.AllRetriesFailed, ss.Destroying}
	web, pipe := d.web.port, d.pipe.port
	d.steps = []*step{
		{name: "get", shows: "a small answer", kind: "get", port: web, path: "/hello", receives: hello, passes: answered},
		{name: "get again", shows: "the connection was kept and serves another stream", kind: "get", port: web, path: "/hello",
			receives: hello, passes: answered, warm: true},
		{name: "post", shows: "a body of known length, echoed", kind: "post", port: web, sends: note, announced: true,
			receives: note, passes: answered, warm: true},
		{name: "post in chunks", shows: "a body of unknown length, echoed as it comes", kind: "post", port: web, sends: bulk,
			receives: bulk, passes: answered, warm: true},
		{name: "large", shows: "a large answer", kind: "get", port: web, path: "/large", receives: large, passes: answered, warm: true},
		{name: "missing", shows: "an answer that says no: nack, as expected", kind: "get", port: web, path: "/missing",
			passes: refused, warm: true},
		{name: "raw echo", shows: "bytes without a protocol, there and back", kind: "tcp", port: pipe, sends: bulk,
			receives: bulk, passes: piped},
		{name: "closed port", shows: "retried as the policy says, then given up, as expected", kind: "get", port: closed,
			path: "/", passes: failed},
	}
}

// pattern is n bytes that no shift or cut leaves the same.
func pattern(n int, seed uint32) []byte {
	b := make([]byte, n)
	for i := range b {
		seed = seed*1664525 + 1013904223
		b[i] = byte(seed >> 24)
	}
	return b
}

// next begins the step whose turn it is, or ends the demo.
func (d *demo) next() {
	if d.at == len(d.steps) || d.house.ending {
		d.house.end()
		return
	}
	s := d.steps[d.at]
	s.demo = d
	h, err := d.house.rt.Create(ss.Info{StreamType: s.kind, New: func(*ss.Handle) ss.Stream { return s }})
	if err != nil {
		s.fault("%v", err)
		d.at++
		d.house.post(d.next)
		return
	}
	s.trace = d.traces[h]
	s.began = d.now()
	s.warmBefore = d.house.rt.Counters.Warm
	h.Connect()
}

// done is called when the stream of the present step is destroyed.
func (d *demo) done() {
	d.at++
	d.house.post(d.next)
}

func (d *demo) now() time.Duration { return d.house.loop.System().Now() }

// Expired implements loop.Expirer: the demo takes too long.
func (d *demo) Expired(time.Duration) {
	d.late = true
	d.house.end()
}

// Label implements loop.Expirer.
func (d *demo) Label() string { return "demo" }

// step is a client stream of the demo, and what it is to do.
type step struct {
	name, shows, kind, path string
	port                    uint16
	sends                   []byte
	announced               bool // the length of sends is told in advance
	receives                []byte
	passes                  []ss.State
	warm                    bool // the connection of an earlier stream is to serve it

	demo        *demo
	trace       *trace
	faults      []string
	began, took time.Duration
	warmBefore  uint64
	reused      bool
	sent, got   int
	ended       bool
}

func (s *step) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// State runs the stream through its life.
func (s *step) State(h *ss.Handle, st ss.State, n ss.Notice) ss.Ret {
	switch st {
	case ss.Creating:
		if err := h.SetMetadataString("port", strconv.Itoa(int(s.port))); err != nil {
			s.fault("%v", err)
		}
		if s.path != "" {
			if err := h.SetMetadataString("path", s.path); err != nil {
				s.fault("%v", err)
			}
		}
	case ss.Connecting:
		s.sent, s.got = 0, 0
		if s.announced {
			return h.RequestTxLen(int64(len(s.sends)))
		}
		if s.sends != nil {
			return h.RequestTx()
		}
	case ss.Connected:
		s.reused = s.demo.house.rt.Counters.Warm > s.warmBefore
	case ss.Disconnected, ss.AllRetriesFailed:
		return ss.DestroyMe
	case ss.Destroying:
		s.took = s.demo.now() - s.began
		s.ended = true
		s.demo.done()
	}
	return ss.OK
}

// Rx compares what comes with what should.
func (s *step) Rx(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
	s.compare(b)
	if h.Policy().Protocol == policy.Raw && s.got >= len(s.receives) {
		return ss.DestroyMe
	}
	return ss.OK
}

func (s *step) compare(b []byte) {
	if left := s.receives[min(s.got, len(s.receives)):]; !bytes.HasPrefix(left, b) {
		s.fault("payload differs from what is expected, at byte %d or later", s.got)
	}
	s.got += len(b)
}

// Tx sends what is to be sent.
func (s *step) Tx(h *ss.Handle, _ uint32, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	if s.sent == 0 {
		f = ss.SOM
	}
	n = copy(buf, s.sends[s.sent:])
	if s.sent += n; s.sent == len(s.sends) {
		return n, f | ss.EOM, ss.OK
	}
	h.RequestTx()
	return n, f, ss.OK
}
