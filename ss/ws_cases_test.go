package ss_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/ss"
)

// The cases of the Autobahn suite, by its numbers and as strictly as it has them, against streams: what is asked for
// here is what it calls OK, nothing less.

// wsOut is a frame that a peer sends.
type wsOut struct {
	bits    byte
	payload string
}

func wsClosing(code int, reason string) wsOut {
	return wsOut{wsFin | wsClose, string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason}
}

// wsCase is one case: what a peer sends, what it receives, and how it ends.
type wsCase struct {
	no   string
	send []wsOut
	hear []string
	end  wsEnd
	code int // of the other end's Close frame
}

// wsEnd is how a case ends.
type wsEnd uint8

const (
	wsAsks  wsEnd = iota // the peer sends a Close frame when it has heard everything
	wsAsked              // what it has sent had one, which is answered
	wsFails              // the other end fails the connection, at once
)

const wsHello = "Hello, world!"

// wsCases are groups 1 to 5, and 7.
func wsCases() (list []wsCase) {
	good := func(no string, hear []string, send ...wsOut) {
		list = append(list, wsCase{no, send, hear, wsAsks, 1000})
	}
	bad := func(no string, code int, hear []string, send ...wsOut) {
		list = append(list, wsCase{no, send, hear, wsFails, code})
	}
	closed := func(no string, code int, hear []string, send ...wsOut) {
		list = append(list, wsCase{no, send, hear, wsAsked, code})
	}
	text := func(s string) wsOut { return wsOut{wsFin | wsText, s} }
	begin := func(s string) wsOut { return wsOut{wsText, s} }
	more := func(s string) wsOut { return wsOut{wsCont, s} }
	last := func(s string) wsOut { return wsOut{wsFin | wsCont, s} }
	ping := func(s string) wsOut { return wsOut{wsFin | wsPing, s} }
	pong := func(s string) wsOut { return wsOut{wsFin | wsPong, s} }
	hears := func(s ...string) []string { return s }
	hello := hears("text " + wsHello)

	for i, n := range []int{0, 125, 126, 127, 128, 65535, 65536} {
		s := strings.Repeat("*", n)
		good(fmt.Sprint("1.1.", i+1), hears("text "+s), text(s))
		s = strings.Repeat("\xfe", n)
		good(fmt.Sprint("1.2.", i+1), hears("binary "+s), wsOut{wsFin | wsBin, s})
	}

	good("2.1", hears("pong "), ping(""))
	good("2.2", hears("pong "+wsHello), ping(wsHello))
	good("2.3", hears("pong \x00\xff\xfe\xfd\xfc\xfb\x00\xff"), ping("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"))
	long := strings.Repeat("\xfe", 125)
	good("2.4", hears("pong "+long), ping(long))
	bad("2.5", 1002, nil, ping(long+"\xfe"))
	good("2.7", nil, pong(""))
	good("2.8", nil, pong("unsolicited pong payload"))
	good("2.9", hears("pong ping payload"), pong("unsolicited pong payload"), ping("ping payload"))
	var pings []wsOut
	var pongs []string
	for i := range 10 {
		pings, pongs = append(pings, ping(fmt.Sprint("payload-", i))), append(pongs, fmt.Sprint("pong payload-", i))
	}
	good("2.10", pongs, pings...)

	// What was complete before the fault is answered.
	reserved := func(n byte) wsOut { return wsOut{wsFin | n<<4 | wsText, wsHello} }
	bad("3.1", 1002, nil, reserved(1))
	bad("3.2", 1002, hello, text(wsHello), reserved(2), ping(""))
	bad("3.3", 1002, hello, text(wsHello), reserved(3), ping(""))
	bad("3.4", 1002, hello, text(wsHello), reserved(4), ping(""))
	bad("3.5", 1002, nil, wsOut{wsFin | 0x50 | wsBin, long})
	bad("3.6", 1002, nil, wsOut{wsFin | 0x60 | wsPing, wsHello})
	bad("3.7", 1002, nil, wsOut{wsFin | 0x70 | wsClose, "\x03\xe8"})

	for i, base := range []byte{3, 11} {
		no := func(k int) string { return fmt.Sprintf("4.%d.%d", i+1, k) }
		bad(no(1), 1002, nil, wsOut{wsFin | base, ""})
		bad(no(2), 1002, nil, wsOut{wsFin | base + 1, "reserved opcode payload"})
		bad(no(3), 1002, hello, text(wsHello), wsOut{wsFin | base + 2, ""}, ping(""))
		bad(no(4), 1002, hello, text(wsHello), wsOut{wsFin | base + 3, wsHello}, ping(""))
		bad(no(5), 1002, hello, text(wsHello), wsOut{wsFin | base + 4, wsHello}, ping(""))
	}

	both := hears("text fragment1fragment2")
	bad("5.1", 1002, nil, wsOut{wsPing, "fragment1"}, last("fragment2"))
	bad("5.2", 1002, nil, wsOut{wsPong, "fragment1"}, last("fragment2"))
	good("5.3", both, begin("fragment1"), last("fragment2"))
	good("5.6", hears("pong ping payload", both[0]), begin("fragment1"), ping("ping payload"), last("fragment2"))
	bad("5.9", 1002, nil, last("non-continuation payload"), text(wsHello))
	bad("5.12", 1002, nil, more("non-continuation payload"), text(wsHello))
	bad("5.15", 1002, both, begin("fragment1"), last("fragment2"), more("fragment3"), text("fragment4"))
	for _, c := range []struct {
		no    string
		first wsOut
	}{{"5.16", more("fragment1")}, {"5.17", last("fragment1")}} {
		once := []wsOut{c.first, begin("fragment2"), last("fragment3")}
		bad(c.no, 1002, nil, append(once, once...)...)
	}
	bad("5.18", 1002, nil, begin("fragment1"), text("fragment2"))

	closed("7.1.1", 1000, hears("text Hello World!"), text("Hello World!"), wsClosing(1000, ""))
	closed("7.1.2", 1000, nil, wsClosing(1000, ""), wsClosing(1000, ""))
	closed("7.1.3", 1000, nil, wsClosing(1000, ""), ping(""))
	closed("7.1.4", 1000, nil, wsClosing(1000, ""), text("Hello World!"))
	closed("7.1.5", 1000, nil, begin("fragment1"), wsClosing(1000, ""), last("fragment2"))
	big := strings.Repeat("BAsd7&jh23", 256<<10/10)
	closed("7.1.6", 1000, hears("text "+big, "text Hello World!"), text(big), text("Hello World!"), wsClosing(1000, ""), ping(""))
	closed("7.3.1", 0, nil, wsOut{wsFin | wsClose, ""})
	bad("7.3.2", 1002, nil, wsOut{wsFin | wsClose, "a"})
	closed("7.3.3", 1000, nil, wsClosing(1000, ""))
	closed("7.3.4", 1000, nil, wsClosing(1000, "Hello World!"))
	closed("7.3.5", 1000, nil, wsClosing(1000, strings.Repeat("*", 123)))
	bad("7.3.6", 1002, nil, wsClosing(1000, strings.Repeat("*", 124)))
	bad("7.5.1", 1007, nil, wsClosing(1000, "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"))
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		closed(fmt.Sprint("7.7.", i+1), code, nil, wsClosing(code, ""))
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		bad(fmt.Sprint("7.9.", i+1), 1002, nil, wsClosing(code, ""))
	}
	bad("7.13.1", 1002, nil, wsClosing(5000, ""))
	bad("7.13.2", 1002, nil, wsClosing(65535, ""))
	return list
}

