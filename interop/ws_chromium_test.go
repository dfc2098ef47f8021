package interop

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/ss"
)

// wsPage opens sockets to all the places that %s lists, in sequence, and reports the result of each. An image delays the
// load event: the server answers it after the report has arrived.
const wsPage = `<!DOCTYPE html><title>sockets</title><body><img src="/wait"><script>
const places = %s;
const noise = new Uint8Array(1 << 20);
for (let i = 0, seed = 1; i < noise.length; i++) {
	seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
	noise[i] = seed >>> 24;
}
const say = ["", "h\u00e9llo \u{1F40E}", new Uint8Array(0), noise, "compress me ".repeat(10000), noise.subarray(0, 70000)];

function same(a, b) {
	if (typeof a === "string") {
		return a === b;
	}
	b = new Uint8Array(b);
	return a.length === b.length && a.every((x, i) => x === b[i]);
}

function talk(place) {
	return new Promise((resolve) => {
		const s = { echoes: 0, opened: false, failed: false };
		const ws = place.offer ? new WebSocket(place.url, place.offer) : new WebSocket(place.url);
		ws.binaryType = "arraybuffer";
		ws.onopen = () => {
			s.opened = true;
			s.protocol = ws.protocol;
			s.extensions = ws.extensions;
			if (!place.serverCloses) {
				say.forEach((m) => ws.send(m));
			}
		};
		ws.onmessage = (m) => {
			if (!same(say[s.echoes], m.data)) {
				ws.close(4000, "message " + s.echoes + " is not what was sent");
			}
			if (++s.echoes === say.length) {
				ws.close(4001, "enough \u2713");
			}
		};
		ws.onerror = () => { s.failed = true; };
		ws.onclose = (e) => {
			s.code = e.code;
			s.reason = e.reason;
			s.clean = e.wasClean;
			resolve(s);
		};
	});
}

(async () => {
	const report = {};
	for (const place of places) {
		report[place.name] = await talk(place);
	}
	await fetch("/report", { method: "POST", body: JSON.stringify(report) });
})();
</script></body>
`

// wsSite is an accepted stream of HTTP or of WebSocket: it serves the page, receives the report, and echoes.
type wsSite struct {
	site *wsSiteState
	path string
	out  string
	body []byte
}

// wsSiteState is what the site has seen. Only the loop's goroutine uses it.
type wsSiteState struct {
	page   string
	report string
	peer   string // address of the client that fetched the page
	waits  []*ss.Handle
}

// State implements ss.Stream.
func (s *wsSite) State(h *ss.Handle, st ss.State, _ ss.Notice) ss.Ret {
	if st != ss.ServerTxn {
		return ss.OK
	}
	b, _ := h.Metadata("path")
	s.path, s.out, s.body = string(b), "", nil
	if h.RequestBody() {
		return ss.OK
	}
	return s.answer(h)
}

// answer answers the request when it is complete.
func (s *wsSite) answer(h *ss.Handle) ss.Ret {
	switch s.path {
	case "/":
		s.out = s.site.page
		if at, ok := h.Peer(); ok {
			s.site.peer = at.String()
		}
		if err := h.SetMetadataString("mime", "text/html; charset=utf-8"); err != nil {
			return ss.DestroyMe
		}
	case "/report":
		s.site.report = string(s.body)
		for _, w := range s.site.waits {
			w.ServerAck(404)
			w.RequestTxLen(0)
		}
		s.site.waits = nil
	case "/wait":
		if s.site.report == "" {
			s.site.waits = append(s.site.waits, h)
			return ss.OK
		}
		fallthrough
	default:
		h.ServerAck(404)
		return h.RequestTxLen(0)
	}
	h.ServerAck(0)
	return h.RequestTxLen(int64(len(s.out)))
}

// Rx implements ss.Stream.
func (s *wsSite) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if s.body = append(s.body, b...); f&ss.EOM != 0 {
		return s.answer(h)
	}
	return ss.OK
}

// Tx implements ss.Stream.
func (s *wsSite) Tx(h *ss.Handle, n uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	k := copy(buf, s.out)
	var f ss.Flags
	if len(s.out) == len(s.site.page) || s.out == "" {
		f |= ss.SOM
	}
	if s.out = s.out[k:]; s.out == "" {
		f |= ss.EOM
	} else {
		h.RequestTx()
	}
	return k, f, ss.OK
}

