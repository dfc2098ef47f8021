package wsi

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
)

// A trace has the time and the outcome of each step.
func TestTrace(t *testing.T) {
	const trip = 20 * time.Millisecond
	slow := &answers{hold: true, addrs: []netip.Addr{netip.MustParseAddr("10.0.0.3"), ipB}}
	for _, c := range []struct {
		name   string
		target Target
		after  time.Duration // of the resolver
		err    error
		want   string
	}{
		{"a name with an address that refuses", Target{Host: "x.example", Port: 80}, 7 * time.Millisecond, nil,
			"resolved 7ms [10.0.0.3 10.0.0.2] <nil>, connected 47ms at 10.0.0.2:80"},
		{"an unknown name", Target{Host: "x.example", Port: 80}, 7 * time.Millisecond, ErrNoName,
			"resolved 7ms [] no address for this name, connected - at -"},
		{"an address", Target{Host: "10.0.0.2", Port: 80}, 0, nil, "resolved 0s [10.0.0.2] <nil>, connected 20ms at 10.0.0.2:80"},
		{"an address without a listener", Target{Host: "10.0.0.2", Port: 81}, 0, nil, "resolved 0s [10.0.0.2] <nil>, connected - at -"},
		{"a Unix socket", Target{Path: "/sock"}, 0, nil, "resolved - [] <nil>, connected 0s at unix:/sock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wd, client := resolving(t, slow, sim.Options{Link: sim.Link{Latency: trip / 2}})
			wd.n.Host("refused", netip.MustParseAddr("10.0.0.3"))
			wd.listen()
			node := client
			if c.target.Path != "" {
				wd.listenAt(Bind{Path: "/sock"}, nil)
				node = wd.node // a Unix socket is on one machine
			}
			wd.pass(time.Second)
			var tr Trace
			start := wd.n.Now()
			f := node.dial(c.target, DialOptions{Trace: &tr})
			if c.target.Host == "x.example" {
				wd.n.At(c.after, func() {
					if c.err != nil {
						slow.done(nil, c.err)
						return
					}
					slow.done(slow.addrs, nil)
				})
			}
			wd.pass(time.Second)
			since := func(at time.Duration) string {
				if at == 0 {
					return "-"
				}
				return (at - start).String()
			}
			peer := "-"
			if tr.Peer != (loop.Addr{}) {
				peer = tr.Peer.String()
			}
			got := fmt.Sprintf("resolved %s %v %v, connected %s at %s", since(tr.Resolved), tr.Addrs, tr.NameError, since(tr.Connected), peer)
			if got != c.want || tr.Began != start {
				t.Errorf("began %v; got  %s\nwant %s", tr.Began-start, got, c.want)
			}
			if f.open {
				f.w.Close(roles.Reset, nil)
			}
		})
	}
}
