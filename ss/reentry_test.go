package ss_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// reentryDoc: everything on one machine and one runtime, so that a callback of any stream reaches all others.
const reentryDoc = `{"retry":[{"r":{"backoff":[300],"conceal":1,"jitterpc":0}}],"s":[
	{"raw":{"endpoint":"10.0.0.2","port":80,"protocol":"raw","retry":"r","metadata":[{"m":""}]}},
	{"h1":{"endpoint":"10.0.0.2","port":81,"protocol":"h1","http_method":"POST","retry":"r","metadata":[{"m":"x-m:"}]}},
	{"ws":{"endpoint":"10.0.0.2","port":83,"protocol":"ws","retry":"r","metadata":[{"m":"x-m:"}]}},
	{"ws over h2":{"endpoint":"10.0.0.2","port":84,"protocol":"ws","ws_over_h2":true,"retry":"r","metadata":[{"m":"x-m:"}]}},
	{"wire":{"endpoint":"10.0.0.2","port":85,"protocol":"raw","retry":"r","metadata":[{"m":""}]}},
	{"unserved":{"endpoint":"10.0.0.2","port":82,"protocol":"h1","retry":"r","metadata":[{"m":""}]}},
	{"raw server":{"server":true,"port":80,"protocol":"raw","metadata":[{"m":""}]}},
	{"h1 server":{"server":true,"port":81,"protocol":"h1","metadata":[{"m":"x-m:"}]}},
	{"ws server":{"server":true,"port":83,"protocol":"ws","metadata":[{"m":"x-m:"}]}},
	{"ws over h2 server":{"server":true,"port":84,"protocol":"h2","ws_subprotocol":"chat","metadata":[{"m":"x-m:"}]}},
	{"wire server":{"server":true,"port":85,"protocol":"h2","ws_subprotocol":"chat","metadata":[{"m":"x-m:"}]}}]}`

// wireSays is the input of streams "wire": a request, a WebSocket handshake, and a text.
const wireSays = "GET / HTTP/1.1\r\nHost: h\r\n\r\n" +
	"GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x84\x00\x00\x00\x00ping"

// trap is the action of one callback at its first call.
type trap struct {
	role, kind string
	do         func(a *actor, h *ss.Handle) ss.Ret
	sprung     bool
}

// cast is the world of one cell of the matrix: two clients, a server, and its accepted streams.
type cast struct {
	*world
	trap     *trap
	handles  map[string]*ss.Handle // by role; "accepted" is the latest
	accepted map[*ss.Handle]bool   // that live
}

// actor is a Stream that receives every callback: it sends ping, echoes or answers, and starts
// a second transaction.
type actor struct {
	c      *cast
	role   string
	raw    bool
	says   string // by each Tx
	first  bool   // when the connection stands
	client bool
	again  int
	dead   bool
}

func (a *actor) spring(h *ss.Handle, kind string) ss.Ret {
	if a.dead {
		a.c.t.Errorf("%s: %s after DESTROYING", a.role, kind)
	}
	if t := a.c.trap; !t.sprung && t.role == a.role && t.kind == kind {
		t.sprung = true
		return t.do(a, h)
	}
	return ss.OK
}

func (a *actor) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	r := a.spring(h, short(s))
	switch s {
	case ss.Connected:
		if a.client && a.first {
			h.RequestTx()
		}
	case ss.ServerTxn:
		if h.ServerAck(0); !h.RequestBody() {
			h.RequestTx()
		}
	case ss.Disconnected:
		if a.again++; a.client && a.again == 1 {
			h.RequestTx()
		}
	case ss.Destroying:
		a.dead = true
		delete(a.c.accepted, h)
	}
	return r
}

func (a *actor) Rx(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
	r := a.spring(h, "rx")
	if !a.client && (a.raw || f&ss.EOM != 0) {
		h.RequestTx()
	}
	return r
}

func (a *actor) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	if r := a.spring(h, "tx"); r != ss.OK {
		return 0, 0, r
	}
	return copy(buf, a.says), ss.SOM | ss.EOM, ss.OK
}

