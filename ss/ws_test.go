package ss_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// wsDoc has servers that accept WebSockets on both protocols, and clients that open them on either.
const wsDoc = `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}},{"alive":{"backoff":[700],"conceal":0,"jitterpc":0,"svalidping":3,"svalidhup":9}}],"s":[
	{"srv":{"server":true,"port":80,"protocol":"h2","ws_subprotocol":"chat","metadata":[{"path":""},{"from":"origin:"},{"extra":"x-extra:"}]}},
	{"pure":{"server":true,"port":81,"protocol":"ws"}},
	{"plain":{"server":true,"port":82,"protocol":"h2"}},
	{"packed":{"server":true,"port":83,"protocol":"ws","ws_deflate":true}},
	{"one":{"endpoint":"10.0.0.2","port":80,"protocol":"ws","http_url":"talk","ws_subprotocol":"chat","opportunistic":true,"retry":"none",
		"metadata":[{"origin":"origin:"},{"extra":"x-extra:"}]}},
	{"two":{"endpoint":"10.0.0.2","port":80,"protocol":"ws","http_url":"talk","ws_subprotocol":"chat","opportunistic":true,"retry":"none","ws_over_h2":true,
		"metadata":[{"origin":"origin:"},{"extra":"x-extra:"}]}},
	{"binary":{"endpoint":"10.0.0.2","port":80,"protocol":"ws","ws_binary":true,"opportunistic":true,"retry":"none"}},
	{"other":{"endpoint":"10.0.0.2","port":80,"protocol":"ws","ws_subprotocol":"other","opportunistic":true,"retry":"none"}},
	{"nailed":{"endpoint":"10.0.0.2","port":80,"protocol":"ws","nailed_up":true,"retry":"alive"}},
	{"direct":{"endpoint":"10.0.0.2","port":81,"protocol":"ws","opportunistic":true,"retry":"none"}},
	{"unserved":{"endpoint":"10.0.0.2","port":82,"protocol":"ws","opportunistic":true,"retry":"none"}},
	{"nobody2":{"endpoint":"10.0.0.2","port":82,"protocol":"ws","ws_over_h2":true,"opportunistic":true,"retry":"none"}},
	{"squeeze":{"endpoint":"10.0.0.2","port":83,"protocol":"ws","ws_deflate":true,"opportunistic":true,"retry":"none"}},
	{"get":{"endpoint":"10.0.0.2","port":80,"protocol":"h2","opportunistic":true,"retry":"none"}},
	{"wire":{"endpoint":"10.0.0.2","port":80,"protocol":"raw","opportunistic":true,"retry":"none"}}]}`

// echoes makes an accepted WebSocket echo its input, piece by piece, with the same message type.
func echoes(s *script) {
	var queue [][]byte
	var flags []ss.Flags
	s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
		queue, flags = append(queue, append([]byte(nil), b...)), append(flags, f)
		return h.RequestTx()
	}
	s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
		if len(queue) == 0 {
			return 0, 0, ss.TxDontSend
		}
		n, f := copy(buf, queue[0]), flags[0]
		if n < len(queue[0]) {
			queue[0], flags[0] = queue[0][n:], flags[0]&^ss.SOM
			f &^= ss.EOM
		} else {
			queue, flags = queue[1:], flags[1:]
		}
		if len(queue) > 0 {
			h.RequestTx()
		}
		return n, f, ss.OK
	}
}

// kind returns the message type in flags.
func kind(f ss.Flags) string {
	switch f & (ss.Binary | ss.Text) {
	case ss.Binary:
		return "binary"
	case ss.Text:
		return "text"
	}
	return fmt.Sprintf("neither or both (%#x)", uint32(f))
}

