package ss_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/sstest"
)

// tellings counts the states that streams received, by kind of stream: each state with the last move before it.
type tellings struct {
	moves  [3]map[[2]ss.State]int // of clients, accepted streams, servers
	events map[[2]ss.State]int    // event, and the last move before it
}

func newTellings() *tellings {
	y := &tellings{events: make(map[[2]ss.State]int)}
	for i := range y.moves {
		y.moves[i] = make(map[[2]ss.State]int)
	}
	return y
}

func (y *tellings) told(h *ss.Handle, life, s ss.State) {
	kind := 0
	switch {
	case h.Server() != nil:
		kind = 1
	case h.Policy().Server:
		kind = 2
	}
	if sstest.IsEvent(s) {
		y.events[[2]ss.State{s, life}]++
	} else if s < ss.UserBase {
		y.moves[kind][[2]ss.State{life, s}]++
	}
}

// eventful is a stream that, in each state, may receive TIMEOUT and EVENT_WAIT_CANCELLED before the next.
func eventful(s *script, states ...ss.State) *script {
	for _, st := range states {
		then := s.On[st]
		s.On[st] = func(h *ss.Handle, n ss.Notice) ss.Ret {
			h.StartTimeout(time.Millisecond)
			s.World.Net.At(2*time.Millisecond, func() { h.Runtime().CancelWait() })
			if then != nil {
				return then(h, n)
			}
			return ss.OK
		}
	}
	return s
}

// TestStatesTold runs streams of every protocol, clients and accepted ones, with and without faults. World.observe
// checks all states against both tables; this test compares them with the page (docs/states.md): a stream of that kind
// receives everything that the page lists as delivered, and nothing else.
func TestStatesTold(t *testing.T) {
	y := newTellings()
	seed := uint64(0)
	next := func() plan {
		seed++
		p := plan{Seed: seed, Told: y.told}
		if seed%2 == 0 {
			p.Net = badLink(rand.New(rand.NewPCG(seed, 7)))
		}
		return p
	}
	// Each outcome of a client stream, and the states of its server.
	for _, c := range outcomes() {
		w, _ := c.play(t, next())
		w.Net.SetOptions(sim.Options{})
	}
	// Useless servers, with programs that request more.
	for i, srv := range uselessServers {
		for _, conceal := range []int{0, 2} {
			w := newWorld(t, stormDoc(conceal, srv.keys+`,"nailed_up":true`), next())
			srv.serve(w)
			s := newScript()
			habits[(i+conceal)%len(habits)].set(w, s)
			w.Create("c", s)
			w.Advance(time.Minute)
			w.Net.Heal(w.Client.Host, w.Server.Host)
			w.Net.SetOptions(sim.Options{})
			w.Patience = 4 * time.Hour
		}
	}
	// A request with a body that the server refuses at first.
	w := newWorld(t, clientDoc(`"protocol":"h2","http_method":"POST","opportunistic":true,"retry":"three"`, rawServer), next())
	refused := false
	w.frames("srv", func(p *framePeer) {
		p.onReq = func(p *framePeer, q *peerRequest) {
			if !refused {
				refused = true
				p.reset(q, codeRefused)
				return
			}
			p.answer(q, 200, "hello")
		}
	})
	s := newScript()
	s.Say = []byte("payload")
	w.Create("c", s).RequestTx()
	w.Advance(10 * time.Second)
	w.Net.SetOptions(sim.Options{})
	w.Patience = 4 * time.Hour
	for _, proto := range []string{"raw", "h1", "h2", "ws"} {
		stateStories(t, proto, next)
	}

	for kind, l := range ss.Lives {
		for _, m := range ss.Transitions() {
			pair := [2]ss.State{m.From, m.To}
			n := y.moves[kind][pair]
			delete(y.moves[kind], pair)
			can := l.Makes(m) && ss.Untold[m.From] == "" && ss.Untold[m.To] == ""
			switch {
			case can && n == 0:
				t.Errorf("%s: the page has %s to %s (%s), which no scenario shows", l.Title, short(m.From), short(m.To), m.Why)
			case !can && n > 0:
				t.Errorf("%s: %s to %s was delivered %d times, and the page says it is not", l.Title, short(m.From), short(m.To), n)
			}
		}
		for pair, n := range y.moves[kind] {
			t.Errorf("%s: %s to %s was delivered %d times, and the page does not have it", l.Title, short(pair[0]), short(pair[1]), n)
		}
	}
	for event, states := range ss.Events() {
		for _, at := range states {
			n := y.events[[2]ss.State{event, at}]
			delete(y.events, [2]ss.State{event, at})
			can := ss.Untold[event] == "" && ss.Untold[at] == ""
			switch {
			case can && n == 0:
				t.Errorf("the page has %s in %s, which no scenario shows", short(event), short(at))
			case !can && n > 0:
				t.Errorf("%s in %s was delivered %d times, and the page says it is not", short(event), short(at), n)
			}
		}
	}
	for pair, n := range y.events {
		t.Errorf("%s in %s was delivered %d times, and the page does not have it", short(pair[0]), short(pair[1]), n)
	}
}

