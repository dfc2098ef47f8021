package ws

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/http"
)

// sampleKey and sampleAccept are those of RFC 6455 s.1.3.
const sampleKey, sampleAccept = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

// fieldsOf parses lines "Name: value".
func fieldsOf(s string) (list []http.Field) {
	for _, line := range strings.Split(s, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			list = append(list, http.Field{Name: []byte(name), Value: []byte(value), ID: http.Lookup([]byte(name))})
		}
	}
	return list
}

// textOf is a message on lines, as far as a handshake writes it.
func textOf(m *http.Message) string {
	var b strings.Builder
	b.WriteString(itoa(m.Status))
	if m.Upgrade != nil {
		b.WriteString("\nupgrade " + string(m.Upgrade))
	}
	for _, f := range m.Fields {
		b.WriteString("\n" + string(f.Name) + ": " + string(f.Value))
		if f.ID != http.Lookup(f.Name) {
			b.WriteString(" (misnumbered)")
		}
	}
	return b.String()
}

// request is one that is accepted, but for what change does to it.
func request(change func(m *http.Message), extra string) *http.Message {
	m := &http.Message{
		Version: http.HTTP11, Method: []byte("GET"), Path: []byte("/chat"), Upgrade: []byte("websocket"),
		Fields: fieldsOf("Host: x\nSec-WebSocket-Key: " + sampleKey + "\nSec-WebSocket-Version: 13\n" + extra),
	}
	if change != nil {
		change(m)
	}
	return m
}

func without(id http.ID) func(m *http.Message) {
	return func(m *http.Message) {
		var list []http.Field
		for _, f := range m.Fields {
			if f.ID != id {
				list = append(list, f)
			}
		}
		m.Fields = list
	}
}

// connect is the same of an extended CONNECT.
func connect(m *http.Message) {
	without(http.SecWebSocketKey)(m)
	m.Version, m.Method, m.Upgrade, m.Protocol = http.HTTP2, []byte("CONNECT"), nil, []byte("websocket")
}

const switched = "101\nupgrade websocket\nSec-WebSocket-Accept: " + sampleAccept

