package ss_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// TestServerStreams: sequential requests use one stream; concurrent requests use as many streams as requests.
func TestServerStreams(t *testing.T) {
	const begin, txn = "CREATING CONNECTING CONNECTED", ` SERVER_TXN tx("hello"|SOM|EOM)`
	w := newWorld(t, webDoc, plan{})
	w.Serve("web", answer(0, "hello"))
	p := w.peer("h2")
	w.WantLife("the connection's stream", w.Accepted[0], "CREATING CONNECTING")
	for range 3 {
		q := p.ask("GET", "/", "")
		w.Settle()
		q.want("one after another", `200 content-length=5 "hello"`)
	}
	w.WantLine("the connection's stream", w.Accepted[0], begin+strings.Repeat(txn, 3))
	all := make([]*call, 5)
	for i := range all {
		all[i] = p.ask("GET", "/", "")
	}
	w.until(time.Second, all...)
	for _, q := range all {
		q.want("five at a time", `200 content-length=5 "hello"`)
	}
	if n := w.Server.Runtime.Counters.Transactions; len(w.Accepted) != 5 || n != 8 {
		t.Errorf("got %d streams and %d transactions, want 5 and 8", len(w.Accepted), n)
	}
	for _, s := range w.Accepted[1:] {
		w.WantLine("another stream", s, begin+txn)
	}
}

// busyStreams makes a world with a peer with n unanswered requests, each on a stream of its own.
func busyStreams(t *testing.T, n int, change func(*ss.Config)) (w *world, p *peer, calls []*call) {
	w = newWorld(t, webDoc, plan{Server: change})
	w.Serve("web", func(s *script) {
		s.Say = []byte("hello")
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret { h.ServerAck(0); return ss.OK })
	})
	p = w.peer("h2")
	for i := range n {
		calls = append(calls, p.ask("GET", fmt.Sprintf("/%d", i), ""))
	}
	w.Settle()
	if len(w.Accepted) != n {
		t.Fatalf("streams for %d requests at a time: got %d", n, len(w.Accepted))
	}
	return w, p, calls
}

// TestServerStreamEnds: the end of a stream ends its request, and nothing else.
func TestServerStreamEnds(t *testing.T) {
	const open = "CREATING CONNECTING CONNECTED SERVER_TXN"
	for _, c := range []struct {
		name string
		end  func(h *ss.Handle, q *call)
		want string // what the client sees of the request
	}{
		{"the peer resets it", func(_ *ss.Handle, q *call) { q.x.Reset(nil) }, "broken"},
		{"the program destroys it", func(h *ss.Handle, _ *call) { h.Destroy() }, "broken"},
		{"the program disconnects it", func(h *ss.Handle, _ *call) { h.Disconnect() }, "broken"},
		{"half an answer is out", func(h *ss.Handle, _ *call) {
			h.RequestTxLen(9) // it says five, and EOM
		}, `200 content-length=9 "hello" cut`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range 3 {
				w, p, calls := busyStreams(t, 3, nil)
				c.end(w.Accepted[i].Handle, calls[i])
				w.Settle()
				calls[i].want("the request", c.want)
				for j, s := range w.Accepted {
					if j == i {
						if got, want := s.Life(), open+" DISCONNECTED DESTROYING"; got != want {
							t.Errorf("stream %d received %s, want %s", j, got, want)
						}
						continue
					}
					s.Handle.RequestTxLen(5)
					w.Settle()
					calls[j].want("another request", `200 content-length=5 "hello"`)
					w.WantLife("another stream", s, open)
				}
				q := p.ask("GET", "/", "")
				w.Settle()
				if n := len(w.Accepted); n != 3 {
					t.Errorf("streams after a request more: got %d, want the three", n)
				}
				q.x.Reset(nil)
				w.Settle()
			}
		})
	}
}

// TestIdleServerStreamEnds: a program that ends a stream between two requests ends only that stream, even the last.
func TestIdleServerStreamEnds(t *testing.T) {
	for _, end := range []func(*ss.Handle){(*ss.Handle).Destroy, (*ss.Handle).Disconnect} {
		w := newWorld(t, webDoc, plan{})
		w.Serve("web", answer(0, "hello"))
		p := w.peer("h2")
		for range 3 {
			q := p.ask("GET", "/", "")
			w.Settle()
			q.want("a request", `200 content-length=5 "hello"`)
			s := w.Accepted[len(w.Accepted)-1]
			end(s.Handle)
			w.Settle()
			w.WantLife("its stream", s, "CREATING CONNECTING CONNECTED SERVER_TXN DISCONNECTED DESTROYING")
		}
		if p.over || len(w.Accepted) != 3 {
			t.Errorf("after three: connection over %v, %d streams; want it to stand, and 3", p.over, len(w.Accepted))
		}
		// In the same turn as the next request: that one finds another stream.
		p.ask("GET", "/", "")
		w.Settle()
		s := w.Accepted[3]
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
			end(h)
			h.ServerAck(0)
			return h.RequestTxLen(5)
		})
		a, b := p.ask("GET", "/", ""), p.ask("GET", "/", "")
		w.Settle()
		a.want("a request whose stream ends at once", "broken")
		b.want("the one behind it", `200 content-length=5 "hello"`)
	}
}

