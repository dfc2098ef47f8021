package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"log/slog"
	"syscall"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

var demoCommand = command{
	name: "demo", brief: "run server and client streams in one process, and show what they did",
	help: `
Needs nothing: a built-in policy, a web server that speaks HTTP/2 and HTTP/1.1, one for WebSockets and a raw server on
ports that the system picks, all in clear and over TLS with certificates made for this run, and client streams that
use them over real loopback sockets, one after the other. Each line shows a stream, what it
sent and received, how long it took, and the states that it passed. A stream is ok when states and payload
are exactly those that belong to it: one finds its port closed, one does not trust its server, and both are
to say so.

examples:
  millrace demo
  millrace demo -v`,
	run: runDemo,
}

// demoPolicy describes the streams of the demo.
//
//go:embed demo.json
var demoPolicy []byte

func runDemo(a *app, c *command, args []string) int {
	f := a.flags(c)
	verbose := f.Bool("v", false, "log the states of all streams, accepted ones included")
	if _, status, ok := a.parse(c, f, args, 0); !ok {
		return status
	}
	doc, err := demoDocument(time.Now())
	if err != nil {
		return a.fail(exitLocal, "demo: make certificates: %v", err)
	}
	p, err := policy.Parse(doc)
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

// demoDocument is the demo's policy with certificates that are good from now on. The trust store lab knows
// who signed the servers' certificate, the store elsewhere knows somebody else of the same name.
func demoDocument(now time.Time) ([]byte, error) {
	l, err := newLab([]string{"127.0.0.1"}, now, time.Hour)
	if err != nil {
		return nil, err
	}
	stranger, err := newLab([]string{"127.0.0.1"}, now, time.Hour)
	if err != nil {
		return nil, err
	}
	top, err := json.Marshal(map[string]any{
		"certs": []map[string][]byte{{"ca": l.ca}, {"leaf": l.leaf}, {"leaf_key": l.key}, {"stranger": stranger.ca}},
		"trust_stores": []map[string]any{
			{"name": "lab", "stack": []string{"ca"}},
			{"name": "elsewhere", "stack": []string{"stranger"}},
		},
	})
	if err != nil {
		return nil, err
	}
	return extended(demoPolicy, top, nil)
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