// TestWebSocket: echoes of messages of all lengths, over HTTP/1.1 and over HTTP/2, and the states of both ends.
func TestWebSocket(t *testing.T) {
	for _, c := range []struct{ streamType, kind string }{{"one", "text"}, {"two", "text"}, {"binary", "binary"}} {
		w := newWorld(t, wsDoc, plan{})
		w.Serve("srv", func(s *script) { echoes(s); s.QuietTx = true })
		for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 300_000} {
			s := newScript()
			s.Say, s.QuietTx = []byte(strings.Repeat("0123456789", n/10+1)[:n]), true
			s.When(ss.Connected, (*ss.Handle).RequestTx)
			var kinds []string
			s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
				if kinds = append(kinds, kind(f)); f&ss.EOM != 0 {
					return ss.DisconnectMe
				}
				return ss.OK
			}
			h := w.Create(c.streamType, s)
			h.Connect()
			w.Run("the end", func() bool { return s.Told(ss.Disconnected) > 0 })
			if string(s.Got) != string(s.Say) {
				t.Errorf("%s: %d bytes came back of %d", c.streamType, len(s.Got), n)
			}
			if kinds[0] != c.kind || kinds[len(kinds)-1] != c.kind {
				t.Errorf("%s: %d bytes: messages are %v, want %s", c.streamType, n, kinds, c.kind)
			}
			w.WantLife("the client", s, "CREATING CONNECTING CONNECTED DISCONNECTED")
			w.Advance(time.Second)
			a := w.Accepted[len(w.Accepted)-1]
			life := "CREATING CONNECTING CONNECTED SERVER_UPGRADE DISCONNECTED DESTROYING"
			w.WantLife("the server's stream", a, life)
			var closed *ss.CloseError
			if len(a.Causes) != 1 || !errors.As(a.Causes[0], &closed) || closed.Code != ws.Normal {
				t.Errorf("%s: the server's stream received %v, want a Close frame with %v", c.streamType, a.Causes, ws.Normal)
			}
			h.Destroy()
		}
	}
}

// TestWebSocketsShare: over HTTP/2 several WebSockets and requests share one connection, and the end of one does not
// disturb the others.
func TestWebSocketsShare(t *testing.T) {
	w := newWorld(t, wsDoc, plan{})
	w.Serve("srv", func(s *script) {
		echoes(s)
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret { h.ServerAck(204); return h.RequestTx() })
	})
	var all []*script
	for i := range 5 {
		s := newScript()
		s.Say = []byte(fmt.Sprint("hello ", i))
		s.When(ss.Connected, (*ss.Handle).RequestTx)
		w.Create("two", s).Connect()
		all = append(all, s)
	}
	g := newScript()
	w.Create("get", g).Connect()
	w.Run("all answers", func() bool {
		for i, s := range all {
			if string(s.Got) != fmt.Sprint("hello ", i) {
				return false
			}
		}
		return g.Told(ss.Disconnected) > 0
	})
	if n := w.Server.Runtime.Net().Counters.Accepted; n != 1 {
		t.Errorf("%d connections, want one for all", n)
	}
	all[0].Handle.Disconnect()
	all[1].Handle.Destroy()
	w.Advance(time.Second)
	all[2].Said, all[2].Got = 0, nil
	all[2].Handle.RequestTx()
	w.Run("another echo", func() bool { return string(all[2].Got) == "hello 2" })
	if p, ok := all[2].Handle.Protocol(); !ok || p != policy.WS {
		t.Errorf("Protocol: %v, %v, want ws", p, ok)
	}
}

