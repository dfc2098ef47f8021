package ss_test

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// stormTable is the backoff of the streams below, in ms, without jitter.
var stormTable = []int{500, 2000, 30000}

// stormBound is how many attempts the table allows within d: one at once, then one after each delay. Beyond that a
// stream may restart the table once because its first connection had no delay before it, and a program once more by
// a Connect that does not wait.
func stormBound(d time.Duration) int {
	n, at := 1, time.Duration(0)
	for i := 0; at <= d; i++ {
		at += time.Duration(stormTable[min(i, len(stormTable)-1)]) * time.Millisecond
		n++
	}
	return n + 1 + 2*len(stormTable)
}

// uselessServer is a server that serves nothing.
type uselessServer struct {
	name, keys string
	serve      func(w *world)
}

// hangUp makes an accepted raw stream end in CONNECTED.
func hangUp(s *script) {
	s.When(ss.Connected, func(*ss.Handle) ss.Ret { return ss.DisconnectMe })
}

// hangUpLater makes it end while a request may be in progress.
func hangUpLater(s *script) {
	s.When(ss.Connected, func(h *ss.Handle) ss.Ret {
		s.World.Net.At(20*time.Millisecond, h.Destroy)
		return ss.OK
	})
}

// switchAnd answers a WebSocket handshake, sends frames, and closes the connection.
func switchAnd(frames string) func(s *script) {
	key := regexp.MustCompile(`(?i)Sec-WebSocket-Key: *(\S+)`)
	return func(s *script) {
		s.NoEOM = true
		s.OnRx = func(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
			m := key.FindSubmatch(s.Got)
			if m == nil || !strings.Contains(string(s.Got), "\r\n\r\n") {
				return ss.OK
			}
			s.Got = s.Got[:0]
			sum := sha1.Sum([]byte(string(m[1]) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
			s.Said, s.Say = 0, []byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "+
				base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n"+frames)
			return h.RequestTx()
		}
		s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
			n, f, r := s.Give(h, buf)
			if s.Said == len(s.Say) {
				h.Disconnect()
			}
			return n, f, r
		}
	}
}

func raws(each func(*script)) func(*world) {
	return func(w *world) { w.Serve("srv", each) }
}

func framed(each func(*framePeer)) func(*world) {
	return func(w *world) { w.frames("srv", each) }
}

var uselessServers = []uselessServer{
	{"no listener", `"protocol":"raw"`, func(*world) {}},
	{"no answer to a connect", `"protocol":"h1"`, func(w *world) { w.Net.Partition(w.Client.Host, w.Server.Host) }},
	{"raw: accepts and closes", `"protocol":"raw"`, raws(hangUp)},
	{"raw: closes soon", `"protocol":"raw"`, raws(hangUpLater)},
	{"h1: accepts and closes", `"protocol":"h1"`, raws(hangUp)},
	{"h1: closes soon", `"protocol":"h1"`, raws(hangUpLater)},
	{"h1: 200 and closes before the body", `"protocol":"h1"`, raws(speak("\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true))},
	{"h1: 503", `"protocol":"h1"`, raws(speak("\r\n\r\n", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", false))},
	{"h1: a redirect", `"protocol":"h1"`, raws(speak("\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", false))},
	{"h1: a redirect to itself, followed", `"protocol":"h1","allow_redirects":true`, raws(speak("\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", false))},
	{"h1: not what http_expect says", `"protocol":"h1","http_expect":204`, raws(speak("\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", false))},
	{"h1: no HTTP", `"protocol":"h1"`, raws(speak("\r\n\r\n", "SSH-2.0-x\r\n\r\n", false))},
	{"ws: 101, then Close 1013", `"protocol":"ws"`, raws(switchAnd("\x88\x02\x03\xF5"))},
	{"ws: 101, then nothing", `"protocol":"ws"`, raws(switchAnd(""))},
	{"ws: 101, a Ping, then Close 1000", `"protocol":"ws"`, raws(switchAnd("\x89\x00\x88\x02\x03\xE8"))},
	{"ws: 403", `"protocol":"ws"`, raws(speak("\r\n\r\n", "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", false))},
	{"h2: accepts and closes", `"protocol":"h2"`, raws(hangUp)},
	{"h2: GOAWAY at once", `"protocol":"h2"`, framed(func(p *framePeer) {
		p.onHead, p.onReq = func(*peerRequest) { p.goAway(0, 0); p.h.Disconnect() }, nil
	})},
	{"h2: GOAWAY before a request", `"protocol":"h2"`, framed(func(p *framePeer) {
		p.mute, p.onReq = true, nil
		p.w.Net.At(time.Millisecond, func() { p.settings(-1); p.goAway(0, 0) })
	})},
	{"h2: refuses each stream", `"protocol":"h2"`, framed(func(p *framePeer) {
		p.onHead, p.onReq = func(q *peerRequest) { p.reset(q, codeRefused) }, nil
	})},
	{"h2: 200, then a reset", `"protocol":"h2"`, framed(func(p *framePeer) {
		p.onReq = func(p *framePeer, q *peerRequest) { p.head(q, 200, false); p.reset(q, codeInternal) }
	})},
}

// habit is the reaction of a program to a failure.
type habit struct {
	name string
	asks bool // it never rests
	set  func(w *world, s *script)
}

var (
	requests = (*ss.Handle).RequestTx
	connects = (*ss.Handle).Connect
)

// says makes each of the states call f.
func says(f func(*ss.Handle) ss.Ret, states ...ss.State) func(*world, *script) {
	return func(_ *world, s *script) {
		for _, st := range states {
			s.When(st, f)
		}
	}
}

var habits = []habit{
	{"waits", false, func(*world, *script) {}},
	{"RequestTx in UNREACHABLE", false, says(requests, ss.Unreachable)},
	{"RequestTx in ALL_RETRIES_FAILED", false, says(requests, ss.AllRetriesFailed)},
	{"Connect in UNREACHABLE", false, says(connects, ss.Unreachable)},
	{"Connect in ALL_RETRIES_FAILED", false, says(connects, ss.AllRetriesFailed)},
	{"RequestTx in all three", true, says(requests, ss.Unreachable, ss.AllRetriesFailed, ss.Disconnected)},
	{"Connect in all three", true, says(connects, ss.Unreachable, ss.AllRetriesFailed, ss.Disconnected)},
	{"sends in CONNECTED, and asks in all three", true, func(w *world, s *script) {
		s.Say, s.NoEOM = []byte("payload"), true
		says(requests, ss.Connected, ss.Unreachable, ss.AllRetriesFailed, ss.Disconnected)(w, s)
	}},
	{"leaves in CONNECTED, and comes back", true, func(w *world, s *script) {
		says(func(h *ss.Handle) ss.Ret { h.Connect(); return ss.DisconnectMe }, ss.Connected)(w, s)
		says(connects, ss.Unreachable, ss.AllRetriesFailed, ss.Disconnected)(w, s)
	}},
	{"Connect twice a second", true, func(w *world, s *script) {
		var again func()
		again = func() {
			if s.Handle != nil && !s.Dead {
				s.Handle.Connect()
				w.Net.At(500*time.Millisecond, again)
			}
		}
		w.Net.At(500*time.Millisecond, again)
	}},
	{"whatever comes to its mind", false, func(w *world, s *script) {
		r := w.Net.Rand()
		says(func(h *ss.Handle) ss.Ret {
			switch r.IntN(5) {
			case 0:
				h.Connect()
			case 1:
				h.RequestTx()
			case 2:
				h.RequestTx()
				h.Connect()
			case 3:
				h.Connect()
				return ss.DisconnectMe
			}
			return ss.OK
		}, ss.Connecting, ss.Connected, ss.Unreachable, ss.AllRetriesFailed, ss.Disconnected, ss.Poll)(w, s)
	}},
}

// TestNoRetryStorm: for every useless server and every reaction of the program, a stream makes no more attempts
// than its retry scheme allows, and both tables of states are respected.
func TestNoRetryStorm(t *testing.T) {
	const lasts = time.Hour
	bound := stormBound(lasts)
	seed := uint64(0)
	for _, srv := range uselessServers {
		t.Run(srv.name, func(t *testing.T) {
			for _, life := range []string{`"opportunistic":true`, `"nailed_up":true`} {
				for _, conceal := range []int{0, 2, 65535} {
					for _, hb := range habits {
						seed++
						if testing.Short() && seed%5 != 0 {
							continue
						}
						stormCell(t, seed, lasts, bound, srv, hb, life, conceal)
					}
				}
			}
		})
	}
}

func stormCell(t *testing.T, seed uint64, lasts time.Duration, bound int, srv uselessServer, hb habit, life string, conceal int) {
	p := plan{Seed: seed}
	if seed%3 != 0 {
		p.Net = badLink(rand.New(rand.NewPCG(seed, 7)))
	}
	w := newWorld(t, stormDoc(conceal, srv.keys+","+life), p)
	srv.serve(w)
	s := newScript()
	hb.set(w, s)
	h := w.Create("c", s)
	h.Connect()
	w.Advance(lasts)
	what := fmt.Sprintf("%s; conceal %d, %s; the program: %s (seed %d)", srv.name, conceal, life, hb.name, seed)
	n := w.Client.Runtime.Counters
	got := int(n.Attempts)
	if got > bound {
		t.Errorf("%s: attempts in %v: got %d, want at most %d\n%d short-lived, %d postponed, last states %s",
			what, lasts, got, bound, n.ShortLived, n.Postponed, s.Life()[max(0, len(s.Life())-200):])
	}
	if hb.asks && got < bound/3 && !strings.HasPrefix(srv.name, "raw") { // a raw connection may outlive its peer's end
		t.Errorf("%s: attempts in %v: got %d, want about %d: the stream rests although the program asks\n%s", what, lasts, got, bound, s.Life()[max(0, len(s.Life())-200):])
	}
	// Within one attempt an HTTP/2 client may change the connection four times, and four redirects are followed.
	if dials := int(w.Server.Runtime.Net().Counters.Accepted); dials > 5*bound {
		t.Errorf("%s: connections in %v: got %d, want at most %d", what, lasts, dials, 5*bound)
	}
	w.Net.Heal(w.Client.Host, w.Server.Host)
	w.Net.SetOptions(sim.Options{})
	w.Patience = 4 * time.Hour
	w.End()
}

func stormDoc(conceal int, keys string) string {
	list := ""
	for _, ms := range stormTable {
		list += strconv.Itoa(ms) + ","
	}
	return fmt.Sprintf(`{"retry":[{"r":{"backoff":[%s],"conceal":%d,"jitterpc":0}}],
		"s":[{"c":{"endpoint":"10.0.0.2","port":80,"retry":"r",%s}}%s]}`, strings.TrimSuffix(list, ","), conceal, keys, rawServer)
}

// TestNoRetryStormShared: streams that wait for one connection, or share it, each keep their own scheme.
func TestNoRetryStormShared(t *testing.T) {
	const lasts, streams = time.Hour, 8
	bound := stormBound(lasts)
	for i, srv := range uselessServers {
		if !strings.HasPrefix(srv.name, "h2") && !strings.HasPrefix(srv.name, "h1") {
			continue
		}
		for j, hb := range habits {
			if !hb.asks {
				continue
			}
			seed := uint64(1000*i + j)
			p := plan{Seed: seed, Net: badLink(rand.New(rand.NewPCG(seed, 7)))}
			w := newWorld(t, stormDoc(2, srv.keys+`,"opportunistic":true`), p)
			srv.serve(w)
			for range streams {
				s := newScript()
				hb.set(w, s)
				w.Create("c", s).Connect()
			}
			w.Advance(lasts)
			if got := int(w.Client.Runtime.Counters.Attempts); got > streams*bound {
				t.Errorf("%s; %d streams; the program: %s (seed %d): attempts in %v: got %d, want at most %d", srv.name, streams, hb.name, seed, lasts, got, streams*bound)
			}
			if dials := int(w.Server.Runtime.Net().Counters.Accepted); dials > 5*streams*bound {
				t.Errorf("%s; %d streams; the program: %s (seed %d): connections: got %d, want at most %d", srv.name, streams, hb.name, seed, dials, 5*streams*bound)
			}
			w.Net.SetOptions(sim.Options{})
			w.Patience = 4 * time.Hour
		}
	}
}
