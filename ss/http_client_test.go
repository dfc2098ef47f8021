package ss_test

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

const okEmpty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

// TestRequestOnTheWire: the bytes of a client stream's request.
func TestRequestOnTheWire(t *testing.T) {
	for _, c := range []struct {
		name  string
		keys  string
		until string // with which the request ends
		setup func(s *script, h *ss.Handle)
		want  string
		line  string // of the stream
	}{
		{name: "plain GET", keys: `"protocol":"h1","http_url":"/x"`, want: "GET /x HTTP/1.1|Host: 10.0.0.2||"},
		{name: "no URL", keys: `"protocol":"h1"`, want: "GET / HTTP/1.1|Host: 10.0.0.2||"},
		{name: "URL without slash, with query", keys: `"protocol":"h1","http_url":"a/b?c=d"`, want: "GET /a/b?c=d HTTP/1.1|Host: 10.0.0.2||"},
		{name: "h1get with aux", keys: `"protocol":"h1get","aux":"index.html"`, want: "GET /index.html HTTP/1.1|Host: 10.0.0.2||"},
		{name: "HEAD", keys: `"protocol":"h1","http_method":"HEAD"`, want: "HEAD / HTTP/1.1|Host: 10.0.0.2||"},
		{name: "metadata as fields, unset ones not at all", keys: `"protocol":"h1","metadata":[{"a":"X-A:"},{"b":"x-b"},{"c":"X-C:"},{"d":""}]`,
			setup: func(s *script, h *ss.Handle) {
				h.SetMetadataString("b", "two")
				h.SetMetadataString("a", "one")
				h.SetMetadataString("d", "nowhere")
			}, want: "GET / HTTP/1.1|Host: 10.0.0.2|X-A: one|x-b: two||"},
		{name: "framing fields are the protocol's", keys: `"protocol":"h1","metadata":[{"a":"Host:"},{"b":"Connection:"},{"c":"Transfer-Encoding:"}]`,
			setup: func(s *script, h *ss.Handle) {
				h.SetMetadataString("a", "evil")
				h.SetMetadataString("b", "close")
				h.SetMetadataString("c", "chunked")
			}, want: "GET / HTTP/1.1|Host: 10.0.0.2||"},
		{name: "${} in the URL, set in CONNECTING", keys: `"protocol":"h1","http_url":"/u/${id}?x=${v}&y=${unset}","metadata":[{"id":""},{"v":""},{"unset":""}]`,
			setup: func(s *script, h *ss.Handle) {
				s.When(ss.Connecting, func(h *ss.Handle) ss.Ret {
					h.SetMetadataString("id", "42")
					h.SetMetadataString("v", "q")
					return ss.OK
				})
			}, want: "GET /u/42?x=q&y= HTTP/1.1|Host: 10.0.0.2||"},
		{name: "a POST with a length", keys: `"protocol":"h1","http_method":"POST"`, until: "body",
			setup: func(s *script, h *ss.Handle) { s.Say = []byte("body"); h.RequestTxLen(4) },
			want:  "POST / HTTP/1.1|Host: 10.0.0.2|Content-Length: 4||body",
			line:  `CREATING POLL CONNECTING tx("body"|SOM|EOM) CONNECTED QOS_ACK_REMOTE DISCONNECTED`},
		{name: "a POST without", keys: `"protocol":"h1","http_method":"POST"`, until: "\r\n0\r\n\r\n",
			setup: func(s *script, h *ss.Handle) { s.Say = []byte("body"); h.RequestTx() },
			want:  "POST / HTTP/1.1|Host: 10.0.0.2|Transfer-Encoding: chunked||0004|body|0||",
			line:  `CREATING POLL CONNECTING tx("body"|SOM|EOM) CONNECTED QOS_ACK_REMOTE DISCONNECTED`},
		{name: "a POST begun by Connect asks for its body too", keys: `"protocol":"h1","http_method":"POST"`, until: "\r\n0\r\n\r\n",
			setup: func(s *script, h *ss.Handle) { s.Say = []byte("body"); h.Connect() },
			want:  "POST / HTTP/1.1|Host: 10.0.0.2|Transfer-Encoding: chunked||0004|body|0||"},
		{name: "a POST of nothing", keys: `"protocol":"h1","http_method":"POST"`,
			setup: func(s *script, h *ss.Handle) { h.RequestTxLen(0) },
			want:  "POST / HTTP/1.1|Host: 10.0.0.2|Content-Length: 0||",
			line:  `CREATING POLL CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED`},
		{name: "a POST whose EOM comes alone", keys: `"protocol":"h1","http_method":"PUT"`, until: "\r\n0\r\n\r\n",
			setup: func(s *script, h *ss.Handle) { h.RequestTx() },
			want:  "PUT / HTTP/1.1|Host: 10.0.0.2|Transfer-Encoding: chunked||0||",
			line:  `CREATING POLL CONNECTING tx(""|SOM|EOM) CONNECTED QOS_ACK_REMOTE DISCONNECTED`},
		{name: "a PATCH in pieces", keys: `"protocol":"h1","http_method":"PATCH"`, until: "abcde",
			setup: func(s *script, h *ss.Handle) { s.Say, s.Piece = []byte("abcde"), 2; h.RequestTxLen(5) },
			want:  "PATCH / HTTP/1.1|Host: 10.0.0.2|Content-Length: 5||abcde",
			line:  `CREATING POLL CONNECTING tx("ab"|SOM) tx("cd") tx("e"|EOM) CONNECTED QOS_ACK_REMOTE DISCONNECTED`},
		{name: "the announced length ends a body that has no EOM", keys: `"protocol":"h1","http_method":"POST"`, until: "abcd",
			setup: func(s *script, h *ss.Handle) {
				s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
					h.RequestTx() // as careless programs do
					return copy(buf, "abcd"), ss.SOM, ss.OK
				}
				h.RequestTxLen(4)
			},
			want: "POST / HTTP/1.1|Host: 10.0.0.2|Content-Length: 4||abcd",
			line: `CREATING POLL CONNECTING tx("abcd"|SOM) CONNECTED QOS_ACK_REMOTE DISCONNECTED`},
		{name: "http_no_content_length", keys: `"protocol":"h1","http_method":"POST","http_no_content_length":true`, until: "\r\n0\r\n\r\n",
			setup: func(s *script, h *ss.Handle) { s.Say = []byte("body"); h.RequestTxLen(4) },
			want:  "POST / HTTP/1.1|Host: 10.0.0.2|Transfer-Encoding: chunked||0004|body|0||"},
		{name: "metadata mapped to content-length", keys: `"protocol":"h1","http_method":"POST","metadata":[{"n":"content-length:"}]`, until: "body",
			setup: func(s *script, h *ss.Handle) {
				s.Say = []byte("body")
				h.SetMetadataString("n", "4")
				h.RequestTx()
			}, want: "POST / HTTP/1.1|Host: 10.0.0.2|Content-Length: 4||body"},
		{name: "tx passes, and gives later", keys: `"protocol":"h1","http_method":"POST"`, until: "late",
			setup: func(s *script, h *ss.Handle) {
				first := true
				s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
					if first {
						first = false
						s.World.Net.At(time.Second, func() { h.RequestTx() })
						return 0, 0, ss.TxDontSend
					}
					return copy(buf, "late"), ss.SOM | ss.EOM, ss.OK
				}
				h.RequestTxLen(4)
			},
			want: "POST / HTTP/1.1|Host: 10.0.0.2|Content-Length: 4||late"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, clientDoc(c.keys+`,"retry":"none"`, rawServer), plan{})
			wire := ""
			if c.until == "" {
				c.until = "\r\n\r\n"
			}
			w.Serve("srv", func(s *script) {
				speak(c.until, okEmpty, false)(s)
				inner := s.OnRx
				s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
					wire += string(b)
					return inner(h, b, f)
				}
			})
			s := newScript()
			h := w.Create("c", s)
			if c.setup != nil {
				c.setup(s, h)
			}
			if c.setup == nil || !strings.Contains(c.line, "POLL") {
				h.Connect()
			}
			w.Run("the response", func() bool { return s.Told(ss.Disconnected)+s.Told(ss.AllRetriesFailed) > 0 })
			if got := strings.ReplaceAll(wire, "\r\n", "|"); got != c.want {
				t.Errorf("on the wire ('|' is CRLF)\n  got  %q\n  want %q", got, c.want)
			}
			if s.Told(ss.QOSAckRemote) != 1 {
				t.Errorf("told %s: want an ACK; causes %v", s.Life(), s.Causes)
			}
			if c.line != "" {
				w.WantLine("the stream", s, c.line)
			}
		})
	}
}

