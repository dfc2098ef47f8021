package ss_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// TestConnectAndRequestTx: which of the two begins a connection how, and that asking twice is asking once.
func TestConnectAndRequestTx(t *testing.T) {
	for _, c := range []struct {
		name, keys string
		do         func(s *script, h *ss.Handle)
		want       string
	}{
		{"Connect", `"protocol":"raw"`, func(_ *script, h *ss.Handle) { h.Connect(); h.Connect() }, "CREATING CONNECTING CONNECTED"},
		{"RequestTx", `"protocol":"raw"`, func(_ *script, h *ss.Handle) { h.RequestTx(); h.RequestTx() }, `CREATING POLL CONNECTING CONNECTED tx("x"|SOM)`},
		{"both", `"protocol":"raw"`, func(_ *script, h *ss.Handle) { h.RequestTx(); h.Connect() }, `CREATING CONNECTING CONNECTED tx("x"|SOM)`},
		{"RequestTx in CONNECTING", `"protocol":"raw"`, func(s *script, h *ss.Handle) {
			s.when(ss.Connecting, (*ss.Handle).RequestTx)
			h.Connect()
		}, `CREATING CONNECTING CONNECTED tx("x"|SOM)`},
		{"RequestTx in CONNECTED", `"protocol":"raw"`, func(s *script, h *ss.Handle) {
			s.when(ss.Connected, (*ss.Handle).RequestTx)
			h.Connect()
		}, `CREATING CONNECTING CONNECTED tx("x"|SOM)`},
		{"nailed_up", `"protocol":"raw","nailed_up":true`, func(*script, *ss.Handle) {}, "CREATING CONNECTING CONNECTED"},
		{"nothing asked", `"protocol":"raw"`, func(*script, *ss.Handle) {}, "CREATING"},
		{"Disconnect without a connection", `"protocol":"raw"`, func(_ *script, h *ss.Handle) { h.Disconnect() }, "CREATING"},
		{"Connect, and Destroy at once", `"protocol":"raw"`, func(_ *script, h *ss.Handle) { h.Connect(); h.Destroy() }, "CREATING DESTROYING"},
		{"Connect, and Disconnect at once", `"protocol":"raw"`, func(_ *script, h *ss.Handle) { h.Connect(); h.Disconnect() }, "CREATING CONNECTING CONNECTED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, clientDoc(c.keys, rawServer), plan{})
			w.serve("srv", nil)
			s := newScript()
			s.say, s.noEOM = []byte("x"), true
			c.do(s, w.create("c", s))
			w.settle()
			w.wantLine("the stream", s, c.want)
		})
	}
}

// TestPollDeclined: DISCONNECT_ME from POLL is a no to the attempt; the next request is not announced twice.
func TestPollDeclined(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw"`, rawServer), plan{})
	w.serve("srv", nil)
	s := newScript()
	s.say, s.noEOM = []byte("x"), true
	s.when(ss.Poll, func(*ss.Handle) ss.Ret { return ss.DisconnectMe })
	h := w.create("c", s)
	h.RequestTx()
	w.pass(time.Minute)
	w.wantLine("the stream that declined", s, "CREATING POLL")
	h.RequestTx()
	w.settle()
	w.wantLine("the stream", s, `CREATING POLL CONNECTING CONNECTED tx("x"|SOM)`)
}

// TestInCreating: what a stream asks for in its first callback, also before its backend has seen anything.
func TestInCreating(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw","retry":"none"`, rawServer), plan{})
	w.serve("srv", nil)
	s := newScript()
	s.say, s.noEOM = []byte("x"), true
	s.when(ss.Creating, func(h *ss.Handle) ss.Ret { h.Pause(); h.StartTimeout(time.Second); return h.RequestTx() })
	w.create("c", s)
	w.pass(2 * time.Second)
	w.wantLine("the stream", s, `CREATING POLL CONNECTING CONNECTED tx("x"|SOM) TIMEOUT`)

	for _, r := range []ss.Ret{ss.DestroyMe, ss.Destroyed} {
		s = newScript()
		s.w = w
		s.when(ss.Creating, func(h *ss.Handle) ss.Ret { h.StartTimeout(time.Second); h.Connect(); return r })
		h, err := w.cli.rt.Create(ss.Info{StreamType: "c", New: func(*ss.Handle) ss.Stream { return s }})
		if h != nil || !errors.Is(err, ss.ErrDestroyed) {
			t.Errorf("create, answered with %v: got %v, %v; want ErrDestroyed", r, h, err)
		}
		w.pass(2 * time.Second)
		w.wantLine("the stream that would not be", s, "CREATING DESTROYING")
	}
}

