package ss_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// outcomeDoc has a client of each protocol with one request, and raw servers for any behaviour.
func outcomeDoc(proto, keys string) string {
	return clientDoc(`"protocol":"`+proto+`","retry":"three",`+keys, rawServer)
}

// wantOutcome checks the outcome of the request in the first cause.
func wantOutcome(t *testing.T, s *script, not, unknown bool) {
	t.Helper()
	if len(s.Causes) == 0 {
		t.Errorf("no cause was reported: %s", s.Line())
		return
	}
	c := s.Causes[0]
	if errors.Is(c, http.ErrNotProcessed) != not || errors.Is(c, http.ErrOutcomeUnknown) != unknown {
		t.Errorf("the cause %q: not processed %v, unknown %v; want %v, %v", c, !not, !unknown, not, unknown)
	}
}

// TestUnknownOutcomeIsNotRetried: the retry scheme repeats a request that the server may have processed only if its
// method is idempotent, or the policy allows it, whatever the reason for the missing response, with and without a
// request body.
func TestUnknownOutcomeIsNotRetried(t *testing.T) {
	const once, scheme = 1, 4
	for _, m := range []struct {
		keys  string
		body  bool
		times int
	}{
		{`"http_method":"POST"`, true, once},
		{`"http_method":"POST"`, false, once},
		{`"http_method":"PATCH"`, true, once},
		{`"http_method":"REBOOT"`, false, once},
		{`"http_method":"get"`, false, once},
		{`"http_method":"POST","http_multipart_name":"n"`, true, once},
		{`"http_method":"POST","http_retry_unsafe":true`, true, scheme},
		{`"http_method":"REBOOT","http_retry_unsafe":true`, false, scheme},
		{`"http_method":"GET"`, false, scheme},
		{`"http_method":"PUT"`, true, scheme},
		{`"http_method":"DELETE"`, false, scheme},
		{`"http_method":"OPTIONS"`, false, scheme},
	} {
		for _, how := range []string{"closed", "half a head", "reset", "the program gives up"} {
			overEach(t, func(t *testing.T, proto string) {
				if how == "half a head" && proto == "h2" {
					return
				}
				t.Run(m.keys+" "+how, func(t *testing.T) {
					for seed := range uint64(3) {
						w := newWorld(t, outcomeDoc(proto, m.keys), plan{Seed: seed, Net: slowLink})
						asked := new(int)
						if proto == "h1" {
							w.Serve("srv", mute(asked, how))
						} else {
							w.frames("srv", func(p *framePeer) {
								p.onReq = func(p *framePeer, q *peerRequest) {
									*asked++
									switch how {
									case "closed":
										p.h.Disconnect()
									case "reset":
										p.reset(q, codeInternal)
									}
								}
							})
						}
						s := newScript()
						s.Say = []byte("body")
						s.When(ss.Connecting, func(h *ss.Handle) ss.Ret { s.Said = 0; h.StartTimeout(3 * time.Second); return ss.OK })
						s.When(ss.Timeout, func(h *ss.Handle) ss.Ret {
							if how == "the program gives up" {
								return ss.DisconnectMe
							}
							return ss.OK
						})
						h := w.Create("c", s)
						switch {
						case m.body:
							h.RequestTxLen(4)
						case strings.Contains(m.keys, `"P`):
							h.RequestTxLen(0)
						default:
							h.Connect()
						}
						w.Advance(time.Minute)
						if *asked != m.times {
							t.Errorf("seed %d: the server was asked %d times, want %d; told %s, %v", seed, *asked, m.times, s.Life(), s.Causes)
						}
						if s.Told(ss.Unreachable) != m.times || s.Told(ss.AllRetriesFailed) != 1 {
							t.Errorf("seed %d: told %s, want %d times UNREACHABLE and ALL_RETRIES_FAILED", seed, s.Life(), m.times)
						}
						if withheld := w.Client.Runtime.Counters.Withheld; (withheld == 1) != (m.times == once) {
							t.Errorf("seed %d: retries withheld: got %d", seed, withheld)
						}
						wantOutcome(t, s, false, true)
					}
				})
			})
		}
	}
}

