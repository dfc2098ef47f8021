package ss_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// pusher is a stream's program that gives its message by Send, in pieces, from wherever it is called, and by Tx now and
// then. What it has given it spoils at once.
type pusher struct {
	t     *testing.T
	h     *ss.Handle
	r     *rand.Rand
	say   []byte
	said  int
	ready bool // there is something to send on
	raw   bool
	ends  bool // the announced length ends the message: EOM is left away for one half
	calls map[string]int
}

func (d *pusher) flags(n int) (f ss.Flags) {
	f = ss.Binary
	if d.said == 0 {
		f |= ss.SOM
	}
	if d.said+n == len(d.say) && !d.ends {
		f |= ss.EOM
	}
	return f
}

func (d *pusher) begin(h *ss.Handle, where string) {
	d.h, d.said, d.ready = h, 0, true
	d.push(where)
}

// push sends a piece. where says from where it is called.
func (d *pusher) push(where string) {
	if !d.ready || d.said == len(d.say) {
		return
	}
	most := [...]int{1, 100, 3000, 5000, 20_000, 40_000, 100_000, 400_000}[d.r.IntN(8)]
	n := min(len(d.say)-d.said, d.r.IntN(most)+1)
	b := bytes.Clone(d.say[d.said : d.said+n])
	k, err := d.h.Send(b, d.flags(n))
	for i := range b {
		b[i] = '!'
	}
	switch {
	case err == nil && k != n, err != nil && !errors.Is(err, ss.ErrBlocked), err != nil && k == n:
		d.t.Errorf("Send from %s: took %d of %d bytes: %v", where, k, n, err)
		d.ready = false
	case k > 0:
		d.calls[where]++
	}
	d.said += k
	if d.said < len(d.say) {
		switch d.r.IntN(4) {
		case 0:
			d.h.RequestTx()
		case 1, 2:
			d.h.StartTimeout(time.Duration(d.r.IntN(5)+1) * time.Millisecond)
		}
	}
}

func (d *pusher) tx(h *ss.Handle, _ uint32, buf []byte) (n int, f ss.Flags, _ ss.Ret) {
	if d.said == len(d.say) || !d.ready && d.said > 0 {
		return 0, 0, ss.TxDontSend
	}
	d.h, d.ready = h, true
	switch d.r.IntN(4) {
	case 0, 1:
		d.push("Tx")
		d.push("Tx")
		return 0, 0, ss.OK
	case 2:
		h.StartTimeout(time.Millisecond)
		return 0, 0, ss.TxDontSend
	}
	n = min(len(buf), len(d.say)-d.said)
	n = d.r.IntN(n) + 1
	f = d.flags(n)
	copy(buf, d.say[d.said:d.said+n])
	if d.said += n; d.said < len(d.say) {
		h.RequestTx()
	}
	return n, f, ss.OK
}

// sendCases are the protocols and sides. %s is TLS.
var sendCases = []struct {
	name, server, client string
	fromServer, counted  bool
	tls                  bool
}{
	{name: "raw client", server: `"protocol":"raw"`, client: `"protocol":"raw"`},
	{name: "raw server", server: `"protocol":"raw"`, client: `"protocol":"raw"`, fromServer: true},
	{name: "raw server, TLS", server: `"protocol":"raw"`, client: `"protocol":"raw"`, fromServer: true, tls: true},
	{name: "ws client", server: `"protocol":"ws"`, client: `"protocol":"ws"`},
	{name: "ws server", server: `"protocol":"ws"`, client: `"protocol":"ws"`, fromServer: true},
	{name: "ws server, TLS", server: `"protocol":"ws"`, client: `"protocol":"ws"`, fromServer: true, tls: true},
	{name: "ws server, deflate", server: `"protocol":"ws","ws_deflate":true`, client: `"protocol":"ws","ws_deflate":true`, fromServer: true},
	{name: "ws client over h2", server: `"protocol":"h2","ws_subprotocol":"x"`, client: `"protocol":"ws","ws_over_h2":true,"ws_subprotocol":"x"`},
	{name: "ws server over h2", server: `"protocol":"h2","ws_subprotocol":"x"`, client: `"protocol":"ws","ws_over_h2":true,"ws_subprotocol":"x"`, fromServer: true},
	{name: "h1 request", server: `"protocol":"h1"`, client: `"protocol":"h1","http_method":"POST"`, counted: true},
	{name: "h1 request, chunked", server: `"protocol":"h1"`, client: `"protocol":"h1","http_method":"POST"`},
	{name: "h1 response", server: `"protocol":"h1"`, client: `"protocol":"h1"`, fromServer: true, counted: true},
	{name: "h1 response, chunked", server: `"protocol":"h1"`, client: `"protocol":"h1"`, fromServer: true},
	{name: "h1 response, chunked, TLS", server: `"protocol":"h1"`, client: `"protocol":"h1"`, fromServer: true, tls: true},
	{name: "h2 request", server: `"protocol":"h2"`, client: `"protocol":"h2","http_method":"POST"`},
	{name: "h2 response", server: `"protocol":"h2"`, client: `"protocol":"h2"`, fromServer: true},
	{name: "h2 response, counted", server: `"protocol":"h2"`, client: `"protocol":"h2"`, fromServer: true, counted: true},
	{name: "h2 response, TLS", server: `"protocol":"h2"`, client: `"protocol":"h2"`, fromServer: true, tls: true},
}

