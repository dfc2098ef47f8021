package interop

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	stdtls "crypto/tls"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// hostileTarget is the server that hostile peers connect to.
type hostileTarget struct {
	at    string
	tls   *stdtls.Config
	hello []byte        // the first flight of a TLS handshake
	done  chan struct{} // closed when all peers must stop
}

// hostileKind is a type of attack. run receives a new connection and returns when the server has closed it, or when the
// attack is done; its caller then closes the connection. The end of the test closes it too.
type hostileKind struct {
	name  string
	alpn  string // "" for no TLS
	fewer int    // divisor of the number of peers of this kind
	again time.Duration
	run   func(h *hostileTarget, c net.Conn) error
}

// hostileAgain is how long a peer waits before it connects again; hostileSoon is for attacks that consist of closing:
// with a thousand peers of each kind that is still a hundred new connections a second.
const (
	hostileAgain = 40 * time.Second
	hostileSoon  = 30 * time.Second
)

var hostileKinds = []hostileKind{
	{"h1, pipelines and does not read", "http/1.1", 1, hostileAgain, unreadPipeline},
	{"h1, a body of a byte a second", "http/1.1", 1, hostileAgain, slowBody},
	{"h1, a head of a byte a second", "http/1.1", 1, hostileAgain, slowHead},
	{"h1, gone while its answer is pending", "http/1.1", 1, hostileSoon, goneWhilePending},
	{"h2, bodies whose echo has no window", "h2", 1, hostileAgain, noWindow},
	{"h2, does not read its TCP connection", "h2", 1, hostileAgain, unreadHTTP2},
	{"ws, a compressed message that stops", "http/1.1", 1, hostileAgain, stalledMessage},
	{"h2, 100 ws with messages that stop", "h2", 10, hostileAgain, stalledMessages},
	{"tls, a handshake that stops", "", 2, 8 * time.Second, halfOpen},
}

// hostileChild is the value of childEnv that makes this test binary the hostile peers. They run in a separate process at low
// priority, so that the honest client does not wait for their work: the server gets the processors first.
const (
	hostileChild = "hostile"
	hostileNice  = 10
)

// startHostile starts n hostile peers of each kind. The function that it returns ends them, and reports their
// processor time and what they did.
func startHostile(t *testing.T, at, ca string, each int, ramp time.Duration) (end func() (time.Duration, string)) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, stop, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var out output
	t.Setenv(childEnv, hostileChild)
	p := start(t, in, &out, self, at, ca, strconv.Itoa(each), ramp.String())
	in.Close()
	t.Cleanup(func() { stop.Close() })
	return func() (time.Duration, string) {
		stop.Close()
		if status := p.wait(); status != 0 {
			t.Errorf("the hostile peers ended with status %d\n%s", status, &p.err)
		}
		return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime(), out.String()
	}
}

// hostileMain is the hostile peers' process. Its arguments are the address of the server, the file of the CA, the number of
// peers per kind, and the time over which the first connections are spread. It ends when its standard input ends.
func hostileMain() int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, hostileNice); err != nil {
		return fail(err)
	}
	pem, err := os.ReadFile(os.Args[2])
	if err != nil {
		return fail(err)
	}
	each, err := strconv.Atoi(os.Args[3])
	if err != nil {
		return fail(err)
	}
	ramp, err := time.ParseDuration(os.Args[4])
	if err != nil {
		return fail(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	target := &hostileTarget{at: os.Args[1], tls: &stdtls.Config{RootCAs: roots}, done: make(chan struct{})}
	if target.hello, err = clientHello(target.tls); err != nil {
		return fail(err)
	}
	var all sync.WaitGroup
	counts := make([]hostileCount, len(hostileKinds))
	for k, kind := range hostileKinds {
		n := max(each/kind.fewer, 1)
		for i := range n {
			all.Go(func() { target.keepUp(kind, &counts[k], ramp*time.Duration(i)/time.Duration(n)) })
		}
	}
	io.Copy(io.Discard, os.Stdin)
	close(target.done)
	all.Wait()
	for k, kind := range hostileKinds {
		fmt.Printf("%-40s %6d connections made, %6d ended by the server, %d failed\n", kind.name, counts[k].made.Load(), counts[k].ended.Load(), counts[k].failed.Load())
	}
	return 0
}

// hostileCount counts the connections of one kind.
type hostileCount struct{ made, ended, failed atomic.Int64 }

// keepUp connects and runs kind's attack, again and again until all peers must stop.
func (h *hostileTarget) keepUp(kind hostileKind, count *hostileCount, after time.Duration) {
	for ; ; after = kind.again/2 + rand.N(kind.again) { // the random part keeps peers that were closed together from reconnecting together
		select {
		case <-h.done:
			return
		case <-time.After(after):
		}
		c, err := h.dial(kind.alpn)
		if err != nil {
			count.failed.Add(1)
			continue
		}
		count.made.Add(1)
		over := make(chan struct{})
		go func() {
			select {
			case <-h.done:
				c.Close()
			case <-over:
			}
		}()
		err = kind.run(h, c)
		close(over)
		select {
		case <-h.done:
		default:
			if err != nil {
				count.ended.Add(1)
			}
		}
		c.Close()
	}
}

// dial connects with small buffers, so that unread data stays in the server.
func (h *hostileTarget) dial(alpn string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := smallDialer(hostileAddress()).DialContext(ctx, "tcp", h.at)
	if err != nil || alpn == "" {
		return c, err
	}
	conf := h.tls.Clone()
	conf.NextProtos, conf.ServerName = []string{alpn}, "127.0.0.1"
	s := stdtls.Client(c, conf)
	c.SetDeadline(time.Now().Add(patience))
	if err := s.Handshake(); err != nil {
		c.Close()
		return nil, err
	}
	c.SetDeadline(time.Time{})
	return s, nil
}

// hostileAddresses is the number of addresses of the hostile peers. The honest client uses a different one.
const hostileAddresses = 200

func hostileAddress() *net.TCPAddr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+rand.N(hostileAddresses)))}
}

