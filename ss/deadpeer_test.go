package ss_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/ss"
)

// vanish drops all packets between the machines from now on.
func vanish(w *world) { w.Net.Partition(w.Client.Host, w.Server.Host) }

// sever drops all packets of existing connections; new connections work.
func sever(w *world) {
	for _, fd := range append([]loop.FD(nil), w.Client.Host.Established()...) {
		w.Client.Host.Sever(fd)
	}
}

func deadDoc(client, server, retry string) string {
	return fmt.Sprintf(`{"retry":[{"r":{"backoff":[100],"conceal":0,"jitterpc":0%s}}],
		"s":[{"c":{"endpoint":"10.0.0.2","port":80,"retry":"r","opportunistic":true,%s}},{"srv":{"server":true,"port":80,"retry":"r",%s}}]}`, retry, client, server)
}

// deaf makes an accepted raw stream read, and never answer.
func deaf(*script) {}

// TestDeadPeerIsDetected: a peer that vanishes, at any point of a connection's life, is detected within the documented
// time, on every protocol.
func TestDeadPeerIsDetected(t *testing.T) {
	const valid = `,"svalidping":5,"svalidhup":8`
	const off = `,"svalidping":0,"svalidhup":0`
	const s = time.Second
	raw, h1, h2, ws := `"protocol":"raw"`, `"protocol":"h1"`, `"protocol":"h2"`, `"protocol":"ws"`
	halfBody := speak("\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", false)
	uploads := func(w *world, s *script) { // for as long as somebody takes it
		s.QuietTx = true
		s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
			w.Net.At(100*time.Millisecond, func() { h.RequestTx() })
			return len(buf), 0, ss.OK
		}
	}
	for _, c := range []struct {
		name            string
		keys, srv, more string
		each            func(*script) // what accepted streams do; nil: what they do by themselves
		frames          func(*framePeer)
		client          func(w *world, s *script)
		gone            func(w *world) // after a second; nil: the peer is deaf from the start
		told            ss.State
		from, to        time.Duration // counted from gone, or from Connect
	}{
		{name: "a connect without an answer", keys: raw, srv: raw, client: func(w *world, _ *script) { vanish(w) }, told: ss.Unreachable, from: 20 * s, to: 20 * s},

		{name: "raw, idle", keys: raw, srv: raw, gone: vanish, told: ss.Disconnected, from: 100 * s, to: 120 * s},
		{name: "raw, idle, svalid", keys: raw, srv: raw, more: valid, gone: vanish, told: ss.Disconnected, from: 6 * s, to: 9 * s},
		{name: "raw, sending, svalid", keys: raw, srv: raw, more: valid, client: uploads, gone: vanish, told: ss.Disconnected, from: 2 * s, to: 9 * s},

		{name: "ws, handshake without an answer", keys: ws, srv: raw, each: deaf, told: ss.Unreachable, from: 10 * s, to: 10 * s},
		{name: "ws, the same, by key", keys: ws + `,"http_response_timeout_ms":3000`, srv: raw, each: deaf, told: ss.Unreachable, from: 3 * s, to: 3 * s},
		{name: "ws, idle", keys: ws, srv: ws, gone: vanish, told: ss.Disconnected, from: 49 * s, to: 51 * s},
		{name: "ws, idle, svalid", keys: ws, srv: ws, more: valid, gone: vanish, told: ss.Disconnected, from: 7 * s, to: 9 * s},
		{name: "ws, idle, an explicit 0: TCP's keepalive remains", keys: ws, srv: ws, more: off, gone: vanish, told: ss.Disconnected, from: 100 * s, to: 120 * s},

		{name: "h1, request", keys: h1, srv: raw, each: deaf, told: ss.Unreachable, from: 60 * s, to: 60 * s},
		{name: "h1, request, by key", keys: h1 + `,"http_response_timeout_ms":5000`, srv: raw, each: deaf, told: ss.Unreachable, from: 5 * s, to: 5 * s},
		{name: "h1, request, the network is gone", keys: h1, srv: raw, each: deaf, gone: vanish, told: ss.Unreachable, from: 59 * s, to: 60 * s},
		{name: "h1, request, svalid", keys: h1, srv: raw, more: valid, each: deaf, told: ss.Unreachable, from: 8 * s, to: 8 * s},
		{name: "h1, request, no time limit", keys: h1 + `,"http_response_timeout_ms":0`, srv: raw, each: deaf, gone: vanish, told: ss.Unreachable, from: 100 * s, to: 120 * s},
		{name: "h1, long poll", keys: h1 + `,"long_poll":true`, srv: raw, each: deaf, gone: vanish, told: ss.Unreachable, from: 100 * s, to: 120 * s},
		{name: "h1, long poll, svalid", keys: h1 + `,"long_poll":true`, srv: raw, more: valid, each: deaf, told: ss.Unreachable, from: 8 * s, to: 8 * s},
		{name: "h1, long poll, by key", keys: h1 + `,"long_poll":true,"http_response_timeout_ms":90000`, srv: raw, each: deaf, told: ss.Unreachable, from: 90 * s, to: 90 * s},
		{name: "h1, body", keys: h1, srv: raw, each: halfBody, gone: vanish, told: ss.Disconnected, from: 29 * s, to: 30 * s},
		{name: "h1, body, svalid", keys: h1, srv: raw, more: valid, each: halfBody, gone: vanish, told: ss.Disconnected, from: 7 * s, to: 8 * s},
		{name: "h1, upload, svalid", keys: h1 + `,"http_method":"POST"`, srv: raw, more: valid, each: deaf, client: uploads, gone: vanish, told: ss.Unreachable, from: 8 * s, to: 9 * s},

		{name: "h2, no settings, but acknowledged", keys: h2, srv: raw, each: deaf, told: ss.Unreachable, from: 10 * s, to: 10 * s},
		{name: "h2, request", keys: h2, srv: raw, frames: func(p *framePeer) { p.onReq = nil }, told: ss.Unreachable, from: 60 * s, to: 60 * s},
		{name: "h2, request, by key", keys: h2 + `,"http_response_timeout_ms":5000`, srv: raw, frames: func(p *framePeer) { p.onReq = nil }, told: ss.Unreachable, from: 5 * s, to: 5 * s},
		{name: "h2, request, the network is gone", keys: h2, srv: raw, frames: func(p *framePeer) { p.onReq = nil }, gone: vanish, told: ss.Unreachable, from: 59 * s, to: 60 * s},
		{name: "h2, request, svalid", keys: h2, srv: raw, more: valid, frames: func(p *framePeer) { p.onReq = nil }, gone: vanish, told: ss.Unreachable, from: 7 * s, to: 9 * s},
		{name: "h2, long poll", keys: h2 + `,"long_poll":true`, srv: raw, frames: func(p *framePeer) { p.onReq = nil }, gone: vanish, told: ss.Unreachable, from: 100 * s, to: 120 * s},
		{name: "h2, long poll, svalid", keys: h2 + `,"long_poll":true`, srv: raw, more: valid, frames: func(p *framePeer) { p.onReq = nil }, gone: vanish, told: ss.Unreachable, from: 7 * s, to: 9 * s},
		{name: "h2, body", keys: h2, srv: raw, frames: func(p *framePeer) { p.onReq = func(p *framePeer, q *peerRequest) { p.head(q, 200, false) } }, gone: vanish, told: ss.Disconnected, from: 29 * s, to: 30 * s},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, deadDoc(c.keys, c.srv, c.more), plan{})
			if c.frames != nil {
				w.frames("srv", c.frames)
			} else {
				w.Serve("srv", c.each)
			}
			st := newScript()
			if c.client != nil {
				c.client(w, st)
			}
			h := w.Create("c", st)
			began := w.Net.Now()
			h.Connect()
			h.RequestTx()
			if c.gone != nil {
				w.Advance(time.Second)
				began = w.Net.Now()
				c.gone(w)
			}
			limit := false
			w.Net.At(10*time.Minute, func() { limit = true })
			w.Run("news", func() bool { return limit || st.Told(c.told) > 0 })
			took := w.Net.Now() - began
			if limit || took < c.from || took > c.to+10*time.Millisecond {
				t.Errorf("%v was received after %v (limit passed: %v), want %v to %v: %s, causes %v", short(c.told), took, limit, c.from, c.to, st.Line(), st.Causes)
			}
			w.Patience = 4 * time.Hour
		})
	}
}

