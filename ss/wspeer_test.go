package ss_test

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/sim"
)

// peerIP is the address of wsPeers. Policies of their client streams name it.
var peerIP = netip.MustParseAddr("10.0.0.3")

// wsPeer is one end of a WebSocket on a bare socket of a machine without a reactor: it makes and reads every octet
// itself, shares nothing with the roles, and checks the other end against RFC 6455.
type wsPeer struct {
	w      *world
	host   *sim.Host
	fd     loop.FD
	server bool      // it is the server's end
	two    *wsOverH2 // nil on HTTP/1.1
	terms  string
	packed *wsPacked // permessage-deflate, if it was agreed upon
	onMsg  func(kind, msg string)

	in, out []byte
	head    string // of the other end's handshake, once it has come
	events  []string
	kind    string // of the message under way, empty between messages
	squeeze bool   // it is compressed
	msg     []byte
	code    int // of the Close frame that has come: -1 for none, 0 for one without a code
	reason  string
	end     string   // how the other end has ended its direction: "FIN" or an error; empty: it has not
	wrong   []string // what the other end may not do
	keys    uint32
}

// The operations of frames, and their bits.
const (
	wsCont, wsText, wsBin, wsClose, wsPing, wsPong = 0, 1, 2, 8, 9, 10
	wsFin, wsRSV1                                  = 0x80, 0x40
)