// mirror echoes its input, piece by piece, and stops its peer when it buffers 64 KiB.
type mirror struct {
	h      *ss.Handle
	pieces []mirrored
	held   int
	most   int // the most that it has held
	life   []string
	over   bool // it received DISCONNECTED
}

type mirrored struct {
	b []byte
	f ss.Flags
}

func (m *mirror) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	m.h = h
	m.life = append(m.life, short(s))
	m.over = m.over || s == ss.Disconnected
	return ss.OK
}

func (m *mirror) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	m.pieces = append(m.pieces, mirrored{append([]byte(nil), b...), f})
	m.held += len(b)
	m.most = max(m.most, m.held)
	if m.held >= 64<<10 {
		h.Pause()
	}
	return h.RequestTx()
}

func (m *mirror) Tx(h *ss.Handle, _ uint32, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	if len(m.pieces) == 0 {
		return 0, 0, ss.TxDontSend
	}
	p := &m.pieces[0]
	n, f = copy(buf, p.b), p.f
	if m.held -= n; m.held < 16<<10 {
		h.Resume()
	}
	if n < len(p.b) {
		p.b, p.f = p.b[n:], p.f&^ss.SOM
		f &^= ss.EOM
	} else {
		m.pieces = m.pieces[1:]
	}
	if len(m.pieces) > 0 {
		h.RequestTx()
	}
	return n, f, ss.OK
}