// TestDeadPeerOfAcceptedStream: the same for streams that a server has accepted.
func TestDeadPeerOfAcceptedStream(t *testing.T) {
	const valid = `,"svalidping":5,"svalidhup":8`
	const s = time.Second
	for _, c := range []struct {
		name, cli, srv, more string
		from, to             time.Duration
	}{
		{"raw", `"protocol":"raw"`, `"protocol":"raw"`, "", 100 * s, 120 * s},
		{"raw, svalid", `"protocol":"raw"`, `"protocol":"raw"`, valid, 6 * s, 9 * s},
		{"ws", `"protocol":"ws"`, `"protocol":"ws"`, "", 49 * s, 51 * s},
		{"ws, svalid", `"protocol":"ws"`, `"protocol":"ws"`, valid, 7 * s, 9 * s},
		{"h1, a request that the program does not answer", `"protocol":"h1"`, `"protocol":"h1"`, "", 100 * s, 120 * s},
		{"h1, the same, svalid", `"protocol":"h1"`, `"protocol":"h1"`, valid, 7 * s, 9 * s},
		{"h2, the same", `"protocol":"h2"`, `"protocol":"h2"`, "", 100 * s, 120 * s},
		{"h2, the same, svalid", `"protocol":"h2"`, `"protocol":"h2"`, valid, 7 * s, 9 * s},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, deadDoc(c.cli, c.srv, c.more), plan{})
			w.Serve("srv", nil)
			w.Create("c", newScript()).Connect()
			w.Advance(time.Second)
			if len(w.Accepted) != 1 {
				t.Fatalf("accepted: got %d, want one", len(w.Accepted))
			}
			a := w.Accepted[0]
			vanish(w)
			began := w.Net.Now()
			limit := false
			w.Net.At(10*time.Minute, func() { limit = true })
			w.Run("news", func() bool { return limit || a.Dead })
			if took := w.Net.Now() - began; limit || took < c.from || took > c.to {
				t.Errorf("the accepted stream ended after %v (limit passed: %v), want %v to %v: %s, causes %v", took, limit, c.from, c.to, a.Line(), a.Causes)
			}
			w.Patience = 4 * time.Hour
		})
	}
}

