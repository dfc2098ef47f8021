package ss

import (
	"net/netip"
	"testing"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/sim"
)

// slowToGo is a stream that does not end with a Drain, like one with a transaction in progress.
type slowToGo struct{ backend }

// TestDrainDoesNotWalk: while a Drain waits for a thousand streams, a turn does not iterate over them.
func TestDrainDoesNotWalk(t *testing.T) {
	pol, err := policy.Parse([]byte(`{"s":[{"srv":{"server":true,"port":80,"protocol":"h1"}},{"cli":{"endpoint":"10.0.0.2","port":80,"protocol":"raw"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	net := sim.New(1, sim.Options{})
	l := loop.New(net.Host("a", netip.MustParseAddr("10.0.0.1")), loop.Config{})
	r, err := New(Config{Loop: l, Policy: pol})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Create(Info{StreamType: "srv"}); err != nil {
		t.Fatal(err)
	}
	var list []*Handle
	for range 1000 {
		h := &Handle{rt: r, streamType: r.streamTypeOf(pol.Stream("cli")), hint: -1, stream: ignore{}}
		h.be = &slowToGo{newDirect(h, Info{})}
		r.table.add(h)
		h.flags |= queued // Destroy has no effect on it
		list = append(list, h)
	}
	done := false
	r.Drain(func() { done = true })
	for range 100 {
		r.loop.Defer(&r.task, r)
		if err := l.Service(); err != nil {
			t.Fatal(err)
		}
	}
	if r.table.walks > 2 || done {
		t.Errorf("walks over all streams in 100 turns of a Drain: got %d, want one at its begin; done %v", r.table.walks, done)
	}
	for _, h := range list {
		h.flags = 0
		h.Destroy()
	}
	for range 3 {
		if err := l.Service(); err != nil {
			t.Fatal(err)
		}
	}
	if !done || r.table.servers != 0 || r.table.live != 0 {
		t.Errorf("when they have gone: done %v, %d streams and %d servers left; want true and none", done, r.table.live, r.table.servers)
	}
}