// wsCasesDoc has what the cases are run against.
const wsCasesDoc = `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}}],"s":[
	{"srv":{"server":true,"port":80,"protocol":"ws"}},
	{"srv2":{"server":true,"port":82,"protocol":"h2","ws_subprotocol":"x"}},
	{"packed srv":{"server":true,"port":81,"protocol":"ws","ws_deflate":true}},
	{"cli":{"endpoint":"10.0.0.3","port":80,"protocol":"ws","http_url":"echo","opportunistic":true,"retry":"none"}},
	{"cli2":{"endpoint":"10.0.0.3","port":80,"protocol":"ws","http_url":"echo","ws_over_h2":true,"opportunistic":true,"retry":"none"}},
	{"packed cli":{"endpoint":"10.0.0.3","port":80,"protocol":"ws","http_url":"echo","ws_deflate":true,"opportunistic":true,"retry":"none"}}]}`

// wsEnds are the ends that the cases are run against.
var wsEnds = []string{"server", "client", "server over h2", "client over h2"}

// wsMeet connects a peer to an echoing stream: of a server, or of a client.
func wsMeet(t testing.TB, end string, pl plan) (*wsPeer, *mirror) {
	t.Helper()
	w := newWorld(t, wsCasesDoc, pl)
	m := new(mirror)
	switch end {
	case "client":
		return w.wsAwait(func() { w.wsStream("cli", m) }, nil), m
	case "client over h2":
		return w.wsAwait2(func() { w.wsStream("cli2", m) }), m
	case "server over h2":
		w.wsServe("srv2", m)
		return w.wsDial2(82), m
	}
	w.wsServe("srv", m)
	return w.wsDial(80, ""), m
}

// wsStream makes a client stream that mirrors.
func (w *world) wsStream(streamType string, m *mirror) {
	w.t.Helper()
	h, err := w.Client.Runtime.Create(ss.Info{StreamType: streamType, New: func(*ss.Handle) ss.Stream { return m }})
	if err != nil {
		w.t.Fatal(err)
	}
	h.Connect()
}

