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

// wsHouse is a runtime in this process, on a goroutine of its own, as a wsPeer: server streams, and client streams for
// another peer's servers.
type wsHouse struct {
	loop    *loop.Loop
	rt      *ss.Runtime
	servers map[string]*ss.Handle
	over    chan error

	// The rest is the loop's.
	notes   map[string]*wsNote
	waiting map[string][]*ss.Handle // for others to come, before they hear anything
	idle    []func()                // end conversations that go on without a word
	held    int                     // bytes that echoes hold
	most    int                     // the most that was ever held
	paused  int                     // times an echo stopped reading
	taken   uint64                  // bytes that echoes have had
}

// wsNote is what a server saw.
type wsNote struct {
	seen wsSeen
	over bool
	// Of ours only: how the handshake asked, if the policy has metadata for that, and from where.
	method, peer string
}

// wsServerTypes are servers without and with compression, and of HTTP that serve a subprotocol.
const wsServerTypes = `
	{"open":     {CLEAR,  "protocol": "ws", ARGS}},
	{"open_tls": {SERVER, "protocol": "ws", ARGS}},
	{"packed":   {CLEAR,  "protocol": "ws", "ws_deflate": true, ARGS}},
	{"chat":     {CLEAR,  "protocol": "h2", "ws_subprotocol": "chat", ARGS}},
	{"two_tls":  {SERVER, "protocol": "h2", "ws_subprotocol": "chat", ARGS}}`

const wsArgs = `"metadata": [{"id": ""}, {"bye": ""}, {"reason": ""}, {"refuse": ""}, {"gate": ""}, {"idle": ""},
	{"origin": "origin:"}, {"said": "x-said:"}, {"reply": "x-reply:"}]`

// wsClientTypes are clients of one server: what there is behind the port, all that a conversation can ask for.
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

// newWSHouse starts one with clients for what peer serves, if there is one.
func newWSHouse(t *testing.T, keys *wsTLS, terms wsTerms, peer wsPeer) *wsHouse {
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
	return openWSHouse(t, keys, types, terms, (*wsHouse).serves, "open", "open_tls", "packed", "chat", "two_tls")
}

// openWSHouse starts one with these stream types, of which those named are servers whose accepted streams serves makes.
func openWSHouse(t *testing.T, keys *wsTLS, types string, terms wsTerms, serves func(h *wsHouse, s *ss.Handle) ss.Stream, servers ...string) *wsHouse {
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
	h := &wsHouse{loop: loop.New(sys, loop.Config{}), servers: map[string]*ss.Handle{}, over: make(chan error, 1), notes: map[string]*wsNote{},
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
			t.Errorf("our loop: %v", err)
		}
		if err := h.loop.Close(); err != nil {
			t.Errorf("loop close: %v", err)
		}
	})
	return h
}

// do has the loop's goroutine do something, and waits for that.
func (h *wsHouse) do(f func()) {
	done := make(chan struct{})
	if err := h.loop.Post(func() { f(); close(done) }); err != nil {
		panic(err)
	}
	<-done
}

// at implements wsPeer.
func (h *wsHouse) at(c *wsConversation) string {
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

// addr is where a server stream listens.
func (h *wsHouse) addr(name string) (at string) {
	h.do(func() { a, _ := h.servers[name].Addr(); at = a.String() })
	return at
}

// saw implements wsPeer.
func (h *wsHouse) saw(id string) (s wsSeen, over bool) {
	h.do(func() {
		if n := h.notes[id]; n != nil && n.over {
			s, over = n.seen, true
		}
	})
	return s, over
}

// play implements wsPeer.
func (h *wsHouse) play(target string, c *wsConversation) wsSeen {
	u, err := url.Parse(target)
	if err != nil {
		return wsSeen{Error: err.Error()}
	}
	x := &wsCaller{house: h, c: c, left: len(c.messages()), ended: make(chan wsSeen, 1)}
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

// rest waits until nothing is left of any connection.
func (h *wsHouse) rest(t *testing.T) {
	t.Helper()
	var streams, open int
	var used int64
	poll(t, "our runtime to have nothing but its servers", func() bool {
		h.do(func() { streams, open, used = h.rt.Len()-len(h.servers), h.rt.Net().Open(), h.loop.Account().Used() })
		return streams == 0 && open == 0 && used == 0
	})
}

// moved returns how many bytes of payload came and went through sockets.
func (h *wsHouse) moved() (in, out int) {
	h.do(func() { c := h.rt.Net().Counters; in, out = int(c.BytesIn), int(c.BytesOut) })
	return in, out
}

const (
	// accountMost is the most that may ever be charged: a hundred TLS handshakes at a time need 2.7 MB, of which messages
	// have nothing.
	accountMost = 4 << 20
	// echoesMost is the most that all echoes may ever hold.
	echoesMost = 1 << 20
)

// sound fails the test if there was anything on our side that peers in good health cannot cause, or too much was held.
func (h *wsHouse) sound(t *testing.T) {
	t.Helper()
	h.do(func() {
		plain, packed := h.rt.WS()
		for _, c := range []ws.Counters{plain, packed} {
			if c.Malformed+c.BadText+c.Over+c.Timeouts+c.Abnormal+c.Silent != 0 {
				t.Errorf("counted what should not have been: %+v", c)
			}
		}
		if c := h.rt.Counters; c.Illegal+c.Misuse != 0 {
			t.Errorf("streams did what they may not: %+v", c)
		}
		t.Logf("%d connections, %d messages; at most %d bytes held by echoes, %d charged to the account", plain.Opened+packed.Opened,
			plain.RxMessages+packed.RxMessages, h.most, h.loop.Account().Peak())
		if peak := h.loop.Account().Peak(); peak > accountMost || h.most > echoesMost {
			t.Errorf("%d bytes were charged at a time, want %d at most; echoes held %d, want %d at most", peak, accountMost, h.most, echoesMost)
		}
	})
}

// packed fails the test unless messages were compressed, both ways.
func (h *wsHouse) packed(t *testing.T) {
	t.Helper()
	h.do(func() {
		if _, c := h.rt.WS(); c.Inflated == 0 || c.Deflated == 0 {
			t.Errorf("%d bytes were inflated, %d deflated", c.Inflated, c.Deflated)
		}
	})
}
