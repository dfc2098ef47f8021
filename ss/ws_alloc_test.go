package ss_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// volley sends messages of one length and type, each after the echo of the previous one.
type volley struct {
	msg     []byte
	kind    ss.Flags
	at      int // how much of the present message is out
	got     int // and how much has come back
	echoes  int
	spoilt  bool
	stopped bool
}

func (v *volley) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	switch s {
	case ss.Connected:
		return h.RequestTx()
	case ss.Disconnected, ss.AllRetriesFailed:
		v.stopped = true
	}
	return ss.OK
}

// part copies the rest of msg, from *at, into buf, and requests another Tx if it does not fit.
func part(h *ss.Handle, buf, msg []byte, at *int) (n int, f ss.Flags) {
	if *at == 0 {
		f = ss.SOM
	}
	n = copy(buf, msg[*at:])
	if *at += n; *at < len(msg) {
		h.RequestTx()
		return n, f
	}
	return n, f | ss.EOM
}

func (v *volley) Tx(h *ss.Handle, _ uint32, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	n, f = part(h, buf, v.msg, &v.at)
	if f&ss.EOM != 0 {
		v.at = 0
	}
	return n, f | v.kind, ss.OK
}

func (v *volley) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	v.spoilt = v.spoilt || f&v.kind == 0 || (f&ss.SOM != 0) != (v.got == 0) || !bytes.HasPrefix(v.msg[v.got:], b)
	if v.got += len(b); f&ss.EOM == 0 {
		return ss.OK
	}
	v.spoilt = v.spoilt || v.got != len(v.msg)
	v.got = 0
	v.echoes++
	return h.RequestTx()
}

// returner echoes whole messages.
type returner struct {
	msg  []byte
	sent int
	kind ss.Flags
}

func (e *returner) State(*ss.Handle, ss.State, ss.Notice) ss.Ret { return ss.OK }

func (e *returner) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if f&ss.SOM != 0 {
		e.msg, e.sent = e.msg[:0], 0
	}
	e.msg, e.kind = append(e.msg, b...), f&(ss.Text|ss.Binary)
	if f&ss.EOM == 0 {
		return ss.OK
	}
	return h.RequestTx()
}

func (e *returner) Tx(h *ss.Handle, _ uint32, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	n, f = part(h, buf, e.msg, &e.sent)
	return n, f | e.kind, ss.OK
}

// rallies are the ways in which two ends of a WebSocket can be connected.
var rallies = []struct {
	name, server, client string
	tls                  bool
}{
	{"h1", `"protocol":"ws"`, `"protocol":"ws"`, false},
	{"h1 over TLS", `"protocol":"ws"`, `"protocol":"ws"`, true},
	{"h1, compressed", `"protocol":"ws","ws_deflate":true`, `"protocol":"ws","ws_deflate":true`, false},
	{"h2", `"protocol":"h2","ws_subprotocol":"x"`, `"protocol":"ws","ws_over_h2":true,"ws_subprotocol":"x"`, false},
	{"h2 over TLS", `"protocol":"h2","ws_subprotocol":"x"`, `"protocol":"ws","ws_over_h2":true,"ws_subprotocol":"x"`, true},
}

// newRally connects v to an echo: both ends on one loop, over real sockets. step is one round trip of a message.
func newRally(t testing.TB, p pki, server, client string, tls bool, v *volley) (step func()) {
	t.Helper()
	sys, err := loop.NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	l := loop.New(sys, loop.Config{})
	t.Cleanup(func() { l.Close() })
	certs := ""
	if tls {
		certs = fmt.Sprintf(`"certs":[{"ca":%q},{"leaf":%q},{"leaf_key":%q}],"trust_stores":[{"name":"lab","stack":["ca"]}],`, p.ca, p.leaf, p.key)
		server += `,"tls":true,"server_cert":"leaf","server_key":"leaf_key"`
		client += `,"tls":true,"tls_trust_store":"lab"`
	}
	runtime := func(keys string) *ss.Runtime {
		pol, err := policy.Parse(fmt.Appendf(nil, `{%s"retry":[{"none":{"backoff":[1],"conceal":0}}],"s":[{"end":{%s}}]}`, certs, keys))
		if err != nil {
			t.Fatal(err)
		}
		rt, err := ss.New(ss.Config{Loop: l, Policy: pol, PanicOnIllegal: true})
		if err != nil {
			t.Fatal(err)
		}
		return rt
	}
	h, err := runtime(`"server":true,"port":0,` + server).Create(ss.Info{StreamType: "end", New: func(*ss.Handle) ss.Stream { return new(returner) }})
	if err != nil {
		t.Fatal(err)
	}
	at, _ := h.Addr()
	c, err := runtime(fmt.Sprintf(`"endpoint":"127.0.0.1","opportunistic":true,"retry":"none","port":%d,`, at.IP.Port()) + client).
		Create(ss.Info{StreamType: "end", New: func(*ss.Handle) ss.Stream { return v }})
	if err != nil {
		t.Fatal(err)
	}
	c.Connect()
	end := time.Now().Add(time.Minute) // nothing is timed: only a test that hangs is to say so
	return func() {
		t.Helper()
		for was := v.echoes; v.echoes == was; {
			if err := l.Service(); err != nil {
				t.Fatal(err)
			}
			if v.stopped || time.Now().After(end) {
				t.Fatalf("no message comes back any more, after %d", v.echoes)
			}
		}
		if v.spoilt {
			t.Fatal("what came back is not what was sent")
		}
	}
}

