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

// fetchAhead is how many streams of HTTP/2 may be under way behind the one whose payload is being written. They are
// paused, and what a server sends them meanwhile is kept: no more than a connection keeps without holding up
// the others.
const fetchAhead = 3

// fetches are the streams of one command line, whose payload goes to one output in the order of their targets.
type fetches struct {
	house *house
	o     *fetchFlags
	out   *download
	list  []*fetcher // begun, in order
	turn  int        // whose payload is written
	setup error      // what was wrong with the command line's metadata
}

func newFetches(h *house, o *fetchFlags, out *download) *fetches {
	q := &fetches{house: h, o: o, out: out}
	out.failed = q.fail
	return q
}

// begin starts as many as may be under way: over HTTP/2 some, which share a connection; else one, which leaves
// its connection to the next.
func (q *fetches) begin() error {
	most := 1
	if s := q.house.rt.Policy().Stream(q.o.stream); s != nil && s.Protocol == policy.H2 {
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
	f := &fetcher{house: q.house, q: q, o: q.o, at: &q.o.targets[len(q.list)], out: q.out}
	f.up = f.at.up
	f.up.post = q.house.post
	q.list = append(q.list, f)
	h, err := q.house.rt.Create(ss.Info{StreamType: q.o.streamFor(f.at), New: func(*ss.Handle) ss.Stream { return f }})
	switch {
	case q.setup != nil:
		return q.setup
	case err != nil:
		return err
	case h.Policy().Server:
		return fmt.Errorf("stream type %q is a server's: `millrace serve` is for those", q.o.stream)
	}
	if f.h = h; q.list[q.turn] == f {
		q.out.follow(h)
	} else {
		h.Pause()
	}
	h.Connect()
	return nil
}

// over is told of the end of each stream. The next in turn has the output, and others are begun.
func (q *fetches) over(f *fetcher) {
	f.over = true
	if q.house.ending || q.setup != nil {
		q.house.end()
		return
	}
	was := q.turn
	for q.turn < len(q.list) && q.list[q.turn].over {
		q.turn++
	}
	if q.turn == len(q.o.targets) {
		q.house.end()
		return
	}
	if q.turn == was {
		return
	}
	if q.turn < len(q.list) && !q.out.follow(q.list[q.turn].h) {
		q.list[q.turn].h.Resume()
	}
	if err := q.begin(); err != nil {
		// The first of its kind could be created.
		q.house.log.Error("create a stream", "err", err)
		q.house.end()
	}
}

// fail ends all of it: the output is gone.
func (q *fetches) fail() {
	for _, f := range q.list {
		if f.h != nil {
			f.h.Destroy()
		}
	}
	q.house.end()
}
