package ss_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/ss"
)

// TestGoAway: streams above the last one that GOAWAY names are repeated on another connection, unseen and not counted
// as failures; the others are completed where they are.
func TestGoAway(t *testing.T) {
	w := newWorld(t, sharedDoc, plan{Net: slowLink})
	peers := w.frames("raw", func(p *framePeer) { p.onReq = nil })
	all := w.begin("a", 5)
	w.Advance(100 * time.Millisecond)
	first := (*peers)[0]
	first.goAway(3, 0) // of 1, 3, 5, 7, 9
	w.Advance(100 * time.Millisecond)
	if len(*peers) != 2 {
		t.Fatalf("connections: got %d, want 2", len(*peers))
	}
	second := (*peers)[1]
	if got := second.paths(); got != "/2 /3 /4" {
		t.Errorf("requests made again: got %s, want /2 /3 /4", got)
	}
	late := w.begin("b", 1)[0]
	w.Advance(100 * time.Millisecond)
	for _, p := range []*framePeer{first, second} {
		for _, q := range p.requests {
			p.answer(q, 200, "hello "+q.path)
		}
	}
	w.Advance(100 * time.Millisecond)
	for i, s := range all {
		w.WantLine("a stream", s, fmt.Sprintf(aGET, i))
	}
	w.WantLife("one that came later", late, oneGET)
	if !first.over {
		t.Error("the connection that was to end is still open")
	}
	if n := w.Client.Runtime.Counters; n.Repeated != 3 || n.GoneAway != 1 || n.Failed != 0 {
		t.Errorf("counters: got %d repeated, %d gone away, %d failed, want 3, 1, 0", n.Repeated, n.GoneAway, n.Failed)
	}
}

// TestGoAwayTaken: a request of whose body Tx has returned something is repeated with the body from its start, and
// its stream receives Notice.Again.
func TestGoAwayTaken(t *testing.T) {
	w := newWorld(t, sharedDoc, plan{Net: slowLink})
	peers := w.frames("raw", func(p *framePeer) { p.onReq = nil })
	given, whole, none := newScript(), newScript(), newScript()
	given.Say, given.NoEOM = []byte("part"), true
	whole.Say = []byte("x")
	none.OnTx = func(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) { return 0, 0, ss.TxDontSend }
	w.Create("post", given).RequestTx()
	w.Create("post", whole).RequestTx()
	w.Create("post", none).RequestTx()
	w.Advance(100 * time.Millisecond)
	(*peers)[0].goAway(0, 0)
	w.Advance(100 * time.Millisecond)
	w.WantLine("one that gave a part", given, `CREATING POLL CONNECTING tx("part"|SOM) CONNECTING tx("part"|SOM)`)
	w.WantLine("one that gave all", whole, `CREATING POLL CONNECTING tx("x"|SOM|EOM) CONNECTING tx("x"|SOM|EOM)`)
	var away *h2.GoAwayError
	if len(given.Causes) == 0 || !errors.As(given.Causes[0], &away) || !away.Unseen {
		t.Errorf("the cause: got %v, want a GoAwayError, unseen", given.Causes)
	}
	w.WantLine("one that gave nothing", none, `CREATING POLL CONNECTING`)
	if got := (*peers)[1].paths(); got != "/post /post /post" {
		t.Errorf("requests made again: got %s, want three", got)
	}
}

// TestRefusedOnEveryConnection: attempts on a server that refuses every request end with ErrRefused.
func TestRefusedOnEveryConnection(t *testing.T) {
	for _, c := range []struct {
		name string
		turn func(p *framePeer, q *peerRequest)
	}{
		{"GOAWAY", func(p *framePeer, q *peerRequest) { p.goAway(0, 0) }},
		{"REFUSED_STREAM", func(p *framePeer, q *peerRequest) { p.reset(q, codeRefused) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, sharedDoc, plan{Net: slowLink})
			n := 0
			w.frames("raw", func(p *framePeer) {
				p.onReq = func(p *framePeer, q *peerRequest) { n++; c.turn(p, q) }
			})
			s := w.begin("again", 1)[0]
			w.Advance(time.Minute)
			w.WantLife("the stream", s, "CREATING CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
			if n != 10 {
				t.Errorf("requests: got %d, want 5 in each of two attempts", n)
			}
			if got := w.Client.Runtime.Counters.Repeated; got != 8 {
				t.Errorf("repeated: got %d, want 8", got)
			}
		})
	}
}

