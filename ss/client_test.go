package ss_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// clientDoc is a policy with a client stream type "c" for the server machine, and additional text.
func clientDoc(keys, more string) string {
	return fmt.Sprintf(`{"retry":[
		{"three":{"backoff":[1000,2000,4000],"conceal":3,"jitterpc":0}},
		{"never":{"backoff":[500],"conceal":65535,"jitterpc":0}},
		{"none":{"backoff":[700],"conceal":0,"jitterpc":0}}],
	"s":[{"c":{"endpoint":"10.0.0.2","port":80,%s}}%s]}`, keys, more)
}

const (
	h1Server  = `,{"srv":{"server":true,"port":80,"protocol":"h1","metadata":[{"mime":"content-type:"},{"method":""},{"path":""}]}}`
	rawServer = `,{"srv":{"server":true,"port":80,"protocol":"raw"}}`
)

// outcome is a row of libwebsockets' table of the states of a client stream after an event.
type outcome struct {
	name  string
	keys  string        // of the stream type
	srv   string        // the server's stream type; none: no listener
	each  func(*script) // what accepted streams do
	setup func(s *script)
	lasts time.Duration // 0: ten seconds
	want  string
}

func outcomes() []outcome {
	const up = "CREATING CONNECTING CONNECTED "
	hangUpAtOnce := func(s *script) {
		s.When(ss.Connected, func(h *ss.Handle) ss.Ret { return ss.DisconnectMe })
	}
	http := func(text string) func(*script) { return speak("\r\n\r\n", "HTTP/1.1 "+text, false) }
	refusedTwice := "CREATING CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED"
	return []outcome{
		{name: "connection refused", keys: `"protocol":"h1","opportunistic":true,"retry":"three"`, want: refusedTwice},
		{name: "raw connection refused", keys: `"protocol":"raw","opportunistic":true,"retry":"three"`, want: refusedTwice},
		{name: "peer accepts and closes before any response", srv: rawServer, each: hangUpAtOnce,
			keys: `"protocol":"h1","opportunistic":true,"retry":"three"`, want: refusedTwice},
		{name: "what comes is no HTTP", srv: rawServer, each: speak("\r\n\r\n", "SSH-2.0-x\r\n\r\n", false),
			keys: `"protocol":"h1","opportunistic":true,"retry":"three"`, want: refusedTwice},
		{name: "redirect that is not followed", srv: rawServer, each: http("302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n"),
			keys: `"protocol":"h1","opportunistic":true,"retry":"three"`, want: refusedTwice},
		{name: "503", srv: rawServer, each: http("503 Busy\r\nContent-Length: 4\r\n\r\nbusy"),
			keys: `"protocol":"h1","opportunistic":true,"retry":"three"`, want: refusedTwice},
		{name: "429", srv: rawServer, each: http("429 Slow Down\r\nContent-Length: 0\r\n\r\n"),
			keys: `"protocol":"h1","opportunistic":true,"retry":"three"`, want: refusedTwice},
		{name: "no retries", keys: `"protocol":"h1","retry":"none"`, want: "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED"},
		{name: "200 with a body", srv: h1Server, each: answer(0, "hello"),
			keys: `"protocol":"h1"`, want: up + `rx("hello"|SOM) rx(""|EOM) QOS_ACK_REMOTE DISCONNECTED`},
		{name: "200 without", srv: h1Server, each: answer(0, ""),
			keys: `"protocol":"h1"`, want: up + `QOS_ACK_REMOTE DISCONNECTED`},
		{name: "204", srv: rawServer, each: http("204 No Content\r\n\r\n"),
			keys: `"protocol":"h1"`, want: up + `QOS_ACK_REMOTE DISCONNECTED`},
		{name: "304 is no redirect", srv: rawServer, each: http("304 Not Modified\r\n\r\n"),
			keys: `"protocol":"h1"`, want: up + `QOS_NACK_REMOTE DISCONNECTED`},
		{name: "100 and 103 before 200", srv: rawServer, each: http("100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
			keys: `"protocol":"h1"`, want: up + `rx("hi"|SOM) rx(""|EOM) QOS_ACK_REMOTE DISCONNECTED`},
		{name: "404 with a body", srv: h1Server, each: answer(404, "gone"),
			keys: `"protocol":"h1"`, want: up + `rx("gone"|SOM) rx(""|EOM) QOS_NACK_REMOTE DISCONNECTED`},
		{name: "404 is what is expected", srv: h1Server, each: answer(404, "gone"),
			keys: `"protocol":"h1","http_expect":404`, want: up + `rx("gone"|SOM) rx(""|EOM) QOS_ACK_REMOTE DISCONNECTED`},
		{name: "503 is what is expected", srv: h1Server, each: answer(503, ""),
			keys: `"protocol":"h1","http_expect":503`, want: up + `QOS_ACK_REMOTE DISCONNECTED`},
		{name: "200 is not what is expected", srv: h1Server, each: answer(200, ""),
			keys: `"protocol":"h1","http_expect":404,"retry":"three"`, want: refusedTwice},
		{name: "status in the map", srv: h1Server, each: answer(404, "x"),
			keys: `"protocol":"h1","http_resp_map":[{"404":1404},{"200":1200}]`,
			want: "CREATING CONNECTING USER(1404) CONNECTED " + `rx("x"|SOM) rx(""|EOM) QOS_NACK_REMOTE DISCONNECTED`},
		{name: "chunked", srv: rawServer, each: http("200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n"),
			keys: `"protocol":"h1"`, want: up + `rx("abc"|SOM) rx(""|EOM) QOS_ACK_REMOTE DISCONNECTED`},
		{name: "body ends with the connection", srv: rawServer, each: speak("\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nall-of-it", true),
			keys: `"protocol":"h1"`, want: up + `rx("all-of-it"|SOM) rx(""|EOM) QOS_ACK_REMOTE DISCONNECTED`},
		{name: "close in the middle of a body, opportunistic", srv: rawServer,
			each: speak("\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", true),
			keys: `"protocol":"h1","opportunistic":true`, want: up + `rx("half"|SOM) DISCONNECTED`},
		{name: "close in the middle of a body, not opportunistic", srv: rawServer, lasts: 1200 * time.Millisecond,
			each: speak("\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", true),
			keys: `"protocol":"h1","retry":"never"`,
			want: up + `rx("half"|SOM) DISCONNECTED POLL CONNECTING CONNECTED rx("half"|SOM) DISCONNECTED POLL CONNECTING CONNECTED rx("half"|SOM) DISCONNECTED`},
		{name: "raw close, opportunistic", srv: rawServer, each: hangUpAtOnce,
			keys: `"protocol":"raw","opportunistic":true,"retry":"three"`, want: up + `rx(""|EOM) DISCONNECTED`},
		{name: "raw close, not opportunistic", srv: rawServer, each: hangUpAtOnce, lasts: 1100 * time.Millisecond,
			keys: `"protocol":"raw","retry":"three"`, want: up + `rx(""|EOM) DISCONNECTED POLL CONNECTING CONNECTED rx(""|EOM) DISCONNECTED`},
		{name: "rx answers DISCONNECT_ME", srv: h1Server, each: answer(0, "hello"),
			setup: func(s *script) {
				s.OnRx = func(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.DisconnectMe }
			},
			keys: `"protocol":"h1","opportunistic":true`, want: up + `rx("hello"|SOM) DISCONNECTED`},
		{name: "rx answers DESTROY_ME", srv: h1Server, each: answer(0, "hello"),
			setup: func(s *script) {
				s.OnRx = func(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.DestroyMe }
			},
			keys: `"protocol":"h1"`, want: up + `rx("hello"|SOM) DISCONNECTED DESTROYING`},
		{name: "tx answers DISCONNECT_ME", srv: rawServer,
			setup: func(s *script) {
				s.When(ss.Connected, (*ss.Handle).RequestTx)
				s.OnTx = func(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) { return 0, 0, ss.DisconnectMe }
			},
			keys: `"protocol":"raw","opportunistic":true`, want: up + "DISCONNECTED"},
		{name: "http tx answers DISCONNECT_ME", srv: h1Server,
			setup: func(s *script) {
				s.OnTx = func(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) { return 0, 0, ss.DisconnectMe }
			},
			keys: `"protocol":"h1","http_method":"POST","retry":"none"`, want: "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED"},
		{name: "CONNECTED answers DESTROY_ME", srv: h1Server, each: answer(0, "hello"),
			setup: func(s *script) { s.When(ss.Connected, func(*ss.Handle) ss.Ret { return ss.DestroyMe }) },
			keys:  `"protocol":"h1"`, want: up + "DISCONNECTED DESTROYING"},
		{name: "CONNECTED answers SS_HANDLE_DESTROYED", srv: h1Server, each: answer(0, "hello"),
			setup: func(s *script) { s.When(ss.Connected, func(*ss.Handle) ss.Ret { return ss.Destroyed }) },
			keys:  `"protocol":"h1"`, want: up + "DISCONNECTED DESTROYING"},
		{name: "ACK answers DESTROY_ME", srv: h1Server, each: answer(0, ""),
			setup: func(s *script) { s.When(ss.QOSAckRemote, func(*ss.Handle) ss.Ret { return ss.DestroyMe }) },
			keys:  `"protocol":"h1"`, want: up + "QOS_ACK_REMOTE DISCONNECTED DESTROYING"},
		{name: "NACK answers DESTROY_ME", srv: h1Server, each: answer(500, ""),
			setup: func(s *script) { s.When(ss.QOSNackRemote, func(*ss.Handle) ss.Ret { return ss.DestroyMe }) },
			keys:  `"protocol":"h1"`, want: up + "QOS_NACK_REMOTE DISCONNECTED DESTROYING"},
		{name: "ACK answers DISCONNECT_ME: the transaction is complete, nothing reconnects", srv: h1Server, each: answer(0, ""), lasts: time.Minute,
			setup: func(s *script) { s.When(ss.QOSAckRemote, func(*ss.Handle) ss.Ret { return ss.DisconnectMe }) },
			keys:  `"protocol":"h1","nailed_up":true`, want: up + "QOS_ACK_REMOTE DISCONNECTED"},
		{name: "UNREACHABLE answers DESTROY_ME",
			setup: func(s *script) { s.When(ss.Unreachable, func(*ss.Handle) ss.Ret { return ss.DestroyMe }) },
			keys:  `"protocol":"h1","retry":"three"`, want: "CREATING CONNECTING UNREACHABLE DESTROYING"},
		{name: "last UNREACHABLE answers DESTROY_ME",
			setup: func(s *script) { s.When(ss.Unreachable, func(*ss.Handle) ss.Ret { return ss.DestroyMe }) },
			keys:  `"protocol":"h1","retry":"none"`, want: "CREATING CONNECTING UNREACHABLE DESTROYING"},
		{name: "ALL_RETRIES_FAILED answers DESTROY_ME",
			setup: func(s *script) { s.When(ss.AllRetriesFailed, func(*ss.Handle) ss.Ret { return ss.DestroyMe }) },
			keys:  `"protocol":"h1","retry":"none"`, want: "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED DESTROYING"},
		{name: "POLL answers DESTROY_ME",
			setup: func(s *script) { s.When(ss.Poll, func(*ss.Handle) ss.Ret { return ss.DestroyMe }) },
			keys:  `"protocol":"h1","retry":"three"`, want: "CREATING CONNECTING UNREACHABLE POLL DESTROYING"},
		{name: "CONNECTING answers DESTROY_ME", srv: h1Server,
			setup: func(s *script) { s.When(ss.Connecting, func(*ss.Handle) ss.Ret { return ss.DestroyMe }) },
			keys:  `"protocol":"h1"`, want: "CREATING CONNECTING DESTROYING"},
		{name: "CONNECTING answers DISCONNECT_ME", srv: h1Server,
			setup: func(s *script) { s.When(ss.Connecting, func(*ss.Handle) ss.Ret { return ss.DisconnectMe }) },
			keys:  `"protocol":"h1","retry":"none"`, want: "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED"},
		{name: "nailed_up connects by itself, and does not repeat a transaction", srv: h1Server, each: answer(0, ""), lasts: time.Minute,
			keys: `"protocol":"h1","nailed_up":true`, want: up + "QOS_ACK_REMOTE DISCONNECTED"},
	}
}

// play runs the row, and returns the stream.
func (c *outcome) play(t testing.TB, p plan) (*world, *script) {
	w := newWorld(t, clientDoc(c.keys, c.srv), p)
	if c.srv != "" {
		w.Serve("srv", c.each)
	}
	s := newScript()
	if c.setup != nil {
		c.setup(s)
	}
	h := w.Create("c", s)
	if !h.Policy().NailedUp {
		h.Connect()
	}
	if c.lasts == 0 {
		c.lasts = 10 * time.Second
	}
	w.Advance(c.lasts)
	return w, s
}

func TestOutcomes(t *testing.T) {
	for _, c := range outcomes() {
		t.Run(c.name, func(t *testing.T) {
			w, s := c.play(t, plan{})
			w.WantLine("the stream", s, c.want)
		})
	}
}

// TestOutcomesOnBadLinks: delay, fragmentation and late events change the time and the pieces of the callbacks,
// and nothing else.
func TestOutcomesOnBadLinks(t *testing.T) {
	seeds := uint64(20)
	if testing.Short() {
		seeds = 3
	}
	for _, c := range outcomes() {
		t.Run(c.name, func(t *testing.T) {
			for seed := range seeds {
				p := plan{Seed: seed}
				p.Net = badLink(rand.New(rand.NewPCG(seed, 7)))
				w, s := c.play(t, p)
				var want []string
				for _, token := range strings.Fields(c.want) {
					if !strings.Contains(token, "(") || strings.HasPrefix(token, "USER") {
						want = append(want, token)
					}
				}
				text := strings.Join(want, " ")
				if got := s.Life(); got != text {
					t.Errorf("seed %d: the stream received\n  got  %s\n  want %s\n  causes %v", seed, got, text, s.Causes)
				}
				w.Net.SetOptions(sim.Options{})
			}
		})
	}
}