// TestWebSocketRefusals: how a server refuses, and the states of its client.
func TestWebSocketRefusals(t *testing.T) {
	for _, c := range []struct {
		name, srv, cli string
		each           func(*script)
		cause          string
		life           string // of the server's stream, until the client has gone
	}{
		{"by ServerAck", "srv", "one", func(s *script) {
			s.When(ss.ServerUpgrade, func(h *ss.Handle) ss.Ret { h.ServerAck(403); return ss.OK })
		}, "http status 403", "CREATING CONNECTING CONNECTED SERVER_UPGRADE"},
		{"by ServerAck, over h2", "srv", "two", func(s *script) {
			s.When(ss.ServerUpgrade, func(h *ss.Handle) ss.Ret { h.ServerAck(403); return ss.OK })
		}, "http status 403", "CREATING CONNECTING CONNECTED SERVER_UPGRADE"},
		{"by DISCONNECT_ME", "srv", "one", func(s *script) {
			s.When(ss.ServerUpgrade, func(h *ss.Handle) ss.Ret { return ss.DisconnectMe })
		}, "", "CREATING CONNECTING CONNECTED SERVER_UPGRADE"},
		{"by DESTROY_ME, over h2", "srv", "two", func(s *script) {
			s.When(ss.ServerUpgrade, func(h *ss.Handle) ss.Ret { return ss.DestroyMe })
		}, "reset by the peer", "CREATING CONNECTING CONNECTED SERVER_UPGRADE"},
		{"no subprotocol in common", "srv", "other", nil, "http status 400", "CREATING CONNECTING"},
		{"a server without WebSockets", "plain", "unserved", answer(200, "hi"), "http status 200", "CREATING CONNECTING CONNECTED SERVER_TXN"},
		{"a server without WebSockets, over h2", "plain", "nobody2", nil, "http status 501", "CREATING CONNECTING"},
	} {
		w := newWorld(t, wsDoc, plan{})
		w.Serve(c.srv, c.each)
		s := newScript()
		w.Create(c.cli, s).Connect()
		w.Run("the refusal", func() bool { return s.Told(ss.AllRetriesFailed) > 0 })
		w.WantLife(c.name, s, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
		if got := fmt.Sprint(s.Causes); !strings.Contains(got, c.cause) {
			t.Errorf("%s: causes %s, want %q", c.name, got, c.cause)
		}
		if got := w.Accepted[0].Life(); !strings.HasPrefix(got, c.life) {
			t.Errorf("%s: the server's stream received %s, want %s", c.name, got, c.life)
		}
		w.Advance(10 * time.Second)
	}
}

// TestWebSocketHead: the head of the handshake can be read before it is accepted, and the stream's fields are in the response.
func TestWebSocketHead(t *testing.T) {
	for _, cli := range []string{"one", "two"} {
		w := newWorld(t, wsDoc, plan{})
		var got []string
		w.Serve("srv", func(s *script) {
			s.When(ss.ServerUpgrade, func(h *ss.Handle) ss.Ret {
				for _, name := range []string{"path", "from"} {
					v, _ := h.Metadata(name)
					got = append(got, string(v))
				}
				h.SetMetadataString("extra", "yes")
				return ss.OK
			})
		})
		s := newScript()
		h := w.Create(cli, s)
		h.SetMetadataString("origin", "https://x.example")
		h.Connect()
		w.Run("CONNECTED", func() bool { return s.Told(ss.Connected) > 0 })
		if fmt.Sprint(got) != "[/talk https://x.example]" {
			t.Errorf("%s: read %q of the request", cli, got)
		}
		if v, _ := h.Metadata("extra"); string(v) != "yes" {
			t.Errorf("%s: read %q of the response, want yes", cli, v)
		}
	}
}

// TestWebSocketAfterRequests: a connection that has answered requests can still become a WebSocket.
func TestWebSocketAfterRequests(t *testing.T) {
	w := newWorld(t, wsDoc, plan{})
	w.Serve("srv", func(s *script) {
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret { h.ServerAck(204); return h.RequestTx() })
		s.Say = []byte("welcome")
		s.When(ss.ServerUpgrade, (*ss.Handle).RequestTx)
	})
	const up = "GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	for _, first := range []string{"", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", strings.Replace(up, "13", "12", 1)} {
		s := newScript()
		s.Say, s.NoEOM = []byte(first+up), true
		s.When(ss.Connected, (*ss.Handle).RequestTx)
		w.Create("wire", s).Connect()
		w.Advance(time.Second)
		if got := string(s.Got); !strings.Contains(got, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x07welcome") {
			t.Errorf("after %.20q: got %q, want the handshake and a message", first, got)
		}
		s.Handle.Destroy()
		w.Advance(time.Second)
	}
	w.WantLife("a stream that has answered before", w.Accepted[1],
		"CREATING CONNECTING CONNECTED SERVER_TXN DISCONNECTED CONNECTING CONNECTED SERVER_UPGRADE DISCONNECTED DESTROYING")
	w.WantLife("a stream whose first handshake was refused", w.Accepted[2], "CREATING CONNECTING CONNECTED SERVER_UPGRADE DISCONNECTED DESTROYING")
}