// TestIdleServerStreams: idle streams above Config.IdleStreams are destroyed after a while, and a busy connection
// makes none again.
func TestIdleServerStreams(t *testing.T) {
	for _, keep := range []int{-1, 1, 3} {
		w, p, calls := busyStreams(t, 10, func(c *ss.Config) { c.IdleStreams = keep })
		for _, s := range w.Accepted {
			s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret { h.ServerAck(0); return h.RequestTxLen(5) })
			s.Handle.RequestTxLen(5)
		}
		w.until(time.Second, calls...)
		for range 40 {
			calls = calls[:0]
			for range 10 {
				calls = append(calls, p.ask("GET", "/", ""))
			}
			w.until(time.Second, calls...)
			w.Advance(400 * time.Millisecond)
		}
		if n := len(w.Accepted); n > 20 {
			t.Errorf("keep %d: streams made for ten requests at a time, over and over: got %d, want few more than 10", keep, n)
		}
		w.Advance(10 * time.Second)
		if got, want := w.Server.Runtime.Len()-1, max(keep, 0); got != want {
			t.Errorf("keep %d: streams after a rest: got %d, want %d", keep, got, want)
		}
		if n := w.Server.Loop.Account().Used(); keep <= 0 && n != 0 {
			t.Errorf("keep %d: account: got %d bytes, want no stream on it", keep, n)
		}
		q := p.ask("GET", "/", "")
		w.Settle()
		if !q.done && q.status == 0 && len(w.Accepted) == 0 {
			t.Error("a request after the rest: no stream took it")
		}
	}
}

// TestConnectionEnds: all its streams end with it, busy ones and idle ones.
func TestConnectionEnds(t *testing.T) {
	for _, c := range []struct {
		name  string
		end   func(w *world, p *peer)
		cause bool
	}{
		{"the peer closes when it has its answers", func(w *world, p *peer) {
			w.Accepted[0].Handle.RequestTxLen(5)
			w.Accepted[2].Handle.RequestTxLen(5)
			w.Settle()
			p.h2.Lower().Close(roles.Graceful, nil)
		}, false},
		{"the peer resets", func(_ *world, p *peer) { p.h2.Lower().Close(roles.Reset, nil) }, true},
		{"the server stream is destroyed", func(w *world, _ *peer) { w.Accepted[0].Handle.Server().Destroy() }, false},
		{"the runtime is closed", func(w *world, _ *peer) { w.Server.Runtime.Close() }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, p, calls := busyStreams(t, 3, nil)
			w.Accepted[1].Handle.RequestTxLen(5)
			w.Settle()
			calls[1].want("the answered request", `200 content-length=5 "hello"`)
			c.end(w, p)
			w.Advance(10 * time.Second)
			for i, s := range w.Accepted {
				w.WantLife(fmt.Sprintf("stream %d", i), s, "CREATING CONNECTING CONNECTED SERVER_TXN DISCONNECTED DESTROYING")
				if got := len(s.Causes) > 0; got != c.cause && i != 1 {
					t.Errorf("stream %d: causes %v, want one: %v", i, s.Causes, c.cause)
				}
			}
			if n := w.Server.Runtime.Net().Open(); n != 0 || !p.over {
				t.Errorf("connections: got %d, over for the peer %v; want none", n, p.over)
			}
		})
	}
}

// TestDrainH2: started requests are answered, and then the connection closes; one without a request closes at once.
func TestDrainH2(t *testing.T) {
	w, p, calls := busyStreams(t, 2, nil)
	idle := w.peer("h2")
	bare := w.peer("h2") // none of whose streams is left
	w.Accepted[len(w.Accepted)-1].Handle.Destroy()
	w.Settle()
	done := false
	w.Server.Runtime.Drain(func() { done = true })
	w.Settle()
	if !idle.over || !bare.over || p.over {
		t.Errorf("over: idle %v, without a stream %v, busy %v; want true, true, false", idle.over, bare.over, p.over)
	}
	if q := p.ask("GET", "/", ""); !q.done || q.cause == nil {
		t.Error("a request after GOAWAY was taken")
	}
	for _, s := range w.Accepted[:2] {
		s.Handle.RequestTxLen(5)
	}
	w.until(time.Second, calls...)
	for _, q := range calls {
		q.want("a request under way", `200 content-length=5 "hello"`)
	}
	w.Advance(6 * time.Second)
	if !p.over || !done {
		t.Errorf("connection over %v, drain done %v; want both", p.over, done)
	}
}

