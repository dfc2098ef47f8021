package ss_test

import (
	"errors"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
)

// TestConnectAndRequestTx: how each of the two starts a connection; a repeated call has no further effect.
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
			s.When(ss.Connecting, (*ss.Handle).RequestTx)
			h.Connect()
		}, `CREATING CONNECTING CONNECTED tx("x"|SOM)`},
		{"RequestTx in CONNECTED", `"protocol":"raw"`, func(s *script, h *ss.Handle) {
			s.When(ss.Connected, (*ss.Handle).RequestTx)
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
			w.Serve("srv", nil)
			s := newScript()
			s.Say, s.NoEOM = []byte("x"), true
			c.do(s, w.Create("c", s))
			w.Settle()
			w.WantLine("the stream", s, c.want)
		})
	}
}

// TestPollDeclined: DISCONNECT_ME from POLL cancels the attempt; the next request has only one POLL.
func TestPollDeclined(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw"`, rawServer), plan{})
	w.Serve("srv", nil)
	s := newScript()
	s.Say, s.NoEOM = []byte("x"), true
	s.When(ss.Poll, func(*ss.Handle) ss.Ret { return ss.DisconnectMe })
	h := w.Create("c", s)
	h.RequestTx()
	w.Advance(time.Minute)
	w.WantLine("the stream that declined", s, "CREATING POLL")
	h.RequestTx()
	w.Settle()
	w.WantLine("the stream", s, `CREATING POLL CONNECTING CONNECTED tx("x"|SOM)`)
}

// TestInCreating: requests of a stream in its first callback.
func TestInCreating(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw","retry":"none"`, rawServer), plan{})
	w.Serve("srv", nil)
	s := newScript()
	s.Say, s.NoEOM = []byte("x"), true
	s.When(ss.Creating, func(h *ss.Handle) ss.Ret { h.Pause(); h.StartTimeout(time.Second); return h.RequestTx() })
	w.Create("c", s)
	w.Advance(2 * time.Second)
	w.WantLine("the stream", s, `CREATING POLL CONNECTING CONNECTED tx("x"|SOM) TIMEOUT`)

	for _, r := range []ss.Ret{ss.DestroyMe, ss.Destroyed} {
		s = newScript()
		s.World = w.World
		s.When(ss.Creating, func(h *ss.Handle) ss.Ret { h.StartTimeout(time.Second); h.Connect(); return r })
		h, err := w.Client.Runtime.Create(ss.Info{StreamType: "c", New: func(*ss.Handle) ss.Stream { return s }})
		if h != nil || !errors.Is(err, ss.ErrDestroyed) {
			t.Errorf("create, answered with %v: got %v, %v; want ErrDestroyed", r, h, err)
		}
		w.Advance(2 * time.Second)
		w.WantLine("the stream that would not be", s, "CREATING DESTROYING")
	}
}