// Our page in Chromium opens sockets of every type to our server: in clear, over TLS on HTTP/1.1, and over TLS on the same
// HTTP/2 connection that served the page.
func TestWebSocketChromium(t *testing.T) {
	need(t, "chromium", "chromium")
	keys := newWSTLS(t)
	site := &wsSiteState{}
	const rest = `"ws_subprotocol": "chat", "ws_deflate": true, "metadata": [{"path": ""}, {"method": ""}, {"mime": "content-type:"}, {"id": ""}, {"close_code": ""},
		{"reason": ""}, {"refuse": ""}, {"gate": ""}, {"idle": ""}, {"origin": "origin:"}, {"said": "x-said:"}, {"reply": "x-reply:"}]`
	types := strings.NewReplacer("REST", rest, "CLEAR", `"server": true, "endpoint": "127.0.0.1", "port": 0`).Replace(`
		{"clear": {CLEAR,  "protocol": "h1", REST}},
		{"tls":   {SERVER, "protocol": "h1", REST}},
		{"two":   {SERVER, "protocol": "h2", REST}}`)
	serves := func(h *wsRuntime, s *ss.Handle) ss.Stream {
		return &wsBoth{page: &wsSite{site: site}, socket: &wsServed{runtime: h}}
	}
	h := openWSRuntime(t, keys, types, wsTerms{keepTx: true, keepRx: true}, serves, "clear", "tls", "two")

	type place struct {
		Name         string `json:"name"`
		URL          string `json:"url"`
		Offer        string `json:"offer"`
		ServerCloses bool   `json:"serverCloses"`
	}
	var places []place
	kinds := []string{"clear", "tls", "two"}
	for _, kind := range kinds {
		at, secure := h.addr(kind), kind != "clear"
		add := func(name, offer string, c wsConversation) {
			c.secure = secure
			name = kind + ", " + name
			places = append(places, place{name, c.url(at, name), offer, c.byServer})
		}
		add("echo", "chat", wsConversation{})
		add("close", "", wsConversation{byServer: true, code: 3000, reason: "no more \u2713"})
		add("close without a code", "", wsConversation{byServer: true, code: 1005})
		add("refusal", "", wsConversation{refuse: 403})
	}
	list, err := json.Marshal(places)
	if err != nil {
		t.Fatal(err)
	}
	h.do(func() { site.page = fmt.Sprintf(wsPage, list) })
	dom := chromium(t, keys.leaf, "https://"+h.addr("two")+"/")
	if !strings.Contains(dom, "<title>sockets</title>") {
		t.Fatalf("got document %.500q", dom)
	}
	type outcome struct {
		Echoes     int    `json:"echoes"`
		Opened     bool   `json:"opened"`
		Failed     bool   `json:"failed"`
		Protocol   string `json:"protocol"`
		Extensions string `json:"extensions"`
		Code       int    `json:"code"`
		Reason     string `json:"reason"`
		Clean      bool   `json:"clean"`
	}
	var report map[string]outcome
	h.do(func() {
		if err := json.Unmarshal([]byte(site.report), &report); err != nil {
			t.Errorf("the report %.200q: %v", site.report, err)
		}
	})
	for _, kind := range kinds {
		got := func(what string, want outcome) {
			t.Helper()
			o := report[kind+", "+what]
			if packed := strings.Contains(o.Extensions, "permessage-deflate"); packed != want.Opened {
				t.Errorf("%s, %s: extensions %q", kind, what, o.Extensions)
			}
			if o.Extensions = ""; o != want {
				t.Errorf("%s, %s: the page got %+v, want %+v", kind, what, o, want)
			}
		}
		got("echo", outcome{Echoes: 6, Opened: true, Protocol: "chat", Code: 4001, Clean: true})
		got("close", outcome{Opened: true, Code: 3000, Reason: "no more \u2713", Clean: true})
		got("close without a code", outcome{Opened: true, Code: 1005, Clean: true})
		got("refusal", outcome{Failed: true, Code: 1006})

		var n wsNote
		poll(t, "the server to see the end", func() (over bool) {
			h.do(func() { n = *h.notes[kind+", echo"] })
			return n.over
		})
		method := "GET"
		if kind == "two" {
			method = "CONNECT"
		}
		if origin := "https://" + h.addr("two"); n.method != method || n.seen.Code != 4001 || n.seen.Reason != "enough \u2713" || n.seen.Origin != origin || n.seen.Protocol != "chat" {
			t.Errorf("%s: the server got %s with %+v, want %s, code 4001, and origin %s", kind, n.method, n.seen, method, origin)
		}
		if shares := n.peer == site.peer; shares != (kind == "two") {
			t.Errorf("%s: got the page from %s and the socket from %s, want one connection", kind, site.peer, n.peer)
		}
	}
	h.rest(t)
	h.compressed(t)
	h.sound(t)
}

// wsBoth is a stream that answers requests, and becomes a WebSocket on request. After a refusal it may receive
// another request.
type wsBoth struct {
	ss.Stream // the active one of the two
	page      *wsSite
	socket    *wsServed
}

// State implements ss.Stream.
func (b *wsBoth) State(h *ss.Handle, st ss.State, n ss.Notice) ss.Ret {
	switch st {
	case ss.ServerTxn:
		b.Stream = b.page
	case ss.ServerUpgrade:
		b.Stream = b.socket
	}
	if b.Stream == nil {
		return ss.OK
	}
	return b.Stream.State(h, st, n)
}
