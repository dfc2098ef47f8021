package ss_test

import (
	"bytes"
	stdtls "crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// memoryDoc has a server for every kind of peer that makes us use memory. Port 80 is for honest clients.
const memoryDoc = `{"s":[
	{"web":{"server":true,"port":80,"protocol":"h2","metadata":[{"mime":"content-type:"},{"path":""}]}},
	{"ws":{"server":true,"port":81,"protocol":"ws"}},
	{"ws2":{"server":true,"port":82,"protocol":"h2","ws_subprotocol":"x"}},
	{"packed":{"server":true,"port":83,"protocol":"ws","ws_deflate":true}},
	{"parts":{"server":true,"port":84,"protocol":"h2","http_multipart_ss_in":true}},
	{"secure":{"server":true,"port":85,"protocol":"h2","tls":true}},
	{"packed2":{"server":true,"port":86,"protocol":"h2","ws_subprotocol":"x","ws_deflate":true}}]}`

// noTaker is the program of those servers: it answers GET / with "hello", /big with a megabyte, and reads nothing of any
// body or message, unless it is set to read them all.
type noTaker struct {
	takes bool
	left  int
}

func (s *noTaker) State(h *ss.Handle, st ss.State, _ ss.Notice) ss.Ret {
	switch st {
	case ss.ServerUpgrade:
		if !s.takes {
			h.Pause()
		}
	case ss.ServerTxn:
		if h.RequestBody() {
			if !s.takes {
				h.Pause()
			}
			return ss.OK
		}
		s.left = len("hello")
		if v, _ := h.Metadata("path"); string(v) == "/big" {
			s.left = 1 << 20
		}
		h.ServerAck(0)
		return h.RequestTxLen(int64(s.left))
	}
	return ss.OK
}

func (*noTaker) Rx(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.OK }

func (s *noTaker) Tx(h *ss.Handle, _ uint32, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	n = min(len(buf), s.left)
	if s.left == len("hello") {
		copy(buf, "hello")
	}
	if s.left -= n; s.left == 0 {
		return n, ss.EOM, ss.OK
	}
	h.RequestTx()
	return n, 0, ss.OK
}

// hpacked is a header block that adds nothing to the table.
func hpacked(fields ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1], Sensitive: true})
	}
	return b.Bytes()
}

// h2Post is a connection with n requests, and some body of each.
func h2Post(streams, size int) string {
	b := frame([]byte(h2Magic), fSettings, 0, 0)
	for i := range streams {
		b = frame(b, fHeaders, 4, uint32(2*i+1), hpacked(":method", "POST", ":scheme", "http", ":path", "/", ":authority", "h")...)
	}
	for i := range streams {
		for left := size; left > 0; left -= 16 << 10 {
			b = frame(b, fData, 0, uint32(2*i+1), make([]byte, min(left, 16<<10))...)
		}
	}
	return string(b)
}

// h2Sockets is a connection with so many WebSockets. In the second part, for which it waits for the answers, each says
// msg.
func h2Sockets(n int, msg string, fields ...string) [2]string {
	b := frame([]byte(h2Magic), fSettings, 0, 0)
	for i := range n {
		b = frame(b, fHeaders, 4, uint32(2*i+1), hpacked(append([]string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "http",
			":path", "/", ":authority", "h", "sec-websocket-version", "13"}, fields...)...)...)
	}
	var then []byte
	for i := range n {
		for m := msg; len(m) > 0; m = m[min(len(m), 16<<10):] {
			then = frame(then, fData, 0, uint32(2*i+1), []byte(m[:min(len(m), 16<<10)])...)
		}
	}
	return [2]string{string(b), string(then)}
}

const h1Upgrade = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// begunMessage is the beginning of a compressed message, masked with zeros: a literal of a fixed block.
const begunMessage = "\x41\x81\x00\x00\x00\x00\x4a"

