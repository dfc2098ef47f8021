package main

import (
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/ss"
)

const (
	// demoLimit is when streams that have not ended are failures: below the ten seconds in which the
	// demo promises to be over.
	demoLimit = 8 * time.Second
	demoGrace = time.Second
)

// demo is one run.
type demo struct {
	house *house
	steps []*step
	// The servers, as they are reported: in clear and over TLS.
	web, pipe, talk, tlsWeb, tlsPipe, tlsTalk *demoServer

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
