package ss_test

import (
	stdtls "crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// TestPriorKnowledge: without TLS a stream of protocol h2 uses HTTP/2 from the first byte. An attempt on a server
// without HTTP/2 fails.
func TestPriorKnowledge(t *testing.T) {
	w := newWorld(t, sharedDoc, plan{Net: slowLink})
	w.Serve("raw", speak("PRI", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", true))
	s := w.get("a")
	w.WantLife("the stream", s, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
	if got := fmt.Sprint(s.Causes); !strings.Contains(got, "may not speak HTTP/2") {
		t.Errorf("the cause: got %s, want one that says what to think of it", got)
	}
}

// TestALPN: over TLS the server decides. If it supports only HTTP/1.1, the streams of protocol h2 use one connection
// in turn, or one each if the server closes it.
func TestALPN(t *testing.T) {
	p := newPKI(t, "127.0.0.1")
	for _, c := range []struct {
		name        string
		two, closes bool
		alpn        string
		conns       int
	}{
		{"h2", true, false, "h2", 1},
		{"http/1.1", false, false, "http/1.1", 1},
		{"http/1.1, each closed", false, true, "http/1.1", 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			conns := 0
			var mu sync.Mutex
			var protos []string
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				protos = append(protos, r.Proto+" "+r.URL.Path)
				if c.closes {
					w.Header().Set("Connection", "close")
				}
				io.WriteString(w, "hello")
			}))
			s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
				mu.Lock()
				defer mu.Unlock()
				if st == http.StateNew {
					conns++
				}
			}
			s.EnableHTTP2 = c.two
			s.TLS = &stdtls.Config{Certificates: []stdtls.Certificate{p.pair}}
			s.StartTLS()
			defer s.Close()
			l, cli := secureClient(t, p, s.Listener.Addr().(*net.TCPAddr).Port, `"protocol":"h2"`)
			var all []*told
			for range 5 {
				s := &told{Builder: new(strings.Builder)}
				h, err := cli.Create(ss.Info{StreamType: "cli", New: func(*ss.Handle) ss.Stream { return s }})
				if err != nil {
					t.Fatal(err)
				}
				h.Connect()
				all = append(all, s)
			}
			serviceUntil(t, l, func() bool {
				return !slices.ContainsFunc(all, func(s *told) bool { return !s.end })
			})
			for i, s := range all {
				want := "CREATING CONNECTING CONNECTED helloQOS_ACK_REMOTE DISCONNECTED "
				if s.String() != want || !strings.HasPrefix(s.tls, "TLS 1.3 "+c.alpn+" ") {
					t.Errorf("stream %d: got %q over %q, want %q over %s; cause %v", i, s, s.tls, want, c.alpn, s.cause)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if conns != c.conns || len(protos) != 5 {
				t.Errorf("the server saw %d connections and %q; want %d and five requests", conns, protos, c.conns)
			}
		})
	}
}

// TestPollOnH1: a long poll on a server of HTTP/1.1 does not block the streams after it.
func TestPollOnH1(t *testing.T) {
	p := newPKI(t, "127.0.0.1")
	release := make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/poll" {
			<-release
		}
		io.WriteString(w, r.URL.Path)
	}))
	s.TLS = &stdtls.Config{Certificates: []stdtls.Certificate{p.pair}}
	s.StartTLS()
	defer s.Close()
	l, cli := secureClient(t, p, s.Listener.Addr().(*net.TCPAddr).Port,
		`"protocol":"h2","http_url":"/poll","long_poll":true}},{"other":{"endpoint":"127.0.0.1","port":`+
			fmt.Sprint(s.Listener.Addr().(*net.TCPAddr).Port)+`,"tls":true,"tls_trust_store":"lab","opportunistic":true,"protocol":"h2"`)
	make := func(typ string) *told {
		c := &told{Builder: new(strings.Builder)}
		h, err := cli.Create(ss.Info{StreamType: typ, New: func(*ss.Handle) ss.Stream { return c }})
		if err != nil {
			t.Fatal(err)
		}
		h.Connect()
		return c
	}
	polls := make("cli")
	a, b := make("other"), make("other")
	serviceUntil(t, l, func() bool { return a.end && b.end })
	close(release)
	serviceUntil(t, l, func() bool { return polls.end })
	if got := cli.Net().Counters.Dialled; got != 2 {
		t.Errorf("connections: got %d, want 2: the poll's, and one for the others", got)
	}
}

