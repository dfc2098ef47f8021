package ws

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/http"
)

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
		{"without further fields", nil, "", nil, switched, ""},
		{"upgrade among others, in any case", func(m *http.Message) { m.Upgrade = []byte("h2c, WebSocket") }, "", nil, switched, ""},
		{"a client offers a subprotocol, the server supports none", nil, "Sec-WebSocket-Protocol: chat", nil, switched, ""},
		{"a client offers no subprotocol, the server supports one", nil, "", []string{"chat"}, switched, ""},
		{"the first supported subprotocol of the client", nil, "Sec-WebSocket-Protocol: x, superchat,chat", []string{"chat", "superchat"}, switched + "\nSec-WebSocket-Protocol: superchat", "superchat"},
		{"subprotocols in two fields", nil, "Sec-WebSocket-Protocol: x\nSec-WebSocket-Protocol: chat", []string{"chat"}, switched + "\nSec-WebSocket-Protocol: chat", "chat"},
		{"unknown extensions", nil, "Sec-WebSocket-Extensions: foo; bar=1; baz=\"a\\b\", x-webkit-deflate-frame", nil, switched, ""},
		{"an extended CONNECT", connect, "Sec-WebSocket-Protocol: chat", []string{"chat"}, "200\nSec-WebSocket-Protocol: chat", "chat"},

		{"no upgrade", func(m *http.Message) { m.Upgrade = nil }, "", nil, "does not ask for websocket (426)", ""},
		{"upgrade to another protocol", func(m *http.Message) { m.Upgrade = []byte("websockets") }, "", nil, "does not ask for websocket (426)", ""},
		{"POST", func(m *http.Message) { m.Method = []byte("POST") }, "", nil, "method is not GET (400)", ""},
		{"HTTP/1.0", func(m *http.Message) { m.Version = http.HTTP10 }, "", nil, "HTTP/1.0, or has a body (400)", ""},
		{"a body", func(m *http.Message) { m.Length = 5 }, "", nil, "or has a body (400)", ""},
		{"no key", without(http.SecWebSocketKey), "", nil, "no Sec-WebSocket-Key (400)", ""},
		{"two keys", nil, "Sec-WebSocket-Key: " + sampleKey, nil, "no Sec-WebSocket-Key (400)", ""},
		{"a short key", without(http.SecWebSocketKey), "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==", nil, "no Sec-WebSocket-Key (400)", ""},
		{"a long key", func(m *http.Message) { m.Fields[1].Value = []byte("dGhlIHNhbXBsZSBub25jZXh4") }, "", nil, "no Sec-WebSocket-Key (400)", ""},
		{"a key that is not base64", func(m *http.Message) { m.Fields[1].Value = []byte("dGhlIHNhbXBsZSBub25j!Q==") }, "", nil, "no Sec-WebSocket-Key (400)", ""},
		{"a key with nonzero padding bits", func(m *http.Message) { m.Fields[1].Value = []byte("dGhlIHNhbXBsZSBub25jZR==") }, "", nil, "no Sec-WebSocket-Key (400)", ""},
		{"no version", without(http.SecWebSocketVersion), "", nil, "no Sec-WebSocket-Version (400)", ""},
		{"two versions", nil, "Sec-WebSocket-Version: 8", nil, "no Sec-WebSocket-Version, or more (400)", ""},
		{"another version", func(m *http.Message) { m.Fields[2].Value = []byte("8") }, "", nil, "unsupported version (426)", ""},
		{"versions in a list", func(m *http.Message) { m.Fields[2].Value = []byte("13, 8") }, "", nil, "unsupported version (426)", ""},
		{"an extended CONNECT of another version", func(m *http.Message) { connect(m); m.Fields[1].Value = []byte("12") }, "", nil, "unsupported version (426)", ""},
		{"no supported subprotocol", nil, "Sec-WebSocket-Protocol: x, y", []string{"chat"}, "no supported subprotocol (400)", ""},
		{"subprotocols are case-sensitive", nil, "Sec-WebSocket-Protocol: Chat", []string{"chat"}, "no supported subprotocol (400)", ""},
		{"subprotocols that are not tokens", nil, "Sec-WebSocket-Protocol: a b", nil, "invalid list of subprotocols (400)", ""},
		{"too many subprotocols", nil, "Sec-WebSocket-Protocol: " + strings.Repeat("a,", 65), nil, "invalid list of subprotocols (400)", ""},
		{"an invalid list of extensions", nil, "Sec-WebSocket-Extensions: a b", nil, "invalid list of extensions (400)", ""},
		{"an extension with an empty parameter", nil, "Sec-WebSocket-Extensions: a;", nil, "invalid list of extensions (400)", ""},
		{"an extension with an empty value", nil, "Sec-WebSocket-Extensions: a; b=", nil, "invalid list of extensions (400)", ""},
		{"an extension with an open quote", nil, "Sec-WebSocket-Extensions: a; b=\"c", nil, "invalid list of extensions (400)", ""},
		{"an extension with an empty quote", nil, "Sec-WebSocket-Extensions: a; b=\"\"", nil, "invalid list of extensions (400)", ""},
		{"an extension with a quoted space", nil, "Sec-WebSocket-Extensions: a; b=\"c d\"", nil, "invalid list of extensions (400)", ""},
	} {
		var a Answer
		err := a.Accept(newShared(), request(r.change, r.extra), r.served)
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

func FuzzAccept(f *testing.F) {
	f.Add("GET", "websocket", sampleKey, "13", "chat, x", "permessage-deflate; client_max_window_bits=10, foo; a=\"b\"")
	f.Add("GET", "h2c, websocket", "x", "8", ",", "permessage-deflate; server_max_window_bits=\"9\";;")
	f.Fuzz(func(t *testing.T, method, up, key, version, protocols, extensions string) {
		cfg := newConfig()
		cfg.Deflate.On = true
		sh := NewShared(cfg)
		m := &http.Message{Version: http.HTTP11, Method: []byte(method), Upgrade: []byte(up)}
		for name, v := range map[string]string{"sec-websocket-key": key, "sec-websocket-version": version, "sec-websocket-protocol": protocols, "sec-websocket-extensions": extensions} {
			m.Add([]byte(name), []byte(v))
		}
		var a Answer
		err := a.Accept(sh, m, []string{"chat"})
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
