package interop

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// wsPeer is a WebSocket implementation, ours or another: a server with several behaviours, and a client.
type wsPeer interface {
	// at returns host and port of its server for such a conversation, "" if it has none.
	at(c *wsConversation) string
	// play makes its client hold a conversation with the server at url. Several may run concurrently.
	play(url string, c *wsConversation) wsSeen
	// saw returns what its server received from the client with this id, and whether that connection is over.
	saw(id string) (s wsSeen, over bool)
}

// wsSaying is what a client sends: a message or a ping.
type wsSaying struct {
	kind string // text, binary or ping
	data string
	cuts []int // the lengths of its fragments except the last; none: one frame
}

// wsConversation is what a client sends to an echo server, and the expected outcome.
type wsConversation struct {
	name   string
	say    []wsSaying
	secure bool // over TLS
	h2     bool // on an HTTP/2 stream
	times  int  // number of concurrent clients, if not one; the server reads only after all have connected

	ping    string // that a foreign server sends when the connection is open
	pieces  int    // the same server echoes in fragments of so many bytes; 0: one frame
	deflate string // the compression that a peer offers or accepts: none, "fresh" (no context takeover), or "keep"

	offered, served string // subprotocols
	origin, said    string // request fields that the server reads

	// Which side closes, and how. The client closes after all echoes, the server when the connection is open.
	byServer bool
	code     int // 1005: none
	reason   string

	refuse int  // the status with which the server refuses
	idle   bool // our side closes, and only when the test asks for it
}

// wsSeen is what one end of a connection saw.
type wsSeen struct {
	Status     int      `json:"status"`     // of a response other than the upgrade
	Protocol   string   `json:"protocol"`   // the subprotocol
	Extensions string   `json:"extensions"` // of the response, at a client
	Reply      string   `json:"reply"`      // the X-Reply of the response
	Origin     string   `json:"origin"`     // of the request, at a server
	Said       string   `json:"said"`       // X-Said
	Heard      []string `json:"heard"`      // the messages
	Pongs      []string `json:"pongs"`
	Code       int      `json:"code"` // of the other end's Close frame; 1005: without a code, 1006: no frame, 0: unknown
	Reason     string   `json:"reason"`
	Error      string   `json:"error"` // the error, if any
}

// wsReply is the X-Reply of every server.
const wsReply = "as you say"

// heard describes a message.
func heard(kind, data string) string {
	return fmt.Sprintf("%s %d %.8x", kind, len(data), sha256.Sum256([]byte(data)))
}

func text(data string, cuts ...int) wsSaying { return wsSaying{"text", data, cuts} }
func bin(data string, cuts ...int) wsSaying  { return wsSaying{"binary", data, cuts} }

// prose returns n bytes of text that compresses, with characters of one to four bytes.
func prose(n int) string {
	words := strings.Fields("a pony Ærø καλός 漢字 🐎 galloped over the hills and far away where no pony had ever been")
	var b strings.Builder
	for seed := uint32(n); b.Len() < n; {
		seed = seed*1664525 + 1013904223
		w := words[int(seed>>16)%len(words)]
		if b.Len()+len(w)+1 > n {
			w = strings.Repeat("x", n-b.Len()-1)
		}
		b.WriteString(w)
		b.WriteByte(' ')
	}
	return b.String()
}

// wsLengths are the lengths at which a frame's header changes, and some others.
var wsLengths = []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20}

// ofLengths returns messages of both types.
func ofLengths(lengths ...int) (say []wsSaying) {
	for _, n := range lengths {
		say = append(say, text(prose(n)), bin(pattern(n, uint32(n))))
	}
	return say
}

// wsConversations are the conversations that every peer holds with us, in both roles.
func wsConversations() []wsConversation {
	list := []wsConversation{
		{name: "lengths", say: ofLengths(wsLengths...)},
		{name: "lengths over TLS", say: ofLengths(wsLengths...), secure: true},
		{name: "16 MiB", say: ofLengths(16 << 20)},
		{name: "fragments", pieces: 1000, say: []wsSaying{
			text("one\u00e9two\U0001F40Ethree", 4, 1, 0, 5, 0), bin("abc", 0, 0, 1, 1), text("", 0), bin(pattern(5000, 1), 1, 125, 126, 4000),
			text(prose(200_000), 65535, 65536, 1), bin("whole"),
		}},
		{name: "pings", ping: "are you there?", say: []wsSaying{{kind: "ping", data: "are you there?"}, text("a"), bin("b")}},
		{name: "subprotocol agreed upon", offered: "chat", served: "chat", say: []wsSaying{text("hi")}},
		{name: "subprotocol not offered", served: "chat", say: []wsSaying{text("hi")}},
		{name: "subprotocol not served", offered: "chat", say: []wsSaying{text("hi")}},
		{name: "fields", origin: "https://pony.example", said: "once upon a time", say: []wsSaying{text("hi")}},
		{name: "refused with 403", refuse: 403},
		{name: "refused with 501 over TLS", refuse: 501, secure: true},
		{name: "first of two", say: []wsSaying{bin("1")}},
		{name: "second of two", say: []wsSaying{bin("2")}},
		{name: "a hundred at once", times: 100, say: []wsSaying{text(prose(5000)), bin(pattern(1000, 2))}},
		{name: "a hundred at once over TLS", times: 100, secure: true, say: []wsSaying{text(prose(5000)), bin(pattern(1000, 2))}},
	}
	for _, code := range []int{1000, 1001, 1008, 3000, 4999, 1005} {
		reason := ""
		if code >= 3000 {
			reason = "that is enough \u2713 " + strings.Repeat("!", code%7)
		}
		list = append(list, wsConversation{name: fmt.Sprintf("client closes with %d", code), code: code, reason: reason, say: []wsSaying{text("bye")}},
			wsConversation{name: fmt.Sprintf("server closes with %d", code), code: code, reason: reason, byServer: true})
	}
	return list
}