// mute makes an accepted raw stream read requests of HTTP/1.1, count them, and not answer.
func mute(asked *int, how string) func(*script) {
	return func(s *script) {
		s.NoEOM = true
		s.OnRx = func(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
			got := string(s.Got)
			head, body, ok := strings.Cut(got, "\r\n\r\n")
			switch {
			case !ok,
				strings.Contains(head, "Content-Length: 4") && len(body) < 4,
				strings.Contains(head, "chunked") && !strings.HasSuffix(body, "0\r\n\r\n"),
				strings.Contains(head, "multipart") && !strings.HasSuffix(body, "--\r\n"):
				return ss.OK
			}
			*asked++
			s.Got = s.Got[:0]
			switch how {
			case "closed":
				return ss.DisconnectMe
			case "reset":
				s.World.Server.Host.Reset(s.World.Server.Host.Established()[0])
			case "half a head":
				s.Say, s.Said = []byte("HTTP/1.1 200 OK\r\nContent-"), 0
				return h.RequestTx()
			}
			return ss.OK
		}
		s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
			defer h.Disconnect()
			return s.Give(h, buf)
		}
	}
}

// TestUnprocessedIsRetried: the scheme repeats a request that the server has certainly not processed, with any
// method: the server is unreachable, or requests a later retry.
func TestUnprocessedIsRetried(t *testing.T) {
	overEach(t, func(t *testing.T, proto string) {
		t.Run("refused", func(t *testing.T) {
			w := newWorld(t, outcomeDoc(proto, `"http_method":"POST"`), plan{})
			s := newScript()
			s.Say = []byte("body")
			w.Create("c", s).RequestTxLen(4)
			w.Advance(time.Minute)
			if s.Told(ss.Connecting) != 4 || w.Client.Runtime.Counters.Withheld != 0 {
				t.Errorf("told %s, want four attempts", s.Life())
			}
			wantOutcome(t, s, true, false)
		})
		for _, status := range []int{503, 429} {
			t.Run(fmt.Sprint(status), func(t *testing.T) {
				w := newWorld(t, clientDoc(`"protocol":"`+proto+`","retry":"three","http_method":"POST"`, `,{"srv":{"server":true,"port":80,"protocol":"h2"}}`), plan{})
				w.Serve("srv", answer(status, ""))
				s := newScript()
				s.Say = []byte("body")
				w.Create("c", s).RequestTxLen(4)
				w.Advance(time.Minute)
				if s.Told(ss.Connecting) != 4 {
					t.Errorf("told %s, want four attempts", s.Life())
				}
				wantOutcome(t, s, false, false)
			})
		}
	})
}

// TestLossIsNotRepeated: after a loss during the response a GET is repeated, and a POST, which the server has
// processed, is not.
func TestLossIsNotRepeated(t *testing.T) {
	const cut = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
	for _, c := range []struct {
		keys string
		want string
	}{
		{`"http_method":"GET"`, "CREATING CONNECTING CONNECTED DISCONNECTED POLL CONNECTING CONNECTED DISCONNECTED"},
		{`"http_method":"POST","http_retry_unsafe":true`, "CREATING CONNECTING CONNECTED DISCONNECTED POLL CONNECTING CONNECTED DISCONNECTED"},
		{`"http_method":"POST"`, "CREATING CONNECTING CONNECTED DISCONNECTED"},
		{`"http_method":"POST","nailed_up":true`, "CREATING CONNECTING CONNECTED DISCONNECTED"},
	} {
		w := newWorld(t, outcomeDoc("h1", c.keys), plan{})
		w.Serve("srv", speak("\r\n\r\n", cut, true))
		s := newScript()
		h := w.Create("c", s)
		h.RequestTxLen(0)
		h.Connect()
		w.Advance(1500 * time.Millisecond)
		w.WantLife(c.keys, s, c.want)
	}
}