func newCast(t testing.TB, proto string, tr *trap) *cast {
	c := &cast{world: newWorld(t, reentryDoc, plan{Single: true}), trap: tr,
		handles: map[string]*ss.Handle{}, accepted: map[*ss.Handle]bool{}}
	c.Net.SetLink(c.Client.Host, c.Client.Host, &sim.Link{Latency: 50 * time.Microsecond})
	c.start("listener", proto+" server", func() { c.start("first", proto, nil); c.start("second", proto, nil) })
	return c
}

// start creates a stream in a role; then runs when the server listens.
func (c *cast) start(role, streamType string, then func()) {
	like := actor{c: c, role: role, says: "ping", raw: streamType[:2] == "ra", first: streamType[:1] != "h"}
	if streamType == "wire" {
		like.says, like.raw = wireSays, true
	}
	h, err := c.Client.Runtime.Create(ss.Info{StreamType: streamType, New: func(h *ss.Handle) ss.Stream {
		if h.Server() == nil {
			c.handles[role] = h
			a := like
			a.client = !h.Policy().Server
			return &a
		}
		c.handles["accepted"] = h
		c.accepted[h] = true
		a := like
		a.role = "accepted"
		return &a
	}})
	if err == nil {
		h.StartTimeout(200 * time.Millisecond)
		h.RequestTx()
	}
	if then != nil {
		then()
	}
}

// play runs the world: an event for all, a disconnect, and the end.
func (c *cast) play() {
	c.Client.Runtime.CancelWait()
	c.Net.At(600*time.Millisecond, func() {
		for _, role := range []string{"accepted", "first", "second"} {
			if h := c.handles[role]; h != nil {
				h.StartTimeout(time.Millisecond)
			}
		}
		c.Client.Runtime.CancelWait()
	})
	c.Net.At(time.Second, func() {
		if h := c.handles["first"]; h != nil {
			h.Disconnect()
		}
	})
	c.Net.At(2*time.Second, func() {
		if h := c.handles["first"]; h != nil {
			h.Destroy()
		}
	})
	c.Advance(3 * time.Second)
	c.Client.Runtime.Close()
	c.Advance(10 * time.Second)
}

// quiet is the Stream that replaces another in the matrix.
type quiet struct{}

func (quiet) State(*ss.Handle, ss.State, ss.Notice) ss.Ret          { return ss.OK }
func (quiet) Rx(*ss.Handle, []byte, ss.Flags) ss.Ret                { return ss.OK }
func (quiet) Tx(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) { return 0, 0, ss.TxDontSend }