// TestTimeout: TIMEOUT is delivered once, in every state, and changes nothing else.
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
			s.Say = []byte("late")
			s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
				h.ServerAck(0)
				s.World.Net.At(d, func() { h.RequestTxLen(4) })
				return ss.OK
			})
		}
	}
	body := `rx("late"|SOM) rx(""|EOM) QOS_ACK_REMOTE DISCONNECTED`
	for _, c := range []struct {
		name     string
		typ      string
		each     func(*script)
		setup    func(s *script)
		noServer bool
		want     string
		server   string
	}{
		{name: "in CREATING", setup: func(s *script) { s.When(ss.Creating, start(10*time.Millisecond)) }, noServer: true,
			want: "CREATING CONNECTING UNREACHABLE TIMEOUT POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED"},
		{name: "in UNREACHABLE, during the delay", setup: func(s *script) { s.When(ss.Unreachable, start(10*time.Millisecond)) }, noServer: true,
			want: "CREATING CONNECTING UNREACHABLE TIMEOUT POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED"},
		{name: "in ALL_RETRIES_FAILED", setup: func(s *script) { s.When(ss.AllRetriesFailed, start(10*time.Millisecond)) }, noServer: true,
			want: "CREATING CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED TIMEOUT"},
		{name: "in CONNECTING, from the policy", setup: func(s *script) { s.When(ss.Connecting, start(ss.TimeoutFromPolicy)) }, each: slow(500 * time.Millisecond),
			want: "CREATING CONNECTING TIMEOUT CONNECTED " + body},
		{name: "in CONNECTING, not reached", setup: func(s *script) { s.When(ss.Connecting, start(ss.TimeoutFromPolicy)) }, each: slow(200 * time.Millisecond),
			want: "CREATING CONNECTING CONNECTED " + body},
		{name: "from a policy without one", typ: "none", setup: func(s *script) { s.When(ss.Connecting, start(ss.TimeoutFromPolicy)) }, each: slow(500 * time.Millisecond),
			want: "CREATING CONNECTING CONNECTED " + body},
		{name: "longer than the policy's", setup: func(s *script) { s.When(ss.Connecting, start(400*time.Millisecond)) }, each: slow(500 * time.Millisecond),
			want: "CREATING CONNECTING TIMEOUT CONNECTED " + body},
		{name: "started anew", setup: func(s *script) {
			s.When(ss.Connecting, func(h *ss.Handle) ss.Ret {
				h.StartTimeout(ss.TimeoutFromPolicy)
				s.World.Net.At(200*time.Millisecond, func() { h.StartTimeout(ss.TimeoutFromPolicy) })
				return ss.OK
			})
		}, each: slow(450 * time.Millisecond), want: "CREATING CONNECTING CONNECTED " + body},
		{name: "cancelled", setup: func(s *script) {
			s.When(ss.Connecting, func(h *ss.Handle) ss.Ret {
				h.StartTimeout(ss.TimeoutFromPolicy)
				s.World.Net.At(200*time.Millisecond, h.CancelTimeout)
				return ss.OK
			})
		}, each: slow(500 * time.Millisecond), want: "CREATING CONNECTING CONNECTED " + body},
		{name: "the end of the transaction cancels", setup: func(s *script) { s.When(ss.Connected, start(time.Second)) }, each: slow(0),
			want: "CREATING CONNECTING CONNECTED " + body},
		{name: "in DISCONNECTED", setup: func(s *script) { s.When(ss.Disconnected, start(time.Second)) }, each: slow(0),
			want: "CREATING CONNECTING CONNECTED " + body + " TIMEOUT"},
		{name: "twice", setup: func(s *script) {
			s.When(ss.Connecting, start(100*time.Millisecond))
			s.When(ss.Timeout, func(h *ss.Handle) ss.Ret {
				if s.Told(ss.Timeout) == 1 {
					h.StartTimeout(100 * time.Millisecond)
				}
				return ss.OK
			})
		}, each: slow(500 * time.Millisecond), want: "CREATING CONNECTING TIMEOUT TIMEOUT CONNECTED " + body},
		{name: "answered with DISCONNECT_ME while connecting", setup: func(s *script) {
			s.When(ss.Connecting, start(100*time.Millisecond)).When(ss.Timeout, func(*ss.Handle) ss.Ret { return ss.DisconnectMe })
		}, each: slow(time.Hour), want: "CREATING CONNECTING TIMEOUT UNREACHABLE POLL CONNECTING TIMEOUT UNREACHABLE ALL_RETRIES_FAILED"},
		{name: "answered with DESTROY_ME while connecting", setup: func(s *script) {
			s.When(ss.Connecting, start(100*time.Millisecond)).When(ss.Timeout, func(*ss.Handle) ss.Ret { return ss.DestroyMe })
		}, each: slow(time.Hour), want: "CREATING CONNECTING TIMEOUT DESTROYING"},
		{name: "answered with DESTROY_ME in CREATING", setup: func(s *script) {
			s.When(ss.Creating, start(time.Millisecond)).When(ss.Timeout, func(*ss.Handle) ss.Ret { return ss.DestroyMe })
		}, each: slow(time.Hour), want: "CREATING CONNECTING TIMEOUT DESTROYING"},
		{name: "server, between head and answer", each: func(s *script) {
			slow(400 * time.Millisecond)(s)
			ack := s.On[ss.ServerTxn]
			s.On[ss.ServerTxn] = func(h *ss.Handle, n ss.Notice) ss.Ret { h.StartTimeout(0); return ack(h, n) }
		}, want: "CREATING CONNECTING CONNECTED " + body, server: `CREATING CONNECTING CONNECTED SERVER_TXN TIMEOUT tx("late"|SOM|EOM)`},
		{name: "server, cancelled by the end of the transaction", each: func(s *script) {
			slow(0)(s)
			ack := s.On[ss.ServerTxn]
			s.On[ss.ServerTxn] = func(h *ss.Handle, n ss.Notice) ss.Ret { h.StartTimeout(0); return ack(h, n) }
		}, want: "CREATING CONNECTING CONNECTED " + body, server: `CREATING CONNECTING CONNECTED SERVER_TXN tx("late"|SOM|EOM)`},
		{name: "server, in CREATING", each: func(s *script) {
			slow(400 * time.Millisecond)(s)
			s.When(ss.Creating, start(100*time.Millisecond))
		}, want: "CREATING CONNECTING CONNECTED " + body, server: `CREATING CONNECTING CONNECTED SERVER_TXN TIMEOUT tx("late"|SOM|EOM)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, doc, plan{})
			if !c.noServer {
				w.Serve("srv", c.each)
			}
			s := newScript()
			if c.setup != nil {
				c.setup(s)
			}
			if c.typ == "" {
				c.typ = "c"
			}
			w.Create(c.typ, s).Connect()
			w.Advance(3 * time.Second)
			w.WantLine("the stream", s, c.want)
			if c.server != "" {
				w.WantLine("the server's stream", w.Accepted[0], c.server)
			}
		})
	}
}

// TestTimeoutThenTransaction: libwebsockets has no step from TIMEOUT to SERVER_TXN; a CONNECTED in between
// makes it legal.
func TestTimeoutThenTransaction(t *testing.T) {
	w := newWorld(t, wireDoc, plan{})
	w.Serve("srv", answer(0, ""))
	s := w.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	w.Settle()
	w.Accepted[0].Handle.StartTimeout(time.Second)
	w.Advance(2 * time.Second)
	s.Said = 0
	s.Handle.RequestTx()
	w.Settle()
	w.WantLine("the server's stream", w.Accepted[0], "CREATING CONNECTING CONNECTED SERVER_TXN TIMEOUT CONNECTED SERVER_TXN")
}

// TestDeadHandle: every call on a destroyed handle does nothing, and reports that if it can.
func TestDeadHandle(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"h1","metadata":[{"m":""}]`, ""), plan{})
	s := newScript()
	h := w.Create("c", s)
	h.SetMetadataString("m", "v")
	h.Destroy()
	w.Settle()
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
	w.Advance(2 * time.Second)
	w.WantLine("the stream", s, "CREATING DESTROYING")
	if h.Life() != ss.Destroying {
		t.Errorf("Life: got %v, want %v", h.Life(), ss.Destroying)
	}
}