// url is the address of a conversation's server, with the instructions for it in the query.
func (c *wsConversation) url(at, id string) string {
	scheme := "ws"
	if c.secure {
		scheme = "wss"
	}
	q := url.Values{"id": {id}}
	for name, n := range map[string]int{"refuse": c.refuse, "pieces": c.pieces, "gate": c.times} {
		if n != 0 {
			q.Set(name, strconv.Itoa(n))
		}
	}
	for name, v := range map[string]string{"ping": c.ping, "deflate": c.deflate, "serve": c.served} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if c.idle {
		q.Set("idle", "1")
	}
	if c.byServer {
		q.Set("close_code", strconv.Itoa(c.code))
		q.Set("reason", c.reason)
	}
	return scheme + "://" + at + "/talk?" + q.Encode()
}

// messages describes the messages of say, without pings, as the peer receives them.
func (c *wsConversation) messages() (list []string) {
	for _, s := range c.say {
		if s.kind != "ping" {
			list = append(list, heard(s.kind, s.data))
		}
	}
	return list
}

// wsTalks numbers the clients of all conversations.
var wsTalks atomic.Int32

// hold runs the conversation between a client and a server, c.times times, and returns what they saw.
func (c *wsConversation) hold(t *testing.T, client, server wsPeer) (said, saw []wsSeen) {
	t.Helper()
	n := max(c.times, 1)
	said, saw = make([]wsSeen, n), make([]wsSeen, n)
	first := int(wsTalks.Add(int32(n))) - n
	id := func(i int) string { return fmt.Sprintf("client %d", first+i) }
	at := server.at(c)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { said[i] = client.play(c.url(at, id(i)), c) })
	}
	all.Wait()
	for i := range n {
		if said[i].Status == 0 && said[i].Error == "" {
			poll(t, "the server to see the end of "+id(i), func() (over bool) { saw[i], over = server.saw(id(i)); return over })
		}
	}
	return said, saw
}

// check compares what both ends saw with what the conversation must cause. ours: the server is ours. It reports the first error.
func (c *wsConversation) check(t *testing.T, said, saw []wsSeen, ours bool) {
	t.Helper()
	for i := range said {
		if c.checkOne(t, said[i], saw[i], ours); t.Failed() {
			return
		}
	}
}

func (c *wsConversation) checkOne(t *testing.T, said, saw wsSeen, ours bool) {
	t.Helper()
	want := func(what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v\nclient %+v\nserver %+v", what, got, want, said, saw)
		}
	}
	refuse := c.refuse
	if ours && c.offered != "" && c.served != "" && c.offered != c.served {
		refuse = 400
	}
	want("status", said.Status, refuse)
	want("the client's error", said.Error, "")
	if refuse != 0 || t.Failed() {
		return
	}
	want("the server's error", saw.Error, "")
	if !c.byServer {
		want("what the server heard", saw.Heard, c.messages())
		want("what the client heard", said.Heard, c.messages())
	}
	agreed := ""
	if c.offered == c.served {
		agreed = c.served
	}
	want("the client's subprotocol", said.Protocol, agreed)
	want("the server's subprotocol", saw.Protocol, agreed)
	want("X-Reply", said.Reply, wsReply)
	want("Origin", saw.Origin, c.origin)
	want("X-Said", saw.Said, c.said)
	if c.ping != "" {
		// The server that is not ours sends a ping.
		pings := saw
		if ours {
			pings = said
		}
		want("pongs", pings.Pongs, []string{c.ping})
	}
	code := c.code
	if code == 0 {
		code = 1000
	}
	closed, other := saw, said
	if c.byServer {
		closed, other = said, saw
	}
	want("the received code", closed.Code, code)
	want("the received reason", closed.Reason, c.reason)
	if other.Code != 0 && other.Code != code {
		t.Errorf("closed with %d, got %d in answer", code, other.Code)
	}
}

// wsTLS are the certificates of all servers.
type wsTLS struct {
	ca, leaf *credential
	pool     *x509.CertPool
}

func newWSTLS(t *testing.T) *wsTLS {
	t.Helper()
	ca := authority(t, "lab")
	c := &wsTLS{ca: ca, leaf: ca.issue(t, "leaf", ecKey(t), func(x *x509.Certificate) { x.DNSNames = []string{"localhost"} }), pool: x509.NewCertPool()}
	c.pool.AddCert(ca.cert)
	return c
}

