package ws

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/http"
)

// sampleRand returns the octets of sampleKey.
func sampleRand(p []byte) { copy(p, "the sample nonce") }

func TestAsk(t *testing.T) {
	cfg := newConfig()
	cfg.Rand = sampleRand
	sh := NewShared(cfg)
	var o Offer
	m := &http.Message{Path: []byte("/chat"), Fields: fieldsOf("Origin: http://x")}
	o.Ask(sh, m, []string{"chat", "superchat"}, false)
	if got, want := textOf(m), "0\nupgrade websocket\nOrigin: http://x\nSec-WebSocket-Key: "+sampleKey+"\nSec-WebSocket-Version: 13\nSec-WebSocket-Protocol: chat, superchat"; got != want || string(m.Method) != "GET" {
		t.Errorf("%s asks\n%s\nwant\n%s", m.Method, got, want)
	}
	m = &http.Message{Path: []byte("/chat")}
	cfg.Deflate.On = true
	o.Ask(NewShared(cfg), m, nil, true)
	if got, want := textOf(m), "0\nSec-WebSocket-Version: 13\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_max_window_bits"; got != want || string(m.Method) != "CONNECT" || string(m.Protocol) != "websocket" {
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
		{"without further fields", 101, "websocket", accept, "", ""},
		{"in upper and lower case", 101, "WebSocket", strings.ToLower(accept[:20]) + accept[20:], "", ""},
		{"a subprotocol that was offered", 101, "websocket", accept + "\nSec-WebSocket-Protocol: superchat", "", "superchat"},

		{"200", 200, "", "", "status does not switch", ""},
		{"401", 401, "", "", "status does not switch", ""},
		{"no upgrade", 101, "", accept, "another protocol", ""},
		{"upgrade to another protocol", 101, "h2c", accept, "another protocol", ""},
		{"no accept", 101, "websocket", "", "does not match our key", ""},
		{"another accept", 101, "websocket", "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "does not match our key", ""},
		{"two accepts", 101, "websocket", accept + "\n" + accept, "does not match our key", ""},
		{"a subprotocol that was not offered", 101, "websocket", accept + "\nSec-WebSocket-Protocol: x", "subprotocol was not offered", ""},
		{"two subprotocols", 101, "websocket", accept + "\nSec-WebSocket-Protocol: chat\nSec-WebSocket-Protocol: chat", "subprotocol was not offered", ""},
		{"an empty subprotocol", 101, "websocket", accept + "\nSec-WebSocket-Protocol: ", "subprotocol was not offered", ""},
		{"an extension that was not offered", 101, "websocket", accept + "\nSec-WebSocket-Extensions: foo", "extension was not offered", ""},
		{"permessage-deflate that was not offered", 101, "websocket", accept + "\nSec-WebSocket-Extensions: permessage-deflate", "extension was not offered", ""},
		{"an invalid list of extensions", 101, "websocket", accept + "\nSec-WebSocket-Extensions: ;", "invalid list of extensions", ""},
	} {
		cfg := newConfig()
		cfg.Rand = sampleRand
		sh := NewShared(cfg)
		var o Offer
		o.Ask(sh, &http.Message{}, []string{"chat", "superchat"}, false)
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
		o.Ask(newShared(), &http.Message{}, nil, true)
		if _, err := o.Check(&http.Message{Status: status}); !strings.Contains(errText(err), want) || (err == nil) != (want == "") {
			t.Errorf("%d: %v, want %q", status, err, want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(101, "websocket", sampleAccept, "chat", "permessage-deflate; server_no_context_takeover; server_max_window_bits=10")
	f.Add(101, "websocket", sampleAccept, "", "permessage-deflate; client_max_window_bits=\"8\"")
	f.Fuzz(func(t *testing.T, status int, up, accept, protocol, extensions string) {
		cfg := newConfig()
		cfg.Rand, cfg.Deflate.On = sampleRand, true
		cfg.Deflate.KeepRx = len(up)&1 == 0
		sh := NewShared(cfg)
		var o Offer
		o.Ask(sh, &http.Message{}, []string{"chat"}, false)
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

// lwsAnswer returns the reply of libwebsockets 4.4 to 5.0 to an offer of permessage-deflate: the offered parameters that need
// no value, cut at 63 octets and a NUL.
func lwsAnswer(offer string) string {
	s := "permessage-deflate"
	for _, p := range strings.Split(offer, "; ")[1:] {
		if strings.HasSuffix(p, "_no_context_takeover") {
			s += "; " + p
		}
	}
	if len(s) > 63 {
		s = s[:63] + "\x00"
	}
	return s
}

// TestOfferFitsShortAnswers checks that each offer gets a valid reply from servers that cut theirs at 63 octets.
func TestOfferFitsShortAnswers(t *testing.T) {
	for _, d := range []Deflate{{}, {KeepTx: true}, {KeepRx: true}, {KeepTx: true, KeepRx: true}} {
		d.On = true
		cfg := newConfig()
		cfg.Rand, cfg.Deflate = sampleRand, d
		sh := NewShared(cfg)
		var o Offer
		m := &http.Message{}
		o.Ask(sh, m, nil, false)
		offer, _ := m.Find(http.SecWebSocketExtensions)
		answer := lwsAnswer(string(offer))
		a, err := o.Check(&http.Message{Status: 101, Upgrade: websocket, Fields: fieldsOf("Sec-WebSocket-Accept: " + sampleAccept + "\nSec-WebSocket-Extensions: " + answer)})
		want := Params{ServerFresh: !d.KeepRx, ClientFresh: !d.KeepTx, ServerBits: 15, ClientBits: 15}
		if err != nil || !a.Deflate || a.Params != want {
			t.Errorf("keep tx %v, rx %v: offer %q, answer %q: got %+v, %v, want %+v", d.KeepTx, d.KeepRx, offer, answer, a, err, want)
		}
	}
}