// TestServerStreamHandle: the methods of Handle on an accepted stream.
func TestServerStreamHandle(t *testing.T) {
	w, _, calls := busyStreams(t, 3, nil)
	srv := w.Accepted[0].Handle.Server()
	n := 0
	srv.ForEachClient(func(*ss.Handle) { n++ })
	if n != 3 {
		t.Errorf("ForEachClient: got %d, want 3", n)
	}
	for i, s := range w.Accepted {
		if a, ok := s.Handle.Peer(); !ok || a.IP.Addr() != clientIP {
			t.Errorf("stream %d: Peer: got %v (%v), want %v", i, a, ok, clientIP)
		}
		if a, ok := s.Handle.Addr(); !ok || a.IP.Addr() != serverIP || a.IP.Port() != 80 {
			t.Errorf("stream %d: Addr: got %v (%v), want %v:80", i, a, ok, serverIP)
		}
		if s.Handle.Server() != srv {
			t.Errorf("stream %d: Server: got %p, want %p", i, s.Handle.Server(), srv)
		}
		if _, ok := s.Handle.TLS(); ok {
			t.Errorf("stream %d: TLS on a connection in clear", i)
		}
		s.Handle.Connect()
	}
	var b strings.Builder
	w.Server.Runtime.Dump(&b)
	if n := strings.Count(b.String(), "over http/2"); n != 3 {
		t.Errorf("dump names %d streams over http/2, want 3:\n%s", n, &b)
	}
	for _, s := range w.Accepted {
		s.Handle.RequestTxLen(5)
	}
	w.until(time.Second, calls...)
}

// TestServerStreamFlow: a paused stream stops its own request only.
func TestServerStreamFlow(t *testing.T) {
	w := newWorld(t, webDoc, plan{Net: sim.Options{Link: sim.Link{Latency: time.Millisecond}}})
	w.Serve("web", func(s *script) {
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
			if v, _ := h.Metadata("path"); string(v) == "/slow" {
				h.Pause()
			}
			return ss.OK
		})
		s.OnRx = func(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
			if f&ss.EOM == 0 {
				return ss.OK
			}
			h.ServerAck(0)
			return h.RequestTxLen(0)
		}
	})
	p := w.peer("h2")
	body := strings.Repeat("x", 1<<20)
	slow := p.ask("POST", "/slow", body)
	var rest []*call
	for range 5 {
		rest = append(rest, p.ask("POST", "/", body))
	}
	w.until(10*time.Second, rest...)
	for _, q := range rest {
		q.want("a request beside a stopped one", "200 content-length=0")
	}
	if slow.sent == len(body) || len(w.Accepted[0].Got) != 0 {
		t.Errorf("the stopped request: sent %d of %d bytes, %d of them taken; want it to wait", slow.sent, len(body), len(w.Accepted[0].Got))
	}
	if n := w.Server.Loop.Account().Used(); n > 512<<10 {
		t.Errorf("account: got %d bytes for a stopped stream, want no more than its window", n)
	}
	w.Accepted[0].Handle.Resume()
	w.until(10*time.Second, slow)
	slow.want("the stopped request, resumed", "200 content-length=0")
	if n := len(w.Accepted[0].Got); n != len(body) {
		t.Errorf("the stopped stream got %d bytes, want %d", n, len(body))
	}
}