// stateStories are the lives of streams of one protocol that outcomes and uselessServers do not cover.
func stateStories(t *testing.T, proto string, next func() plan) {
	srv := map[string]string{"raw": rawServer, "h1": h1Server,
		"h2": `,{"srv":{"server":true,"port":80,"protocol":"h2"}}`, "ws": `,{"srv":{"server":true,"port":80,"protocol":"ws"}}`}[proto]
	doc := clientDoc(fmt.Sprintf(`"protocol":%q,"retry":"three"`, proto), srv)
	all := []ss.State{ss.Creating, ss.Connecting, ss.Connected, ss.Disconnected, ss.Unreachable, ss.AllRetriesFailed}
	serve := func(w *world, each func(*script)) *ss.Handle {
		h, _ := w.Serve("srv", func(s *script) {
			if proto == "h1" || proto == "h2" {
				answer(0, "hello")(s)
			}
			if each != nil {
				each(s)
			}
		})
		return h
	}
	story := func(f func(w *world)) {
		w := newWorld(t, doc, next())
		f(w)
		w.Net.Heal(w.Client.Host, w.Server.Host)
		w.Net.SetOptions(sim.Options{})
		w.Patience = 4 * time.Hour
	}
	// Events in every state, without a listener, with one, and again without.
	story(func(w *world) {
		s := eventful(newScript(), all...)
		h := w.Create("c", s)
		w.Advance(time.Second)
		w.Net.Partition(w.Client.Host, w.Server.Host)
		h.Connect() // CONNECTING takes time
		w.Advance(5 * time.Minute)
		h.RequestTx()
		w.Net.Heal(w.Client.Host, w.Server.Host)
		srv := serve(w, func(s *script) { eventful(s, all...) })
		w.Advance(time.Minute)
		h.RequestTx()
		w.Advance(time.Second)
		srv.Destroy()
		w.Advance(time.Second)
		h.RequestTx()
		w.Advance(time.Minute)
	})
	// Destroyed in every state, from inside and from outside.
	for _, st := range all {
		for _, inside := range []bool{true, false} {
			for _, up := range []bool{true, false} {
				story(func(w *world) {
					if up {
						serve(w, nil)
					} else if st == ss.Connecting {
						w.Net.Partition(w.Client.Host, w.Server.Host)
					}
					s := newScript()
					s.When(st, func(h *ss.Handle) ss.Ret {
						if inside {
							return ss.DestroyMe
						}
						w.Net.At(10*time.Microsecond, h.Destroy)
						return ss.OK
					})
					if st == ss.Disconnected {
						s.When(ss.Connected, func(h *ss.Handle) ss.Ret { w.Net.At(time.Second, h.Disconnect); return ss.OK })
					}
					h, err := w.Client.Runtime.Create(ss.Info{StreamType: "c", New: func(h *ss.Handle) ss.Stream { s.Handle, s.World = h, w.World; return s }})
					if err == nil {
						h.Connect()
					}
					w.Advance(time.Minute)
				})
			}
		}
		// The same for accepted streams.
		story(func(w *world) {
			serve(w, func(s *script) { s.When(st, func(*ss.Handle) ss.Ret { return ss.DestroyMe }) })
			w.Create("c", newScript()).Connect()
			w.Advance(time.Second)
		})
	}
	// A connection without a request, and one whose requests are far apart.
	story(func(w *world) {
		serve(w, nil)
		if proto != "raw" && proto != "ws" {
			p := w.peer(proto)
			p.ask("GET", "/", "")
			w.Advance(time.Second)
			w.Accepted[0].Handle.StartTimeout(time.Second)
			w.Advance(2 * time.Second)
			p.ask("GET", "/", "")
			w.Advance(time.Second)
		}
		w.peer("h1")
		w.Advance(3 * time.Minute)
	})
	// Started by RequestTx, and refused by its program.
	story(func(w *world) {
		serve(w, func(s *script) { answer(404, "no")(s) })
		w.Create("c", newScript()).RequestTx()
		w.Advance(time.Second)
	})
	if proto != "ws" {
		return
	}
	// A connection that answers a request, then becomes a WebSocket.
	w := newWorld(t, clientDoc(`"protocol":"raw","opportunistic":true`, srv), next())
	w.Serve("srv", answer(204, ""))
	s := newScript()
	s.Say, s.NoEOM = []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"), true
	s.When(ss.Connected, (*ss.Handle).RequestTx)
	w.Create("c", s).Connect()
	w.Advance(time.Second)
	w.Net.SetOptions(sim.Options{})
	w.Patience = 4 * time.Hour
}