// secureClient is a runtime on real sockets whose stream type "cli" connects to a port over TLS.
func secureClient(t *testing.T, p pki, port int, keys string) (*loop.Loop, *ss.Runtime) {
	t.Helper()
	sys, err := loop.NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	l := loop.New(sys, loop.Config{})
	t.Cleanup(func() { l.Close() })
	pol, err := policy.Parse(fmt.Appendf(nil, `{"certs":[{"ca":%q}],"trust_stores":[{"name":"lab","stack":["ca"]}],
		"retry":[{"once":{"backoff":[1],"conceal":0}}],"s":[{"cli":{"endpoint":"127.0.0.1","port":%d,"tls":true,
		"tls_trust_store":"lab","retry":"once","opportunistic":true,%s}}]}`, p.ca, port, keys))
	if err != nil {
		t.Fatal(err)
	}
	rt, err := ss.New(ss.Config{Loop: l, Policy: pol, PanicOnIllegal: true})
	if err != nil {
		t.Fatal(err)
	}
	return l, rt
}

// serviceUntil turns a loop until the condition holds.
func serviceUntil(t *testing.T, l *loop.Loop, until func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !until(); {
		if err := l.Service(); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatal("it took more than ten seconds")
		}
	}
}

// TestValidity: svalidping and svalidhup of the retry scheme apply to the connection; the strictest of its streams'
// schemes wins.
func TestValidity(t *testing.T) {
	doc := `{"retry":[{"slow":{"svalidping":30,"svalidhup":40}},{"quick":{"svalidping":3,"svalidhup":10}}],"s":[
		{"slow":{"endpoint":"10.0.0.2","port":80,"protocol":"h2","http_url":"/s","retry":"slow","opportunistic":true}},
		{"quick":{"endpoint":"10.0.0.2","port":80,"protocol":"h2","http_url":"/q","retry":"quick","opportunistic":true}},
		{"never":{"endpoint":"10.0.0.2","port":80,"protocol":"h2","http_url":"/n","opportunistic":true}},
		{"raw":{"server":true,"port":80,"protocol":"raw"}}]}`
	for _, c := range []struct {
		types string
		mute  bool
		pings int
		lost  time.Duration // 0: never
	}{
		{"never", false, 0, 0},
		{"never", true, 0, 0},
		{"slow", false, 1, 0},
		{"slow", true, 1, 40 * time.Second},
		{"slow quick", false, 18, 0},
		{"quick slow never", true, 1, 10 * time.Second},
	} {
		t.Run(fmt.Sprintf("%s, mute %v", c.types, c.mute), func(t *testing.T) {
			w := newWorld(t, doc, plan{})
			peers := w.frames("raw", func(p *framePeer) {
				p.onReq = func(p *framePeer, q *peerRequest) { p.head(q, 200, false) }
			})
			w.Advance(time.Second)
			var all []*script
			for _, typ := range strings.Fields(c.types) {
				all = append(all, w.begin(typ, 1)[0])
			}
			w.Settle()
			at := w.Net.Now()
			(*peers)[0].mute = c.mute
			for _, s := range all {
				s.Handle.Pause() // or the role's own patience with a silent body would end first
			}
			w.Advance(55 * time.Second)
			n := 0
			for _, l := range (*peers)[0].log {
				if l == "PING" {
					n++
				}
			}
			if n != c.pings {
				t.Errorf("pings: got %d, want %d", n, c.pings)
			}
			for _, s := range all {
				if c.lost == 0 {
					w.WantLife("a stream", s, "CREATING CONNECTING CONNECTED")
					continue
				}
				w.WantLife("a stream", s, "CREATING CONNECTING CONNECTED DISCONNECTED")
				if got := s.At[3] - at; got < c.lost-time.Second || got > c.lost+time.Second {
					t.Errorf("lost after %v, want %v", got, c.lost)
				}
			}
		})
	}
}

// TestDumpOfSharedConnection: Dump shows the connection of a stream, the number of streams on it, and the streams
// that wait.
func TestDumpOfSharedConnection(t *testing.T) {
	w := newWorld(t, sharedDoc, plan{Net: slowLink, Client: func(c *ss.Config) { c.SharedMax = 1 }})
	w.frames("raw", func(p *framePeer) {
		p.limit = 2
		p.onReq = nil
	})
	w.begin("a", 150)
	w.Advance(100 * time.Millisecond)
	var b strings.Builder
	w.Client.Runtime.Dump(&b)
	for _, want := range []string{"150 streams, 1 connections, 0 warm",
		"connection of 2 streams, the latest a (10.0.0.2:80, open), h2 connection 1, streams on it: 2",
		"waiting for an exchange with 10.0.0.2:80, streams before it: 0", "streams before it: 1", "streams before it: 99\n", "streams before it: 100 or more\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("dump: got %q, want %q in it", b.String(), want)
		}
	}
}

