package ss_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// wireDoc has HTTP servers and a raw client that sends them the bytes of a test.
const wireDoc = `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}}],"s":[
	{"wire":{"endpoint":"10.0.0.2","port":80,"protocol":"raw","opportunistic":true,"retry":"none"}},
	{"srv":{"server":true,"port":80,"protocol":"h1","timeout_ms":5000,"metadata":[{"mime":"content-type:"},{"extra":"x-extra:"},
		{"method":""},{"path":""},{"auth":""},{"q":""},{"len":"content-length:"}]}},
	{"nolen":{"server":true,"port":80,"protocol":"h1","http_no_content_length":true}}]}`

// say makes a raw client that sends text once, and collects the answer.
func (w *world) say(text string) *script {
	w.t.Helper()
	s := newScript()
	s.Say, s.NoEOM = []byte(text), true
	s.When(ss.Connected, (*ss.Handle).RequestTx)
	w.Create("wire", s).Connect()
	return s
}

var dateField = regexp.MustCompile(`Date: [^\r]*\r\n`)

// seen is what the raw client received, with '|' for CRLF and without the Date field, which must be present.
func seen(t *testing.T, s *script) string {
	t.Helper()
	text := string(s.Got)
	if n := len(dateField.FindAllString(text, -1)); n != strings.Count(text, "HTTP/1.1 ")-strings.Count(text, "HTTP/1.1 1") {
		t.Errorf("responses with a Date: got %d in %q, want one each", n, text)
	}
	return strings.ReplaceAll(dateField.ReplaceAllString(text, ""), "\r\n", "|")
}