// converse runs all conversations between a peer and us, in both roles, and checks after each that nothing is left. cannot
// maps the conversations that the peer does not support, as "client: name" or "server: name", to the reason.
func converse(t *testing.T, keys *wsTLS, peer wsPeer, cannot map[string]string) {
	t.Helper()
	converseOver(t, keys, peer, false, cannot)
}

// converseOver is converse over HTTP/1.1 or over HTTP/2.
func converseOver(t *testing.T, keys *wsTLS, peer wsPeer, h2 bool, cannot map[string]string) {
	t.Helper()
	h := newWSRuntime(t, keys, wsTerms{}, peer)
	met := 0
	for _, c := range wsConversations() {
		c.h2 = h2
		t.Run(c.name, func(t *testing.T) {
			for _, ours := range []bool{true, false} {
				client, server, what := peer, wsPeer(h), "client: "
				if !ours {
					client, server, what = h, peer, "server: "
				}
				t.Run(strings.TrimSuffix(what, ": "), func(t *testing.T) {
					if why := cannot[what+c.name]; why != "" {
						met++
						t.Log("not held: " + why)
						return
					}
					said, saw := c.hold(t, client, server)
					c.check(t, said, saw, ours)
					h.rest(t)
				})
			}
		})
	}
	if met != len(cannot) {
		t.Errorf("%d exceptions, but only %d matched a conversation", len(cannot), met)
	}
	h.sound(t)
}

// wsTerms say whether our side keeps its compression context, for sending and for receiving, and how it handles silence.
type wsTerms struct {
	keepTx, keepRx bool
	alive          bool // it pings a peer after one silent second, and drops the peer after four
}

// compresses runs compressed conversations between a peer and us, with all parameters that both support, in both roles.
// modes are the peer's modes.
func compresses(t *testing.T, keys *wsTLS, peer wsPeer, modes ...string) {
	t.Helper()
	// The text compresses to half. Text that does not compress is sent uncompressed, and later messages cannot refer to it.
	noise := strings.Repeat(pattern(2000, 3), 2)
	for _, terms := range []wsTerms{{}, {keepTx: true}, {keepRx: true}, {keepTx: true, keepRx: true}} {
		h := newWSRuntime(t, keys, terms, peer)
		for _, mode := range modes {
			for _, ours := range []bool{true, false} {
				client, server, who := peer, wsPeer(h), "client"
				if !ours {
					client, server, who = h, peer, "server"
				}
				t.Run(fmt.Sprintf("%s keeps %s, we keep tx %v rx %v", who, mode, terms.keepTx, terms.keepRx), func(t *testing.T) {
					mixed := wsConversation{deflate: mode, pieces: 3000, say: append(ofLengths(0, 1, 63, 64, 1000, 100_000),
						text(prose(1<<20)), text(prose(50_000), 1, 0, 20_000), bin(pattern(300_000, 4), 100_000), text("short"))}
					said, saw := mixed.hold(t, client, server)
					mixed.check(t, said, saw, ours)
					terms.agreed(t, said[0].Extensions, mode, ours)
					// The sizes of messages that compress only against earlier messages show which side keeps its context.
					again := wsConversation{deflate: mode, say: slices.Repeat([]wsSaying{bin(noise)}, 8)}
					inBefore, outBefore := h.moved()
					said, saw = again.hold(t, client, server)
					again.check(t, said, saw, ours)
					h.rest(t)
					in, out := h.moved()
					in, out = in-inBefore, out-outBefore
					fresh := func(side string) bool { return strings.Contains(said[0].Extensions, side+"_no_context_takeover") }
					we, they := "server", "client"
					if !ours {
						we, they = they, we
					}
					const little, much = 6_000, 14_000
					if packed := out < little; packed != (terms.keepTx && !fresh(we)) || !packed && out < much {
						t.Errorf("we sent %d bytes for 8 times the same %d, with extensions %q", out, len(noise), said[0].Extensions)
					}
					if packed := in < little; packed != !fresh(they) || !packed && in < much {
						t.Errorf("we received %d bytes for 8 times the same %d, with extensions %q", in, len(noise), said[0].Extensions)
					}
				})
			}
		}
		h.compressed(t)
		h.sound(t)
	}
}

// agreed fails the test unless the response's compression parameters match those that both sides require.
func (w wsTerms) agreed(t *testing.T, answer, mode string, ours bool) {
	t.Helper()
	if !strings.HasPrefix(answer, "permessage-deflate") {
		t.Errorf("got extensions %q, want permessage-deflate", answer)
	}
	server, client := !w.keepRx, !w.keepTx // what we require of the server, and of ourselves
	if ours {
		server, client = !w.keepTx, !w.keepRx
	}
	for side, must := range map[string]bool{"server": server || mode == "fresh", "client": ours && (client || mode == "fresh")} {
		if must && !strings.Contains(answer, side+"_no_context_takeover") {
			t.Errorf("got extensions %q, want %s_no_context_takeover", answer, side)
		}
	}
}