// TestRedirectedPostIsNotRetried: a POST with response 303 was processed. If the target is unreachable the scheme
// must not repeat the POST. 307 means that nothing was processed.
func TestRedirectedPostIsNotRetried(t *testing.T) {
	for _, c := range []struct {
		status      int
		to          string
		posts       int
		not, unsure bool
	}{
		{303, "//10.0.0.2:82/", 1, false, true},
		{302, "//10.0.0.2:82/", 1, false, true},
		{303, "/gone", 1, false, true},   // and 307 from there to nowhere
		{303, "/later", 1, false, false}, // and 503
		{307, "//10.0.0.2:82/", 4, true, false},
		{308, "//10.0.0.2:82/", 4, true, false},
	} {
		w := newWorld(t, clientDoc(`"http_method":"POST","allow_redirects":true,"retry":"three"`, twoServers), plan{})
		r := &routes{answer: map[string]string{"80 POST /": sendsTo(c.status, c.to), "80 GET /gone": sendsTo(307, "//10.0.0.2:82/"),
			"80 GET /later": "HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n"}}
		w.Serve("srv", r.play("80"))
		s := newScript()
		s.Say = []byte("body")
		var last error
		s.On[ss.Unreachable] = func(_ *ss.Handle, n ss.Notice) ss.Ret { last = n.Cause; return ss.OK }
		w.Create("c", s).RequestTxLen(4)
		w.Advance(time.Minute)
		if got := strings.Count(strings.Join(r.asked, ","), "POST"); got != c.posts {
			t.Errorf("%d to %s: %d POSTs, want %d; told %s, %v", c.status, c.to, got, c.posts, s.Life(), s.Causes)
		}
		if strings.HasPrefix(c.to, "//") && !errors.Is(last, syscall.ECONNREFUSED) {
			t.Errorf("%d to %s: cause %v, want ECONNREFUSED in it", c.status, c.to, last)
		}
		if errors.Is(last, http.ErrNotProcessed) != c.not || errors.Is(last, http.ErrOutcomeUnknown) != c.unsure {
			t.Errorf("%d to %s: cause %v, want not processed %v, unknown %v", c.status, c.to, last, c.not, c.unsure)
		}
	}
}

// TestRedirectNotFollowedIsNotRetried: a POST whose redirect is not followed is not repeated either, unless the
// redirect means that nothing was processed, or comes from a captive portal.
func TestRedirectNotFollowedIsNotRetried(t *testing.T) {
	for _, c := range []struct {
		status int
		keys   string
		posts  int
	}{
		{302, ``, 1}, {303, ``, 1}, {307, ``, 4}, {302, `,"http_fail_redirect":true`, 4}, {302, `,"http_retry_unsafe":true`, 4},
	} {
		w := newWorld(t, clientDoc(`"http_method":"POST","retry":"three"`+c.keys, twoServers), plan{})
		r := &routes{answer: map[string]string{"80 POST /": sendsTo(c.status, "/b")}}
		w.Serve("srv", r.play("80"))
		s := newScript()
		s.Say = []byte("body")
		w.Create("c", s).RequestTxLen(4)
		w.Advance(time.Minute)
		if len(r.asked) != c.posts {
			t.Errorf("%d%s: %d POSTs, want %d; told %s", c.status, c.keys, len(r.asked), c.posts, s.Life())
		}
	}
}

