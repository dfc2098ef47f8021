package main

import (
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/ss"
)

const (
	// demoLimit is the time after which a stream that has not ended is a failure: less than the ten seconds that
	// the demo may take.
	demoLimit = 8 * time.Second
	demoGrace = time.Second
)

// demo is one run.
type demo struct {
	runner *runner
	steps  []*step
	// The servers, in the order of the report: in clear text and over TLS.
	web, pipe, talk, tlsWeb, tlsPipe, tlsTalk *demoServer

	traces map[*ss.Handle]*trace
	order  []*trace // the traces in the order of their start
	at     int      // the current step
	timer  loop.Timer
	late   bool
}

// trace is the states of one stream.
type trace struct {
	of     *ss.Handle
	server *ss.Handle // the listener that accepted the stream, nil for others
	states []ss.State
}

// observe records the states of every stream.
func (d *demo) observe(h *ss.Handle, s ss.State, _ ss.Notice) {
	t := d.traces[h]
	if t == nil {
		t = &trace{of: h, server: h.Server()}
		d.traces[h] = t
		d.order = append(d.order, t)
	}
	t.states = append(t.states, s)
}

// pattern returns n pseudo-random bytes: a shifted or truncated copy differs from them.
func pattern(n int, seed uint32) []byte {
	b := make([]byte, n)
	for i := range b {
		seed = seed*1664525 + 1013904223
		b[i] = byte(seed >> 24)
	}
	return b
}

// next starts the next step, or ends the demo.
func (d *demo) next() {
	if d.at == len(d.steps) || d.runner.ending {
		d.runner.end()
		return
	}
	s := d.steps[d.at]
	s.demo = d
	h, err := d.runner.rt.Create(ss.Info{StreamType: s.kind, New: func(*ss.Handle) ss.Stream { return s }})
	if err != nil {
		s.fault("%v", err)
		d.at++
		d.runner.post(d.next)
		return
	}
	s.trace = d.traces[h]
	s.began = d.now()
	s.warmBefore = d.runner.rt.Counters.Warm
	h.Connect()
}

// done is called when the stream of the current step is destroyed.
func (d *demo) done() {
	d.at++
	d.runner.post(d.next)
}

func (d *demo) now() time.Duration { return d.runner.loop.System().Now() }

// Expired implements loop.Expirer: the demo takes too long.
func (d *demo) Expired(time.Duration) {
	d.late = true
	d.runner.end()
}

// Label implements loop.Expirer.
func (d *demo) Label() string { return "demo" }