// TestChangeHandlers: the next callback goes to the new Stream.
func TestChangeHandlers(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw","opportunistic":true`, rawServer), plan{})
	w.Serve("srv", func(s *script) { s.OnRx = echoRx(s) })
	a, b := newScript(), newScript()
	b.World, b.Say, b.NoEOM = w.World, []byte("b"), true
	a.When(ss.Connected, func(h *ss.Handle) ss.Ret {
		h.ChangeHandlers(b)
		h.ChangeHandlers(nil)
		if h.Stream() != ss.Stream(b) {
			t.Errorf("Stream: got %v, want the new one", h.Stream())
		}
		return h.RequestTx()
	})
	h := w.Create("c", a)
	h.Connect()
	w.Settle()
	h.Destroy()
	w.Settle()
	w.WantLine("the old one", a, "CREATING CONNECTING CONNECTED")
	w.WantLine("the new one", b, `tx("b"|SOM) rx("b") DISCONNECTED DESTROYING`)
}

// TestCancelWait: every live stream receives EVENT_WAIT_CANCELLED, in every state, and nothing else changes.
func TestCancelWait(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw","retry":"three"`, rawServer), plan{})
	_, listener := w.Serve("srv", nil)
	up, idle := newScript(), newScript()
	w.Create("c", up).Connect()
	w.Create("c", idle)
	w.Settle()
	if err := w.Client.Runtime.CancelWait(); err != nil {
		t.Fatal(err)
	}
	w.Server.Runtime.CancelWait()
	w.Settle()
	w.WantLine("the connected one", up, "CREATING CONNECTING CONNECTED EVENT_WAIT_CANCELLED")
	w.WantLine("the idle one", idle, "CREATING EVENT_WAIT_CANCELLED")
	w.WantLine("the listener", listener, "CREATING EVENT_WAIT_CANCELLED")
	w.WantLine("the accepted one", w.Accepted[0], "CREATING CONNECTING CONNECTED EVENT_WAIT_CANCELLED")
}
