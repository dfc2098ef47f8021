package ss_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// sharedDoc has stream types of protocol h2 with one endpoint, and one with another port.
const sharedDoc = `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}},{"once":{"backoff":[700],"conceal":1,"jitterpc":0}}],"s":[
	{"a":{"endpoint":"10.0.0.2","port":80,"protocol":"h2","http_url":"/${id}","retry":"none","opportunistic":true,"metadata":[{"id":""}]}},
	{"b":{"endpoint":"http://10.0.0.2","protocol":"h2","http_url":"/b","retry":"none"}},
	{"again":{"endpoint":"10.0.0.2","port":80,"protocol":"h2","http_url":"/again","retry":"once","opportunistic":true}},
	{"post":{"endpoint":"10.0.0.2","port":80,"protocol":"h2","http_method":"POST","http_url":"/post","retry":"none","opportunistic":true}},
	{"h1":{"endpoint":"10.0.0.2","port":80,"protocol":"h1","retry":"none"}},
	{"other":{"endpoint":"10.0.0.2","port":81,"protocol":"h2","retry":"none"}},
	{"raw":{"server":true,"port":80,"protocol":"raw"}},
	{"raw81":{"server":true,"port":81,"protocol":"raw"}}]}`

// slowLink has a round trip of 2 ms.
var slowLink = sim.Options{Link: sim.Link{Latency: time.Millisecond}}

// begin starts n streams of a type at once, the i-th requests /i.
func (w *world) begin(streamType string, n int) (all []*script) {
	w.t.Helper()
	for i := range n {
		s := newScript()
		all = append(all, s)
		h := w.Create(streamType, s)
		if h.Policy().MetadataIndex("id") >= 0 {
			h.SetMetadataString("id", fmt.Sprint(i))
		}
		h.Connect()
	}
	return all
}

func (w *world) wantConns(want int) {
	w.t.Helper()
	if got := w.Server.Runtime.Net().Counters.Accepted; got != uint64(want) {
		w.t.Errorf("connections: got %d, want %d", got, want)
	}
}

const aGET = `CREATING CONNECTING CONNECTED rx("hello /%d"|SOM) rx(""|EOM) QOS_ACK_REMOTE DISCONNECTED`

// TestShare: streams with one endpoint share one connection, also those that start while it is being made, and each
// receives its own CONNECTING and CONNECTED. When all are done, it is kept for the next.
func TestShare(t *testing.T) {
	w := newWorld(t, sharedDoc, plan{Net: slowLink})
	peers := w.frames("raw", nil)
	w.frames("raw81", nil)
	all := w.begin("a", 20)
	w.Advance(time.Second)
	for i, s := range all {
		w.WantLine("a stream", s, fmt.Sprintf(aGET, i))
	}
	w.wantConns(1)
	w.WantLife("b", w.get("b"), "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED")
	w.wantConns(1)
	w.get("other")
	w.wantConns(2)
	n := w.Client.Runtime.Counters
	if n.Shared != 19 || n.Warm != 1 || n.Attempts != 22 {
		t.Errorf("counters: got %d shared, %d warm of %d attempts, want 19, 1 of 22", n.Shared, n.Warm, n.Attempts)
	}
	q := (*peers)[0].requests[20]
	if got := q.method + " " + q.scheme + " " + q.authority + " " + q.path; got != "GET http 10.0.0.2 /b" {
		t.Errorf("the request: got %s, want GET http 10.0.0.2 /b", got)
	}
	w.Advance(6 * time.Second)
	if got := w.Client.Runtime.Net().Open(); got != 0 {
		t.Errorf("connections unused for six seconds: got %d, want none", got)
	}
	if log := strings.Join((*peers)[0].log, " "); log != "GOAWAY" {
		t.Errorf("the server's farewell: got %q, want GOAWAY", log)
	}
}

