package interop

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/ss"
)

// wsRuntime is a runtime in this process, on its own goroutine, as a wsPeer: server streams, and client streams for
// the servers of another peer.
type wsRuntime struct {
	loop    *loop.Loop
	rt      *ss.Runtime
	servers map[string]*ss.Handle
	over    chan error

	// Only the loop's goroutine uses the rest.
	notes   map[string]*wsNote
	waiting map[string][]*ss.Handle // accepted streams that wait for the others of their gate
	idle    []func()                // close idle conversations
	held    int                     // bytes that echoes hold
	most    int                     // maximum of held
	paused  int                     // times an echo stopped reading
	taken   uint64                  // bytes that echoes have received
}

// wsNote is what a server received.
type wsNote struct {
	seen wsSeen
	over bool
	// Only our server sets these: the method of the handshake request, if the policy has metadata for it, and the peer's address.
	method, peer string
}

// wsServerTypes are servers without and with compression, and HTTP servers that accept a subprotocol.
const wsServerTypes = `
	{"open":     {CLEAR,  "protocol": "ws", ARGS}},
	{"open_tls": {SERVER, "protocol": "ws", ARGS}},
	{"packed":   {CLEAR,  "protocol": "ws", "ws_deflate": true, ARGS}},
	{"chat":     {CLEAR,  "protocol": "h2", "ws_subprotocol": "chat", ARGS}},
	{"two_tls":  {SERVER, "protocol": "h2", "ws_subprotocol": "chat", ARGS}}`

const wsArgs = `"metadata": [{"id": ""}, {"close_code": ""}, {"reason": ""}, {"refuse": ""}, {"gate": ""}, {"idle": ""},
	{"origin": "origin:"}, {"said": "x-said:"}, {"reply": "x-reply:"}]`

// wsClientTypes are clients of one server, with every option that a conversation can need.
func wsClientTypes(at string, secure, h2 bool) (doc string) {
	how := `"endpoint": "127.0.0.1", "opportunistic": true, "retry": "once"`
	if secure {
		how = "CLIENT"
	}
	_, port, _ := strings.Cut(at, ":")
	for _, deflate := range []bool{false, true} {
		for _, offered := range []string{"", "chat"} {
			doc += fmt.Sprintf(`, {%q: {%s, "port": %s, "protocol": "ws", "http_url": "${path}", "ws_over_h2": %v, "ws_deflate": %v, "ws_subprotocol": %q,
				"metadata": [{"path": ""}, {"origin": "origin:"}, {"said": "x-said:"}, {"reply": "x-reply:"}, {"terms": "sec-websocket-extensions:"}]}}`,
				wsClientType(port, deflate, offered), how, port, h2, deflate, offered)
		}
	}
	return strings.ReplaceAll(doc, `"ws_subprotocol": "",`, "")
}

func wsClientType(port string, deflate bool, offered string) string {
	return fmt.Sprintf("to_%s_%v_%s", port, deflate, offered)
}

// newWSRuntime starts a runtime with clients for the servers of peer, if peer is not nil.
func newWSRuntime(t *testing.T, keys *wsTLS, terms wsTerms, peer wsPeer) *wsRuntime {
	t.Helper()
	types := strings.NewReplacer("ARGS", wsArgs, "CLEAR", `"server": true, "endpoint": "127.0.0.1", "port": 0, "retry": "once"`).Replace(wsServerTypes)
	if peer != nil {
		done := map[string]bool{}
		for _, secure := range []bool{false, true} {
			for _, deflate := range []string{"", "fresh", "keep"} {
				for _, h2 := range []bool{false, true} {
					if at := peer.at(&wsConversation{secure: secure, deflate: deflate, h2: h2}); at != "" && !done[at] {
						done[at] = true
						types += wsClientTypes(at, secure, h2)
					}
				}
			}
		}
	}
	return openWSRuntime(t, keys, types, terms, (*wsRuntime).serves, "open", "open_tls", "packed", "chat", "two_tls")
}

// openWSRuntime starts a runtime with these stream types. Those named are servers; serves creates their accepted streams.
func openWSRuntime(t *testing.T, keys *wsTLS, types string, terms wsTerms, serves func(h *wsRuntime, s *ss.Handle) ss.Stream, servers ...string) *wsRuntime {
	t.Helper()
	doc := securely(t, keys.ca, keys.leaf, types)
	if terms.alive {
		doc = strings.Replace(doc, `"jitterpc":0`, `"jitterpc":0,"svalidping":1,"svalidhup":4`, 1)
	}
	p, err := policy.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	sys, err := loop.NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	h := &wsRuntime{loop: loop.New(sys, loop.Config{}), servers: map[string]*ss.Handle{}, over: make(chan error, 1), notes: map[string]*wsNote{},
		waiting: map[string][]*ss.Handle{}}
	c := ws.DefaultConfig()
	c.Deflate.KeepTx, c.Deflate.KeepRx = terms.keepTx, terms.keepRx
	if h.rt, err = ss.New(ss.Config{Loop: h.loop, Policy: p, PanicOnIllegal: true, KeepWarm: -1, WS: &c}); err != nil {
		t.Fatal(err)
	}
	accept := func(s *ss.Handle) ss.Stream {
		if s.Server() == nil {
			return nil
		}
		return serves(h, s)
	}
	for _, name := range servers {
		if h.servers[name], err = h.rt.Create(ss.Info{StreamType: name, New: accept}); err != nil {
			t.Fatal(err)
		}
	}
	go func() { h.over <- h.loop.Run(context.Background()) }()
	t.Cleanup(func() {
		h.loop.Post(h.loop.Stop)
		if err := <-h.over; err != nil {
			t.Errorf("loop: %v", err)
		}
		if err := h.loop.Close(); err != nil {
			t.Errorf("loop close: %v", err)
		}
	})
	return h
}