func TestAccept(t *testing.T) {
	for _, r := range []struct {
		name   string
		change func(m *http.Message)
		extra  string
		served []string
		want   string // the answer, or what the error says
		chosen string
	}{
		{"the least", nil, "", nil, switched, ""},
		{"upgrade among others, in any case", func(m *http.Message) { m.Upgrade = []byte("h2c, WebSocket") }, "", nil, switched, ""},
		{"a client offers a subprotocol, none is served", nil, "Sec-WebSocket-Protocol: chat", nil, switched, ""},
		{"a client offers none, some are served", nil, "", []string{"chat"}, switched, ""},
		{"the client's first that is served", nil, "Sec-WebSocket-Protocol: x, superchat,chat", []string{"chat", "superchat"}, switched + "\nSec-WebSocket-Protocol: superchat", "superchat"},
		{"subprotocols in two fields", nil, "Sec-WebSocket-Protocol: x\nSec-WebSocket-Protocol: chat", []string{"chat"}, switched + "\nSec-WebSocket-Protocol: chat", "chat"},
		{"extensions nobody knows", nil, "Sec-WebSocket-Extensions: foo; bar=1; baz=\"a\\b\", x-webkit-deflate-frame", nil, switched, ""},
		{"an extended CONNECT", connect, "Sec-WebSocket-Protocol: chat", []string{"chat"}, "200\nSec-WebSocket-Protocol: chat", "chat"},

		{"no upgrade", func(m *http.Message) { m.Upgrade = nil }, "", nil, "does not ask for websocket (426)", ""},
		{"upgrade to something else", func(m *http.Message) { m.Upgrade = []byte("websockets") }, "", nil, "does not ask for websocket (426)", ""},
		{"POST", func(m *http.Message) { m.Method = []byte("POST") }, "", nil, "method is not GET (400)", ""},
		{"HTTP/1.0", func(m *http.Message) { m.Version = http.HTTP10 }, "", nil, "HTTP/1.0, or has a body (400)", ""},
		{"a body", func(m *http.Message) { m.Length = 5 }, "", nil, "or has a body (400)", ""},
		{"no key", without(http.SecWebSocketKey), "", nil, "key is not (400)", ""},
		{"two keys", nil, "Sec-WebSocket-Key: " + sampleKey, nil, "key is not (400)", ""},
		{"a short key", without(http.SecWebSocketKey), "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==", nil, "key is not (400)", ""},
		{"a long key", func(m *http.Message) { m.Fields[1].Value = []byte("dGhlIHNhbXBsZSBub25jZXh4") }, "", nil, "key is not (400)", ""},
		{"a key that is no base64", func(m *http.Message) { m.Fields[1].Value = []byte("dGhlIHNhbXBsZSBub25j!Q==") }, "", nil, "key is not (400)", ""},
		{"a key with bits to spare", func(m *http.Message) { m.Fields[1].Value = []byte("dGhlIHNhbXBsZSBub25jZR==") }, "", nil, "key is not (400)", ""},
		{"no version", without(http.SecWebSocketVersion), "", nil, "no version (400)", ""},
		{"two versions", nil, "Sec-WebSocket-Version: 8", nil, "no version, or more (400)", ""},
		{"another version", func(m *http.Message) { m.Fields[2].Value = []byte("8") }, "", nil, "version is not 13 (426)", ""},
		{"versions in a list", func(m *http.Message) { m.Fields[2].Value = []byte("13, 8") }, "", nil, "version is not 13 (426)", ""},
		{"an extended CONNECT of another version", func(m *http.Message) { connect(m); m.Fields[1].Value = []byte("12") }, "", nil, "version is not 13 (426)", ""},
		{"no subprotocol that is served", nil, "Sec-WebSocket-Protocol: x, y", []string{"chat"}, "none of the subprotocols (400)", ""},
		{"subprotocols are case-sensitive", nil, "Sec-WebSocket-Protocol: Chat", []string{"chat"}, "none of the subprotocols (400)", ""},
		{"subprotocols that are no tokens", nil, "Sec-WebSocket-Protocol: a b", nil, "no list of tokens (400)", ""},
		{"subprotocols without end", nil, "Sec-WebSocket-Protocol: " + strings.Repeat("a,", 65), nil, "no list of tokens (400)", ""},
		{"extensions that are none", nil, "Sec-WebSocket-Extensions: a b", nil, "no list of extensions (400)", ""},
		{"an extension with an empty parameter", nil, "Sec-WebSocket-Extensions: a;", nil, "no list of extensions (400)", ""},
		{"an extension with an empty value", nil, "Sec-WebSocket-Extensions: a; b=", nil, "no list of extensions (400)", ""},
		{"an extension with an open quote", nil, "Sec-WebSocket-Extensions: a; b=\"c", nil, "no list of extensions (400)", ""},
		{"an extension with an empty quote", nil, "Sec-WebSocket-Extensions: a; b=\"\"", nil, "no list of extensions (400)", ""},
		{"an extension with a quoted space", nil, "Sec-WebSocket-Extensions: a; b=\"c d\"", nil, "no list of extensions (400)", ""},
	} {
		var a Answer
		err := a.Accept(newConfig(), request(r.change, r.extra), r.served)
		if !strings.HasPrefix(r.want, "1") && !strings.HasPrefix(r.want, "2") {
			what, status, _ := strings.Cut(strings.TrimSuffix(r.want, ")"), " (")
			if !strings.Contains(errText(err), what) || itoa(a.Message.Status) != status {
				t.Errorf("%s: %v, status %d; want %s", r.name, err, a.Message.Status, r.want)
			}
			// RFC 6455 s.4.4: the version that we do speak is named.
			want := status
			if status == "426" {
				want += "\nupgrade websocket\nSec-WebSocket-Version: 13"
			}
			if got := textOf(&a.Message); got != want || a.Agreed != (Agreed{}) {
				t.Errorf("%s: answers\n%s\nwant\n%s\nagreed %+v", r.name, got, want, a.Agreed)
			}
			continue
		}
		if got := textOf(&a.Message); err != nil || got != r.want || a.Agreed.Protocol != r.chosen {
			t.Errorf("%s: %v, subprotocol %q, answers\n%s\nwant %q and\n%s", r.name, err, a.Agreed.Protocol, got, r.chosen, r.want)
		}
	}
}

func TestWanted(t *testing.T) {
	for _, r := range []struct {
		m    *http.Message
		want bool
	}{
		{request(nil, ""), true},
		{request(connect, ""), true},
		{request(func(m *http.Message) { m.Upgrade = nil }, ""), false},
		{request(func(m *http.Message) { m.Upgrade = []byte("h2c") }, ""), false},
		{request(func(m *http.Message) { connect(m); m.Protocol = []byte("connect-udp") }, ""), false},
	} {
		if got := Wanted(r.m); got != r.want {
			t.Errorf("%q, %q: %v, want %v", r.m.Upgrade, r.m.Protocol, got, r.want)
		}
	}
}