// TestShareFails: streams that wait for a connection fail with it, each by itself, and try again.
func TestShareFails(t *testing.T) {
	w := newWorld(t, sharedDoc, plan{Net: slowLink})
	all := w.begin("again", 3)
	w.Advance(500 * time.Millisecond)
	for _, s := range all {
		w.WantLife("no listener", s, "CREATING CONNECTING UNREACHABLE")
	}
	if n := w.Client.Runtime.Net().Counters.ConnectFailed; n != 1 {
		t.Errorf("attempts to connect for three streams: got %d, want 1", n)
	}
	w.frames("raw", nil)
	w.Advance(time.Second)
	for _, s := range all {
		w.WantLife("the second attempt", s, "CREATING CONNECTING UNREACHABLE POLL CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED")
	}
	w.wantConns(1)
}

// TestShareLimit: streams above the server's limit on one connection use a second one, and those above both limits
// wait, in order.
func TestShareLimit(t *testing.T) {
	for _, c := range []struct{ max, limit, streams, conns int }{
		{0, 100, 20, 1}, {0, 2, 9, 2}, {1, 2, 9, 1}, {3, 1, 9, 3}, {3, 8, 9, 2},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			w := newWorld(t, sharedDoc, plan{Net: slowLink, Client: func(k *ss.Config) { k.SharedMax = c.max }})
			peers := w.frames("raw", func(p *framePeer) {
				p.limit = c.limit
				p.onReq = func(p *framePeer, q *peerRequest) {
					w.Net.At(10*time.Millisecond, func() { p.answer(q, 200, "x") })
				}
			})
			w.get("b") // the limit is known now
			all := w.begin("a", c.streams)
			w.Run("all to end", func() bool {
				for _, s := range all {
					if s.Told(ss.Disconnected) == 0 {
						return false
					}
				}
				return true
			})
			for _, s := range all {
				w.WantLife("a stream", s, oneGET)
			}
			w.wantConns(c.conns)
			first := 0
			for _, q := range (*peers)[0].requests[1:] {
				n := 0
				fmt.Sscanf(q.path, "/%d", &n)
				if n < first {
					t.Errorf("order on the first connection: got %s, want it rising", (*peers)[0].paths())
					break
				}
				first = n
			}
		})
	}
}

// TestShareLimitMoves: a server with a limit of 0 delays all streams until it raises its limit.
func TestShareLimitMoves(t *testing.T) {
	w := newWorld(t, sharedDoc, plan{Net: slowLink})
	peers := w.frames("raw", func(p *framePeer) { p.limit = 0 })
	all := w.begin("a", 3)
	w.Advance(20 * time.Second)
	w.wantConns(2)
	for _, s := range all {
		w.WantLife("a stream", s, "CREATING CONNECTING")
	}
	(*peers)[1].settings(1)
	w.Advance(time.Second)
	for i, s := range all {
		w.WantLine("a stream", s, fmt.Sprintf(aGET, i))
	}
	w.wantConns(2)
}

// TestShareLimitZero: a server whose limit stays 0 times out like one that does not answer.
func TestShareLimitZero(t *testing.T) {
	w := newWorld(t, sharedDoc, plan{Net: slowLink})
	w.frames("raw", func(p *framePeer) { p.limit = 0 })
	all := w.begin("a", 3)
	w.Advance(5 * time.Minute)
	for _, s := range all {
		w.WantLife("a stream", s, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
	}
}

// TestShareNot: streams with different windows do not share, since a connection announces one;
// streams of h1 and h2 do not share either.
func TestShareNot(t *testing.T) {
	w := newWorld(t, sharedDoc, plan{Net: slowLink})
	w.frames("raw", func(p *framePeer) { p.onReq = nil })
	for _, credit := range []int32{0, 1000, 2000, 1000, 0} {
		s := newScriptOf(w)
		h, err := w.Client.Runtime.Create(ss.Info{StreamType: "b", ManualInitialTxCredit: credit, New: func(h *ss.Handle) ss.Stream { s.Handle = h; return s }})
		if err != nil {
			t.Fatal(err)
		}
		h.Connect()
	}
	w.Advance(100 * time.Millisecond)
	w.wantConns(3)
}