// wsDial connects a peer to port of the server machine, with a handshake. fields are further lines of its request.
func (w *world) wsDial(port uint16, fields string) *wsPeer {
	w.t.Helper()
	p := &wsPeer{w: w, host: w.wsHost(), code: -1}
	var e syscall.Errno
	if p.fd, e = p.host.Connect(loop.Addr{IP: netip.AddrPortFrom(serverIP, port)}, loop.SocketOptions{}); e != syscall.EINPROGRESS {
		w.t.Fatalf("connect: %v", e)
	}
	w.Settle()
	p.out = append(p.out, "GET /echo HTTP/1.1\r\nHost: 10.0.0.2\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+fields+"\r\n"...)
	p.until("the handshake's answer", func() bool { return p.head != "" || p.end != "" })
	if !strings.HasPrefix(p.head, "HTTP/1.1 101 ") || p.field("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		w.t.Fatalf("the handshake was answered by %q", p.head)
	}
	if p.terms = p.field("Sec-WebSocket-Extensions"); p.terms != "" {
		p.packed = newWSPacked(w.t, p.terms, false)
	}
	return p
}

// wsAwait calls create to make a client stream that dials port 80 of the peer's machine, and answers the handshake. answer
// selects the extensions if the client offers some; nil: none.
func (w *world) wsAwait(create func(), answer func(offer string) string) *wsPeer {
	w.t.Helper()
	p := &wsPeer{w: w, host: w.wsHost(), server: true, code: -1}
	p.accept(create)
	p.until("a handshake", func() bool { return p.head != "" || p.end != "" })
	sum := sha1.Sum([]byte(p.field("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fields := ""
	if answer != nil {
		if p.terms = answer(p.field("Sec-WebSocket-Extensions")); p.terms != "" {
			fields = "Sec-WebSocket-Extensions: " + p.terms + "\r\n"
			p.packed = newWSPacked(w.t, p.terms, true)
		}
	}
	p.out = append(p.out, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "+
		base64.StdEncoding.EncodeToString(sum[:])+"\r\n"+fields+"\r\n"...)
	p.flush()
	return p
}

// accept accepts the connection that create starts.
func (p *wsPeer) accept(create func()) {
	p.w.t.Helper()
	l, _, err := p.host.Listen(loop.Addr{IP: netip.AddrPortFrom(peerIP, 80)}, loop.ListenOptions{})
	if err != nil {
		p.w.t.Fatal(err)
	}
	create()
	accepted := func() bool {
		var e syscall.Errno
		p.fd, e = p.host.Accept(l)
		return e == 0
	}
	if err := p.w.Turn(accepted, time.Second); err != nil {
		p.w.t.Fatalf("waiting for a connection: %v", err)
	}
	p.host.Close(l)
}

// wsHost is the machine of wsPeers.
func (w *world) wsHost() *sim.Host {
	if w.third == nil {
		w.third = w.Net.Host("peer", peerIP)
	}
	return w.third
}

// field is the value of a field of the other end's head.
func (p *wsPeer) field(name string) string {
	if m := regexp.MustCompile(`(?mi)^` + name + `: *(.*?) *\r$`).FindStringSubmatch(p.head); m != nil {
		return m[1]
	}
	return ""
}

// until runs the world, the peer reading and writing what it can, until cond holds. It does not wait for long,
// in the world's time, and returns false if cond did not come to hold.
func (p *wsPeer) until(what string, cond func() bool) bool {
	p.w.t.Helper()
	return p.within(time.Second, what, cond)
}

func (p *wsPeer) within(d time.Duration, what string, cond func() bool) bool {
	p.w.t.Helper()
	err := p.w.Turn(func() bool { p.pump(); return cond() }, d)
	if err != nil {
		p.w.t.Errorf("no %s: %.60v; heard: %s", what, err, p.heard())
	}
	return err == nil
}

// wait lets d pass.
func (p *wsPeer) wait(d time.Duration) {
	p.w.t.Helper()
	over := false
	p.w.Net.At(d, func() { over = true })
	if err := p.w.Turn(func() bool { p.pump(); return over }, time.Hour); err != nil {
		p.w.t.Fatal(err)
	}
}

// pump moves octets both ways.
func (p *wsPeer) pump() {
	p.flush()
	p.receive()
	p.flush() // what was answered
}

func (p *wsPeer) flush() {
	out := &p.out
	if p.two != nil {
		p.two.wrap()
		out = &p.two.out
	}
	for len(*out) > 0 && p.end == "" {
		n, e := p.host.Write(p.fd, *out)
		if e == syscall.EAGAIN {
			return
		}
		if e != 0 {
			*out = nil // what there is to hear says why
			return
		}
		*out = (*out)[n:]
	}
}

func (p *wsPeer) receive() {
	in := &p.in
	if p.two != nil {
		in = &p.two.in
	}
	for p.end == "" {
		if b := *in; cap(b)-len(b) < 4096 {
			*in = append(make([]byte, 0, 2*cap(b)+64<<10), b...)
		}
		b := *in
		n, e := p.host.Read(p.fd, b[len(b):cap(b)])
		switch {
		case e == syscall.EAGAIN:
			return
		case e != 0:
			p.end = e.Error()
			return
		case n == 0:
			p.ended("FIN")
			if p.two != nil {
				p.end = "FIN of the connection"
			}
			return
		}
		if *in = b[:len(b)+n]; p.two != nil {
			p.two.unwrap()
		}
		used := 0
		for {
			k := p.take(p.in[used:])
			if k == 0 {
				break
			}
			used += k
		}
		p.in = p.in[:copy(p.in, p.in[used:])]
		if p.two != nil && p.two.ended {
			p.ended("FIN")
			return
		}
	}
}

// ended reports an orderly end of the other end's direction.
func (p *wsPeer) ended(how string) {
	p.end = how
	if len(p.in) > 0 {
		p.err("ended inside of a frame: %q", p.in[:min(len(p.in), 20)])
	}
}

func (p *wsPeer) err(format string, a ...any) {
	p.wrong = append(p.wrong, fmt.Sprintf(format, a...))
}

// take parses the frame at the start of b, if it is complete, and returns its length.
func (p *wsPeer) take(b []byte) int {
	if p.head == "" {
		i := strings.Index(string(b), "\r\n\r\n")
		if i < 0 {
			return 0
		}
		p.head = string(b[:i+4])
		return i + 4
	}
	if len(b) < 2 {
		return 0
	}
	n, at := uint64(b[1]&0x7f), 2
	switch {
	case n == 126 && len(b) < 4, n == 127 && len(b) < 10:
		return 0
	case n == 126:
		if n, at = uint64(binary.BigEndian.Uint16(b[2:])), 4; n < 126 {
			p.err("a length of %d in three octets", n)
		}
	case n == 127:
		if n, at = binary.BigEndian.Uint64(b[2:]), 10; n < 1<<16 {
			p.err("a length of %d in nine octets", n)
		}
	}
	if masked := b[1]&0x80 != 0; masked != p.server {
		p.err("masked: %v, want %v", masked, p.server)
	}
	if p.server {
		at += 4
	}
	if uint64(len(b)) < uint64(at)+n {
		return 0
	}
	payload := b[at : at+int(n)]
	if p.server {
		for i := range payload {
			payload[i] ^= b[at-4+i&3]
		}
	}
	p.frame(b[0], payload)
	return at + int(n)
}

// frame checks a frame of the other end.
func (p *wsPeer) frame(bits byte, payload []byte) {
	op, fin := bits&15, bits&wsFin != 0
	if p.code >= 0 {
		p.err("frame %#x behind the Close frame", bits)
	}
	if bits&0x30 != 0 || bits&wsRSV1 != 0 && (p.packed == nil || op != wsText && op != wsBin) {
		p.err("frame %#x: reserved bits", bits)
	}
	if op >= 8 && (!fin || len(payload) > 125) {
		p.err("control frame %#x of %d octets", bits, len(payload))
	}
	switch op {
	case wsText, wsBin:
		if p.kind != "" {
			p.err("a message inside of another")
		}
		p.kind = map[byte]string{wsText: "text", wsBin: "binary"}[op]
		p.msg, p.squeeze = p.msg[:0], bits&wsRSV1 != 0
	case wsCont:
		if p.kind == "" {
			p.err("a continuation of nothing")
		}
	case wsPing:
		p.events = append(p.events, "ping "+string(payload))
		return
	case wsPong:
		p.events = append(p.events, "pong "+string(payload))
		return
	case wsClose:
		p.closed(payload)
		return
	default:
		p.err("frame %#x: reserved operation", bits)
		return
	}
	if p.msg = append(p.msg, payload...); !fin {
		return
	}
	kind, msg := p.kind, string(p.msg)
	if p.kind = ""; p.squeeze {
		var err error
		if msg, err = p.packed.inflate(msg); err != nil {
			p.err("a compressed message: %v", err)
		}
	}
	if kind == "text" && !utf8.ValidString(msg) {
		p.err("text that is not UTF-8: %.40q", msg)
	}
	if p.onMsg != nil {
		p.onMsg(kind, msg)
		return
	}
	p.events = append(p.events, kind+" "+msg)
}

func (p *wsPeer) closed(b []byte) {
	p.code = 0
	switch {
	case len(b) == 1:
		p.err("a Close frame of one octet")
	case len(b) >= 2:
		p.code, p.reason = int(binary.BigEndian.Uint16(b)), string(b[2:])
		if c := p.code; c < 1000 || c >= 1004 && c <= 1006 || c >= 1015 && c < 3000 || c >= 5000 || !utf8.Valid(b[2:]) {
			p.err("a Close frame with %d %q", c, b[2:])
		}
	}
}

// appendFrame makes a frame with the shortest encoding of its length.
func (p *wsPeer) appendFrame(b []byte, bits byte, payload string) []byte {
	b = append(b, bits)
	mask := byte(0)
	if !p.server {
		mask = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, mask|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
	}
	if p.server {
		return append(b, payload...)
	}
	p.keys = p.keys*1664525 + 1013904223
	key := binary.BigEndian.AppendUint32(nil, p.keys)
	b = append(b, key...)
	at := len(b)
	b = append(b, payload...)
	for i := range b[at:] {
		b[at+i] ^= key[i&3]
	}
	return b
}

// send sends octets, chop of them at a time, each arriving separately; 0: as many as the socket accepts.
func (p *wsPeer) send(b []byte, chop int) {
	p.w.t.Helper()
	if chop == 0 {
		p.out = append(p.out, b...)
		p.flush()
		return
	}
	for len(b) > 0 && p.end == "" {
		n := min(chop, len(b))
		p.out = append(p.out, b[:n]...)
		b = b[n:]
		p.wait(time.Microsecond)
	}
}

// close ends the peer's side of the connection.
func (p *wsPeer) close() {
	if p.two != nil {
		p.two.close()
	}
	p.host.Close(p.fd)
}

// heard is the other end's output, for reports.
func (p *wsPeer) heard() string {
	var b strings.Builder
	for _, e := range p.events {
		fmt.Fprintf(&b, "[%.60s] ", e)
	}
	if p.code >= 0 {
		fmt.Fprintf(&b, "close(%d %s) ", p.code, p.reason)
	}
	return b.String() + p.end
}

// wantGood fails the test for every violation of the other end.
func (p *wsPeer) wantGood(what string) {
	p.w.t.Helper()
	for _, s := range p.wrong {
		p.w.t.Errorf("%s: the other end broke the protocol: %s", what, s)
	}
}