// TestSilentRepeats: requests on a warm connection that ends. One that was sent is repeated only if it is idempotent;
// one of which the socket accepted no byte always; and 408 means that the server has not read it (RFC 9110 s.15.5.9).
func TestSilentRepeats(t *testing.T) {
	const (
		done   = "CONNECTED QOS_ACK_REMOTE DISCONNECTED"
		failed = "UNREACHABLE ALL_RETRIES_FAILED"
	)
	for _, c := range []struct {
		method, how string
		want        string
		asked       int // requests that servers have read, the first one's included
	}{
		{"GET", "crossed", done, 2}, {"PUT", "crossed", "CONNECTING " + done, 2}, {"DELETE", "crossed", done, 2},
		{"POST", "crossed", failed, 1}, {"PATCH", "crossed", failed, 1}, {"REBOOT", "crossed", failed, 1},
		{"GET", "broken", done, 2}, {"POST", "broken", "CONNECTING " + done, 2}, {"REBOOT", "broken", done, 2},
		{"GET", "408", done, 2}, {"POST", "408", "CONNECTING " + done, 2}, {"REBOOT", "408", done, 2},
	} {
		t.Run(c.method+" "+c.how, func(t *testing.T) {
			for seed := range uint64(4) {
				w := newWorld(t, clientDoc(`"protocol":"h1","http_method":"`+c.method+`","retry":"none","opportunistic":true`,
					`,{"first":{"endpoint":"10.0.0.2","port":80,"protocol":"h1","opportunistic":true}}`+rawServer),
					plan{Seed: seed, Net: sim.Options{Link: sim.Link{Latency: 10 * time.Millisecond}}})
				asked := 0
				w.Serve("srv", func(s *script) {
					speak("!", okEmpty, false)(s)
					inner := s.OnRx
					s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
						if got := string(s.Got); strings.Contains(got, "\r\n\r\n") && (!strings.Contains(got, "Content-Length: 4") || strings.HasSuffix(got, "body")) {
							asked++
							s.Got = append(s.Got[:0], '!')
						}
						return inner(h, b, f)
					}
				})
				s := newScript()
				s.Say, s.QuietTx = []byte("body"), true
				begin := func() {
					h := w.Create("c", s)
					if strings.HasPrefix(c.method, "P") {
						h.RequestTxLen(4)
					} else {
						h.Connect()
					}
				}
				first := newScript()
				if c.how == "broken" {
					first.When(ss.Disconnected, func(*ss.Handle) ss.Ret {
						// The request is sent in this turn, before the reset is reported.
						w.Client.Host.Reset(w.Client.Host.Established()[0])
						begin()
						return ss.OK
					})
				}
				w.Create("first", first).Connect()
				w.Advance(time.Second)
				switch c.how {
				case "crossed":
					w.Accepted[0].Handle.Destroy()
					w.Advance(time.Millisecond) // the server's FIN is on its way
					begin()
				case "408":
					a := w.Accepted[0]
					a.Said, a.Say = 0, []byte("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
					a.Handle.RequestTx()
					w.Advance(time.Millisecond)
					begin()
				}
				w.Advance(5 * time.Second)
				if got := strings.TrimPrefix(strings.Replace(s.Life(), " POLL", "", 1), "CREATING CONNECTING "); got != c.want {
					t.Errorf("seed %d: told %s, want %s; causes %v", seed, s.Life(), c.want, s.Causes)
				}
				// A server that has closed its direction does not read the request.
				if c.how == "408" {
					asked--
				}
				if asked != c.asked {
					t.Errorf("seed %d: servers have read %d requests, want %d", seed, asked, c.asked)
				}
				if c.want == failed {
					wantOutcome(t, s, false, true)
				}
			}
		})
	}
}

// TestRefusedPosts: a server accepts ten requests on each connection and refuses the rest, with GOAWAY or
// individually. All of a hundred POSTs are answered, each with its whole body, and none reaches the server twice.
// Their streams send the body from its start again, and receive Notice.Again.
func TestRefusedPosts(t *testing.T) {
	const posts, each = 100, 10
	for _, how := range []string{"GOAWAY before the answers", "GOAWAY behind them", "REFUSED_STREAM"} {
		t.Run(how, func(t *testing.T) {
			for seed := range uint64(12) {
				net := slowLink
				r := rand.New(rand.NewPCG(seed, 12))
				if seed > 3 {
					net = badLink(r)
				}
				w := newWorld(t, sharedDoc, plan{Seed: seed, Net: net})
				bodies := map[string]int{}
				w.frames("raw", func(p *framePeer) {
					var taken []*peerRequest
					heads, last := 0, uint32(0)
					if how == "REFUSED_STREAM" {
						p.limit = each // more are refused, of which the client cannot know yet
					}
					p.onHead = func(q *peerRequest) {
						switch heads++; {
						case heads < each, how == "REFUSED_STREAM":
						case heads == each:
							last = q.id
							if how == "GOAWAY before the answers" {
								p.goAway(last, 0)
							}
						default:
							p.finish(q) // above the last one: nothing is done about it
						}
					}
					p.onReq = func(p *framePeer, q *peerRequest) {
						if taken = append(taken, q); len(taken) > each && how != "REFUSED_STREAM" {
							t.Errorf("seed %d: %d requests taken on a connection", seed, len(taken))
						}
						bodies[string(q.body)]++
						switch how {
						case "GOAWAY before the answers":
							w.Net.At(100*time.Millisecond, func() {
								if !p.over {
									p.answer(q, 200, string(q.body))
								}
							})
							return
						case "GOAWAY behind them":
							if len(taken) == each {
								defer p.goAway(last, 0)
							}
						}
						p.answer(q, 200, string(q.body))
					}
				})
				var all []*script
				again := 0
				for i := range posts {
					s := newScript()
					s.Say, s.Piece = []byte(strings.Repeat(fmt.Sprintf("%03d,", i), 1+r.IntN(200))), 1+r.IntN(400)
					s.QuietTx = true
					ordinal := uint32(0)
					s.On[ss.Connecting] = func(_ *ss.Handle, n ss.Notice) ss.Ret {
						s.Got, ordinal = s.Got[:0], 0
						if n.Again {
							again++
							if !errors.Is(n.Cause, http.ErrNotProcessed) {
								t.Errorf("asked again for %v, want ErrNotProcessed", n.Cause)
							}
						}
						return ss.OK
					}
					s.OnTx = func(h *ss.Handle, o uint32, buf []byte) (int, ss.Flags, ss.Ret) {
						if o != ordinal {
							t.Errorf("seed %d: ordinal of Tx: got %d, want %d", seed, o, ordinal)
						}
						ordinal++
						return s.Give(h, buf)
					}
					all = append(all, s)
					h := w.Create("post", s)
					if i%2 == 0 {
						h.RequestTxLen(int64(len(s.Say)))
					} else {
						h.RequestTx()
					}
				}
				w.Run("all to end", func() bool {
					for _, s := range all {
						if s.Told(ss.Disconnected)+s.Told(ss.AllRetriesFailed) == 0 {
							return false
						}
					}
					return true
				})
				for i, s := range all {
					if s.Told(ss.QOSAckRemote) != 1 || string(s.Got) != string(s.Say) {
						t.Fatalf("seed %d: POST %d received %s and got %d bytes, want an ack and %d; causes %v", seed, i, s.Life(), len(s.Got), len(s.Say), s.Causes)
					}
					if n := bodies[string(s.Say)]; n != 1 {
						t.Errorf("seed %d: POST %d reached the server %d times, want once", seed, i, n)
					}
				}
				if again == 0 || w.Client.Runtime.Counters.Rewound != uint64(again) {
					t.Errorf("seed %d: told again %d times, counted %d", seed, again, w.Client.Runtime.Counters.Rewound)
				}
			}
		})
	}
}