// TestServerAnswers: the bytes of a server stream's responses, and its callbacks.
func TestServerAnswers(t *testing.T) {
	const open = "CREATING CONNECTING CONNECTED SERVER_TXN "
	get := "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	ack := func(code int, more func(s *script, h *ss.Handle) ss.Ret) func(*script) {
		return func(s *script) {
			s.Say = []byte("hello")
			s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
				h.ServerAck(code)
				return more(s, h)
			})
		}
	}
	withLength := func(_ *script, h *ss.Handle) ss.Ret { return h.RequestTxLen(5) }
	without := func(_ *script, h *ss.Handle) ss.Ret { return h.RequestTx() }
	for _, c := range []struct {
		name string
		srv  string
		each func(*script)
		say  string
		want string
		line string
	}{
		{name: "ack and length", each: ack(0, withLength), want: "HTTP/1.1 200 OK|Content-Length: 5||hello", line: open + `tx("hello"|SOM|EOM)`},
		{name: "ack without length is chunked", each: ack(0, without), want: "HTTP/1.1 200 OK|Transfer-Encoding: chunked||0005|hello|0||", line: open + `tx("hello"|SOM|EOM)`},
		{name: "http_no_content_length", srv: "nolen", each: ack(0, withLength), want: "HTTP/1.1 200 OK|Transfer-Encoding: chunked||0005|hello|0||"},
		{name: "never acked", each: func(s *script) {
			s.Say = []byte("hello")
			s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret { return h.RequestTxLen(5) })
		}, want: "HTTP/1.1 404 Not Found|Content-Length: 5||hello"},
		{name: "ack code as given", each: ack(418, withLength), want: "HTTP/1.1 418 |Content-Length: 5||hello"},
		{name: "length 0: no Tx", each: ack(0, func(_ *script, h *ss.Handle) ss.Ret { return h.RequestTxLen(0) }),
			want: "HTTP/1.1 200 OK|Content-Length: 0||", line: open[:len(open)-1]},
		{name: "204", each: ack(204, without), want: "HTTP/1.1 204 No Content||", line: open[:len(open)-1]},
		{name: "HEAD tells the length and brings nothing", each: ack(0, withLength), say: "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
			want: "HTTP/1.1 200 OK|Content-Length: 5||", line: open[:len(open)-1]},
		{name: "HEAD without length", each: ack(0, without), say: "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", want: "HTTP/1.1 200 OK||"},
		{name: "metadata", each: ack(0, func(_ *script, h *ss.Handle) ss.Ret {
			h.SetMetadataString("mime", "text/plain")
			h.SetMetadataString("extra", "e")
			return h.RequestTxLen(5)
		}), want: "HTTP/1.1 200 OK|Content-Length: 5|content-type: text/plain|x-extra: e||hello"},
		{name: "length by metadata", each: ack(0, func(_ *script, h *ss.Handle) ss.Ret {
			h.SetMetadataString("len", "5")
			return h.RequestTx()
		}), want: "HTTP/1.1 200 OK|Content-Length: 5||hello"},
		{name: "acked twice, the last counts", each: ack(500, func(_ *script, h *ss.Handle) ss.Ret { h.ServerAck(201); return h.RequestTxLen(5) }),
			want: "HTTP/1.1 201 Created|Content-Length: 5||hello"},
		{name: "an ack that is no final status ends the stream", each: ack(99, withLength), want: "", line: open + "DISCONNECTED DESTROYING"},
		{name: "no request_tx, no answer", each: ack(0, func(*script, *ss.Handle) ss.Ret { return ss.OK }), want: "", line: open[:len(open)-1]},
		{name: "asked for later", each: ack(0, func(s *script, h *ss.Handle) ss.Ret {
			s.World.Net.At(time.Second, func() { h.RequestTxLen(5) })
			return ss.OK
		}), want: "HTTP/1.1 200 OK|Content-Length: 5||hello"},
		{name: "asked for before there was a transaction", each: func(s *script) {
			s.Say = []byte("hello")
			s.When(ss.Creating, (*ss.Handle).RequestTx).When(ss.ServerTxn, func(h *ss.Handle) ss.Ret { h.ServerAck(0); return ss.OK })
		}, want: "", line: open[:len(open)-1]},
		{name: "the announced length ends a body that has no EOM", each: ack(0, func(s *script, h *ss.Handle) ss.Ret {
			s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
				h.RequestTx()
				return copy(buf, "hello"), ss.SOM, ss.OK
			}
			return h.RequestTxLen(5)
		}), want: "HTTP/1.1 200 OK|Content-Length: 5||hello", line: open + `tx("hello"|SOM)`},
		{name: "the same, while the request is still coming", each: ack(0, func(s *script, h *ss.Handle) ss.Ret {
			s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
				h.RequestTx()
				return copy(buf, "hello"), ss.SOM, ss.OK
			}
			return h.RequestTxLen(5)
		}), say: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", want: "HTTP/1.1 200 OK|Content-Length: 5||hello"},
		{name: "in pieces", each: ack(0, func(s *script, h *ss.Handle) ss.Ret { s.Piece = 2; return h.RequestTx() }),
			want: "HTTP/1.1 200 OK|Transfer-Encoding: chunked||0002|he|0002|ll|0001|o|0||", line: open + `tx("he"|SOM) tx("ll") tx("o"|EOM)`},
		{name: "a client of 1.0", each: ack(0, without), say: "GET / HTTP/1.0\r\n\r\n", want: "HTTP/1.1 200 OK|Connection: close||hello",
			line: open + `tx("hello"|SOM|EOM) DISCONNECTED DESTROYING`},
		{name: "a request that says close", each: ack(0, withLength), say: "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			want: "HTTP/1.1 200 OK|Content-Length: 5|Connection: close||hello", line: open + `tx("hello"|SOM|EOM) DISCONNECTED DESTROYING`},
		{name: "POST, answered at its end", each: func(s *script) {
			s.OnRx = func(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
				if f&ss.EOM == 0 {
					return ss.OK
				}
				s.Say = s.Got
				h.ServerAck(0)
				return h.RequestTxLen(int64(len(s.Got)))
			}
		}, say: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", want: "HTTP/1.1 200 OK|Content-Length: 3||abc",
			line: open + `rx("abc"|SOM) rx(""|EOM) tx("abc"|SOM|EOM)`},
		{name: "POST, chunked", each: ack(0, withLength), say: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
			want: "HTTP/1.1 200 OK|Content-Length: 5||hello"},
		{name: "POST of nothing", each: func(s *script) {
			s.OnRx = func(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret { h.ServerAck(0); return h.RequestTxLen(0) }
		}, say: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", want: "HTTP/1.1 200 OK|Content-Length: 0||", line: open + `rx(""|SOM|EOM)`},
		{name: "a broken request is answered by the protocol", each: ack(0, withLength), say: "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
			want: "HTTP/1.1 400 Bad Request", line: "CREATING CONNECTING DISCONNECTED DESTROYING"},
		{name: "tx answers DISCONNECT_ME: half an answer must not look whole", each: ack(0, func(s *script, h *ss.Handle) ss.Ret {
			s.OnTx = func(_ *ss.Handle, ordinal uint32, buf []byte) (int, ss.Flags, ss.Ret) {
				if ordinal > 0 {
					return 0, 0, ss.DisconnectMe
				}
				h.RequestTx()
				return copy(buf, "half"), ss.SOM, ss.OK
			}
			return h.RequestTx()
		}), line: open + `tx("half"|SOM) DISCONNECTED DESTROYING`},
		{name: "rx answers DESTROY_ME", each: func(s *script) {
			s.OnRx = func(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.DestroyMe }
		}, say: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", line: open + `rx("abc"|SOM) DISCONNECTED DESTROYING`},
		{name: "CREATING answers DESTROY_ME", each: func(s *script) {
			s.When(ss.Creating, func(*ss.Handle) ss.Ret { return ss.DestroyMe })
		}, line: "CREATING DESTROYING"},
		{name: "CONNECTING answers DISCONNECT_ME", each: func(s *script) {
			s.When(ss.Connecting, func(*ss.Handle) ss.Ret { return ss.DisconnectMe })
		}, line: "CREATING CONNECTING DISCONNECTED DESTROYING"},
		{name: "CONNECTED answers DESTROY_ME", each: func(s *script) {
			s.When(ss.Connected, func(*ss.Handle) ss.Ret { return ss.DestroyMe })
		}, line: "CREATING CONNECTING CONNECTED DISCONNECTED DESTROYING"},
		{name: "CONNECTED answers SS_HANDLE_DESTROYED", each: func(s *script) {
			s.When(ss.Connected, func(*ss.Handle) ss.Ret { return ss.Destroyed })
		}, line: "CREATING CONNECTING CONNECTED DISCONNECTED DESTROYING"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, wireDoc, plan{})
			if c.srv == "" {
				c.srv = "srv"
			}
			if c.say == "" {
				c.say = get
			}
			w.Serve(c.srv, c.each)
			s := w.say(c.say)
			w.Advance(2 * time.Second)
			got := seen(t, s)
			if strings.Contains(c.want, "400") {
				got = got[:min(len(got), len(c.want))]
			}
			if got != c.want && !strings.Contains(c.line, "half") {
				t.Errorf("the client saw ('|' is CRLF)\n  got  %q\n  want %q", got, c.want)
			}
			if c.line != "" {
				w.WantLine("the server's stream", w.Accepted[0], c.line)
			}
			if n := w.Server.Loop.Stats().Turns; n > 50 {
				t.Errorf("turns of the server's loop: got %d, want a few: it spins", n)
			}
		})
	}
}