// TestImpossibleRequest: values that the program sets can make a request impossible. That is a failed attempt and not
// a broken request on the wire.
func TestImpossibleRequest(t *testing.T) {
	for _, c := range []struct {
		name, keys, value string
		connects          int // what is in the URL is judged before anything is connected
	}{
		{"line end in a field", `"metadata":[{"v":"X-V:"}]`, "a\r\nEvil: yes", 1},
		{"space in the URL", `"http_url":"/${v}","metadata":[{"v":""}]`, "a b", 0},
		{"line end in the URL", `"http_url":"/${v}","metadata":[{"v":""}]`, "a\r\nEvil: yes\r\n\r\n", 0},
		{"a head of 20 KB", `"metadata":[{"v":"X-V:"}]`, strings.Repeat("x", 20<<10), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, clientDoc(`"protocol":"h1","retry":"none",`+c.keys, rawServer), plan{})
			w.Serve("srv", nil)
			s := newScript()
			h := w.Create("c", s)
			h.SetMetadataString("v", c.value)
			h.Connect()
			w.Advance(time.Second)
			w.WantLine("the stream", s, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
			if len(w.Accepted) != c.connects {
				t.Errorf("got %d connections, want %d", len(w.Accepted), c.connects)
			}
			for _, a := range w.Accepted {
				if len(a.Got) != 0 {
					t.Errorf("the server got %q, want nothing", a.Got)
				}
			}
		})
	}
}