// TestTimeout: it is told once, whatever the state, and changes nothing of what follows.
func TestTimeout(t *testing.T) {
	const doc = `{"retry":[{"r":{"backoff":[1000],"conceal":1,"jitterpc":0}}],"s":[
		{"c":{"endpoint":"10.0.0.2","port":80,"protocol":"h1","retry":"r","timeout_ms":300}},
		{"none":{"endpoint":"10.0.0.2","port":80,"protocol":"h1","retry":"r"}},
		{"srv":{"server":true,"port":80,"protocol":"h1","timeout_ms":300}}]}`
	start := func(d time.Duration) func(h *ss.Handle) ss.Ret {
		return func(h *ss.Handle) ss.Ret { h.StartTimeout(d); return ss.OK }
	}
	slow := func(d time.Duration) func(*script) {
		return func(s *script) {
			s.say = []byte("late")
			s.when(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
				h.ServerAck(0)
				s.w.net.At(d, func() { h.RequestTxLen(4) })
				return ss.OK
			})
		}
	}
	body := `rx("late"|SOM) rx(""|EOM) QOS_ACK_REMOTE DISCONNECTED`
	for _, c := range []struct {
		name   string
		typ    string
		each   func(*script)
		setup  func(s *script)
		nobody bool
		want   string
		server string
	}{
		{name: "in CREATING", setup: func(s *script) { s.when(ss.Creating, start(10*time.Millisecond)) }, nobody: true,
			want: "CREATING CONNECTING UNREACHABLE TIMEOUT POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED"},
		{name: "in UNREACHABLE, during the delay", setup: func(s *script) { s.when(ss.Unreachable, start(10*time.Millisecond)) }, nobody: true,
			want: "CREATING CONNECTING UNREACHABLE TIMEOUT POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED"},
		{name: "in ALL_RETRIES_FAILED", setup: func(s *script) { s.when(ss.AllRetriesFailed, start(10*time.Millisecond)) }, nobody: true,
			want: "CREATING CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED TIMEOUT"},
		{name: "in CONNECTING, from the policy", setup: func(s *script) { s.when(ss.Connecting, start(ss.TimeoutFromPolicy)) }, each: slow(500 * time.Millisecond),
			want: "CREATING CONNECTING TIMEOUT CONNECTED " + body},
		{name: "in CONNECTING, not reached", setup: func(s *script) { s.when(ss.Connecting, start(ss.TimeoutFromPolicy)) }, each: slow(200 * time.Millisecond),
			want: "CREATING CONNECTING CONNECTED " + body},
		{name: "from a policy without one", typ: "none", setup: func(s *script) { s.when(ss.Connecting, start(ss.TimeoutFromPolicy)) }, each: slow(500 * time.Millisecond),
			want: "CREATING CONNECTING CONNECTED " + body},
		{name: "longer than the policy's", setup: func(s *script) { s.when(ss.Connecting, start(400*time.Millisecond)) }, each: slow(500 * time.Millisecond),
			want: "CREATING CONNECTING TIMEOUT CONNECTED " + body},
		{name: "started anew", setup: func(s *script) {
			s.when(ss.Connecting, func(h *ss.Handle) ss.Ret {
				h.StartTimeout(ss.TimeoutFromPolicy)
				s.w.net.At(200*time.Millisecond, func() { h.StartTimeout(ss.TimeoutFromPolicy) })
				return ss.OK
			})
		}, each: slow(450 * time.Millisecond), want: "CREATING CONNECTING CONNECTED " + body},
		{name: "cancelled", setup: func(s *script) {
			s.when(ss.Connecting, func(h *ss.Handle) ss.Ret {
				h.StartTimeout(ss.TimeoutFromPolicy)
				s.w.net.At(200*time.Millisecond, h.CancelTimeout)
				return ss.OK
			})
		}, each: slow(500 * time.Millisecond), want: "CREATING CONNECTING CONNECTED " + body},
		{name: "the end of the transaction cancels", setup: func(s *script) { s.when(ss.Connected, start(time.Second)) }, each: slow(0),
			want: "CREATING CONNECTING CONNECTED " + body},
		{name: "in DISCONNECTED", setup: func(s *script) { s.when(ss.Disconnected, start(time.Second)) }, each: slow(0),
			want: "CREATING CONNECTING CONNECTED " + body + " TIMEOUT"},
		{name: "twice", setup: func(s *script) {
			s.when(ss.Connecting, start(100*time.Millisecond))
			s.when(ss.Timeout, func(h *ss.Handle) ss.Ret {
				if s.told(ss.Timeout) == 1 {
					h.StartTimeout(100 * time.Millisecond)
				}
				return ss.OK
			})
		}, each: slow(500 * time.Millisecond), want: "CREATING CONNECTING TIMEOUT TIMEOUT CONNECTED " + body},
		{name: "answered with DISCONNECT_ME while connecting", setup: func(s *script) {
			s.when(ss.Connecting, start(100*time.Millisecond)).when(ss.Timeout, func(*ss.Handle) ss.Ret { return ss.DisconnectMe })
		}, each: slow(time.Hour), want: "CREATING CONNECTING TIMEOUT UNREACHABLE POLL CONNECTING TIMEOUT UNREACHABLE ALL_RETRIES_FAILED"},
		{name: "answered with DESTROY_ME while connecting", setup: func(s *script) {
			s.when(ss.Connecting, start(100*time.Millisecond)).when(ss.Timeout, func(*ss.Handle) ss.Ret { return ss.DestroyMe })
		}, each: slow(time.Hour), want: "CREATING CONNECTING TIMEOUT DESTROYING"},
		{name: "answered with DESTROY_ME in CREATING", setup: func(s *script) {
			s.when(ss.Creating, start(time.Millisecond)).when(ss.Timeout, func(*ss.Handle) ss.Ret { return ss.DestroyMe })
		}, each: slow(time.Hour), want: "CREATING CONNECTING TIMEOUT DESTROYING"},
		{name: "server, between head and answer", each: func(s *script) {
			slow(400 * time.Millisecond)(s)
			ack := s.on[ss.ServerTxn]
			s.on[ss.ServerTxn] = func(h *ss.Handle, n ss.Notice) ss.Ret { h.StartTimeout(0); return ack(h, n) }
		}, want: "CREATING CONNECTING CONNECTED " + body, server: `CREATING CONNECTING CONNECTED SERVER_TXN TIMEOUT tx("late"|SOM|EOM)`},
		{name: "server, cancelled by the end of the transaction", each: func(s *script) {
			slow(0)(s)
			ack := s.on[ss.ServerTxn]
			s.on[ss.ServerTxn] = func(h *ss.Handle, n ss.Notice) ss.Ret { h.StartTimeout(0); return ack(h, n) }
		}, want: "CREATING CONNECTING CONNECTED " + body, server: `CREATING CONNECTING CONNECTED SERVER_TXN tx("late"|SOM|EOM)`},
		{name: "server, in CREATING", each: func(s *script) {
			slow(400 * time.Millisecond)(s)
			s.when(ss.Creating, start(100*time.Millisecond))
		}, want: "CREATING CONNECTING CONNECTED " + body, server: `CREATING CONNECTING CONNECTED SERVER_TXN TIMEOUT tx("late"|SOM|EOM)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, doc, plan{})
			if !c.nobody {
				w.serve("srv", c.each)
			}
			s := newScript()
			if c.setup != nil {
				c.setup(s)
			}
			if c.typ == "" {
				c.typ = "c"
			}
			w.create(c.typ, s).Connect()
			w.pass(3 * time.Second)
			w.wantLine("the stream", s, c.want)
			if c.server != "" {
				w.wantLine("the server's stream", w.accepted[0], c.server)
			}
		})
	}
}

// TestTimeoutThenTransaction: the reference has no step from TIMEOUT to SERVER_TXN; a CONNECTED in between
// makes it legal.
func TestTimeoutThenTransaction(t *testing.T) {
	w := newWorld(t, wireDoc, plan{})
	w.serve("srv", answer(0, ""))
	s := w.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	w.settle()
	w.accepted[0].h.StartTimeout(time.Second)
	w.pass(2 * time.Second)
	s.said = 0
	s.h.RequestTx()
	w.settle()
	w.wantLine("the server's stream", w.accepted[0], "CREATING CONNECTING CONNECTED SERVER_TXN TIMEOUT CONNECTED SERVER_TXN")
}

// TestPauseStopsThePeer: a paused stream, of either protocol and on either side, holds little and stops
// its peer; Resume brings everything.
func TestPauseStopsThePeer(t *testing.T) {
	const size = 4 << 20
	opts := sim.Options{SndBuf: 16 << 10, RcvBuf: 16 << 10}
	whole := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	for _, c := range []struct {
		name   string
		keys   string
		srv    string
		upload bool
	}{
		{"raw server", `"protocol":"raw"`, rawServer, true},
		{"raw client", `"protocol":"raw"`, rawServer, false},
		{"h1 server", `"protocol":"h1","http_method":"POST"`, h1Server, true},
		{"h1 client", `"protocol":"h1"`, h1Server, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, clientDoc(c.keys, c.srv), plan{net: opts})
			h1 := c.srv == h1Server
			given := 0
			sender := func(s *script) {
				s.say, s.quietTx, s.noEOM = whole, true, !h1
				s.onTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
					n, f, r := s.give(h, buf)
					given += n
					return n, f, r
				}
			}
			var sink *script
			take := func(s *script) {
				sink = s
				s.onRx = func(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
					if len(s.got) > 0 && len(s.got) < 64<<10 {
						h.Pause()
					}
					if c.upload && h1 && f&ss.EOM != 0 {
						h.ServerAck(0)
						return h.RequestTxLen(0)
					}
					return ss.OK
				}
			}
			cl := newScript()
			if c.upload {
				sender(cl)
				cl.when(ss.Connecting, func(h *ss.Handle) ss.Ret { return h.RequestTxLen(size) })
				w.serve("srv", take)
			} else {
				take(cl)
				w.serve("srv", func(s *script) {
					sender(s)
					at := ss.ServerTxn
					if !h1 {
						at = ss.Connected
					}
					s.when(at, func(h *ss.Handle) ss.Ret { h.ServerAck(0); return h.RequestTxLen(size) })
				})
			}
			w.create("c", cl).Connect()
			w.pass(20 * time.Second)
			got := len(sink.got)
			if got == 0 || got > 200<<10 {
				t.Fatalf("paused after the first piece: got %d bytes, want one read's worth", got)
			}
			// Both socket buffers, one arena and one read on the way.
			if given > got+(16+16+64+64)<<10 {
				t.Errorf("the peer gave %d bytes while %d were taken: it was not stopped", given, got)
			}
			for _, m := range []*machine{w.cli, w.srv} {
				if held := m.rt.Net().Held(); held > 256<<10 {
					t.Errorf("%s holds %d bytes for one paused stream", m.host.Name(), held)
				}
			}
			for len(sink.got) < size {
				was := len(sink.got)
				sink.h.Resume()
				w.pass(20 * time.Second)
				if len(sink.got) == was {
					t.Fatalf("after Resume: stuck at %d of %d bytes\n%s", was, size, w.dump())
				}
			}
			if !bytes.Equal(sink.got, whole) {
				t.Errorf("what came is not what was sent")
			}
		})
	}
}

// TestPauseOutlastsConnections: a stream paused while it has no connection gets no payload on the next.
func TestPauseOutlastsConnections(t *testing.T) {
	for _, proto := range []string{"raw", "h1"} {
		srv := map[string]string{"raw": rawServer, "h1": h1Server}[proto]
		w := newWorld(t, clientDoc(`"opportunistic":true,"protocol":"`+proto+`"`, srv), plan{})
		w.serve("srv", func(s *script) {
			s.say, s.noEOM = []byte("hello"), proto == "raw"
			s.when(ss.Connected, func(h *ss.Handle) ss.Ret {
				if proto == "raw" {
					return h.RequestTx()
				}
				return ss.OK
			}).when(ss.ServerTxn, func(h *ss.Handle) ss.Ret { h.ServerAck(0); return h.RequestTxLen(5) })
		})
		s := newScript()
		h := w.create("c", s)
		h.Pause()
		h.Pause()
		h.Connect()
		w.pass(time.Minute)
		if len(s.got) != 0 {
			t.Errorf("%s: a paused stream got %q", proto, s.got)
		}
		h.Resume()
		w.settle()
		if string(s.got) != "hello" {
			t.Errorf("%s: after Resume: got %q, want \"hello\"; told %s", proto, s.got, s.line())
		}
	}
}

// TestPauseBetweenTransactions: an accepted stream paused while it has none gets the next request's head,
// and its body after Resume.
func TestPauseBetweenTransactions(t *testing.T) {
	w := newWorld(t, wireDoc, plan{})
	w.serve("srv", func(s *script) {
		answer(0, "")(s)
		s.when(ss.Creating, func(h *ss.Handle) ss.Ret { h.Pause(); return ss.OK })
		s.when(ss.ServerTxn, func(h *ss.Handle) ss.Ret { return ss.OK })
		s.onRx = func(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
			if f&ss.EOM != 0 {
				h.ServerAck(0)
				return h.RequestTxLen(0)
			}
			return ss.OK
		}
	})
	w.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")
	w.pass(time.Second)
	w.wantLine("the paused stream", w.accepted[0], "CREATING CONNECTING CONNECTED SERVER_TXN")
	w.accepted[0].h.Resume()
	w.settle()
	w.wantLine("the stream", w.accepted[0], `CREATING CONNECTING CONNECTED SERVER_TXN rx("ab"|SOM) rx(""|EOM)`)
}

// TestDeadHandle: every call on a destroyed handle does nothing, and says so where it can.
func TestDeadHandle(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"h1","metadata":[{"m":""}]`, ""), plan{})
	s := newScript()
	h := w.create("c", s)
	h.SetMetadataString("m", "v")
	h.Destroy()
	w.settle()
	for i, r := range []ss.Ret{h.Connect(), h.RequestTx(), h.RequestTxLen(5)} {
		if r != ss.Destroyed {
			t.Errorf("call %d on a destroyed handle: got %v, want %v", i, r, ss.Destroyed)
		}
	}
	if err := h.SetMetadataString("m", "w"); !errors.Is(err, ss.ErrDestroyed) {
		t.Errorf("SetMetadataString: got %v, want ErrDestroyed", err)
	}
	if v, ok := h.Metadata("m"); ok {
		t.Errorf("Metadata: got %q, want none", v)
	}
	h.Pause()
	h.Resume()
	h.Disconnect()
	h.Destroy()
	h.StartTimeout(time.Second)
	h.CancelTimeout()
	h.ServerAck(0)
	w.pass(2 * time.Second)
	w.wantLine("the stream", s, "CREATING DESTROYING")
	if h.Life() != ss.Destroying {
		t.Errorf("Life: got %v, want %v", h.Life(), ss.Destroying)
	}
}