// wsServe makes a server stream whose first accepted stream mirrors.
func (w *world) wsServe(streamType string, m *mirror) {
	w.t.Helper()
	_, err := w.Server.Runtime.Create(ss.Info{StreamType: streamType, New: func(h *ss.Handle) ss.Stream {
		if h.Server() == nil {
			return ignoring{}
		}
		return m
	}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// ignoring is the Stream of a listener.
type ignoring struct{}

func (ignoring) State(*ss.Handle, ss.State, ss.Notice) ss.Ret          { return ss.OK }
func (ignoring) Rx(*ss.Handle, []byte, ss.Flags) ss.Ret                { return ss.OK }
func (ignoring) Tx(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) { return 0, 0, ss.TxDontSend }

// atOnce is the limit for answers that need no waiting.
const atOnce = time.Millisecond

// conclude runs the connection to its end. code is that of the other end's Close frame.
func (p *wsPeer) conclude(what string, m *mirror, end wsEnd, code int) {
	p.w.t.Helper()
	t := p.w.t
	if end == wsAsks {
		p.send(p.appendFrame(nil, wsFin|wsClose, "\x03\xe8"), 0)
	}
	p.within(atOnce, what+": Close frame", func() bool { return p.code >= 0 || p.end != "" })
	if p.code != code {
		t.Errorf("%s: the Close frame has code %d, want %d; heard %s", what, p.code, code, p.heard())
	}
	// The server ends the connection below; a client may when it has failed it (RFC 6455 s.7.1.1, s.7.1.7).
	if p.server && end != wsFails {
		if p.wait(time.Second); p.end != "" {
			t.Errorf("%s: the client has not left it to the server to end the connection: %s", what, p.end)
		}
		p.close()
		p.end = "ours"
	} else {
		p.within(atOnce, what+": end of the connection", func() bool { return p.end != "" })
		if p.end != "FIN" {
			t.Errorf("%s: the connection has ended by %q, want FIN", what, p.end)
		}
		p.close()
	}
	p.w.Settle()
	if !m.over {
		t.Errorf("%s: the stream was not told: %v", what, m.life)
	}
	p.wantGood(what)
}

// want compares what was received, when all of it has arrived.
func (p *wsPeer) want(what string, hear []string) {
	p.w.t.Helper()
	p.within(atOnce, what+": answer", func() bool { return len(p.events) >= len(hear) || p.end != "" })
	p.wait(atOnce)
	if fmt.Sprintf("%q", p.events) != fmt.Sprintf("%q", hear) {
		p.w.t.Errorf("%s: heard %s, want %.60q", what, p.heard(), hear)
	}
}

// wsPlay runs a case. chop is how many octets arrive at a time: 0 for all at once, below 0 for a frame at a time.
func wsPlay(t testing.TB, end string, c wsCase, chop int) {
	t.Helper()
	what := fmt.Sprintf("%s, case %s, %d octets at a time", end, c.no, chop)
	p, m := wsMeet(t, end, plan{})
	var all []byte
	for _, f := range c.send {
		all = p.appendFrame(all, f.bits, f.payload)
		if chop < 0 {
			p.send(all, 0)
			p.wait(time.Microsecond)
			all = all[:0]
		}
	}
	p.send(all, max(chop, 0))
	p.want(what, c.hear)
	p.conclude(what, m, c.end, c.code)
	p.w.End()
}

// TestWebSocketCases runs the cases of framing, control frames, reserved bits and operations, fragments and closes. Those
// that the suite has under numbers of their own because they arrive in other pieces, like 2.6, 5.4 or 5.5, are among
// them.
func TestWebSocketCases(t *testing.T) {
	for _, end := range wsEnds {
		for _, c := range wsCases() {
			size := 0
			for _, f := range c.send {
				size += len(f.payload)
			}
			for _, chop := range []int{0, -1, 1, 2, 997, 1300} {
				if chop <= 0 || size/chop <= 2000 && chop <= size+100 {
					wsPlay(t, end, c, chop)
				}
			}
		}
	}
}

// TestWebSocketUnfinishedClose: a peer that never completes the closing handshake is disconnected after a timeout.
func TestWebSocketUnfinishedClose(t *testing.T) {
	wait := ws.DefaultTimeouts().Close
	for _, c := range []struct {
		what, end string
		asked     bool // by the peer, which then does not end the connection; or by us, and the peer does not answer
	}{
		{"a server that does not end the connection", "client", true},
		{"a server that does not answer", "client", false},
		{"a client that does not answer", "server", false},
	} {
		p, m := wsMeet(t, c.end, plan{})
		p.wait(time.Second)
		if c.asked {
			p.send(p.appendFrame(nil, wsFin|wsClose, "\x03\xe8"), 0)
		} else {
			m.h.Disconnect()
		}
		p.within(atOnce, c.what+": Close frame", func() bool { return p.code >= 0 })
		if p.wait(wait - time.Second); p.end != "" || p.code != 1000 {
			t.Errorf("%s: not waited for: %s", c.what, p.heard())
		}
		if p.wait(2 * time.Second); p.end == "" {
			t.Errorf("%s: still waited for after %v", c.what, wait+time.Second)
		}
		p.close()
		p.w.Settle()
		if !m.over {
			t.Errorf("%s: the stream was not told: %v", c.what, m.life)
		}
		p.wantGood(c.what)
		p.w.End()
	}
}
