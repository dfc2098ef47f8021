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

// wsPeer is a WebSocket implementation, ours or another's: a server that has several things to do, and a client.
type wsPeer interface {
	// at is the host and port of its server for such a conversation, "" if it has none.
	at(c *wsConversation) string
	// play has its client hold a conversation with the server at url. Several may be held at a time.
	play(url string, c *wsConversation) wsSeen
	// saw is what its server saw of the client that calls itself id, and whether that is over.
	saw(id string) (s wsSeen, over bool)
}

// wsSaying is what a client says: a message or a ping.
type wsSaying struct {
	kind string // text, binary or ping
	data string
	cuts []int // the lengths of its fragments but the last; none: one frame
}

// wsConversation is what a client says to a server that echoes it, and what becomes of that.
type wsConversation struct {
	name   string
	say    []wsSaying
	secure bool // over TLS
	h2     bool // on a stream of HTTP/2
	times  int  // how many clients hold it at a time, if not one; the server hears none before all are there

	ping    string // of a server that is not ours, when the connection is open
	pieces  int    // the same server echoes in fragments of so many bytes; 0: in one
	deflate string // what a peer offers or takes of compression: nothing, "fresh" (without context), or "keep"

	offered, served string // subprotocols
	origin, said    string // fields of the request that the server reads

	// Who closes, and how. The client does when it has heard everything, the server when the connection is open.
	byServer bool
	code     int // 1005: none
	reason   string

	refuse int  // a status with which the server refuses
	idle   bool // our side closes, and not before it is told to
}

// wsSeen is what one end of a connection saw of it.
type wsSeen struct {
	Status     int      `json:"status"`     // of an answer that was no switch of protocols
	Protocol   string   `json:"protocol"`   // the subprotocol
	Extensions string   `json:"extensions"` // of the answer, as a client saw them
	Reply      string   `json:"reply"`      // the answer's X-Reply
	Origin     string   `json:"origin"`     // of the request, as a server saw them
	Said       string   `json:"said"`       // X-Said
	Heard      []string `json:"heard"`      // the messages
	Pongs      []string `json:"pongs"`
	Code       int      `json:"code"` // of the other end's Close frame; 1005: it had none, 1006: there was no frame, 0: it is not known
	Reason     string   `json:"reason"`
	Error      string   `json:"error"` // what went wrong
}

// wsReply is what every server says in X-Reply.
const wsReply = "as you say"

// heard describes a message.
func heard(kind, data string) string {
	return fmt.Sprintf("%s %d %.8x", kind, len(data), sha256.Sum256([]byte(data)))
}

func text(data string, cuts ...int) wsSaying { return wsSaying{"text", data, cuts} }
func bin(data string, cuts ...int) wsSaying  { return wsSaying{"binary", data, cuts} }

// prose is n bytes of text that compresses, with characters of one to four bytes.
func prose(n int) string {
	words := strings.Fields("a pony Ærø καλός 漢字 🐎 galloped over the hills and far away where nobody had ever been")
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

// wsLengths are those at which a frame's header changes, and others.
var wsLengths = []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20}

// ofLengths are messages of both kinds.
func ofLengths(lengths ...int) (say []wsSaying) {
	for _, n := range lengths {
		say = append(say, text(prose(n)), bin(pattern(n, uint32(n))))
	}
	return say
}

// wsConversations are those that every peer holds with us, both ways.
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

// url is where the server of a conversation is, and what it is told to do.
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
		q.Set("bye", strconv.Itoa(c.code))
		q.Set("reason", c.reason)
	}
	return scheme + "://" + at + "/talk?" + q.Encode()
}

// messages are what is said without pings, as it is heard.
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

// hold has a client and a server hold the conversation, as often as it says, and returns what they saw.
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

// judge holds what both ends saw against what there was to see. ours says that the server is ours. One that is wrong is enough.
func (c *wsConversation) judge(t *testing.T, said, saw []wsSeen, ours bool) {
	t.Helper()
	for i := range said {
		if c.judgeOne(t, said[i], saw[i], ours); t.Failed() {
			return
		}
	}
}