// TestChangeHandlers: the next callback goes to the new Stream.
func TestChangeHandlers(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw","opportunistic":true`, rawServer), plan{})
	w.serve("srv", func(s *script) { s.onRx = echoRx(s) })
	a, b := newScript(), newScript()
	b.w, b.say, b.noEOM = w, []byte("b"), true
	a.when(ss.Connected, func(h *ss.Handle) ss.Ret {
		h.ChangeHandlers(b)
		h.ChangeHandlers(nil)
		if h.Stream() != ss.Stream(b) {
			t.Errorf("Stream: got %v, want the new one", h.Stream())
		}
		return h.RequestTx()
	})
	h := w.create("c", a)
	h.Connect()
	w.settle()
	h.Destroy()
	w.settle()
	w.wantLine("the old one", a, "CREATING CONNECTING CONNECTED")
	w.wantLine("the new one", b, `tx("b"|SOM) rx("b") DISCONNECTED DESTROYING`)
}

// TestCancelWait: every live stream is told, whatever it is doing, and nothing changes for it.
func TestCancelWait(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw","retry":"three"`, rawServer), plan{})
	_, listener := w.serve("srv", nil)
	up, idle := newScript(), newScript()
	w.create("c", up).Connect()
	w.create("c", idle)
	w.settle()
	if err := w.cli.rt.CancelWait(); err != nil {
		t.Fatal(err)
	}
	w.srv.rt.CancelWait()
	w.settle()
	w.wantLine("the connected one", up, "CREATING CONNECTING CONNECTED EVENT_WAIT_CANCELLED")
	w.wantLine("the idle one", idle, "CREATING EVENT_WAIT_CANCELLED")
	w.wantLine("the listener", listener, "CREATING EVENT_WAIT_CANCELLED")
	w.wantLine("the accepted one", w.accepted[0], "CREATING CONNECTING CONNECTED EVENT_WAIT_CANCELLED")
}