// TestSharedEnds: Close and Drain end shared connections and waiting streams.
func TestSharedEnds(t *testing.T) {
	for _, how := range []string{"close", "drain"} {
		for _, at := range []time.Duration{500 * time.Microsecond, 100 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s after %v", how, at), func(t *testing.T) {
				w := newWorld(t, sharedDoc, plan{Net: slowLink})
				w.frames("raw", func(p *framePeer) {
					p.limit = 2
					p.onReq = nil
				})
				all := w.begin("a", 6)
				w.Advance(at)
				done := false
				if how == "close" {
					w.Client.Runtime.Close()
					done = true
				} else {
					w.Client.Runtime.Drain(func() { done = true })
				}
				w.Advance(10 * time.Second)
				if n := w.Client.Runtime.Net().Open(); n != 0 || !done {
					t.Errorf("connections: got %d, want none; done: got %v, want true", n, done)
				}
				for _, s := range all {
					w.WantLife("a stream", s, "CREATING CONNECTING DESTROYING")
				}
			})
		}
	}
}

// TestPauseShared: a paused stream does not stop the other streams of its connection.
func TestPauseShared(t *testing.T) {
	w := newWorld(t, sharedDoc, plan{Net: slowLink})
	peers := w.frames("raw", func(p *framePeer) {
		p.onReq = func(p *framePeer, q *peerRequest) { p.head(q, 200, false) }
	})
	all := w.begin("a", 2)
	w.Advance(100 * time.Millisecond)
	all[0].Handle.Pause()
	p := (*peers)[0]
	for _, q := range append([]*peerRequest(nil), p.requests...) {
		p.data(q, "hello", true)
	}
	w.Advance(100 * time.Millisecond)
	w.WantLife("the one that paused", all[0], "CREATING CONNECTING CONNECTED")
	w.WantLife("the other", all[1], oneGET)
	all[0].Handle.Resume()
	w.Advance(100 * time.Millisecond)
	w.WantLife("the one that paused", all[0], oneGET)
}

// TestSuspectConnection: no stream joins a connection that has received nothing while a stream waited, until it
// answers a ping. A peer that has vanished costs one attempt, not all.
func TestSuspectConnection(t *testing.T) {
	for _, alive := range []bool{true, false} {
		t.Run(fmt.Sprintf("the peer is alive: %v", alive), func(t *testing.T) {
			w := newWorld(t, sharedDoc, plan{Net: slowLink})
			peers := w.frames("raw", func(p *framePeer) {
				p.onReq = func(p *framePeer, q *peerRequest) {
					if q.path == "/b" {
						p.answer(q, 200, "")
					}
				}
			})
			w.get("b")
			all := w.begin("a", 2)
			w.Advance(100 * time.Millisecond)
			(*peers)[0].mute = !alive
			all[0].Handle.Disconnect()
			w.Advance(100 * time.Millisecond)
			w.WantLife("the one that gave up", all[0], "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
			w.WantLife("the next", w.get("b"), oneGET)
			want := 2
			if alive {
				want = 1
			}
			w.wantConns(want)
			w.WantLife("the one that waits", all[1], "CREATING CONNECTING")
			if got := strings.Join((*peers)[0].log, " "); got != "RST_STREAM(3) PING" {
				t.Errorf("what the server received: got %s, want the reset and a ping", got)
			}
			all[1].Handle.Disconnect()
			w.Advance(20 * time.Second)
			if n := w.Client.Runtime.Net().Open(); n != 0 {
				t.Errorf("connections: got %d, want none", n)
			}
		})
	}
}

// TestSuspectUnusedConnection: a connection whose only user gave up before any response is kept, and serves again
// once it has answered a ping.
func TestSuspectUnusedConnection(t *testing.T) {
	for _, alive := range []bool{true, false} {
		t.Run(fmt.Sprintf("the peer is alive: %v", alive), func(t *testing.T) {
			w := newWorld(t, sharedDoc, plan{Net: slowLink})
			peers := w.frames("raw", func(p *framePeer) {
				p.onReq = func(p *framePeer, q *peerRequest) {
					if q.path == "/b" {
						p.answer(q, 200, "")
					}
				}
			})
			w.get("b")
			(*peers)[0].mute = !alive
			all := w.begin("a", 1)
			w.Advance(500 * time.Microsecond)
			all[0].Handle.Disconnect()
			w.Advance(100 * time.Millisecond)
			w.WantLife("the next", w.get("b"), oneGET)
			want := 2
			if alive {
				want = 1
			}
			w.wantConns(want)
		})
	}
}

// TestSuspectConnectionFails: if the only connection is suspect, its failure is reported to the next stream.
func TestSuspectConnectionFails(t *testing.T) {
	w := newWorld(t, sharedDoc, plan{Net: slowLink})
	peers := w.frames("raw", func(p *framePeer) {
		p.onReq = func(p *framePeer, q *peerRequest) {
			if q.path == "/b" {
				p.answer(q, 200, "")
			}
		}
	})
	w.get("b")
	all := w.begin("a", 2)
	w.Advance(100 * time.Millisecond)
	(*peers)[0].mute = true
	all[0].Handle.Disconnect()
	o := w.Net.Options()
	o.Refuse = 1
	w.Net.SetOptions(o)
	w.Settle()
	w.WantLife("the next", w.get("b"), "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
}