// TestRequestMetadata: a request sets the metadata of its own transaction only.
func TestRequestMetadata(t *testing.T) {
	w := newWorld(t, wireDoc, plan{})
	var told []string
	w.Serve("srv", func(s *script) {
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
			line := ""
			for _, name := range []string{"method", "path", "auth", "q", "mime", "extra"} {
				if v, ok := h.Metadata(name); ok {
					line += fmt.Sprintf("%s=%s ", name, v)
				}
			}
			told = append(told, strings.TrimSpace(line))
			h.SetMetadataString("extra", "mine")
			h.ServerAck(0)
			return h.RequestTxLen(0)
		})
	})
	w.say("GET /a/b?q=1&z=2&path=evil&mime=evil&auth=evil HTTP/1.1\r\nHost: x\r\nAuthorization: Basic abc\r\nX-Extra: theirs\r\n\r\n" +
		"DELETE /%41?q HTTP/1.1\r\nHost: x\r\n\r\n" +
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n" +
		"GET http://x/abs?a&&q=&= HTTP/1.1\r\nHost: x\r\n\r\n")
	w.Settle()
	want := []string{
		"method=GET path=/a/b auth=Basic abc q=1 extra=theirs",
		"method=DELETE path=/%41 q=",
		"method=OPTIONS path=*",
		"method=GET path=/abs q=",
	}
	if got := strings.Join(told, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("metadata of four requests\n  got  %q\n  want %q", told, want)
	}
}