// TestPeerThatNeverReads: a peer with the maximum number of requests that reads no response uses a bounded amount of
// memory, which is on the account, and receives nothing more.
func TestPeerThatNeverReads(t *testing.T) {
	w := newWorld(t, webDoc, plan{})
	var given int
	w.Serve("web", func(s *script) {
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret { h.ServerAck(0); return h.RequestTx() })
		s.QuietTx = true
		s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
			given += len(buf)
			h.RequestTx()
			return len(buf), 0, ss.OK
		}
	})
	p := w.peer("h2")
	var calls []*call
	ask := func(n int) {
		for range n {
			q := &call{deaf: true}
			q.set("GET", "/", "x-filler: "+strings.Repeat("f", 100))
			p.send(q)
			calls = append(calls, q)
		}
		w.Advance(100 * time.Millisecond)
	}
	ask(200)
	busy := w.Server.Runtime.Len() - 1
	if busy != 128 {
		t.Errorf("streams: got %d, want the 128 that one connection may have", busy)
	}
	held, heap, was := w.Server.Loop.Account().Used(), heapNow(), given
	if held < 127*128 {
		t.Errorf("account: got %d bytes for %d streams, want them charged", held, busy)
	}
	for range 100 { // it resets and asks anew, over and over
		for _, q := range calls[:4] {
			if q.x != nil {
				q.x.Reset(nil)
			}
		}
		calls = calls[4:]
		ask(4)
		if p.over {
			break
		}
	}
	if p.over {
		t.Logf("the connection was given up: %v", p.cause)
	}
	if n := w.Server.Loop.Account().Used(); n > held+64<<10 {
		t.Errorf("account: got %d bytes after a hundred rounds, want about %d", n, held)
	}
	if n := heapNow(); n > heap+2<<20 {
		t.Errorf("heap: got %d bytes after a hundred rounds, want about %d", n, heap)
	}
	if more := given - was; more > 100*4*128<<10 {
		t.Errorf("given meanwhile: %d bytes, want no more than windows", more)
	}
	w.Advance(5 * time.Minute)
	if n := w.Server.Runtime.Len() - 1; n > 8 {
		t.Errorf("streams after five minutes: got %d, want the windows' time to be over", n)
	}
}

func heapNow() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestServerStreamRefused: when memory is short no stream is made; the existing ones continue to serve.
func TestServerStreamRefused(t *testing.T) {
	w, p, calls := busyStreams(t, 2, nil)
	w.Server.Loop.Account().Charge(1 << 30)
	q := p.ask("GET", "/", "")
	w.Settle()
	q.want("a request for which there is no stream", "broken")
	w.Accepted[0].Handle.RequestTxLen(5)
	w.Settle()
	calls[0].want("the request under way", `200 content-length=5 "hello"`)
	w.Server.Loop.Account().Release(1 << 30)
	w.Settle()
	p.ask("GET", "/", "")
	w.Settle()
	if len(w.Accepted) != 2 || w.Accepted[0].Told(ss.ServerTxn) != 2 {
		t.Error("the next request was not the idle stream's")
	}
}

// TestExtendedConnect: an extended CONNECT for another protocol is declined, and its stream answers the next request.
func TestExtendedConnect(t *testing.T) {
	w := newWorld(t, webDoc, plan{})
	w.Serve("web", answer(0, "hello"))
	p := w.peer("h2")
	c := &call{length: -1, hold: true}
	c.set("CONNECT", "/chat")
	c.Protocol = []byte("websocket")
	p.send(c)
	w.Settle()
	c.want("CONNECT for websocket", "501 content-length=0")
	q := p.ask("GET", "/", "")
	w.Settle()
	q.want("a GET behind it", `200 content-length=5 "hello"`)
	if len(w.Accepted) != 1 {
		t.Errorf("streams: got %d, want 1", len(w.Accepted))
	}
}

// TestBodyBeyondItsLength: a request body longer than announced resets its stream only.
func TestBodyBeyondItsLength(t *testing.T) {
	w := newWorld(t, webDoc, plan{})
	w.Serve("web", func(s *script) {
		s.Say = []byte("hello")
		s.OnRx = func(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
			if f&ss.EOM != 0 {
				h.ServerAck(0)
				return h.RequestTxLen(5)
			}
			return ss.OK
		}
	})
	b := []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	b = frame(b, 4, 0, 0)
	for stream := uint32(1); stream <= 3; stream += 2 {
		// POST, http, /, :authority x, content-length 3 (RFC 7541 s.6.1, s.6.2.2).
		b = frame(b, 1, 4, stream, 0x83, 0x86, 0x84, 0x01, 1, 'x', 0x0f, 0x0d, 1, '3')
	}
	b = frame(b, 0, 0, 1, 'a', 'b')
	b = frame(b, 0, 1, 1, 'c', 'd')
	b = frame(b, 0, 1, 3, 'a', 'b', 'c')
	s := w.say(string(b))
	w.Settle()
	w.WantLine("the stream of the request that lies", w.Accepted[0],
		`CREATING CONNECTING CONNECTED SERVER_TXN rx("ab"|SOM) DISCONNECTED DESTROYING`)
	w.WantLine("the stream of the one that does not", w.Accepted[1],
		`CREATING CONNECTING CONNECTED SERVER_TXN rx("abc"|SOM) rx(""|EOM) tx("hello"|SOM|EOM)`)
	if reset := frame(nil, 3, 0, 1, 0, 0, 0, 1); !bytes.Contains(s.Got, reset) {
		t.Errorf("the peer got %q, want RST_STREAM with PROTOCOL_ERROR in it: %q", s.Got, reset)
	}
}