// sampleRand gives the octets of the sample key.
func sampleRand(p []byte) { copy(p, "the sample nonce") }

func TestAsk(t *testing.T) {
	g := newConfig()
	g.Rand = sampleRand
	var o Offer
	m := &http.Message{Path: []byte("/chat"), Fields: fieldsOf("Origin: http://x")}
	o.Ask(g, m, []string{"chat", "superchat"}, false)
	if got, want := textOf(m), "0\nupgrade websocket\nOrigin: http://x\nSec-WebSocket-Key: "+sampleKey+"\nSec-WebSocket-Version: 13\nSec-WebSocket-Protocol: chat, superchat"; got != want || string(m.Method) != "GET" {
		t.Errorf("%s asks\n%s\nwant\n%s", m.Method, got, want)
	}
	m = &http.Message{Path: []byte("/chat")}
	g.Deflate.On = true
	o.Ask(g, m, nil, true)
	if got, want := textOf(m), "0\nSec-WebSocket-Version: 13\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"; got != want || string(m.Method) != "CONNECT" || string(m.Protocol) != "websocket" {
		t.Errorf("%s for %s asks\n%s\nwant\n%s", m.Method, m.Protocol, got, want)
	}
}

func TestCheck(t *testing.T) {
	const accept = "Sec-WebSocket-Accept: " + sampleAccept
	for _, r := range []struct {
		name   string
		status int
		up     string
		fields string
		want   string // what the error says
		chosen string
	}{
		{"the least", 101, "websocket", accept, "", ""},
		{"in any case", 101, "WebSocket", strings.ToLower(accept[:20]) + accept[20:], "", ""},
		{"a subprotocol of ours", 101, "websocket", accept + "\nSec-WebSocket-Protocol: superchat", "", "superchat"},

		{"200", 200, "", "", "status does not switch", ""},
		{"401", 401, "", "", "status does not switch", ""},
		{"no upgrade", 101, "", accept, "something else", ""},
		{"upgrade to something else", 101, "h2c", accept, "something else", ""},
		{"no accept", 101, "websocket", "", "accept does not answer", ""},
		{"another accept", 101, "websocket", "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "accept does not answer", ""},
		{"two accepts", 101, "websocket", accept + "\n" + accept, "accept does not answer", ""},
		{"a subprotocol of its own", 101, "websocket", accept + "\nSec-WebSocket-Protocol: x", "subprotocol was not offered", ""},
		{"two subprotocols", 101, "websocket", accept + "\nSec-WebSocket-Protocol: chat\nSec-WebSocket-Protocol: chat", "subprotocol was not offered", ""},
		{"an empty subprotocol", 101, "websocket", accept + "\nSec-WebSocket-Protocol: ", "subprotocol was not offered", ""},
		{"an extension of its own", 101, "websocket", accept + "\nSec-WebSocket-Extensions: foo", "extension was not offered", ""},
		{"permessage-deflate unasked", 101, "websocket", accept + "\nSec-WebSocket-Extensions: permessage-deflate", "extension was not offered", ""},
		{"extensions that are none", 101, "websocket", accept + "\nSec-WebSocket-Extensions: ;", "no list of extensions", ""},
	} {
		g := newConfig()
		g.Rand = sampleRand
		var o Offer
		o.Ask(g, &http.Message{}, []string{"chat", "superchat"}, false)
		m := &http.Message{Status: r.status, Fields: fieldsOf(r.fields)}
		if r.up != "" {
			m.Upgrade = []byte(r.up)
		}
		a, err := o.Check(m)
		if (err == nil) != (r.want == "") || !strings.Contains(errText(err), r.want) || a.Protocol != r.chosen {
			t.Errorf("%s: %q, %v; want %q, %q", r.name, a.Protocol, err, r.chosen, r.want)
		}
		if refused := r.status != 101; errors.Is(err, ErrRefused) != refused {
			t.Errorf("%s: %v wraps ErrRefused: %v, want %v", r.name, err, !refused, refused)
		}
	}
}

func TestCheckExtended(t *testing.T) {
	for status, want := range map[int]string{200: "", 204: "", 101: "does not switch", 404: "does not switch"} {
		var o Offer
		o.Ask(newConfig(), &http.Message{}, nil, true)
		if _, err := o.Check(&http.Message{Status: status}); !strings.Contains(errText(err), want) || (err == nil) != (want == "") {
			t.Errorf("%d: %v, want %q", status, err, want)
		}
	}
}

// TestHandshakeBothWays: what one side says, the other understands, on any terms.
func TestHandshakeBothWays(t *testing.T) {
	terms := []Deflate{
		{},
		{On: true},
		{On: true, KeepTx: true, KeepRx: true},
		{On: true, TxBits: 9, RxBits: 10},
		{On: true, KeepTx: true, TxBits: 8, RxBits: 8},
		{On: true, KeepRx: true, TxBits: 15, RxBits: 15},
	}
	for i, of := range terms {
		for k, with := range terms {
			for _, extended := range []bool{false, true} {
				gc, gs := newConfig(), newConfig()
				gc.Deflate, gs.Deflate = of, with
				var o Offer
				var a Answer
				m := &http.Message{Version: http.HTTP11}
				o.Ask(gc, m, []string{"chat"}, extended)
				if err := a.Accept(gs, m, []string{"chat"}); err != nil {
					t.Fatal(err)
				}
				got, err := o.Check(&a.Message)
				if err != nil || got != a.Agreed {
					t.Errorf("terms %d and %d, extended %v: the client has %+v, %v; the server %+v", i, k, extended, got, err, a.Agreed)
				}
				if got.Deflate != (of.On && with.On) || got.Protocol != "chat" {
					t.Errorf("terms %d and %d: agreed %+v", i, k, got)
				}
				if p := got.Params; got.Deflate && (!p.ServerFresh && !(with.KeepTx && of.KeepRx) || !p.ClientFresh && !(of.KeepTx && with.KeepRx) ||
					p.ServerBits > min(bitsOr15(with.TxBits), bitsOr15(of.RxBits)) || p.ClientBits > min(bitsOr15(of.TxBits), bitsOr15(with.RxBits))) {
					t.Errorf("terms %d and %d: %+v is more than one of them wants", i, k, p)
				}
			}
		}
	}
}

func FuzzAccept(f *testing.F) {
	f.Add("GET", "websocket", sampleKey, "13", "chat, x", "permessage-deflate; client_max_window_bits=10, foo; a=\"b\"")
	f.Add("GET", "h2c, websocket", "x", "8", ",", "permessage-deflate; server_max_window_bits=\"9\";;")
	f.Fuzz(func(t *testing.T, method, up, key, version, protocols, extensions string) {
		g := newConfig()
		g.Deflate.On = true
		m := &http.Message{Version: http.HTTP11, Method: []byte(method), Upgrade: []byte(up)}
		for name, v := range map[string]string{"sec-websocket-key": key, "sec-websocket-version": version, "sec-websocket-protocol": protocols, "sec-websocket-extensions": extensions} {
			m.Add([]byte(name), []byte(v))
		}
		var a Answer
		err := a.Accept(g, m, []string{"chat"})
		if (err == nil) != (a.Message.Status == 101) {
			t.Fatalf("%v, status %d", err, a.Message.Status)
		}
		for _, f := range a.Message.Fields {
			if !http.ValidName(f.Name) || !http.ValidValue(f.Value) {
				t.Fatalf("field %q: %q cannot be sent", f.Name, f.Value)
			}
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add(101, "websocket", sampleAccept, "chat", "permessage-deflate; server_no_context_takeover; server_max_window_bits=10")
	f.Add(101, "websocket", sampleAccept, "", "permessage-deflate; client_max_window_bits=\"8\"")
	f.Fuzz(func(t *testing.T, status int, up, accept, protocol, extensions string) {
		g := newConfig()
		g.Rand, g.Deflate.On = sampleRand, true
		g.Deflate.KeepRx = len(up)&1 == 0
		var o Offer
		o.Ask(g, &http.Message{}, []string{"chat"}, false)
		m := &http.Message{Status: status, Upgrade: []byte(up)}
		for name, v := range map[string]string{"sec-websocket-accept": accept, "sec-websocket-protocol": protocol, "sec-websocket-extensions": extensions} {
			m.Add([]byte(name), []byte(v))
		}
		a, err := o.Check(m)
		if err == nil && (status != 101 || accept != sampleAccept || protocol != a.Protocol) || err != nil && a != (Agreed{}) {
			t.Fatalf("%+v, %v", a, err)
		}
		if p := a.Params; a.Deflate && (p.ServerBits < 8 || p.ServerBits > 15 || p.ClientBits < 8 || p.ClientBits > 15) {
			t.Fatalf("%+v", p)
		}
	})
}