// TestTransactionsOnOneConnection: keep-alive and pipelined, with a body in between.
func TestTransactionsOnOneConnection(t *testing.T) {
	w := newWorld(t, wireDoc, plan{})
	n := 0
	w.Serve("srv", func(s *script) {
		s.OnTx = func(h *ss.Handle, ordinal uint32, buf []byte) (int, ss.Flags, ss.Ret) {
			if ordinal != 0 {
				t.Errorf("ordinal of the first Tx of answer %d: got %d, want 0", n, ordinal)
			}
			return s.Give(h, buf)
		}
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
			n++
			s.Say = fmt.Appendf(nil, "answer %d", n)
			h.ServerAck(0)
			return h.RequestTxLen(int64(len(s.Say)))
		})
	})
	get, post := "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
	s := w.say(get + post + get)
	w.Settle()
	s.Say, s.Said = []byte(get), 0
	s.Handle.RequestTx()
	w.Settle()
	for i := 1; i <= 4; i++ {
		if !strings.Contains(string(s.Got), fmt.Sprintf("answer %d", i)) {
			t.Errorf("answer %d is missing: %q", i, s.Got)
		}
	}
	w.WantLine("the server's stream", w.Accepted[0], `CREATING CONNECTING CONNECTED SERVER_TXN tx("answer 1"|SOM|EOM)
		SERVER_TXN rx("ab"|SOM) rx(""|EOM) tx("answer 2"|SOM|EOM) SERVER_TXN tx("answer 3"|SOM|EOM) SERVER_TXN tx("answer 4"|SOM|EOM)`)
	if w.Server.Runtime.Counters.Transactions != 4 {
		t.Errorf("transactions counted: got %d, want 4", w.Server.Runtime.Counters.Transactions)
	}
}

// TestServerLife: the listener receives two states; its end closes the socket and the accepted streams.
func TestServerLife(t *testing.T) {
	w := newWorld(t, wireDoc, plan{})
	h, listener := w.Serve("srv", answer(0, "hello"))
	if a, ok := h.Addr(); !ok || a.IP.Port() != 80 {
		t.Errorf("address of the server: got %v (%v), want port 80", a, ok)
	}
	s := w.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	w.Settle()
	a := w.Accepted[0].Handle
	if a.Server() != h || h.Server() != nil {
		t.Errorf("Server: got %p and %p, want %p and nil", a.Server(), h.Server(), h)
	}
	if p, ok := a.Peer(); !ok || p.IP.Addr() != clientIP {
		t.Errorf("Peer: got %v (%v), want %v", p, ok, clientIP)
	}
	if l, ok := a.Addr(); !ok || l.IP.Addr() != serverIP {
		t.Errorf("Addr: got %v (%v), want %v", l, ok, serverIP)
	}
	n := 0
	h.ForEachClient(func(c *ss.Handle) {
		n++
		if c != a {
			t.Errorf("ForEachClient: got %v, want the accepted stream", c.Label())
		}
	})
	if n != 1 {
		t.Errorf("ForEachClient: got %d streams, want 1", n)
	}
	h.Connect()
	h.RequestTx()
	h.Disconnect()
	w.Settle()
	h.Destroy()
	w.Settle()
	w.WantLine("the listener", listener, "CREATING DESTROYING")
	w.WantLife("the accepted stream", w.Accepted[0], "CREATING CONNECTING CONNECTED SERVER_TXN DISCONNECTED DESTROYING")
	w.WantLife("the client", s, "CREATING CONNECTING CONNECTED DISCONNECTED")
	if w.Server.Runtime.Len() != 0 {
		t.Errorf("streams on the server: got %d, want 0", w.Server.Runtime.Len())
	}
	s.Handle.Connect()
	w.Settle()
	w.WantLife("the client, coming back", s, "CREATING CONNECTING CONNECTED DISCONNECTED CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
	// The port is free again.
	w.Serve("srv", nil)
}

// TestCutAnswer: a server stream destroyed during its response resets the connection, so that a body delimited by the
// end of the connection is not taken for complete.
func TestCutAnswer(t *testing.T) {
	w := newWorld(t, wireDoc, plan{})
	w.Serve("srv", func(s *script) {
		s.OnTx = func(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
			return copy(buf, "half"), ss.SOM, ss.OK
		}
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
			h.ServerAck(0)
			s.World.Net.At(time.Second, h.Destroy)
			return h.RequestTx()
		})
	})
	s := w.say("GET / HTTP/1.0\r\n\r\n")
	w.Advance(2 * time.Second)
	w.WantLife("the client", s, "CREATING CONNECTING CONNECTED DISCONNECTED")
	if len(s.Causes) == 0 {
		t.Errorf("the client took %q for a whole answer: its connection ended in order", s.Got)
	}
}

