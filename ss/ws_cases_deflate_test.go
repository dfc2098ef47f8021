package ss_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/ss"
)

// wsTerm is one way of agreeing on permessage-deflate.
type wsTerm struct {
	no   string
	keep bool // our end keeps what messages may refer to, if it may
	say  string
	want string // of our end's answer, or offer
}

// wsOffers are what a client offers in groups 12 and 13, and what a server answers.
//
// If a client offers no context takeover, no context is kept for it.
var wsOffers = []wsTerm{
	{"12, 13.1", false, "permessage-deflate; client_no_context_takeover; client_max_window_bits",
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
	{"12, 13.1", true, "permessage-deflate; client_no_context_takeover; client_max_window_bits", "permessage-deflate; client_no_context_takeover"},
	{"12, 13.1, without hints", true, "permessage-deflate", "permessage-deflate"},
	{"13.2", true, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
	{"13.3", true, "permessage-deflate; server_max_window_bits=9; client_max_window_bits", "permessage-deflate; server_max_window_bits=9"},
	{"13.3, with 8", true, "permessage-deflate; server_max_window_bits=8; client_no_context_takeover; client_max_window_bits",
		"permessage-deflate; client_no_context_takeover; server_max_window_bits=8"},
	{"13.4", true, "permessage-deflate; server_max_window_bits=15; client_no_context_takeover; client_max_window_bits",
		"permessage-deflate; client_no_context_takeover; server_max_window_bits=15"},
	{"13.5", true, "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_no_context_takeover; client_max_window_bits",
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9"},
	{"13.6", true, "permessage-deflate; server_no_context_takeover; server_max_window_bits=15; client_no_context_takeover; client_max_window_bits",
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15"},
	{"13.7", true, "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_no_context_takeover; client_max_window_bits, " +
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits, " +
		"permessage-deflate; client_no_context_takeover; client_max_window_bits",
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9"},
	{"13.7, the first no offer", true, "permessage-deflate; server_max_window_bits=16, x-other; a=b, permessage-deflate; client_max_window_bits=9",
		"permessage-deflate; client_max_window_bits=9"},
}

// wsAnswers are what a server answers in the same groups, and what a client has offered.
var wsAnswers = []wsTerm{
	{"12, 13.1", false, "permessage-deflate; server_no_context_takeover",
		"permessage-deflate; server_no_context_takeover; client_max_window_bits"},
	{"12, 13.1", true, "permessage-deflate", "permessage-deflate; client_max_window_bits"},
	{"13.2", true, "permessage-deflate; client_no_context_takeover", "permessage-deflate; client_max_window_bits"},
	{"13.3", true, "permessage-deflate; client_max_window_bits=9", "permessage-deflate; client_max_window_bits"},
	{"13.3, with 8", true, "permessage-deflate; client_max_window_bits=8", "permessage-deflate; client_max_window_bits"},
	{"13.4", true, "permessage-deflate; client_max_window_bits=15", "permessage-deflate; client_max_window_bits"},
	{"13.5", true, "permessage-deflate; client_no_context_takeover; client_max_window_bits=9", "permessage-deflate; client_max_window_bits"},
	{"13.6", true, "permessage-deflate; client_no_context_takeover; client_max_window_bits=15", "permessage-deflate; client_max_window_bits"},
	{"13.7", true, "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_no_context_takeover", "permessage-deflate; client_max_window_bits"},
}

// wsData is what messages are cut out of.
func wsData(kind string) string {
	if kind == "binary" {
		half := wsSound(100_000)
		return half + strings.Repeat(half[:3000], 40)
	}
	var b strings.Builder
	for i := 0; b.Len() < 250_000; i++ {
		fmt.Fprintf(&b, `{"id":%d,"name":"user-%x","tags":["a","b","caf\u00e9"],"active":%v,"note":"%s"},`+"\n", i, i*i, i%3 == 0, []string{"é", "none", "ütf"}[i%3])
	}
	return b.String()
}

// wsMeetPacked connects a peer to an echo with compression.
func wsMeetPacked(t testing.TB, end string, term wsTerm) (*wsPeer, *mirror) {
	t.Helper()
	change := func(c *ss.Config) {
		cfg := ws.DefaultConfig()
		cfg.Deflate.KeepTx, cfg.Deflate.KeepRx = term.keep, term.keep
		c.WS = &cfg
	}
	w := newWorld(t, wsCasesDoc, plan{Client: change, Server: change})
	m := new(mirror)
	var p *wsPeer
	said := ""
	if end == "client" {
		p = w.wsAwait(func() { w.wsStream("packed cli", m) }, func(offer string) string { said = offer; return term.say })
	} else {
		w.wsServe("packed srv", m)
		p = w.wsDial(81, "Sec-WebSocket-Extensions: "+term.say+"\r\n")
		said = p.terms
	}
	if said != term.want {
		t.Errorf("%s, %s: our end says %q to %q, want %q", end, term.no, said, term.say, term.want)
	}
	if p.packed == nil {
		t.Fatalf("%s, %s: no compression was agreed upon", end, term.no)
	}
	return p, m
}

// TestWebSocketCompression are groups 12 and 13: messages of all lengths, whole and in fragments, on all terms.
func TestWebSocketCompression(t *testing.T) {
	sizes := []struct{ size, frame int }{
		{16, 0}, {64, 0}, {256, 0}, {1024, 0}, {4096, 0}, {8192, 0}, {16384, 0}, {32768, 0}, {65536, 0}, {131072, 0},
		{8192, 256}, {16384, 256}, {32768, 256}, {65536, 256}, {131072, 256}, {131072, 1024}, {131072, 4096}, {131072, 32768},
	}
	data := map[string]string{"text": wsData("text"), "binary": wsData("binary")}
	for _, end := range wsEnds[:2] {
		terms := map[string][]wsTerm{"server": wsOffers, "client": wsAnswers}[end]
		for i, term := range terms {
			for j, r := range sizes {
				// Each length on each term; only the first with both kinds.
				kinds := []string{"text", "binary"}
				if i > 1 {
					kinds = kinds[(i+j)%2:][:1]
				}
				if testing.Short() && (r.size > 8192 || (i+j)%3 > 0) {
					continue
				}
				for _, kind := range kinds {
					wsSqueeze(t, end, term, data[kind], kind, r.size, r.frame)
				}
			}
		}
	}
}

// wsSqueeze echoes messages of one length.
func wsSqueeze(t *testing.T, end string, term wsTerm, data, kind string, size, frame int) {
	t.Helper()
	what := fmt.Sprintf("%s, %s, kept %v, %d octets of %s in frames of %d", end, term.no, term.keep, size, kind, frame)
	p, m := wsMeetPacked(t, end, term)
	count := max(2, min(20, 100_000/size))
	sent, came, at, spoilt := 0, 0, 0, 0
	msg := ""
	next := func() {
		if at+size+4 > len(data) {
			at = 0
		}
		from, to := at, at+size
		for kind == "text" && data[from]&0xc0 == 0x80 {
			from++
		}
		for kind == "text" && data[to]&0xc0 == 0x80 {
			to++
		}
		msg, at = data[from:to], to
		sent++
		rest := p.packed.deflate(msg)
		bits := byte(wsText | wsRSV1)
		if kind == "binary" {
			bits = wsBin | wsRSV1
		}
		for ; ; bits = wsCont {
			n := len(rest)
			if frame > 0 {
				n = min(n, frame)
			}
			if n == len(rest) {
				bits |= wsFin
			}
			p.out = p.appendFrame(p.out, bits, rest[:n])
			if rest = rest[n:]; rest == "" {
				return
			}
		}
	}
	p.onMsg = func(k, s string) {
		if came++; k != kind || s != msg {
			spoilt++
		}
		if sent < count {
			next()
		}
	}
	next()
	p.within(time.Second, what+": last echo", func() bool { return came == count || p.end != "" })
	if spoilt > 0 || came != count {
		t.Errorf("%s: of %d messages %d came back, %d otherwise than they were sent", what, sent, came, spoilt)
	}
	if size >= 256 && kind == "text" && p.packed.far == 0 {
		t.Errorf("%s: nothing of what came back was compressed", what)
	}
	p.conclude(what, m, wsAsks, 1000)
	p.w.End()
}