// TestWebSocketAllocations: messages of WebSocket streams allocate nothing, at either end, on any transport. The
// one exception is not ours: a client's tls.Conn makes an object of 24 bytes for each record that it reads.
func TestWebSocketAllocations(t *testing.T) {
	p := newPKI(t, "127.0.0.1")
	for _, r := range rallies {
		if poolsLeak && (r.tls || strings.Contains(r.name, "compressed")) {
			continue
		}
		for _, size := range []int{64, 16 << 10} {
			for _, kind := range []ss.Flags{ss.Text, ss.Binary} {
				t.Run(fmt.Sprintf("%s, %d bytes, binary %v", r.name, size, kind == ss.Binary), func(t *testing.T) {
					v := &volley{msg: bytes.Repeat([]byte("x"), size), kind: kind}
					step := newRally(t, p, r.server, r.client, r.tls, v)
					if !r.tls {
						wantNone(t, "a message there and back", step)
						return
					}
					for range 64 {
						step()
					}
					records := float64(1 + size/(16<<10))
					if n := testing.AllocsPerRun(200, step); n > records {
						t.Errorf("a message there and back: got %v allocations, want at most %v, one for each record that the client reads", n, records)
					}
				})
			}
		}
	}
}

// wsFrame is a frame of a client's whose key leaves the payload as it is.
func wsFrame(bits byte, payload string) []byte {
	b := []byte{bits}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

// wsShake is a WebSocket handshake over HTTP/1.1.
const wsShake = "GET /chat HTTP/1.1\r\nHost: host.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// BenchmarkWebSocketEcho is one message back and forth on a server's stream: an event, a read, a write.
func BenchmarkWebSocketEcho(b *testing.B) {
	for _, size := range []int{64, 16 << 10} {
		for _, bits := range []byte{0x81, 0x82} {
			b.Run(fmt.Sprintf("%s/%d", map[byte]string{0x81: "text", 0x82: "binary"}[bits], size), func(b *testing.B) {
				sys := newInstant(wsShake)
				rt, step := benchAccept(b, sys, `{"s":[{"srv":{"server":true,"port":80,"protocol":"ws"}}]}`,
					func() ss.Stream { return new(returner) })
				step()
				sys.feed = wsFrame(bits, strings.Repeat("x", size))
				for range 10 {
					step()
				}
				was, _ := rt.WS()
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					step()
				}
				if is, _ := rt.WS(); is.TxMessages-was.TxMessages != uint64(b.N) {
					b.Fatalf("%d messages came back of %d", is.TxMessages-was.TxMessages, b.N)
				}
			})
		}
	}
}

// BenchmarkWebSocketRally is one message from a client's stream to a server's and back, over a socket of the
// system's, both on one loop.
func BenchmarkWebSocketRally(b *testing.B) {
	for _, r := range rallies {
		if r.tls {
			continue
		}
		for _, size := range []int{64, 16 << 10} {
			b.Run(fmt.Sprintf("%s/%d", r.name, size), func(b *testing.B) {
				v := &volley{msg: bytes.Repeat([]byte("x"), size), kind: ss.Text}
				step := newRally(b, pki{}, r.server, r.client, false, v)
				for range 10 {
					step()
				}
				b.SetBytes(int64(2 * size))
				b.ReportAllocs()
				for b.Loop() {
					step()
				}
			})
		}
	}
}