// TestSilentClient: a connection without a request, and one with half a head, are closed after a timeout.
func TestSilentClient(t *testing.T) {
	for _, text := range []string{"", "GET / HTTP/1.1\r\nHos"} {
		w := newWorld(t, wireDoc, plan{})
		w.Serve("srv", nil)
		w.say(text)
		w.Advance(31 * time.Second)
		w.WantLife(fmt.Sprintf("the server's stream, after %q", text), w.Accepted[0], "CREATING CONNECTING DISCONNECTED DESTROYING")
	}
}

// TestServerCannotListen: the error names the address, and nothing is left of the stream.
func TestServerCannotListen(t *testing.T) {
	doc := `{"s":[{"a":{"server":true,"port":80,"protocol":"h1"}},
		{"b":{"server":true,"port":80,"protocol":"raw"}},
		{"c":{"server":true,"port":81,"endpoint":"192.0.2.9","protocol":"raw"}},
		{"d":{"server":true,"port":81,"endpoint":"wlan7","protocol":"raw"}},
		{"e":{"server":true,"port":81,"endpoint":"!vh","protocol":"h1"}},
		{"f":{"server":true,"port":81,"endpoint":"${x}","protocol":"h1","metadata":[{"x":""}]}},
		{"g":{"server":true,"endpoint":"+/run/x","protocol":"h1"}}]}`
	w := newWorld(t, doc, plan{})
	w.Serve("a", nil)
	w.Serve("g", nil)
	for _, c := range []struct{ streamType, want string }{
		{"b", "*:80"}, {"c", "192.0.2.9:81"}, {"d", "neither an address nor an interface"},
		{"e", "vhost"}, {"f", "before any metadata can be set"}, {"g", "/run/x"},
	} {
		h, err := w.Server.Runtime.Create(ss.Info{StreamType: c.streamType, New: func(*ss.Handle) ss.Stream {
			t.Errorf("%s: New was called", c.streamType)
			return nil
		}})
		var ce *ss.CreateError
		if h != nil || !errors.As(err, &ce) || ce.StreamType != c.streamType || !strings.Contains(err.Error(), c.want) {
			t.Errorf("create %s: got %v, %v; want a CreateError with %q in it", c.streamType, h, err, c.want)
		}
	}
	if w.Server.Runtime.Len() != 2 {
		t.Errorf("streams: got %d, want 2", w.Server.Runtime.Len())
	}
}

// TestAcceptExhausted: a server without free descriptors accepts waiting clients later.
func TestAcceptExhausted(t *testing.T) {
	w := newWorld(t, wireDoc, plan{Net: sim.Options{MaxDescriptors: 4}})
	w.Serve("srv", answer(0, "hello"))
	var all []*script
	for i := range 12 {
		s := newScript()
		s.Say, s.NoEOM = []byte("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), true
		s.When(ss.Connected, (*ss.Handle).RequestTx)
		all = append(all, s)
		w.Net.At(time.Duration(i/3)*50*time.Millisecond, func() { w.Create("wire", s).Connect() })
	}
	w.Advance(30 * time.Second)
	whole := 0
	for _, s := range all {
		if strings.HasSuffix(string(s.Got), "hello") {
			whole++
		} else if s.Told(ss.Connected) > 0 {
			t.Errorf("connected and not answered: %s", s.Line())
		}
	}
	if whole < 8 {
		t.Errorf("answers: got %d of 12, want most", whole)
	}
}