// TestSilentWarmConnection: a request on a warm connection whose peer has vanished does not hang. An idempotent one is
// repeated on a new connection, unseen by its stream; any other is a failed attempt.
func TestSilentWarmConnection(t *testing.T) {
	const ok = "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED"
	for _, proto := range []string{"h1", "h2"} {
		for _, c := range []struct {
			keys  string
			more  string
			life  string
			after time.Duration
			dials uint64
		}{
			{`"http_response_timeout_ms":4000`, "", ok, 4 * time.Second, 2},
			{"", "", ok, 60 * time.Second, 2},
			{"", `,"svalidping":1,"svalidhup":3`, ok, 3 * time.Second, 2},
			{`"http_method":"POST"`, "", "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED", 60 * time.Second, 1},
		} {
			t.Run(proto+" "+c.keys+c.more, func(t *testing.T) {
				keys := `"protocol":"` + proto + `"`
				if c.keys != "" {
					keys += "," + c.keys
				}
				w := newWorld(t, deadDoc(keys, `"protocol":"h2"`, c.more), plan{Client: func(k *ss.Config) { k.KeepWarm = time.Minute }})
				w.Serve("srv", answer(0, ""))
				get := func() *script {
					s := newScript()
					h := w.Create("c", s)
					h.RequestTxLen(0)
					h.Connect()
					w.Run("the end of a transaction", func() bool { return s.Told(ss.Disconnected)+s.Told(ss.AllRetriesFailed) > 0 })
					return s
				}
				w.WantLife("the first", get(), ok)
				w.Advance(time.Second)
				sever(w)
				began := w.Net.Now()
				s := get()
				took := w.Net.Now() - began
				w.WantLife("on the dead connection", s, c.life)
				if took < c.after-2*time.Second || took > c.after+100*time.Millisecond {
					t.Errorf("the transaction took %v, want about %v: %s, causes %v", took, c.after, s.Life(), s.Causes)
				}
				if got := w.Client.Runtime.Net().Counters.Dialled; got != c.dials {
					t.Errorf("connections made: got %d, want %d", got, c.dials)
				}
				w.Patience = 4 * time.Hour
			})
		}
	}
}

// TestWarmConnectionSvalidhup: an idle connection of HTTP/1.1 is closed after svalidhup, if that is sooner than KeepWarm.
func TestWarmConnectionSvalidhup(t *testing.T) {
	w := newWorld(t, deadDoc(`"protocol":"h1"`, `"protocol":"h2"`, `,"svalidhup":3`), plan{Client: func(k *ss.Config) { k.KeepWarm = time.Minute }})
	w.Serve("srv", answer(0, ""))
	w.Create("c", newScript()).Connect()
	w.Advance(2900 * time.Millisecond)
	if got := w.Client.Runtime.Net().Open(); got != 1 {
		t.Errorf("connections after 2.9 s: got %d, want 1", got)
	}
	w.Advance(200 * time.Millisecond)
	if got := w.Client.Runtime.Net().Open(); got != 0 {
		t.Errorf("connections after 3.1 s: got %d, want none", got)
	}
}