// clientHello is a TLS ClientHello.
func clientHello(t testing.TB) string {
	near, far := net.Pipe()
	defer far.Close()
	go stdtls.Client(near, &stdtls.Config{ServerName: "h"}).Handshake()
	b := make([]byte, 16<<10)
	n, err := io.ReadAtLeast(far, b, 5)
	if err != nil {
		t.Fatal(err)
	}
	for size := 5 + int(b[3])<<8 + int(b[4]); n < size; {
		k, err := far.Read(b[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	near.Close()
	return string(b[:n])
}

// holders are peers that send something which makes us use memory, and then nothing more.
type holders struct {
	w     *world
	host  *sim.Host
	port  uint16
	say   [2]string // the second a while after the first
	again bool      // those whose connection ends come back
	fds   []loop.FD
	left  []string
	more  []bool // the second part is still to come
	ends  int
}

// crowd makes n peers connect to a port and send their data.
func (w *world) crowd(port uint16, n int, again bool, say [2]string) *holders {
	c := &holders{w: w, host: w.wsHost(), port: port, say: say, again: again}
	c.fds, c.left, c.more = make([]loop.FD, n), make([]string, n), make([]bool, n)
	for i := range c.fds {
		c.connect(i)
	}
	c.step()
	return c
}

func (c *holders) connect(i int) {
	fd, e := c.host.Connect(loop.Addr{IP: netip.AddrPortFrom(serverIP, c.port)}, loop.SocketOptions{})
	if e != syscall.EINPROGRESS {
		c.w.t.Fatalf("connect: %v", e)
	}
	c.fds[i], c.left[i], c.more[i] = fd, c.say[0], true
}

// step has each say more, every few milliseconds.
func (c *holders) step() {
	for i, fd := range c.fds {
		if len(c.left[i]) == 0 && c.more[i] {
			c.left[i], c.more[i] = c.say[1], false
		}
		for len(c.left[i]) > 0 {
			n, e := c.host.Write(fd, []byte(c.left[i]))
			if e != 0 {
				break
			}
			c.left[i] = c.left[i][n:]
		}
		if c.host.SocketError(fd) != 0 {
			c.ends++
			c.host.Close(fd)
			if c.fds[i], c.left[i], c.more[i] = loop.NoFD, "", false; c.again {
				c.connect(i)
			}
		}
	}
	if c.fds != nil {
		c.w.Net.At(5*time.Millisecond, c.step)
	}
}

// leave closes all peers.
func (c *holders) leave() {
	for _, fd := range c.fds {
		if fd != loop.NoFD {
			c.host.Close(fd)
		}
	}
	c.fds = nil
}

// visitor is an honest client: every few milliseconds it connects, sends a request, and waits for the response.
type visitor struct {
	w      *world
	host   *sim.Host
	fd     loop.FD
	at     time.Duration
	asked  bool
	heard  []byte
	served int
	worst  time.Duration
	failed string
}

const visitorAsks = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

func (w *world) visitor() *visitor {
	v := &visitor{w: w, host: w.Net.Host("visitor", netip.MustParseAddr("10.0.0.4")), fd: loop.NoFD}
	v.step()
	return v
}

func (v *visitor) step() {
	if v.failed != "" {
		return
	}
	if v.fd == loop.NoFD {
		v.fd, _ = v.host.Connect(loop.Addr{IP: netip.AddrPortFrom(serverIP, 80)}, loop.SocketOptions{})
		v.at, v.asked, v.heard = v.w.Net.Now(), false, v.heard[:0]
	}
	if !v.asked {
		n, e := v.host.Write(v.fd, []byte(visitorAsks))
		v.asked = e == 0 && n == len(visitorAsks)
	}
	var b [512]byte
	for v.asked {
		n, e := v.host.Read(v.fd, b[:])
		if e == syscall.EAGAIN {
			break
		}
		if e != 0 || n == 0 {
			if !strings.HasPrefix(string(v.heard), "HTTP/1.1 200") || !strings.HasSuffix(string(v.heard), "hello") {
				v.failed = fmt.Sprintf("the answer was %q, the end %v", v.heard, e)
			}
			v.served++
			v.worst = max(v.worst, v.w.Net.Now()-v.at)
			v.host.Close(v.fd)
			v.fd = loop.NoFD
			break
		}
		v.heard = append(v.heard, b[:n]...)
	}
	v.w.Net.At(time.Millisecond, v.step)
}

// memoryWorld is a server machine with a memory ceiling, whose program reads nothing, or everything.
func memoryWorld(t *testing.T, ceiling int64, takes bool) *world {
	w := newWorld(t, memoryDoc, plan{Loop: loop.Config{Memory: ceiling}})
	pair := newPKI(t, "h").pair
	for _, name := range []string{"web", "ws", "ws2", "packed", "parts", "secure", "packed2"} {
		info := ss.Info{StreamType: name, New: func(*ss.Handle) ss.Stream { return &noTaker{takes: takes} }}
		if name == "secure" {
			info.Certificates = []stdtls.Certificate{pair}
		}
		if _, err := w.Server.Runtime.Create(info); err != nil {
			t.Fatal(err)
		}
	}
	w.Settle()
	return w
}

// overshoot is how much the account may have beyond its ceiling: what one connection may add in a turn after the ceiling is
// reached, which is what it reads at once and what its socket refuses, in the buffers that they fit in.
const overshoot = 256 << 10

// memoryKind is a kind of crowd.
type memoryKind struct {
	name  string
	port  uint16
	n     int
	takes bool // the program takes what they send
	again bool
	say   [2]string
}

func memoryKinds(t testing.TB) []memoryKind {
	say := func(s string) [2]string { return [2]string{s} }
	part := "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/mixed; boundary=B\r\nContent-Length: 1000000\r\n\r\n--B\r\nX: " + strings.Repeat("x", 7000)
	packed := h1Upgrade + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n" + begunMessage
	return []memoryKind{
		{"HTTP/2 bodies", 80, 1000, false, false, say(h2Post(3, 20_000))},
		{"HTTP/2 bodies, again and again", 80, 70, false, true, say(h2Post(3, 20_000))},
		{"HTTP/2 tunnels", 82, 300, false, false, h2Sockets(3, "\x82\xfe\x40\x00\x00\x00\x00\x00"+strings.Repeat("x", 1<<14))},
		{"HTTP/2 header blocks in pieces", 80, 300, true, false, say(string(frame(frame([]byte(h2Magic), fSettings, 0, 0), fHeaders, 0, 1, make([]byte, 16000)...)))},
		{"bodies on HTTP/1.1", 80, 300, false, false, say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 100_000))},
		{"half a head", 80, 1000, true, false, say("GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 8000))},
		{"output that is not read", 80, 300, true, false, say("GET /big HTTP/1.1\r\nHost: h\r\n\r\n")},
		{"pipelines that are not read", 80, 300, true, false, say(strings.Repeat("GET /big HTTP/1.1\r\nHost: h\r\n\r\n", 2000))},
		{"output of HTTP/2 that is not read", 80, 200, true, false, say(string(frame(frame(frame([]byte(h2Magic), fSettings, 0, 0, 0, 4, 0x40, 0, 0, 0),
			fWindow, 0, 0, 0x40, 0, 0, 0), fHeaders, 5, 1, hpacked(":method", "GET", ":scheme", "http", ":path", "/big", ":authority", "h")...)))},
		{"WebSocket messages", 81, 300, false, false, say(h1Upgrade + "\r\n\x82\xfe\xff\xff\x00\x00\x00\x00" + strings.Repeat("x", 60_000))},
		{"compressed messages", 83, 1000, true, false, say(packed)},
		{"compressed messages, again and again", 83, 300, true, true, say(packed)},
		{"compressed messages over HTTP/2", 86, 8, true, true, h2Sockets(125, begunMessage, "sec-websocket-extensions", "permessage-deflate")},
		{"parts of multipart bodies", 84, 500, true, false, say(part)},
		{"handshakes", 85, 200, true, false, say(clientHello(t))},
	}
}

// check looks at the account after a crowd has been there for a while, and again when it has gone.
func (w *world) checkMemory(v *visitor, leave ...*holders) {
	t, a := w.t, w.Server.Loop.Account()
	t.Helper()
	if peak := a.Peak(); peak > a.Ceiling()+overshoot {
		t.Errorf("account: got up to %d bytes, want at most %d", peak, a.Ceiling()+overshoot)
	}
	if v.failed != "" || v.served < 200 || v.worst > 100*time.Millisecond {
		t.Errorf("honest client: served %d times, at the worst after %v; want hundreds of times, each within 100 ms; %s", v.served, v.worst, v.failed)
	}
	for _, k := range []roles.Kind{roles.HoldInflater, roles.HoldHandshake, roles.HoldHead, roles.HoldPart} {
		if n := a.UsedBy(uint8(k)); n > a.Ceiling()/4 {
			t.Errorf("%v: got %d bytes, want at most a quarter of %d", k, n, a.Ceiling())
		}
	}
	held := ""
	for k := range roles.Kinds {
		if n := a.UsedBy(uint8(k)); n > 0 {
			held += fmt.Sprintf(", %d %v", n, k)
		}
	}
	ends := 0
	for _, c := range leave {
		ends += c.ends
		c.leave()
	}
	t.Logf("peak %d, now %d (%v%s); %d closed for memory, %d peers ended; %d served, at the worst after %v",
		a.Peak(), a.Used(), a.Level(), held, w.Server.Runtime.Net().Counters.MemoryClosed, ends, v.served, v.worst)
	v.failed = "over"
	v.host.Close(v.fd)
	w.Server.Runtime.Each(func(h *ss.Handle) {
		if h.Server() != nil {
			h.Destroy() // a program that takes nothing does not hear of the end either
		}
	})
	w.Advance(15 * time.Second)
	if n := a.Used(); n != 0 {
		t.Errorf("account when the crowd has gone: got %d bytes, want 0", n)
	}
}

// TestMemoryCeilingBindsEveryKindOfHolder: for every kind of memory that peers make us use, the account stays at its ceiling, an
// honest client is always served at once, and at the end all memory is freed.
func TestMemoryCeilingBindsEveryKindOfHolder(t *testing.T) {
	for _, c := range memoryKinds(t) {
		if testing.Short() {
			c.n = min(c.n, 60+c.n/20)
		}
		t.Run(c.name, func(t *testing.T) {
			ceiling := int64(4 << 20)
			if strings.HasPrefix(c.name, "compressed") {
				ceiling *= 4 // a quarter of it is 74 inflaters
			}
			w := memoryWorld(t, ceiling, c.takes)
			crowd := w.crowd(c.port, c.n, c.again, c.say)
			v := w.visitor()
			w.Advance(2 * time.Second)
			w.checkMemory(v, crowd)
		})
	}
}

// TestMemoryCeilingBindsAllHoldersTogether is the same with all kinds of peers at a time, who come again and again.
func TestMemoryCeilingBindsAllHoldersTogether(t *testing.T) {
	w := memoryWorld(t, 8<<20, false)
	var crowds []*holders
	for _, c := range memoryKinds(t) {
		if c.port != 85 { // a handshake costs a millisecond of the test's own time
			crowds = append(crowds, w.crowd(c.port, min(c.n, 10), true, c.say))
		}
	}
	v := w.visitor()
	w.Advance(time.Second)
	w.checkMemory(v, crowds...)
}