// deeds are the calls that a callback may make on a stream.
var deeds = []struct {
	name string
	do   func(c *cast, h *ss.Handle)
}{
	{"Destroy", func(_ *cast, h *ss.Handle) { h.Destroy() }},
	{"Disconnect", func(_ *cast, h *ss.Handle) { h.Disconnect() }},
	{"Pause", func(_ *cast, h *ss.Handle) { h.Pause() }},
	{"Resume", func(_ *cast, h *ss.Handle) { h.Resume() }},
	{"Pause and Resume", func(_ *cast, h *ss.Handle) { h.Pause(); h.Resume() }},
	{"Pause, and Resume later", func(c *cast, h *ss.Handle) { h.Pause(); c.Net.At(50*time.Millisecond, h.Resume) }},
	{"Connect", func(_ *cast, h *ss.Handle) { h.Connect() }},
	{"RequestTx", func(_ *cast, h *ss.Handle) { h.RequestTx() }},
	{"RequestTxLen", func(_ *cast, h *ss.Handle) { h.RequestTxLen(4) }},
	{"RequestTxLen of 0", func(_ *cast, h *ss.Handle) { h.RequestTxLen(0) }},
	{"RequestTxLen of too much", func(_ *cast, h *ss.Handle) { h.RequestTxLen(1 << 20) }},
	{"ChangeHandlers", func(_ *cast, h *ss.Handle) { h.ChangeHandlers(quiet{}) }},
	{"StartTimeout", func(_ *cast, h *ss.Handle) { h.StartTimeout(time.Hour) }},
	{"CancelTimeout", func(_ *cast, h *ss.Handle) { h.StartTimeout(time.Hour); h.CancelTimeout() }},
	{"SetMetadata", func(_ *cast, h *ss.Handle) { h.SetMetadataString("m", "value") }},
	{"ServerAck", func(_ *cast, h *ss.Handle) { h.ServerAck(204) }},
	{"ServerAck of a refusal", func(_ *cast, h *ss.Handle) { h.ServerAck(403) }},
	{"ServerAck and Disconnect", func(_ *cast, h *ss.Handle) { h.ServerAck(200); h.RequestTx(); h.Disconnect() }},
	{"ServerAck of nonsense", func(_ *cast, h *ss.Handle) { h.ServerAck(7) }},
	{"Destroy and everything else", func(_ *cast, h *ss.Handle) {
		h.Destroy()
		h.Connect()
		h.RequestTxLen(3)
		h.Disconnect()
		h.Pause()
		h.StartTimeout(time.Hour)
		h.SetMetadataString("m", "late")
		h.Destroy()
	}},
	{"Disconnect and Connect", func(_ *cast, h *ss.Handle) { h.Disconnect(); h.Connect() }},
	{"ForEachClient Destroy", func(_ *cast, h *ss.Handle) { h.ForEachClient((*ss.Handle).Destroy) }},
	{"Create", func(c *cast, h *ss.Handle) {
		if !h.Policy().Server {
			c.start("third", h.StreamType(), nil)
		} else {
			c.start("third", "raw", nil)
		}
	}},
	{"Create and Destroy", func(c *cast, h *ss.Handle) {
		c.start("third", "h1", nil)
		if h := c.handles["third"]; h != nil { // not when the runtime is closed
			h.Destroy()
		}
	}},
	{"Close the runtime", func(c *cast, _ *ss.Handle) { c.Client.Runtime.Close() }},
	{"Drain the runtime", func(c *cast, _ *ss.Handle) { c.Client.Runtime.Drain(func() {}) }},
	{"DisconnectWith", func(_ *cast, h *ss.Handle) { h.DisconnectWith(4000, "enough") }},
	{"DisconnectWith nonsense", func(_ *cast, h *ss.Handle) { h.DisconnectWith(1006, "\xff") }},
	{"DisconnectWith, RequestTx and Resume", func(_ *cast, h *ss.Handle) {
		h.Pause()
		h.DisconnectWith(ws.NoCode, "")
		h.RequestTx()
		h.Resume()
		h.DisconnectWith(4001, "again")
	}},
	{"Finish", func(_ *cast, h *ss.Handle) { h.Finish(4000, "enough") }},
	{"Finish nonsense", func(_ *cast, h *ss.Handle) { h.Finish(1006, "\xff") }},
	{"Finish, RequestTx and DisconnectWith", func(_ *cast, h *ss.Handle) {
		h.Finish(ws.Normal, "")
		h.RequestTx()
		h.DisconnectWith(4001, "again")
	}},
	{"Send", func(_ *cast, h *ss.Handle) { h.Send([]byte("now"), ss.SOM|ss.EOM) }},
	{"Send of a beginning", func(_ *cast, h *ss.Handle) { h.Send([]byte("now"), ss.SOM) }},
	{"Disconnect and Send", func(_ *cast, h *ss.Handle) { h.Disconnect(); h.Send([]byte("now"), ss.SOM|ss.EOM) }},
	{"Send, Pause and Destroy", func(_ *cast, h *ss.Handle) { h.Send([]byte("now"), ss.SOM|ss.EOM); h.Pause(); h.Destroy() }},
	{"CancelWait", func(c *cast, _ *ss.Handle) { c.Client.Runtime.CancelWait() }},
}