// TestWebSocketCloses: codes and reasons in both directions, and codes that programs may not send.
func TestWebSocketCloses(t *testing.T) {
	for _, cli := range []string{"one", "two"} {
		w := newWorld(t, wsDoc, plan{})
		w.Serve("srv", nil)
		s := newScript()
		h := w.Create(cli, s)
		for _, byServer := range []bool{false, true} {
			h.Connect()
			w.Run("CONNECTED", func() bool { return h.Life() == ss.Connected })
			w.Settle()
			a := w.Accepted[len(w.Accepted)-1]
			from, to := h, a
			if byServer {
				from, to = a.Handle, s
			}
			for _, bad := range []struct {
				code   ws.Code
				reason string
			}{{1006, ""}, {1005, "but why"}, {999, ""}, {4000, strings.Repeat("x", 124)}, {4000, "\xff"}} {
				if err := from.DisconnectWith(bad.code, bad.reason); err == nil {
					t.Errorf("%s: closing with %d %q was let pass", cli, bad.code, bad.reason)
				}
			}
			n := to.Told(ss.Disconnected)
			if err := from.DisconnectWith(4001, "enough"); err != nil {
				t.Error(err)
			}
			w.Run("the end", func() bool { return to.Told(ss.Disconnected) > n })
			var closed *ss.CloseError
			if len(to.Causes) == 0 || !errors.As(to.Causes[len(to.Causes)-1], &closed) || closed.Code != 4001 || closed.Reason != "enough" {
				t.Errorf("%s, by the server: %v: told %v, want code 4001 and its reason", cli, byServer, to.Causes)
			}
			w.Advance(time.Second)
		}
		// Close and Drain send GoingAway.
		h.Connect()
		w.Run("CONNECTED", func() bool { return h.Life() == ss.Connected })
		over := false
		w.Server.Runtime.Drain(func() { over = true })
		w.Run("the drain", func() bool { return over })
		var closed *ss.CloseError
		if !errors.As(s.Causes[len(s.Causes)-1], &closed) || closed.Code != ws.GoingAway {
			t.Errorf("%s: a drain was reported as %v, want %v", cli, s.Causes, ws.GoingAway)
		}
	}
}

// TestWebSocketSilence: pings detect a peer that has vanished, and the stream reconnects if the policy requests it.
func TestWebSocketSilence(t *testing.T) {
	w := newWorld(t, wsDoc, plan{})
	w.Serve("srv", nil)
	s := newScript()
	w.Create("nailed", s)
	w.Run("CONNECTED", func() bool { return s.Told(ss.Connected) > 0 })
	w.Advance(30 * time.Second)
	if n := s.Told(ss.Disconnected); n != 0 {
		t.Errorf("lost %d times although the peer answers pings", n)
	}
	if plain, _ := w.Client.Runtime.WS(); plain.Probes < 5 {
		t.Errorf("%d pings in 30 s, want one every 3", plain.Probes)
	}
	w.Net.Partition(w.Client.Host, w.Server.Host)
	w.Run("the loss", func() bool { return s.Told(ss.Disconnected) > 0 })
	w.Net.Heal(w.Client.Host, w.Server.Host)
	w.Run("another connection", func() bool { return s.Told(ss.Connected) == 2 })
}

