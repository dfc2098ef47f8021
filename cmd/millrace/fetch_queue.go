package main

import (
	"fmt"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// target is one thing to fetch: a URL, or the stream type of a policy.
type target struct {
	url      string // "" with a policy
	secure   bool   // the URL's scheme means TLS
	metadata metadata
	up       *upload
}

// fetchAhead is the number of HTTP/2 streams that may run ahead of the one whose payload is written. They are paused,
// and their payload is kept, up to the limit at which a connection would stop the other streams.
const fetchAhead = 3

// fetches are the streams of one command line, whose payload goes to one output in the order of their targets.
type fetches struct {
	runner *runner
	o      *fetchFlags
	out    *download
	list   []*fetcher // started, in order
	turn   int        // the index of the stream whose payload is written
	setup  error      // the error of the command line's metadata
}

func newFetches(h *runner, o *fetchFlags, out *download) *fetches {
	q := &fetches{runner: h, o: o, out: out}
	out.failed = q.fail
	return q
}

// start starts as many streams as may run at a time: over HTTP/2 several, which share a connection; otherwise one,
// whose connection the next one can use.
func (q *fetches) start() error {
	most := 1
	if s := q.runner.rt.Policy().Stream(q.o.stream); s != nil && s.Protocol == policy.H2 {
		most += fetchAhead
	}
	for len(q.list) < len(q.o.targets) && len(q.list) < q.turn+most {
		if err := q.create(); err != nil {
			return err
		}
	}
	return nil
}

func (q *fetches) create() error {
	f := &fetcher{runner: q.runner, q: q, o: q.o, at: &q.o.targets[len(q.list)], out: q.out}
	f.up = f.at.up
	f.up.post = q.runner.post
	q.list = append(q.list, f)
	h, err := q.runner.rt.Create(ss.Info{StreamType: q.o.streamFor(f.at), New: func(*ss.Handle) ss.Stream { return f }})
	switch {
	case q.setup != nil:
		return q.setup
	case err != nil:
		return err
	case h.Policy().Server:
		return fmt.Errorf("stream type %q has \"server\": true: use `millrace serve`", q.o.stream)
	}
	if f.h = h; q.list[q.turn] == f {
		q.out.follow(h)
	} else {
		h.Pause()
	}
	h.Connect()
	return nil
}

// streamEnded is called when a stream is destroyed. The next stream gets the output, and further streams are started.
func (q *fetches) streamEnded(f *fetcher) {
	f.destroyed = true
	if q.runner.ending || q.setup != nil {
		q.runner.end()
		return
	}
	was := q.turn
	for q.turn < len(q.list) && q.list[q.turn].destroyed {
		q.turn++
	}
	if q.turn == len(q.o.targets) {
		q.runner.end()
		return
	}
	if q.turn == was {
		return
	}
	if q.turn < len(q.list) && !q.out.follow(q.list[q.turn].h) {
		q.list[q.turn].h.Resume()
	}
	if err := q.start(); err != nil {
		// Create succeeded for an earlier stream of this type.
		q.runner.log.Error("create a stream", "err", err)
		q.runner.end()
	}
}

// fail destroys all streams after an error of the output.
func (q *fetches) fail() {
	for _, f := range q.list {
		if f.h != nil {
			f.h.Destroy()
		}
	}
	q.runner.end()
}