// clientHello is the first flight of a client.
func clientHello(conf *stdtls.Config) ([]byte, error) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	conf = conf.Clone()
	conf.ServerName = "127.0.0.1"
	go func() {
		stdtls.Client(theirs, conf).Handshake()
		theirs.Close()
	}()
	b := make([]byte, 16<<10)
	n, err := ours.Read(b)
	return b[:n], err
}

// ended waits until the server closes the connection, or c is closed here.
func ended(c net.Conn) error {
	_, err := io.Copy(io.Discard, c)
	if err == nil {
		err = io.EOF
	}
	return err
}

// unreadPipeline sends requests continuously, and reads nothing.
func unreadPipeline(_ *hostileTarget, c net.Conn) error {
	request := fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 16384\r\n\r\n%s", pattern(16384, 7))
	for {
		if _, err := c.Write(request); err != nil {
			return err
		}
	}
}

// slowBody announces a body and sends one byte of it per second.
func slowBody(_ *hostileTarget, c net.Conn) error {
	return drip(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", "x")
}

// slowHead sends a request head that never ends.
func slowHead(_ *hostileTarget, c net.Conn) error {
	return drip(c, "GET / HTTP/1.1\r\nHost: x\r\nX: ", "y")
}

// drip writes begin, then more each second. It reads and discards input to notice when the server closes the connection.
func drip(c net.Conn, begin, more string) error {
	over := make(chan error, 1)
	go func() { over <- ended(c) }()
	_, err := io.WriteString(c, begin)
	for err == nil {
		select {
		case err := <-over:
			return err
		case <-time.After(time.Second):
			_, err = io.WriteString(c, more)
		}
	}
	return err
}

// goneWhilePending requests more than the send path can buffer, half-closes, and resets the connection a little later.
func goneWhilePending(_ *hostileTarget, c net.Conn) error {
	s := c.(*stdtls.Conn)
	c.SetWriteDeadline(time.Now().Add(2 * time.Second))
	request := fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 16384\r\n\r\n%s", pattern(16384, 8))
	for range 64 {
		if _, err := c.Write(request); err != nil {
			break
		}
	}
	s.NetConn().(*net.TCPConn).CloseWrite()
	time.Sleep(time.Second)
	s.NetConn().(*net.TCPConn).SetLinger(0)
	return nil
}

// halfOpen starts a handshake and stops.
func halfOpen(h *hostileTarget, c net.Conn) error {
	if _, err := c.Write(h.hello); err != nil {
		return err
	}
	return ended(c)
}

// hostileHTTP2 is a client that sends arbitrary frames.
type hostileHTTP2 struct {
	c      net.Conn
	framer *http2.Framer
	out    bufio.Writer
	next   uint32

	mu      sync.Mutex
	changed sync.Cond
	window  map[uint32]int64 // key 0: the connection's window
	initial int64
	connect bool // the server accepts extended CONNECT
	err     error
}

func newHostileHTTP2(c net.Conn, settings ...http2.Setting) (*hostileHTTP2, error) {
	x := &hostileHTTP2{c: c, next: 1, window: map[uint32]int64{0: 65535}, initial: 65535}
	x.changed.L = &x.mu
	x.out.Reset(c)
	x.framer = http2.NewFramer(&x.out, c)
	if _, err := x.out.WriteString(http2.ClientPreface); err != nil {
		return nil, err
	}
	if err := x.framer.WriteSettings(settings...); err != nil {
		return nil, err
	}
	return x, x.out.Flush()
}

// read tracks the windows that the server grants, until the server's SETTINGS arrive, or without end.
func (x *hostileHTTP2) read(forEver bool) error {
	for {
		f, err := x.framer.ReadFrame()
		x.mu.Lock()
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if v, ok := f.Value(http2.SettingInitialWindowSize); ok {
				for id := range x.window {
					if id != 0 {
						x.window[id] += int64(v) - x.initial
					}
				}
				x.initial = int64(v)
			}
			if v, ok := f.Value(http2.SettingEnableConnectProtocol); ok && v == 1 {
				x.connect = true
			}
			if !f.IsAck() && !forEver {
				x.mu.Unlock()
				return nil
			}
		case *http2.WindowUpdateFrame:
			x.window[f.StreamID] += int64(f.Increment)
		case *http2.RSTStreamFrame:
			x.window[f.StreamID] = -1 << 40
		case *http2.GoAwayFrame:
			err = errors.New("GOAWAY")
		}
		if err != nil && x.err == nil {
			x.err = err
		}
		x.changed.Broadcast()
		x.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// head opens a stream; last sets END_STREAM.
func (x *hostileHTTP2) head(last bool, fields ...string) (id uint32, err error) {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	id = x.next
	x.next += 2
	x.mu.Lock()
	x.window[id] = x.initial
	x.mu.Unlock()
	return id, x.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: b.Bytes(), EndHeaders: true, EndStream: last})
}