func (c *wsConversation) judgeOne(t *testing.T, said, saw wsSeen, ours bool) {
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
		// Who is not us pings.
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
	told, other := saw, said
	if c.byServer {
		told, other = said, saw
	}
	want("the code told", told.Code, code)
	want("the reason told", told.Reason, c.reason)
	if other.Code != 0 && other.Code != code {
		t.Errorf("who closed with %d got %d back", code, other.Code)
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

// converse has a peer hold all conversations with us, both ways, and looks after each whether anything of it is left. cannot
// says which conversations cannot be held with it, as "client: name" or "server: name", and why.
func converse(t *testing.T, keys *wsTLS, peer wsPeer, cannot map[string]string) {
	t.Helper()
	converseOver(t, keys, peer, false, cannot)
}

// converseOver is converse over HTTP/1.1 or over HTTP/2.
func converseOver(t *testing.T, keys *wsTLS, peer wsPeer, h2 bool, cannot map[string]string) {
	t.Helper()
	h := newWSHouse(t, keys, wsTerms{}, peer)
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
					c.judge(t, said, saw, ours)
					h.rest(t)
				})
			}
		})
	}
	if met != len(cannot) {
		t.Errorf("%d exceptions, of which %d were met", len(cannot), met)
	}
	h.sound(t)
}

// wsTerms say what our side keeps between compressed messages, of what it sends and of what it is sent, and how it deals with silence.
type wsTerms struct {
	keepTx, keepRx bool
	alive          bool // it pings a peer that says nothing for a second, and leaves one that says nothing for four
}

// packs has a peer and us talk in compressed messages, on all terms that both can have, both ways. modes are what the peer can do.
func packs(t *testing.T, keys *wsTLS, peer wsPeer, modes ...string) {
	t.Helper()
	// It compresses to a half, since what does not compress is sent as it is, and nothing can refer to that.
	noise := strings.Repeat(pattern(2000, 3), 2)
	for _, terms := range []wsTerms{{}, {keepTx: true}, {keepRx: true}, {keepTx: true, keepRx: true}} {
		h := newWSHouse(t, keys, terms, peer)
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
					mixed.judge(t, said, saw, ours)
					terms.agreed(t, said[0].Extensions, mode, ours)
					// What can be said only by referring to what was said before shows who does that.
					again := wsConversation{deflate: mode, say: slices.Repeat([]wsSaying{bin(noise)}, 8)}
					inBefore, outBefore := h.moved()
					said, saw = again.hold(t, client, server)
					again.judge(t, said, saw, ours)
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
						t.Errorf("we sent %d bytes for 8 times the same %d, on terms %q", out, len(noise), said[0].Extensions)
					}
					if packed := in < little; packed != !fresh(they) || !packed && in < much {
						t.Errorf("we were sent %d bytes for 8 times the same %d, on terms %q", in, len(noise), said[0].Extensions)
					}
				})
			}
		}
		h.packed(t)
		h.sound(t)
	}
}

// agreed fails the test unless an answer's terms of compression are those that both want.
func (w wsTerms) agreed(t *testing.T, answer, mode string, ours bool) {
	t.Helper()
	if !strings.HasPrefix(answer, "permessage-deflate") {
		t.Errorf("the answer's extensions are %q, want permessage-deflate", answer)
	}
	server, client := !w.keepRx, !w.keepTx // what we ask of the server, and of ourselves
	if ours {
		server, client = !w.keepTx, !w.keepRx
	}
	for side, must := range map[string]bool{"server": server || mode == "fresh", "client": ours && (client || mode == "fresh")} {
		if must && !strings.Contains(answer, side+"_no_context_takeover") {
			t.Errorf("the answer's extensions are %q: want %s_no_context_takeover", answer, side)
		}
	}
}
