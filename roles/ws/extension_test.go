package ws

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/http"
)

// TestDeflateOffers checks a server (RFC 7692 s.5 and s.7.1): it declines an offer that is malformed or not possible, and
// considers the next one.
func TestDeflateOffers(t *testing.T) {
	keep := Deflate{On: true, KeepTx: true, KeepRx: true}
	small := Deflate{On: true, KeepTx: true, KeepRx: true, TxBits: 10, RxBits: 11}
	const d = "permessage-deflate"
	for _, r := range []struct {
		name  string
		d     Deflate
		offer string
		want  string // "" if declined
		p     Params
	}{
		{"off", Deflate{}, d, "", Params{}},
		{"without parameters", keep, d, d, Params{false, false, 15, 15}},
		{"in upper case", keep, "Permessage-Deflate", d, Params{false, false, 15, 15}},
		{"no context takeover", Deflate{On: true}, d, d + "; server_no_context_takeover; client_no_context_takeover", Params{true, true, 15, 15}},
		{"server_no_context_takeover", keep, d + "; server_no_context_takeover", d + "; server_no_context_takeover", Params{true, false, 15, 15}},
		{"client_no_context_takeover", keep, d + "; client_no_context_takeover", d + "; client_no_context_takeover", Params{false, true, 15, 15}},
		{"server_max_window_bits=8", keep, d + "; server_max_window_bits=8", d + "; server_max_window_bits=8", Params{false, false, 8, 15}},
		{"server_max_window_bits=15", keep, d + "; server_max_window_bits=15", d + "; server_max_window_bits=15", Params{false, false, 15, 15}},
		{"quoted", keep, d + `; server_max_window_bits="9"`, d + "; server_max_window_bits=9", Params{false, false, 9, 15}},
		{"client_max_window_bits", keep, d + "; client_max_window_bits", d, Params{false, false, 15, 15}},
		{"client_max_window_bits=10", keep, d + "; client_max_window_bits=10", d + "; client_max_window_bits=10", Params{false, false, 15, 10}},
		{"all four", keep, d + ";server_no_context_takeover;client_no_context_takeover;server_max_window_bits=12;client_max_window_bits=13",
			d + "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=13", Params{true, true, 12, 13}},
		{"smaller window of the server", small, d + "; client_max_window_bits", d + "; server_max_window_bits=10; client_max_window_bits=11", Params{false, false, 10, 11}},
		{"smaller window of the client", small, d + "; client_max_window_bits=9; server_max_window_bits=9", d + "; server_max_window_bits=9; client_max_window_bits=9", Params{false, false, 9, 9}},
		{"a client that cannot be limited", small, d, "", Params{}},

		{"an unknown parameter", keep, d + "; foo", "", Params{}},
		{"a parameter twice", keep, d + "; server_max_window_bits=9; server_max_window_bits=9", "", Params{}},
		{"a flag with a value", keep, d + "; server_no_context_takeover=1", "", Params{}},
		{"server_max_window_bits without a value", keep, d + "; server_max_window_bits", "", Params{}},
		{"server_max_window_bits=7", keep, d + "; server_max_window_bits=7", "", Params{}},
		{"server_max_window_bits=16", keep, d + "; server_max_window_bits=16", "", Params{}},
		{"server_max_window_bits=08", keep, d + "; server_max_window_bits=08", "", Params{}},
		{"client_max_window_bits=0", keep, d + "; client_max_window_bits=0", "", Params{}},
		{"client_max_window_bits=+9", keep, d + "; client_max_window_bits=+9", "", Params{}},
		{"five parameters", keep, d + "; a; b; c; d; e", "", Params{}},

		{"the first possible offer", keep, d + "; foo, " + d + "; server_max_window_bits=9, " + d, d + "; server_max_window_bits=9", Params{false, false, 9, 15}},
		{"the second offer, since the first has no limit", small, d + ", " + d + "; client_max_window_bits=9", d + "; server_max_window_bits=10; client_max_window_bits=9", Params{false, false, 10, 9}},
		{"after other extensions", keep, ", foo; a=b ,, bar," + d, d, Params{false, false, 15, 15}},
	} {
		cfg := newConfig()
		cfg.Deflate = r.d
		sh := NewShared(cfg)
		var a Answer
		if err := a.Accept(sh, request(nil, "Sec-WebSocket-Extensions: "+r.offer), nil); err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		got, _ := a.Message.Find(http.SecWebSocketExtensions)
		if string(got) != r.want || a.Agreed.Deflate != (r.want != "") || a.Agreed.Params != r.p {
			t.Errorf("%s: answers %q, agreed %+v; want %q, %+v", r.name, got, a.Agreed, r.want, r.p)
		}
	}
}

// TestDeflateReplies checks a client: a reply that does not match the offer fails the connection.
func TestDeflateReplies(t *testing.T) {
	keep := Deflate{On: true, KeepTx: true, KeepRx: true}
	small := Deflate{On: true, KeepTx: true, KeepRx: true, TxBits: 10, RxBits: 11}
	const d = "permessage-deflate"
	for _, r := range []struct {
		name  string
		d     Deflate
		reply string
		want  string // what the error says
		p     Params
	}{
		{"declined", keep, "", "", Params{}},
		{"without parameters", keep, d, "", Params{false, false, 15, 15}},
		{"all four", keep, d + "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=8", "", Params{true, true, 9, 8}},
		{"no context takeover", Deflate{On: true}, d + "; server_no_context_takeover", "", Params{true, true, 15, 15}},
		{"no context takeover, not confirmed", Deflate{On: true}, d, "do not match", Params{}},
		{"smaller windows", small, d + "; server_max_window_bits=11; client_max_window_bits=10", "", Params{false, false, 11, 10}},
		{"smaller than offered", small, d + "; server_max_window_bits=8; client_max_window_bits=8", "", Params{false, false, 8, 8}},
		{"window of the client not in the reply", small, d + "; server_max_window_bits=11", "", Params{false, false, 11, 10}},
		{"window of the server not in the reply", small, d, "do not match", Params{}},
		{"window of the server larger than offered", small, d + "; server_max_window_bits=12", "do not match", Params{}},
		{"window of the client larger than offered", small, d + "; server_max_window_bits=11; client_max_window_bits=11", "do not match", Params{}},
		{"a hint in a reply", keep, d + "; client_max_window_bits", "do not match", Params{}},
		{"an unknown parameter", keep, d + "; foo", "do not match", Params{}},
		{"a parameter twice", keep, d + "; client_no_context_takeover; client_no_context_takeover", "do not match", Params{}},
		{"twice", keep, d + ", " + d, "given twice", Params{}},
		{"another extension in addition", keep, d + ", foo", "not offered", Params{}},
	} {
		cfg := newConfig()
		cfg.Rand, cfg.Deflate = sampleRand, r.d
		sh := NewShared(cfg)
		var o Offer
		o.Ask(sh, &http.Message{}, nil, false)
		fields := "Sec-WebSocket-Accept: " + sampleAccept
		if r.reply != "" {
			fields += "\nSec-WebSocket-Extensions: " + r.reply
		}
		a, err := o.Check(&http.Message{Status: 101, Upgrade: websocket, Fields: fieldsOf(fields)})
		if (err == nil) != (r.want == "") || !strings.Contains(errText(err), r.want) {
			t.Errorf("%s: %v, want %q", r.name, err, r.want)
		}
		if err == nil && (a.Params != r.p || a.Deflate != (r.reply != "")) {
			t.Errorf("%s: agreed %+v, want %+v", r.name, a, r.p)
		}
	}
}