// TestResponseMetadata: header fields of a response set the metadata that map to them, before the user
// state and CONNECTED.
func TestResponseMetadata(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"h1","http_resp_map":[{"200":1200}],
		"metadata":[{"mime":"content-type:"},{"mine":"x-mine:"},{"stale":"x-stale:"},{"none":"x-none:"}]`, rawServer), plan{})
	w.Serve("srv", speak("\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Mine: a b\r\nx-stale: new\r\nContent-Length: 0\r\n\r\n", false))
	s := newScript()
	h := w.Create("c", s)
	h.SetMetadataString("stale", "old")
	look := func(h *ss.Handle) ss.Ret {
		for name, want := range map[string]string{"mime": "text/html", "mine": "a b", "stale": "new"} {
			if v, ok := h.Metadata(name); !ok || string(v) != want {
				t.Errorf("%s: metadata %q: got %q (%v), want %q", s.Line(), name, v, ok, want)
			}
		}
		if v, ok := h.Metadata("none"); ok {
			t.Errorf("metadata \"none\": got %q, want it unset", v)
		}
		return ss.OK
	}
	s.When(ss.UserBase+200, look).When(ss.Connected, look)
	h.Connect()
	w.Settle()
	w.WantLine("the stream", s, "CREATING CONNECTING USER(1200) CONNECTED QOS_ACK_REMOTE DISCONNECTED")
}

// TestNextTransactionFromLast: a stream may request its next transaction, with length and metadata, in every state
// that ends one.
func TestNextTransactionFromLast(t *testing.T) {
	for _, at := range []ss.State{ss.QOSAckRemote, ss.Disconnected} {
		t.Run(short(at), func(t *testing.T) {
			w := newWorld(t, clientDoc(`"protocol":"h1","http_method":"POST"`, rawServer), plan{})
			wire := ""
			w.Serve("srv", func(s *script) {
				speak("12", okEmpty, false)(s)
				inner := s.OnRx
				s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret { wire += string(b); return inner(h, b, f) }
			})
			s := newScript()
			s.Say = []byte("12")
			n := 0
			s.When(at, func(h *ss.Handle) ss.Ret {
				if n++; n < 3 {
					return h.RequestTxLen(2)
				}
				return ss.OK
			})
			w.Create("c", s).RequestTxLen(2)
			w.Settle()
			one := ` POLL CONNECTING tx("12"|SOM|EOM) CONNECTED QOS_ACK_REMOTE DISCONNECTED`
			w.WantLine("the stream", s, "CREATING"+one+one+one)
			if got := strings.Count(wire, "Content-Length: 2"); got != 3 {
				t.Errorf("requests with their length: got %d, want 3: %q", got, wire)
			}
			if len(w.Accepted) != 1 {
				t.Errorf("connections: got %d, want 1, kept warm", len(w.Accepted))
			}
		})
	}
}

// TestAnswerBeforeTheEnd: a response before the end of the request ends the transaction; the stream does not wait for
// the connection.
func TestAnswerBeforeTheEnd(t *testing.T) {
	for _, c := range []struct{ status, want string }{{"200 OK", "QOS_ACK_REMOTE"}, {"413 Too Much", "QOS_NACK_REMOTE"}} {
		t.Run(c.status, func(t *testing.T) {
			w := newWorld(t, clientDoc(`"protocol":"h1","http_method":"POST"`, rawServer), plan{})
			w.Serve("srv", speak("ab", "HTTP/1.1 "+c.status+"\r\nContent-Length: 0\r\n\r\n", false))
			s := newScript()
			s.OnTx = func(h *ss.Handle, ordinal uint32, buf []byte) (int, ss.Flags, ss.Ret) {
				if ordinal > 0 {
					return 0, 0, ss.TxDontSend
				}
				return copy(buf, "ab"), ss.SOM, ss.OK
			}
			w.Create("c", s).RequestTxLen(10)
			w.Advance(time.Second)
			w.WantLine("the stream", s, `CREATING POLL CONNECTING tx("ab"|SOM) CONNECTED `+c.want+` DISCONNECTED`)
		})
	}
}

// TestShortBody: a body that ends before its announced length aborts the request, so that the server does not take it
// for complete.
func TestShortBody(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"h1","http_method":"POST","retry":"none"`, h1Server), plan{})
	w.Serve("srv", func(s *script) {
		s.OnRx = func(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
			if f&ss.EOM != 0 {
				t.Errorf("the server was given an end: %s", s.Line())
			}
			return ss.OK
		}
	})
	s := newScript()
	s.Say = []byte("ab")
	w.Create("c", s).RequestTxLen(10)
	w.Advance(time.Second)
	w.WantLine("the stream", s, `CREATING POLL CONNECTING tx("ab"|SOM|EOM) UNREACHABLE ALL_RETRIES_FAILED`)
}

