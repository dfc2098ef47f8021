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
	name: "demo", brief: "run server and client streams in one process, and check their states and payload",
	help: `
Needs no files and no network: it has a built-in policy; a web server with HTTP/2 and HTTP/1.1, a WebSocket server
and a raw server on ports that the system selects, in clear text and over TLS with certificates created for this run;
and client streams that use them over real loopback sockets, one after the other. Each line shows a stream, the
bytes that it sent and received, the time that it took, and its states. A stream is ok if its states and payload
are as expected. Two streams are expected to fail: one finds its port closed, one does not trust its server.

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
	o := runnerOptions{policy: p, level: slog.LevelWarn, grace: demoGrace, observe: d.observe}
	if *verbose {
		o.level = slog.LevelInfo
		log := logStates(func() *slog.Logger { return d.runner.log })
		o.observe = func(h *ss.Handle, s ss.State, n ss.Notice) {
			log(h, s, n)
			d.observe(h, s, n)
		}
	}
	if d.runner, err = a.open(o); err != nil {
		return a.fail(exitLocal, "demo: %v", err)
	}
	defer d.runner.close()
	return a.demo(d)
}

// demoDocument returns the demo's policy with certificates that are valid from now on. The trust store lab has the CA
// of the servers' certificate, the store elsewhere has another CA of the same name.
func demoDocument(now time.Time) ([]byte, error) {
	l, err := newTestCA([]string{"127.0.0.1"}, now, time.Hour)
	if err != nil {
		return nil, err
	}
	stranger, err := newTestCA([]string{"127.0.0.1"}, now, time.Hour)
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

// demo runs d and prints the report.
func (a *app) demo(d *demo) int {
	closed, release, err := closedPort()
	if err != nil {
		return a.fail(exitLocal, "demo: reserve a closed port: %v", err)
	}
	defer release()
	if err := d.serve(); err != nil {
		return a.fail(exitLocal, "demo: %v", err)
	}
	d.plan(closed)
	d.runner.loop.Arm(&d.timer, d.runner.loop.Now()+demoLimit, d)
	if err := d.runner.loop.Post(d.next); err != nil {
		return a.fail(exitLocal, "demo: %v", err)
	}
	if err := d.runner.run(context.Background()); err != nil {
		return a.fail(exitLocal, "demo: %v", err)
	}
	return d.report(a)
}

// closedPort returns a port of 127.0.0.1 that always refuses connections: a socket is bound to it and does not
// listen, so no other process can use it.
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