// TestPausedStreamIsNotSilence: while a stream is paused the silence of its peer does not count, neither for
// svalidhup nor for the response timeout.
func TestPausedStreamIsNotSilence(t *testing.T) {
	for _, proto := range []string{"h1", "h2"} {
		w := newWorld(t, deadDoc(`"protocol":"`+proto+`"`, `"protocol":"h2"`, `,"svalidping":5,"svalidhup":8`), plan{})
		w.Serve("srv", answer(0, "hello"))
		s := newScript()
		h := w.Create("c", s)
		h.Pause()
		h.Connect()
		w.Advance(5 * time.Minute)
		h.Resume()
		w.Advance(time.Second)
		if string(s.Got) != "hello" || s.Told(ss.QOSAckRemote) != 1 {
			t.Errorf("%s: after five minutes of Pause: got %q, %s, causes %v; want \"hello\" and an ACK", proto, s.Got, s.Life(), s.Causes)
		}
	}
}

// TestInterimResponsesRestartTimeout: each 1xx response restarts the response timeout.
func TestInterimResponsesRestartTimeout(t *testing.T) {
	w := newWorld(t, deadDoc(`"protocol":"h1","http_response_timeout_ms":5000`, `"protocol":"raw"`, ""), plan{})
	w.Serve("srv", func(s *script) {
		s.NoEOM = true
		say := func(d time.Duration, text string) {
			w.Net.At(d, func() { s.Said, s.Say = 0, []byte(text); s.Handle.RequestTx() })
		}
		say(4*time.Second, "HTTP/1.1 102 Processing\r\n\r\n")
		say(8*time.Second, "HTTP/1.1 102 Processing\r\n\r\n")
		say(12*time.Second, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	s := newScript()
	w.Create("c", s).Connect()
	w.Advance(20 * time.Second)
	w.WantLife("the stream", s, "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED")
}

// TestWebSocketCloseUnanswered: without an answer to our Close frame the connection is closed after Timeouts.Close.
func TestWebSocketCloseUnanswered(t *testing.T) {
	w := newWorld(t, deadDoc(`"protocol":"ws"`, `"protocol":"ws"`, ""), plan{})
	w.Serve("srv", nil)
	s := newScript()
	h := w.Create("c", s)
	h.Connect()
	w.Advance(time.Second)
	vanish(w)
	h.Disconnect()
	w.Settle()
	w.WantLife("the stream", s, "CREATING CONNECTING CONNECTED DISCONNECTED")
	w.Advance(11 * time.Second) // 5 s for the answer, and 5 s for the last bytes to leave
	if n := w.Client.Runtime.Net().Open(); n != 0 {
		t.Errorf("connections after 11 s: got %d, want none", n)
	}
	w.Patience = 4 * time.Hour
}

// TestResponseTimeoutCause: the cause names the key, and differs from other causes.
func TestResponseTimeoutCause(t *testing.T) {
	w := newWorld(t, deadDoc(`"protocol":"h1"`, `"protocol":"raw"`, ""), plan{})
	w.Serve("srv", deaf)
	s := newScript()
	w.Create("c", s).Connect()
	w.Advance(time.Minute + time.Second)
	if len(s.Causes) == 0 || !errors.Is(s.Causes[0], http.ErrTimeout) || !strings.Contains(s.Causes[0].Error(), "http_response_timeout_ms") {
		t.Errorf("causes: got %v, want an http.ErrTimeout that names http_response_timeout_ms", s.Causes)
	}
	if n := w.Client.Runtime.Counters; n.Unanswered != 1 {
		t.Errorf("Counters.Unanswered: got %d, want 1", n.Unanswered)
	}
}

// TestResponseTimeIsPerRequest: each request has the full response timeout.
func TestResponseTimeIsPerRequest(t *testing.T) {
	for _, proto := range []string{"h1", "h2"} {
		w := newWorld(t, deadDoc(`"protocol":"`+proto+`"`, `"protocol":"h2"`, ""), plan{Client: func(k *ss.Config) { k.KeepWarm = -1 }})
		n := 0
		w.Serve("srv", func(s *script) {
			s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
				if n++; n > 3 {
					return ss.OK
				}
				h.ServerAck(200)
				return h.RequestTxLen(0)
			})
		})
		s := newScript()
		h := w.Create("c", s)
		for range 4 {
			h.Connect()
			w.Advance(50 * time.Second)
		}
		if s.Told(ss.QOSAckRemote) != 3 || s.Told(ss.Unreachable) != 0 {
			t.Errorf("%s: 50 s after the fourth request: got %s, want three answers and no failure", proto, s.Life())
		}
		w.Advance(9900 * time.Millisecond)
		if s.Told(ss.Unreachable) != 0 {
			t.Errorf("%s: 59.9 s after the fourth request: got %s, want no failure yet", proto, s.Life())
		}
		w.Advance(200 * time.Millisecond)
		if s.Told(ss.Unreachable) != 1 {
			t.Errorf("%s: 60.1 s after the fourth request: got %s, want UNREACHABLE", proto, s.Life())
		}
	}
}