// panicker panics in one callback.
type panicker struct{ where string }

func (p panicker) State(_ *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	if short(s) == p.where {
		panic("at " + p.where)
	}
	return ss.OK
}
func (p panicker) Rx(*ss.Handle, []byte, ss.Flags) ss.Ret {
	if p.where == "rx" {
		panic("at rx")
	}
	return ss.OK
}
func (p panicker) Tx(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	if p.where == "tx" {
		panic("at tx")
	}
	return copy(buf, "x"), ss.SOM | ss.EOM, ss.OK
}

// TestPanic: a panic in a callback comes through, poisons the loop, and the loop's error names the stream.
func TestPanic(t *testing.T) {
	type story struct {
		where, proto string
		server       bool // the accepted stream panics, not the client
		nobody       bool
	}
	var stories []story
	for _, proto := range []string{"raw", "h1"} {
		for _, where := range []string{"POLL", "CONNECTING", "CONNECTED", "rx", "tx", "DISCONNECTED", "DESTROYING", "TIMEOUT", "EVENT_WAIT_CANCELLED"} {
			stories = append(stories, story{where, proto, false, false})
		}
		for _, where := range []string{"CREATING", "CONNECTING", "CONNECTED", "rx", "tx", "DISCONNECTED", "DESTROYING"} {
			stories = append(stories, story{where, proto, true, false})
		}
		stories = append(stories, story{"UNREACHABLE", proto, false, true}, story{"ALL_RETRIES_FAILED", proto, false, true})
	}
	stories = append(stories, story{"QOS_ACK_REMOTE", "h1", false, false}, story{"SERVER_TXN", "h1", true, false})
	for _, c := range stories {
		t.Run(fmt.Sprintf("%s %s server=%v", c.proto, c.where, c.server), func(t *testing.T) {
			srv := map[string]string{"raw": rawServer, "h1": h1Server}[c.proto]
			keys := map[string]string{"raw": "", "h1": `"http_method":"POST",`}[c.proto]
			w := newWorld(t, clientDoc(keys+`"opportunistic":true,"retry":"none","protocol":"`+c.proto+`"`, srv), plan{})
			name, on := "stream c", w.cli
			if c.server {
				name, on = "stream srv", w.srv
			}
			if !c.nobody {
				_, err := w.srv.rt.Create(ss.Info{StreamType: "srv", New: func(h *ss.Handle) ss.Stream {
					if c.server && h.Server() != nil {
						return twoWays{panicker{c.where}}
					}
					return twoWays{}
				}})
				if err != nil {
					t.Fatal(err)
				}
			}
			var st ss.Stream = panicker{}
			if !c.server {
				st = panicker{c.where}
			}
			h, err := w.cli.rt.Create(ss.Info{StreamType: "c", New: func(*ss.Handle) ss.Stream { return st }})
			if err != nil {
				t.Fatal(err)
			}
			h.StartTimeout(time.Second)
			h.RequestTx()
			w.cli.rt.CancelWait()
			w.net.At(2*time.Second, func() { h.StartTimeout(time.Second) })
			w.net.At(5*time.Second, h.Disconnect)
			w.net.At(7*time.Second, h.Destroy)
			w.net.At(8*time.Second, w.srv.rt.Close)
			came := func() (p any) {
				defer func() { p = recover() }()
				w.pass(10 * time.Second)
				return nil
			}()
			if came != "at "+c.where {
				t.Fatalf("panic: got %v, want %q", came, "at "+c.where)
			}
			var poisoned *loop.PoisonedError
			if err := on.loop.Poisoned(); !errors.As(err, &poisoned) || !strings.Contains(err.Error(), name) {
				t.Errorf("poison: got %v, want an error that names %q", err, name)
			}
			if _, err := on.rt.Create(ss.Info{StreamType: "c"}); !errors.As(err, &poisoned) {
				t.Errorf("create on a poisoned loop: got %v, want its poison", err)
			}
			if err := on.loop.Service(); !errors.As(err, &poisoned) {
				t.Errorf("service of a poisoned loop: got %v, want its poison", err)
			}
		})
	}
}

// twoWays answers: HTTP at once, raw by echo, so that every callback comes about.
type twoWays struct{ panicker }

func (s twoWays) State(h *ss.Handle, st ss.State, n ss.Notice) ss.Ret {
	r := s.panicker.State(h, st, n)
	if st == ss.ServerTxn {
		h.ServerAck(0)
	}
	return r
}

func (s twoWays) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	s.panicker.Rx(h, b, f)
	return h.RequestTx()
}