// noWindow sends as much body as the server accepts, on eight streams, and grants no window for the responses.
func noWindow(_ *hostileTarget, c net.Conn) error {
	x, err := newHostileHTTP2(c, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	if err != nil {
		return err
	}
	go x.read(true)
	var ids []uint32
	for range 8 {
		id, err := x.head(false, ":method", "POST", ":scheme", "https", ":authority", "x", ":path", "/")
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	data := []byte(pattern(16384, 9))
	for {
		if err := x.out.Flush(); err != nil {
			return err
		}
		x.mu.Lock()
		n, id := int64(0), uint32(0)
		for {
			for _, s := range ids {
				if w := min(x.window[s], x.window[0], int64(len(data))); w > n {
					n, id = w, s
				}
			}
			if n > 0 || x.err != nil {
				break
			}
			x.changed.Wait()
		}
		x.window[id] -= n
		x.window[0] -= n
		err := x.err
		x.mu.Unlock()
		if err == nil {
			err = x.framer.WriteData(id, false, data[:n])
		}
		if err != nil {
			return err
		}
	}
}

// unreadHTTP2 grants full windows, sends what the first windows allow and then small requests, and does not read the
// responses.
func unreadHTTP2(_ *hostileTarget, c net.Conn) error {
	x, err := newHostileHTTP2(c, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
	if err != nil {
		return err
	}
	if err := x.framer.WriteWindowUpdate(0, 1<<31-1-65535); err != nil {
		return err
	}
	c.SetReadDeadline(time.Now().Add(time.Second)) // after this crypto/tls cannot read again
	x.read(true)
	data := []byte(pattern(16384, 10))
	for x.window[0] >= int64(len(data)) {
		id, err := x.head(false, ":method", "POST", ":scheme", "https", ":authority", "x", ":path", "/")
		if err == nil {
			x.window[0] -= int64(len(data))
			err = x.framer.WriteData(id, true, data)
		}
		if err == nil {
			err = x.out.Flush()
		}
		if err != nil {
			return err
		}
	}
	for {
		_, err := x.head(true, ":method", "GET", ":scheme", "https", ":authority", "x", ":path", "/")
		if err == nil {
			err = x.out.Flush()
		}
		if err != nil {
			return err
		}
	}
}

// beginning is a compressed text frame without FIN: a stored block of 4,096 octets, of which it has 29.
var beginning = func() []byte {
	b := []byte{0x41, 0x80 | 34, 0, 0, 0, 0, 0x00, 0x00, 0x10, 0xff, 0xef} // RSV1, text, not FIN; masked with 0
	return append(b, pattern29...)
}()

var pattern29 = strings.Repeat("x", 29)

const upgrade = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: echo\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"

// stalledMessage sends the start of a compressed message and waits.
func stalledMessage(_ *hostileTarget, c net.Conn) error {
	if _, err := io.WriteString(c, upgrade); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(line, " 101 ") {
		return fmt.Errorf("got %q in answer to the upgrade, %w", line, err)
	}
	if _, err := c.Write(beginning); err != nil {
		return err
	}
	return ended(c)
}

// stalledMessages does the same on a hundred streams of HTTP/2.
func stalledMessages(_ *hostileTarget, c net.Conn) error {
	x, err := newHostileHTTP2(c)
	if err != nil {
		return err
	}
	if err := x.read(false); err != nil {
		return err
	}
	go x.read(true)
	for range 100 {
		id, err := x.head(false, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "x", ":path", "/",
			"sec-websocket-version", "13", "sec-websocket-protocol", "echo", "sec-websocket-extensions", "permessage-deflate")
		if err == nil {
			err = x.framer.WriteData(id, false, beginning)
		}
		if err != nil {
			return err
		}
	}
	if err := x.out.Flush(); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.err == nil {
		x.changed.Wait()
	}
	return x.err
}