// kinds are the callbacks of a role, all of which are called if they do nothing.
var kinds = []struct {
	proto, role string
	kinds       []string
}{
	{"raw", "first", []string{"CREATING", "POLL", "CONNECTING", "CONNECTED", "tx", "rx", "TIMEOUT", "EVENT_WAIT_CANCELLED", "DISCONNECTED", "DESTROYING"}},
	{"raw", "accepted", []string{"CREATING", "CONNECTING", "CONNECTED", "rx", "tx", "TIMEOUT", "EVENT_WAIT_CANCELLED", "DISCONNECTED", "DESTROYING"}},
	{"raw", "listener", []string{"CREATING", "TIMEOUT", "EVENT_WAIT_CANCELLED", "DESTROYING"}},
	{"h1", "first", []string{"CREATING", "POLL", "CONNECTING", "tx", "CONNECTED", "rx", "QOS_ACK_REMOTE", "TIMEOUT", "EVENT_WAIT_CANCELLED", "DISCONNECTED", "DESTROYING"}},
	{"h1", "accepted", []string{"CREATING", "CONNECTING", "CONNECTED", "SERVER_TXN", "rx", "tx", "TIMEOUT", "EVENT_WAIT_CANCELLED", "DISCONNECTED", "DESTROYING"}},
	{"ws", "first", []string{"CREATING", "POLL", "CONNECTING", "CONNECTED", "tx", "rx", "TIMEOUT", "EVENT_WAIT_CANCELLED", "DISCONNECTED", "DESTROYING"}},
	{"ws", "accepted", []string{"CREATING", "CONNECTING", "CONNECTED", "SERVER_UPGRADE", "rx", "tx", "TIMEOUT", "EVENT_WAIT_CANCELLED", "DISCONNECTED", "DESTROYING"}},
	{"ws over h2", "first", []string{"CREATING", "POLL", "CONNECTING", "CONNECTED", "tx", "rx", "TIMEOUT", "EVENT_WAIT_CANCELLED", "DISCONNECTED", "DESTROYING"}},
	{"ws over h2", "accepted", []string{"CREATING", "CONNECTING", "CONNECTED", "SERVER_UPGRADE", "rx", "tx", "TIMEOUT", "EVENT_WAIT_CANCELLED", "DISCONNECTED", "DESTROYING"}},
	{"wire", "accepted", []string{"CREATING", "CONNECTING", "CONNECTED", "SERVER_TXN", "SERVER_UPGRADE", "rx", "tx", "TIMEOUT", "EVENT_WAIT_CANCELLED", "DISCONNECTED", "DESTROYING"}},
	{"h1", "unserved", []string{"UNREACHABLE", "ALL_RETRIES_FAILED", "POLL", "TIMEOUT"}},
}

// TestReentry: every callback of every role makes every call on every stream, itself included. Nothing
// illegal follows (both tables are watched), nothing is called after DESTROYING, and nothing is left.
func TestReentry(t *testing.T) {
	cell := 0
	for _, k := range kinds {
		for _, kind := range k.kinds {
			try := func(name string, do func(a *actor, h *ss.Handle) ss.Ret) {
				if cell++; testing.Short() && cell%7 != 0 {
					return
				}
				t.Run(fmt.Sprintf("%s %s in %s: %s", k.proto, k.role, kind, name), func(t *testing.T) {
					tr := &trap{role: k.role, kind: kind, do: do}
					c := newCast(t, k.proto, tr)
					if k.role == "unserved" {
						c.start("unserved", "unserved", nil)
					}
					c.play()
					if !tr.sprung {
						t.Errorf("the callback never came about")
					}
				})
			}
			for _, r := range []ss.Ret{ss.TxDontSend, ss.DisconnectMe, ss.DestroyMe, ss.Destroyed, 42} {
				try(fmt.Sprintf("answer %d", r), func(*actor, *ss.Handle) ss.Ret { return r })
			}
			for _, d := range deeds {
				for _, target := range []string{"self", "first", "second", "accepted", "listener"} {
					if target == k.role {
						continue
					}
					try(d.name+" on "+target, func(a *actor, h *ss.Handle) ss.Ret {
						if target != "self" {
							if h = a.c.handles[target]; h == nil {
								return ss.OK // it does not exist yet
							}
						}
						d.do(a.c, h)
						return ss.OK
					})
				}
			}
		}
	}
	t.Logf("%d cells", cell)
}