// TestTxMisuse: Tx returns more bytes than the buffer has, a negative number, or an invalid return code.
func TestTxMisuse(t *testing.T) {
	for _, c := range []struct {
		name string
		tx   func(buf []byte) (int, ss.Flags, ss.Ret)
	}{
		{"more than the buffer", func(buf []byte) (int, ss.Flags, ss.Ret) { return len(buf) + 1, 0, ss.OK }},
		{"fewer than none", func(buf []byte) (int, ss.Flags, ss.Ret) { return -1, 0, ss.OK }},
		{"no LWSSSSRET", func(buf []byte) (int, ss.Flags, ss.Ret) { return 1, 0, 77 }},
	} {
		for _, proto := range []string{"h1", "raw"} {
			t.Run(proto+", "+c.name, func(t *testing.T) {
				keys, srv := `"protocol":"h1","http_method":"POST","opportunistic":true,"retry":"none"`, h1Server
				want := "CREATING POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED"
				if proto == "raw" {
					keys, srv = `"protocol":"raw","opportunistic":true`, rawServer
					want = "CREATING POLL CONNECTING CONNECTED DISCONNECTED"
				}
				w := newWorld(t, clientDoc(keys, srv), plan{})
				w.Serve("srv", nil)
				s := newScript()
				s.OnTx = func(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) { return c.tx(buf) }
				w.Create("c", s).RequestTx()
				w.Settle()
				w.WantLife("the stream", s, want)
				if w.Client.Runtime.Counters.Misuse != 1 {
					t.Errorf("misuses counted: got %d, want 1", w.Client.Runtime.Counters.Misuse)
				}
			})
		}
	}
}

// TestClientBacklog: with small buffers Tx is called for a large body as fast as the peer reads it, and no faster.
func TestClientBacklog(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"h1","http_method":"POST"`, h1Server),
		plan{Net: sim.Options{SndBuf: 4 << 10, RcvBuf: 4 << 10, Link: sim.Link{Latency: time.Millisecond}}, Loop: loop.Config{Bytes: 16 << 10}})
	w.Serve("srv", func(s *script) {
		s.OnRx = func(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
			if held := w.Client.Runtime.Net().Held(); held > 128<<10 {
				t.Fatalf("the client holds %d bytes, want at most the arena's 64 KiB", held)
			}
			if f&ss.EOM != 0 {
				h.ServerAck(0)
				return h.RequestTxLen(0)
			}
			return ss.OK
		}
	})
	s := newScript()
	s.Say, s.QuietTx = make([]byte, 1<<20), true
	w.Create("c", s).RequestTxLen(1 << 20)
	w.Run("the answer", func() bool { return s.Told(ss.Disconnected) > 0 })
	w.WantLine("the stream", s, "CREATING POLL CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED")
	if n := len(w.Accepted[0].Got); n != 1<<20 {
		t.Errorf("the server got %d bytes, want %d", n, 1<<20)
	}
}