// do runs f on the loop's goroutine, and waits for it.
func (h *wsRuntime) do(f func()) {
	done := make(chan struct{})
	if err := h.loop.Post(func() { f(); close(done) }); err != nil {
		panic(err)
	}
	<-done
}

// at implements wsPeer.
func (h *wsRuntime) at(c *wsConversation) string {
	name := "open"
	switch {
	case c.h2 && c.secure:
		name = "two_tls"
	case c.secure:
		name = "open_tls"
	case c.deflate != "":
		name = "packed"
	case c.h2, c.served != "":
		name = "chat"
	}
	return h.addr(name)
}

// addr returns where a server stream listens.
func (h *wsRuntime) addr(name string) (at string) {
	h.do(func() { a, _ := h.servers[name].Addr(); at = a.String() })
	return at
}

// saw implements wsPeer.
func (h *wsRuntime) saw(id string) (s wsSeen, over bool) {
	h.do(func() {
		if n := h.notes[id]; n != nil && n.over {
			s, over = n.seen, true
		}
	})
	return s, over
}

// play implements wsPeer.
func (h *wsRuntime) play(target string, c *wsConversation) wsSeen {
	u, err := url.Parse(target)
	if err != nil {
		return wsSeen{Error: err.Error()}
	}
	x := &wsCaller{runtime: h, c: c, left: len(c.messages()), ended: make(chan wsSeen, 1)}
	h.do(func() {
		s, err := h.rt.Create(ss.Info{StreamType: wsClientType(u.Port(), c.deflate != "", c.offered), New: func(*ss.Handle) ss.Stream { return x }})
		if err != nil {
			x.ended <- wsSeen{Error: err.Error()}
			return
		}
		for name, v := range map[string]string{"path": u.RequestURI(), "origin": c.origin, "said": c.said} {
			if v == "" {
				continue
			}
			if err := s.SetMetadataString(name, v); err != nil {
				x.seen.Error = err.Error()
			}
		}
		s.Connect()
	})
	select {
	case s := <-x.ended:
		return s
	case <-time.After(patience):
		var dump strings.Builder
		h.do(func() { h.rt.Dump(&dump); x.seen.Error = "the conversation did not end\n" + dump.String() })
		return x.seen
	}
}

// rest waits until no connection is left.
func (h *wsRuntime) rest(t *testing.T) {
	t.Helper()
	var streams, open int
	var used int64
	poll(t, "our runtime to have nothing but its servers", func() bool {
		h.do(func() { streams, open, used = h.rt.Len()-len(h.servers), h.rt.Net().Open(), h.loop.Account().Used() })
		return streams == 0 && open == 0 && used == 0
	})
}

// moved returns how many bytes of payload sockets received and sent.
func (h *wsRuntime) moved() (in, out int) {
	h.do(func() { c := h.rt.Net().Counters; in, out = int(c.BytesIn), int(c.BytesOut) })
	return in, out
}

const (
	// accountMost is the most that the account may ever be charged: a hundred concurrent TLS handshakes need 2.7 MB, and
	// messages almost nothing.
	accountMost = 4 << 20
	// echoesMost is the most that all echoes may ever hold.
	echoesMost = 1 << 20
)

// sound fails the test if our side counted an event that well-behaved peers cannot cause, or held too much.
func (h *wsRuntime) sound(t *testing.T) {
	t.Helper()
	h.do(func() {
		plain, packed := h.rt.WS()
		for _, c := range []ws.Counters{plain, packed} {
			if c.Malformed+c.BadText+c.Over+c.Timeouts+c.Abnormal+c.Silent != 0 {
				t.Errorf("got unexpected WebSocket counters: %+v", c)
			}
		}
		if c := h.rt.Counters; c.Illegal+c.Misuse != 0 {
			t.Errorf("got contract violations of streams: %+v", c)
		}
		t.Logf("%d connections, %d messages; at most %d bytes held by echoes, %d charged to the account", plain.Opened+packed.Opened,
			plain.RxMessages+packed.RxMessages, h.most, h.loop.Account().Peak())
		if peak := h.loop.Account().Peak(); peak > accountMost || h.most > echoesMost {
			t.Errorf("got a peak charge of %d bytes, want %d at most; echoes held %d, want %d at most", peak, accountMost, h.most, echoesMost)
		}
	})
}

// compressed fails the test unless messages were compressed in both directions.
func (h *wsRuntime) compressed(t *testing.T) {
	t.Helper()
	h.do(func() {
		if _, c := h.rt.WS(); c.Inflated == 0 || c.Deflated == 0 {
			t.Errorf("%d bytes were inflated, %d deflated", c.Inflated, c.Deflated)
		}
	})
}