// TestWebSocketPauses: a paused stream stops its peer, over both protocols, and receives everything after Resume.
func TestWebSocketPauses(t *testing.T) {
	for _, cli := range []string{"one", "two"} {
		w := newWorld(t, wsDoc, plan{Net: sim.Options{SndBuf: 4096, RcvBuf: 4096}})
		w.Serve("srv", func(s *script) {
			s.QuietTx = true
			s.Say = []byte(strings.Repeat("0123456789", 100_000))
			s.When(ss.ServerUpgrade, (*ss.Handle).RequestTx)
		})
		s := newScript()
		h := w.Create(cli, s)
		h.Pause()
		h.Connect()
		w.Advance(time.Second)
		w.WantLife(cli+", paused from the start", s, "CREATING CONNECTING CONNECTED")
		if len(s.Got) != 0 || w.Accepted[0].Said == len(w.Accepted[0].Say) {
			t.Errorf("%s: paused, %d bytes came, %d were sent", cli, len(s.Got), w.Accepted[0].Said)
		}
		for len(s.Got) < 1_000_000 {
			h.Resume()
			had := len(s.Got)
			w.Run("more", func() bool { return len(s.Got) > had })
			h.Pause()
			w.Advance(10 * time.Millisecond)
		}
		if string(s.Got) != string(w.Accepted[0].Say) {
			t.Errorf("%s: what came is not what was sent", cli)
		}
	}
}

// TestWebSocketKinds: a stream sets the type of each message, also in pieces, and compressed messages arrive complete.
func TestWebSocketKinds(t *testing.T) {
	for _, c := range []struct{ srv, cli string }{{"pure", "direct"}, {"packed", "squeeze"}} {
		w := newWorld(t, wsDoc, plan{})
		w.Serve(c.srv, echoes)
		s := newScript()
		type piece struct {
			b string
			f ss.Flags
		}
		big := strings.Repeat("compress me ", 1000)
		send := []piece{{"a", ss.SOM | ss.EOM | ss.Binary}, {"b", ss.SOM | ss.EOM}, {"c", ss.SOM | ss.Binary}, {"", 0}, {"d", ss.Text}, {"", ss.EOM},
			{"", ss.SOM | ss.EOM | ss.Binary}, {big, ss.SOM | ss.EOM | ss.Text}}
		s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
			p := send[0]
			if send = send[1:]; len(send) > 0 {
				h.RequestTx()
			}
			return copy(buf, p.b), p.f, ss.OK
		}
		var got []string
		message := ""
		s.OnRx = func(_ *ss.Handle, b []byte, f ss.Flags) ss.Ret {
			if message += string(b); f&ss.EOM != 0 {
				got = append(got, kind(f)+" "+message)
				message = ""
			}
			return ss.OK
		}
		s.When(ss.Connected, (*ss.Handle).RequestTx)
		w.Create(c.cli, s).Connect()
		w.Run("all messages", func() bool { return len(got) == 5 })
		want := []string{"binary a", "text b", "binary cd", "binary ", "text " + big}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: message %d: got %.40q, want %.40q", c.cli, i, got[i], want[i])
			}
		}
		if _, packed := w.Client.Runtime.WS(); (packed.Inflated > 0) != (c.cli == "squeeze") {
			t.Errorf("%s: %d octets were inflated", c.cli, packed.Inflated)
		}
	}
}

// TestWebSocketMisuse: invalid sequences of flags disconnect the stream, and no other.
func TestWebSocketMisuse(t *testing.T) {
	for name, flags := range map[string][]ss.Flags{"no SOM": {0}, "SOM twice": {ss.SOM, ss.SOM}} {
		w := newWorld(t, wsDoc, plan{})
		w.Serve("srv", nil)
		s := newScript()
		s.OnTx = func(h *ss.Handle, n uint32, buf []byte) (int, ss.Flags, ss.Ret) {
			h.RequestTx()
			return copy(buf, "x"), flags[min(int(n), len(flags)-1)], ss.OK
		}
		s.When(ss.Connected, (*ss.Handle).RequestTx)
		w.Create("one", s).Connect()
		w.Run("the end", func() bool { return s.Told(ss.Disconnected) > 0 })
		if w.Client.Runtime.Counters.Misuse != 1 {
			t.Errorf("%s: %d counted, want 1", name, w.Client.Runtime.Counters.Misuse)
		}
	}
}