// TestSendFromAnywhere: on each protocol and side a message that is sent from all kinds of callbacks, of its own stream and
// of another, and between turns, arrives as it was, whatever the network does.
func TestSendFromAnywhere(t *testing.T) {
	ca := newPKI(t, "10.0.0.2")
	all := make(map[string]int)
	seeds := uint64(60)
	if testing.Short() {
		seeds = 8
	}
	for _, c := range sendCases {
		t.Run(c.name, func(t *testing.T) {
			calls := make(map[string]int)
			for seed := range seeds {
				if c.tls {
					cryptotest.SetGlobalRandom(t, seed)
				}
				sendFromAnywhere(t, c.server, c.client, c.fromServer, c.counted, c.tls, ca, seed, calls)
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
			for where, n := range calls {
				all[where] += n
			}
			if calls["Tx"] == 0 || calls["between turns"] == 0 {
				t.Errorf("Sends that took something: %v, want some from Tx and between turns", calls)
			}
		})
	}
	for _, where := range []string{"Tx", "Rx of another", "State", "a timer", "between turns"} {
		if all[where] == 0 {
			t.Errorf("no Send from %s took anything: %v", where, all)
		}
	}
}

func sendFromAnywhere(t *testing.T, server, client string, fromServer, counted, tls bool, ca pki, seed uint64, calls map[string]int) {
	doc := `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}}],"s":[
		{"srv":{"server":true,"port":80,` + server + `SECURE}},
		{"c":{"endpoint":"10.0.0.2","port":80,"opportunistic":true,"retry":"none",` + client + `TRUST}},
		{"other srv":{"server":true,"port":81,"protocol":"raw"}},
		{"other":{"endpoint":"10.0.0.2","port":81,"protocol":"raw","opportunistic":true,"retry":"none"}}]}`
	if tls {
		doc = strings.NewReplacer("SECURE", `,"tls":true,"server_cert":"leaf","server_key":"leaf_key"`,
			"TRUST", `,"tls":true,"tls_trust_store":"lab"`).Replace(doc)
		doc = fmt.Sprintf(`{"certs":[{"ca":%q},{"leaf":%q},{"leaf_key":%q}],"trust_stores":[{"name":"lab","stack":["ca"]}],%s`, ca.ca, ca.leaf, ca.key, doc[1:])
	}
	doc = strings.NewReplacer("SECURE", "", "TRUST", "").Replace(doc)
	p := plan{Seed: seed, Net: sim.Options{Link: sim.Link{Latency: time.Millisecond}}}
	if seed%2 == 1 {
		p.Net = sim.Options{Link: sim.Link{Latency: 3 * time.Millisecond, Jitter: 5 * time.Millisecond}, SndBuf: 3000 << (seed % 7), RcvBuf: 2000 << (seed % 5),
			ShortRead: 0.2, ShortWrite: 0.2, LateReady: 0.1, ShuffleReady: true}
	}
	p.Client = func(c *ss.Config) { c.TLS.Floor = time.Now() } // sim's calendar knows nothing of certificates made today
	w := newWorld(t, doc, p)
	r := rand.New(rand.NewPCG(seed, 7))
	d := &pusher{t: t, r: r, calls: calls, raw: strings.Contains(client, "raw"), ends: counted && seed%4 < 2}
	d.say = []byte(strings.Repeat(fmt.Sprintf("%d.", seed), int(seed*7919%150_000)+30_000))
	got, ended := []byte(nil), false
	take := func(_ *ss.Handle, b []byte, f ss.Flags) ss.Ret {
		got = append(got, b...)
		ended = ended || f&ss.EOM != 0
		return ss.OK
	}
	isHTTP := !d.raw && !strings.Contains(client, `"ws"`)
	ack := func(h *ss.Handle) ss.Ret { h.ServerAck(0); return ss.OK }
	play := func(s *script) {
		s.QuietTx = true
		s.OnTx = d.tx
		s.When(ss.Timeout, func(*ss.Handle) ss.Ret { d.push("a timer"); return ss.OK })
	}
	w.Serve("srv", func(s *script) {
		s.Stays = true
		if !fromServer {
			s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
				if take(h, b, f); isHTTP && f&ss.EOM != 0 {
					h.ServerAck(0)
					return h.RequestTxLen(0)
				}
				return ss.OK
			}
			return
		}
		play(s)
		start := func(h *ss.Handle) ss.Ret {
			if counted {
				h.RequestTxLen(int64(len(d.say)))
			}
			d.begin(h, "State")
			return ss.OK
		}
		if isHTTP {
			s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret { ack(h); return start(h) })
		} else {
			s.When(ss.Connected, (*ss.Handle).RequestTx)
			s.When(ss.ServerUpgrade, (*ss.Handle).RequestTx)
		}
		s.OnRx = func(*ss.Handle, []byte, ss.Flags) ss.Ret { d.push("Rx"); return ss.OK }
	})
	s := newScript()
	s.Stays = true
	s.OnRx = take
	if !fromServer {
		play(s)
		switch {
		case counted:
			s.When(ss.Connecting, func(h *ss.Handle) ss.Ret { return h.RequestTxLen(int64(len(d.say))) })
		case isHTTP:
			s.When(ss.Connecting, (*ss.Handle).RequestTx)
		default:
			s.When(ss.Connected, func(h *ss.Handle) ss.Ret { d.begin(h, "State"); return ss.OK })
		}
	}
	h := w.Create("c", s)
	// Another pair, whose server pushes from its Rx in the sender's loop.
	end := "other srv"
	if !fromServer {
		end = "other"
	}
	nudge := func(o *script) {
		o.QuietTx, o.Stays = true, true
		o.OnRx = func(*ss.Handle, []byte, ss.Flags) ss.Ret { d.push("Rx of another"); return ss.OK }
	}
	var chatty *script
	talk := func(o *script) {
		o.QuietTx, o.Stays, o.NoEOM, chatty = true, true, true, o
		o.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) { return copy(buf, "x"), 0, ss.OK }
	}
	other := newScript()
	var talker *ss.Handle
	if end == "other srv" {
		w.Serve("other srv", nudge)
		talk(other)
		other.When(ss.Connected, func(h *ss.Handle) ss.Ret { talker = h; return ss.OK })
	} else {
		w.Serve("other srv", func(o *script) {
			talk(o)
			o.When(ss.Connected, func(h *ss.Handle) ss.Ret { talker = h; return ss.OK })
		})
		nudge(other)
	}
	oh := w.Create("other", other)
	oh.Connect()
	h.Connect()
	done := func() bool { return len(got) >= len(d.say) && (d.raw || ended || isHTTP && fromServer && counted) }
	for range 200 {
		if done() {
			break
		}
		if talker != nil && r.IntN(2) == 0 {
			talker.RequestTx()
		}
		w.Advance(time.Duration(r.IntN(3)+1) * time.Millisecond)
		if r.IntN(2) == 0 {
			d.push("between turns")
		}
	}
	if d.said < len(d.say) && d.h != nil {
		d.h.RequestTx()
	}
	for i := 0; !done() && i < 2000; i++ {
		w.Advance(10 * time.Millisecond)
		d.push("between turns")
	}
	if !bytes.Equal(got, d.say) {
		t.Errorf("%d bytes arrived of the %d that were sent, the same ones: %v; said %d\n%s", len(got), len(d.say),
			bytes.HasPrefix(d.say, got), d.said, fmt.Sprint(s.Causes, "\n", w.Dump()))
	}
	_ = chatty
	h.Destroy()
	oh.Destroy()
	w.End()
}