// TestPartlyRefusedRequests: a server that accepts a few requests on each connection serves all of them in the end.
func TestPartlyRefusedRequests(t *testing.T) {
	w := newWorld(t, sharedDoc, plan{Net: slowLink})
	w.frames("raw", func(p *framePeer) {
		n := 0
		p.onReq = func(p *framePeer, q *peerRequest) {
			if n++; n > 2 {
				return
			}
			p.answer(q, 200, "hello "+q.path)
			if n == 2 {
				p.goAway(q.id, 0)
			}
		}
	})
	all := w.begin("a", 20)
	w.Advance(time.Second)
	for i, s := range all {
		w.WantLine("a stream", s, fmt.Sprintf(aGET, i))
	}
	w.wantConns(10)
}

// TestRefused: a refused stream waits in the queue of the same connection when the server has announced its limit.
func TestRefused(t *testing.T) {
	w := newWorld(t, sharedDoc, plan{Net: slowLink, Client: func(c *ss.Config) { c.SharedMax = 1 }})
	peers := w.frames("raw", func(p *framePeer) { p.limit = 3 })
	all := w.begin("a", 10)
	w.Advance(time.Second)
	for i, s := range all {
		w.WantLine("a stream", s, fmt.Sprintf(aGET, i))
	}
	w.wantConns(1)
	if n := w.Client.Runtime.Counters; n.Refused != uint64((*peers)[0].refused) || n.Repeated != n.Refused {
		t.Errorf("counters: got %d refused, %d repeated, want %d", n.Refused, n.Repeated, (*peers)[0].refused)
	}
}

// TestConnectionLoss: when a connection breaks, each of its streams receives the outcome of its own request.
func TestConnectionLoss(t *testing.T) {
	w := newWorld(t, sharedDoc, plan{Net: slowLink})
	peers := w.frames("raw", func(p *framePeer) {
		p.onReq = func(p *framePeer, q *peerRequest) {
			switch q.path {
			case "/0":
			case "/1":
				p.head(q, 200, false)
			default:
				p.answer(q, 200, "hello "+q.path)
			}
		}
	})
	all := w.begin("a", 3)
	w.Advance(100 * time.Millisecond)
	(*peers)[0].h.Destroy()
	w.Advance(100 * time.Millisecond)
	w.WantLife("before the response", all[0], "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
	w.WantLife("within it", all[1], "CREATING CONNECTING CONNECTED DISCONNECTED")
	w.WantLife("behind it", all[2], oneGET)
	if all[1].Causes == nil {
		t.Error("the loss was reported without a cause")
	}
	w.wantConns(1)
}

// TestLeaveShared: a stream that disconnects ends only its own exchange.
func TestLeaveShared(t *testing.T) {
	for _, how := range []string{"Disconnect", "Destroy", "DISCONNECT_ME"} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t, sharedDoc, plan{Net: slowLink})
			peers := w.frames("raw", func(p *framePeer) {
				p.onReq = func(p *framePeer, q *peerRequest) {
					p.head(q, 200, false)
					p.data(q, "hello", false)
				}
			})
			all := w.begin("a", 3)
			want := "CREATING CONNECTING CONNECTED DISCONNECTED"
			if how == "DISCONNECT_ME" {
				all[1].OnRx = func(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.DisconnectMe }
			}
			w.Advance(100 * time.Millisecond)
			switch how {
			case "Disconnect":
				all[1].Handle.Disconnect()
			case "Destroy":
				all[1].Handle.Destroy()
				want += " DESTROYING"
			}
			w.Advance(100 * time.Millisecond)
			w.WantLife("the one", all[1], want)
			p := (*peers)[0]
			if !p.requests[1].reset || len(p.open) != 2 {
				t.Errorf("streams at the server: got %d open, want 2 and one reset", len(p.open))
			}
			for _, q := range []*peerRequest{p.requests[0], p.requests[2]} {
				p.data(q, "", true)
			}
			w.Advance(100 * time.Millisecond)
			w.WantLife("another", all[0], oneGET)
			w.WantLife("another", all[2], oneGET)
			w.wantConns(1)
		})
	}
}

// TestLeaveQueue: a stream that stops waiting leaves nothing behind; a connection in progress for it alone is
// abandoned.
func TestLeaveQueue(t *testing.T) {
	w := newWorld(t, sharedDoc, plan{Net: slowLink})
	w.frames("raw", nil)
	all := w.begin("a", 3)
	w.Advance(500 * time.Microsecond)
	all[1].Handle.Disconnect()
	all[2].Handle.Destroy()
	w.Advance(time.Second)
	w.WantLife("one that disconnected", all[1], "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
	w.WantLife("one that was destroyed", all[2], "CREATING CONNECTING DESTROYING")
	w.WantLife("one that waited", all[0], oneGET)
	w.wantConns(1)
	w.Advance(6 * time.Second)
	only := w.begin("a", 1)[0]
	w.Advance(500 * time.Microsecond)
	only.Handle.Destroy()
	w.Settle()
	if n := w.Client.Runtime.Net().Open(); n != 0 {
		t.Errorf("connections for a stream that is gone: got %d, want none", n)
	}
}