// TestWebSocketPrioritizesReads: output requested in Rx is sent after all input of the turn was read.
func TestWebSocketPrioritizesReads(t *testing.T) {
	for _, prioritize := range []bool{false, true} {
		doc := wsDoc
		if prioritize {
			doc = strings.Replace(doc, `"port":81,"protocol":"ws"`, `"port":81,"protocol":"ws","ws_prioritize_reads":true`, 1)
		}
		w := newWorld(t, doc, plan{})
		var order []string
		w.Serve("pure", func(s *script) {
			s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret { order = append(order, "rx"); return h.RequestTx() }
			s.OnTx = func(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
				order = append(order, "tx")
				return copy(buf, "y"), ss.SOM | ss.EOM, ss.OK
			}
		})
		s := newScript()
		sent := 0
		s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
			if sent++; sent < 3 {
				h.RequestTx()
			}
			return copy(buf, "x"), ss.SOM | ss.EOM, ss.OK
		}
		s.When(ss.Connected, (*ss.Handle).RequestTx)
		w.Create("direct", s).Connect()
		w.Advance(time.Second)
		want := "rx tx rx tx rx tx"
		if prioritize {
			want = "rx rx rx tx"
		}
		if got := strings.Join(order, " "); got != want {
			t.Errorf("ws_prioritize_reads %v: %s, want %s", prioritize, got, want)
		}
	}
}

// TestWebSocketBadNetworks: echoes on bad networks, with resets and stalls at every point of opening, traffic and close.
func TestWebSocketBadNetworks(t *testing.T) {
	seeds := uint64(1000)
	if testing.Short() {
		seeds = 100
	}
	for seed := range seeds {
		cli := []string{"one", "two", "binary"}[seed%3]
		w := newWorld(t, wsDoc, plan{Seed: seed, Net: sim.Options{
			Link:   sim.Link{Latency: 3 * time.Millisecond, Jitter: 5 * time.Millisecond, Reset: 0.2, Die: 0.1, Refuse: 0.1, FaultWithin: 100 * time.Millisecond},
			SndBuf: 3000, RcvBuf: 2000, ShortRead: 0.2, ShortWrite: 0.2, LateReady: 0.1, ShuffleReady: true,
		}})
		w.Patience = 200 * time.Second
		w.Serve("srv", func(s *script) { echoes(s); s.QuietTx = true })
		s := newScript()
		s.QuietTx = true
		s.Say = []byte(strings.Repeat("x", int(seed*37%9000)))
		s.Piece = int(seed%7) * 100
		s.When(ss.Connected, (*ss.Handle).RequestTx)
		bad := false
		s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
			bad = bad || strings.Trim(string(b), "x") != ""
			if f&ss.EOM != 0 {
				return ss.DisconnectMe
			}
			return ss.OK
		}
		h := w.Create(cli, s)
		for try := 0; try < 5; try++ {
			s.Got = nil
			n := s.Told(ss.Disconnected) + s.Told(ss.AllRetriesFailed)
			h.Connect()
			w.Run("an end", func() bool { return s.Told(ss.Disconnected)+s.Told(ss.AllRetriesFailed) > n })
			if len(s.Got) == len(s.Say) {
				break
			}
		}
		if bad || len(s.Got) > len(s.Say) {
			t.Fatalf("seed %d: %d bytes came back of %d, spoilt: %v", seed, len(s.Got), len(s.Say), bad)
		}
		h.Destroy()
		w.End()
	}
}