// TestOutcomeOfAnAttemptWithoutRequest: the outcome of a request does not outlast its attempt. An attempt that fails
// before anything was sent, for a value of the endpoint, the path or a header field, was certainly not processed, and
// it has no status, whatever the outcome of the previous transaction.
func TestOutcomeOfAnAttemptWithoutRequest(t *testing.T) {
	for _, c := range []struct{ name, bad string }{{"host", "10.0.0.2/"}, {"path", "a b"}, {"field", "a\nb"}} {
		overEach(t, func(t *testing.T, proto string) {
			t.Run(c.name, func(t *testing.T) {
				doc := clientDoc(`"protocol":"`+proto+`","http_method":"POST","http_url":"${path}","opportunistic":true,"retry":"three",`+
					`"metadata":[{"host":""},{"path":""},{"field":"x-field:"}]`, `,{"srv":{"server":true,"port":80,"protocol":"h2"}}`)
				w := newWorld(t, strings.Replace(doc, `"endpoint":"10.0.0.2"`, `"endpoint":"${host}"`, 1), plan{})
				w.Serve("srv", answer(200, "done"))
				s := newScript()
				s.Say = []byte("body")
				s.When(ss.Connecting, func(*ss.Handle) ss.Ret { s.Said = 0; return ss.OK })
				status := -1
				s.When(ss.Unreachable, func(h *ss.Handle) ss.Ret { status = h.HTTPStatus(); return ss.DestroyMe })
				h := w.Create("c", s)
				for name, v := range map[string]string{"host": "10.0.0.2", "path": "a", "field": "f"} {
					if err := h.SetMetadataString(name, v); err != nil {
						t.Fatal(err)
					}
				}
				h.RequestTxLen(4)
				w.Advance(time.Second)
				if s.Told(ss.QOSAckRemote) != 1 {
					t.Fatalf("the first transaction: told %s, %v", s.Life(), s.Causes)
				}
				h.SetMetadataString(c.name, c.bad)
				s.Causes = nil
				h.RequestTxLen(4)
				w.Advance(time.Second)
				wantOutcome(t, s, true, false)
				if status != 0 || w.Client.Runtime.Counters.Withheld != 0 {
					t.Errorf("in UNREACHABLE: status %d, %d retries withheld; want none", status, w.Client.Runtime.Counters.Withheld)
				}
			})
		})
	}
}
