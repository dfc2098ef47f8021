package ws

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/http"
)

// sampleKey and sampleAccept are the example of RFC 6455 s.1.3.
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

// textOf returns the parts of m that a handshake sets, one per line.
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

// request returns a valid request, changed by change.
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

// connect turns a request into an extended CONNECT.
func connect(m *http.Message) {
	without(http.SecWebSocketKey)(m)
	m.Version, m.Method, m.Upgrade, m.Protocol = http.HTTP2, []byte("CONNECT"), nil, []byte("websocket")
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

// TestHandshakeBothWays checks that client and server agree on the same parameters, for all terms.
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
				cc, cs := newConfig(), newConfig()
				cc.Deflate, cs.Deflate = of, with
				gc, gs := NewShared(cc), NewShared(cs)
				var o Offer
				var a Answer
				m := &http.Message{Version: http.HTTP11}
				o.Ask(gc, m, []string{"chat"}, extended)
				if err := a.Accept(gs, m, []string{"chat"}); err != nil {
					t.Fatal(err)
				}
				got, err := o.Check(&a.Message)
				want := a.Agreed
				if want.Deflate && !of.KeepTx {
					want.Params.ClientFresh = true // the client's own choice, of which the server need not know
				}
				if err != nil || got != want {
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
