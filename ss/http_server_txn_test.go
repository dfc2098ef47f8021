package ss_test

import (
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
)

// webDoc has a server of both protocols on one port, and one that never announces a length.
const webDoc = `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}}],"s":[
	{"web":{"server":true,"port":80,"protocol":"h2","timeout_ms":5000,"metadata":[{"mime":"content-type:"},{"extra":"x-extra:"},
		{"ua":"user-agent:"},{"method":""},{"path":""},{"authority":""},{"auth":""},{"q":""},{"len":"content-length:"}]}},
	{"nolen":{"server":true,"port":80,"protocol":"h2","http_no_content_length":true}},
	{"wire":{"endpoint":"10.0.0.2","port":80,"protocol":"raw","opportunistic":true,"retry":"none"}}]}`

// TestTransactions: the responses that a client receives and the callbacks of the stream are the same on both
// protocols.
func TestTransactions(t *testing.T) {
	const open = "CREATING CONNECTING CONNECTED SERVER_TXN "
	// ack answers hello in SERVER_TXN, in the way of more.
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
	never := func(*script, *ss.Handle) ss.Ret { return ss.OK }
	// atEnd echoes the request body at its end.
	atEnd := func(s *script) {
		s.OnRx = func(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
			if f&ss.EOM == 0 {
				return ss.OK
			}
			s.Say = s.Got
			h.ServerAck(0)
			return h.RequestTxLen(int64(len(s.Got)))
		}
	}
	for _, c := range []struct {
		name   string
		srv    string
		each   func(*script)
		method string
		call   call // what differs from a GET without fields and body
		fields []string
		want   string
		wantH1 string // if it is another one
		line   string
	}{
		{name: "ack and length", each: ack(0, withLength), want: `200 content-length=5 "hello"`, line: open + `tx("hello"|SOM|EOM)`},
		{name: "no length", each: ack(0, without), want: `200 "hello"`, line: open + `tx("hello"|SOM|EOM)`},
		{name: "http_no_content_length", srv: "nolen", each: ack(0, withLength), want: `200 "hello"`},
		{name: "never acked", each: func(s *script) {
			s.Say = []byte("hello")
			s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret { return h.RequestTxLen(5) })
		}, want: `404 content-length=5 "hello"`},
		{name: "ack code as given", each: ack(418, withLength), want: `418 content-length=5 "hello"`},
		{name: "length 0: no Tx", each: ack(0, func(_ *script, h *ss.Handle) ss.Ret { return h.RequestTxLen(0) }),
			want: `200 content-length=0`, line: open},
		{name: "204", each: ack(204, without), want: `204`, line: open},
		{name: "304", each: ack(304, without), want: `304`, line: open},
		{name: "HEAD tells the length and brings nothing", each: ack(0, withLength), method: "HEAD", want: `200 content-length=5`, line: open},
		{name: "HEAD without length", each: ack(0, without), method: "HEAD", want: `200`, line: open},
		{name: "metadata become fields", each: ack(0, func(_ *script, h *ss.Handle) ss.Ret {
			h.SetMetadataString("mime", "text/plain")
			h.SetMetadataString("extra", "e")
			return h.RequestTxLen(5)
		}), want: `200 content-length=5 content-type=text/plain x-extra=e "hello"`},
		{name: "what the request says is not said back", each: ack(0, withLength),
			fields: []string{"x-extra: theirs", "user-agent: probe", "content-type: text/html", "authorization: Basic abc"},
			want:   `200 content-length=5 "hello"`},
		{name: "nor does it replace what is to be said", each: func(s *script) {
			ack(0, withLength)(s)
			s.When(ss.Connected, func(h *ss.Handle) ss.Ret {
				h.SetMetadataString("extra", "ours")
				return ss.OK
			})
		}, fields: []string{"x-extra: theirs"}, want: `200 content-length=5 x-extra=ours "hello"`},
		{name: "length by metadata", each: ack(0, func(_ *script, h *ss.Handle) ss.Ret {
			h.SetMetadataString("len", "5")
			return h.RequestTx()
		}), want: `200 content-length=5 "hello"`},
		{name: "acked twice, the last counts", each: ack(500, func(_ *script, h *ss.Handle) ss.Ret { h.ServerAck(201); return h.RequestTxLen(5) }),
			want: `201 content-length=5 "hello"`},
		{name: "an ack that is no final status ends the stream", each: ack(99, withLength), want: "broken", line: open + "DISCONNECTED DESTROYING"},
		{name: "no request_tx, no answer", each: ack(0, never), want: "nothing", line: open},
		{name: "asked for later", each: ack(0, func(s *script, h *ss.Handle) ss.Ret {
			s.World.Net.At(time.Second, func() { h.RequestTxLen(5) })
			return ss.OK
		}), want: `200 content-length=5 "hello"`},
		{name: "asked for before there was a transaction", each: func(s *script) {
			s.Say = []byte("hello")
			s.When(ss.Creating, (*ss.Handle).RequestTx).When(ss.ServerTxn, func(h *ss.Handle) ss.Ret { h.ServerAck(0); return ss.OK })
		}, want: "nothing", line: open},
		{name: "the announced length ends a body that has no EOM", each: ack(0, func(s *script, h *ss.Handle) ss.Ret {
			s.NoEOM = true
			return h.RequestTxLen(5)
		}), want: `200 content-length=5 "hello"`, line: open + `tx("hello"|SOM)`},
		{name: "in pieces", each: ack(0, func(s *script, h *ss.Handle) ss.Ret { s.Piece = 2; return h.RequestTx() }),
			want: `200 "hello"`, line: open + `tx("he"|SOM) tx("ll") tx("o"|EOM)`},
		{name: "POST, answered at its end", each: atEnd, method: "POST", call: call{body: "abc"}, want: `200 content-length=3 "abc"`,
			line: open + `rx("abc"|SOM) rx(""|EOM) tx("abc"|SOM|EOM)`},
		{name: "POST without length", each: atEnd, method: "POST", call: call{body: "abc", length: -1}, want: `200 content-length=3 "abc"`,
			line: open + `rx("abc"|SOM) rx(""|EOM) tx("abc"|SOM|EOM)`},
		{name: "POST of nothing", each: atEnd, method: "POST", want: `200 content-length=0`, line: open + `rx(""|SOM|EOM)`},
		{name: "DELETE with a body", each: atEnd, method: "DELETE", call: call{body: "abc"}, want: `200 content-length=3 "abc"`},
		{name: "answered while the request is still coming", each: ack(0, withLength), method: "POST",
			call: call{body: "abc", length: 9, hold: true}, want: `200 content-length=5 "hello"`},
		{name: "100-continue", each: atEnd, method: "POST", call: call{body: "abc", goAhead: true}, want: `100, 200 content-length=3 "abc"`},
		{name: "100-continue, refused", each: ack(403, withLength), method: "POST", call: call{body: "abc", goAhead: true},
			want: `403 content-length=5 "hello"`, line: open + `tx("hello"|SOM|EOM) DISCONNECTED DESTROYING`},
		{name: "100-continue, made to wait", each: func(s *script) {
			atEnd(s)
			s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
				h.Pause()
				s.World.Net.At(500*time.Millisecond, h.Resume)
				return ss.OK
			})
		}, method: "POST", call: call{body: "abc", goAhead: true}, want: `100, 200 content-length=3 "abc"`},
		{name: "trailers are passed over", each: atEnd, method: "POST", call: call{body: "abc", length: -1, trailer: "x-sum"},
			want: `200 content-length=3 "abc"`, line: open + `rx("abc"|SOM) rx(""|EOM) tx("abc"|SOM|EOM)`},
		{name: "tx answers DISCONNECT_ME: half an answer must not look whole", each: ack(0, func(s *script, h *ss.Handle) ss.Ret {
			s.OnTx = func(_ *ss.Handle, ordinal uint32, buf []byte) (int, ss.Flags, ss.Ret) {
				if ordinal > 0 {
					return 0, 0, ss.DisconnectMe
				}
				s.World.Net.At(100*time.Millisecond, func() { h.RequestTx() })
				return copy(buf, "half"), ss.SOM, ss.OK
			}
			return h.RequestTx()
		}), want: `200 "half" cut`, line: open + `tx("half"|SOM) DISCONNECTED DESTROYING`},
		{name: "a body shorter than announced", each: ack(0, func(s *script, h *ss.Handle) ss.Ret { return h.RequestTxLen(9) }),
			want: `200 content-length=9 "hello" cut`, wantH1: `200 content-length=9 cut`, line: open + `tx("hello"|SOM|EOM) DISCONNECTED DESTROYING`},
		{name: "DISCONNECT_ME instead of an answer", each: ack(0, func(*script, *ss.Handle) ss.Ret { return ss.DisconnectMe }),
			want: "broken", line: open + "DISCONNECTED DESTROYING"},
		{name: "DISCONNECT_ME when all is said", each: ack(0, func(s *script, h *ss.Handle) ss.Ret {
			s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
				h.Disconnect()
				return copy(buf, "hello"), ss.SOM | ss.EOM, ss.OK
			}
			return h.RequestTx()
		}), want: `200 "hello"`, line: open + `tx("hello"|SOM|EOM) DISCONNECTED DESTROYING`},
		{name: "rx answers DESTROY_ME", each: func(s *script) {
			s.OnRx = func(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.DestroyMe }
		}, method: "POST", call: call{body: "abc"}, want: "broken", line: open + `rx("abc"|SOM) DISCONNECTED DESTROYING`},
		{name: "CREATING answers DESTROY_ME", each: func(s *script) {
			s.When(ss.Creating, func(*ss.Handle) ss.Ret { return ss.DestroyMe })
		}, want: "broken", line: "CREATING DESTROYING"},
		{name: "CONNECTED answers DESTROY_ME", each: func(s *script) {
			s.When(ss.Connected, func(*ss.Handle) ss.Ret { return ss.DestroyMe })
		}, want: "broken", line: "CREATING CONNECTING CONNECTED DISCONNECTED DESTROYING"},
		{name: "CONNECTED answers SS_HANDLE_DESTROYED", each: func(s *script) {
			s.When(ss.Connected, func(*ss.Handle) ss.Ret { return ss.Destroyed })
		}, want: "broken", line: "CREATING CONNECTING CONNECTED DISCONNECTED DESTROYING"},
		{name: "timeout while the answer is made", each: ack(0, func(s *script, h *ss.Handle) ss.Ret {
			h.StartTimeout(time.Second)
			s.When(ss.Timeout, func(h *ss.Handle) ss.Ret { return h.RequestTxLen(5) })
			return ss.OK
		}), want: `200 content-length=5 "hello"`, line: open + `TIMEOUT tx("hello"|SOM|EOM)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			overEach(t, func(t *testing.T, proto string) {
				w := newWorld(t, webDoc, plan{})
				if c.srv == "" {
					c.srv = "web"
				}
				w.Serve(c.srv, c.each)
				p := w.peer(proto)
				q := c.call
				q.set(orGET(c.method), "/", c.fields...)
				p.send(&q)
				w.until(2*time.Second, &q)
				if c.wantH1 != "" && proto == "h1" {
					q.want(c.name, c.wantH1)
				} else {
					q.want(c.name, c.want)
				}
				if c.line != "" {
					w.WantLine("the server's stream", w.Accepted[0], c.line)
				}
				w.turnsAtMost(60)
			})
		})
	}
}

func orGET(method string) string {
	if method == "" {
		return "GET"
	}
	return method
}
