package interop

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/millrace/millrace/ss"
)

const (
	// flood is the length of a message that no buffers on its way can hold: a kernel socket buffer grows to 6 MiB, and the
	// peer's buffers are kept small.
	flood = 16 << 20
	// smallBuffer is the buffer size of the peer's sockets.
	smallBuffer = 64 << 10
	// floodHeld is the most of a flood that our side may hold.
	floodHeld = 512 << 10
)

// stalls waits until n has not changed for a while, and returns its value.
func stalls(n func() int64) int64 {
	last, since := n(), time.Now()
	for time.Since(since) < 100*time.Millisecond {
		time.Sleep(5 * time.Millisecond)
		if now := n(); now != last {
			last, since = now, time.Now()
		}
	}
	return last
}

// dialSmall dials with a small receive buffer.
func dialSmall(ctx context.Context, network, at string) (net.Conn, error) {
	return smallDialer(nil).DialContext(ctx, network, at)
}

// smallDialer dials with small buffers from an address, or from any if it is nil.
func smallDialer(from net.Addr) *net.Dialer {
	return &net.Dialer{LocalAddr: from, Control: func(_, _ string, c syscall.RawConn) (err error) {
		if e := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, smallBuffer)
		}); e != nil {
			return e
		}
		return err
	}}
}

// Our server stops reading from a client that sends 64 MiB and reads nothing. When the client reads, it gets the full echo.
func TestWebSocketClientThatDoesNotRead(t *testing.T) {
	keys := newWSTLS(t)
	for _, c := range []wsConversation{{}, {deflate: "fresh"}} {
		h := newWSRuntime(t, keys, wsTerms{}, nil)
		d := websocket.Dialer{NetDialContext: dialSmall, EnableCompression: c.deflate != ""}
		conn, _, err := d.Dial(c.url(h.at(&c), "flood"), nil)
		if err != nil {
			t.Fatal(err)
		}
		data := pattern(flood, 9)
		const times = 4
		wrote := make(chan error, 1)
		go func() {
			for range times {
				if err := conn.WriteMessage(websocket.BinaryMessage, []byte(data)); err != nil {
					wrote <- err
					return
				}
			}
			wrote <- nil
		}()
		taken := func() (n int64) { h.do(func() { n = int64(h.taken) }); return n }
		poll(t, "the first bytes to come", func() bool { return taken() > 0 })
		if n := stalls(taken); n >= flood {
			t.Errorf("deflate %q: read %d bytes from a client that reads nothing", c.deflate, n)
		} else {
			t.Logf("deflate %q: read %d bytes before the stall", c.deflate, n)
		}
		h.do(func() {
			if h.paused == 0 {
				t.Errorf("deflate %q: the echo never paused its reading", c.deflate)
			}
		})
		want := heard("binary", data)
		for range times {
			_, b, err := conn.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			if got := heard("binary", string(b)); got != want {
				t.Errorf("deflate %q: got echo %s, want %s", c.deflate, got, want)
			}
		}
		if err := <-wrote; err != nil {
			t.Error(err)
		}
		conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(patience))
		conn.ReadMessage()
		conn.Close()
		h.rest(t)
		h.bounded(t)
		h.sound(t)
	}
}

// bounded fails the test if our side ever held more than a flood may cause.
func (h *wsRuntime) bounded(t *testing.T) {
	t.Helper()
	h.do(func() {
		if peak := h.loop.Account().Peak(); peak > floodHeld || h.most > floodHeld {
			t.Errorf("got a peak charge of %d bytes and %d bytes in the echo, want %d at most", peak, h.most, floodHeld)
		}
	})
}

// slow is a client stream that pauses from the start and after each piece, until the test resumes it.
type slow struct {
	wsReceiver
	runtime *wsRuntime
	taken   int64
	what    string
	ended   chan string
}

// State implements ss.Stream.
func (s *slow) State(h *ss.Handle, st ss.State, n ss.Notice) ss.Ret {
	switch st {
	case ss.Creating:
		h.Pause()
	case ss.Connected:
		s.runtime.idle = append(s.runtime.idle, h.Resume)
	case ss.Disconnected, ss.AllRetriesFailed:
		s.ended <- fmt.Sprintf("%s, %v", s.what, n.Cause)
		return ss.DestroyMe
	}
	return ss.OK
}

// Rx implements ss.Stream.
func (s *slow) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	s.taken += int64(len(b))
	if what, whole := s.hear(b, f); whole {
		s.what = what
	}
	h.Pause()
	s.runtime.loop.Post(h.Resume)
	return ss.OK
}

// Tx implements ss.Stream.
func (s *slow) Tx(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) { return 0, 0, ss.TxDontSend }

// A stream that pauses stops its server, and what it receives later is complete.
func TestWebSocketStreamThatPauses(t *testing.T) {
	keys := newWSTLS(t)
	data := pattern(flood, 10)
	for _, deflate := range []bool{false, true} {
		var wrote atomic.Int64
		u := websocket.Upgrader{EnableCompression: deflate}
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := u.Upgrade(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			c.NetConn().(*net.TCPConn).SetWriteBuffer(smallBuffer)
			m, err := c.NextWriter(websocket.BinaryMessage)
			for rest := data; err == nil && rest != ""; {
				var n int
				n, err = io.WriteString(m, rest[:min(len(rest), 32<<10)])
				rest = rest[n:]
				wrote.Add(int64(n))
			}
			if err == nil {
				err = m.Close()
			}
			if err == nil {
				err = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4002, "that was it"), time.Now().Add(patience))
			}
			if err != nil {
				t.Error(err)
			}
			c.ReadMessage()
		}))
		srv.Start()
		t.Cleanup(srv.Close)
		at := srv.Listener.Addr().String()
		h := openWSRuntime(t, keys, strings.TrimPrefix(wsClientTypes(at, false, false), ", "), wsTerms{}, nil)
		s := &slow{runtime: h, ended: make(chan string, 1)}
		_, port, _ := net.SplitHostPort(at)
		h.do(func() {
			c, err := h.rt.Create(ss.Info{StreamType: wsClientType(port, deflate, ""), New: func(*ss.Handle) ss.Stream { return s }})
			if err != nil {
				t.Error(err)
				return
			}
			c.SetMetadataString("path", "/")
			c.Connect()
		})
		poll(t, "the first bytes to be written", func() bool { return wrote.Load() > 0 })
		if n := stalls(wrote.Load); n >= flood {
			t.Errorf("deflate %v: the server wrote all to a client that does not read", deflate)
		} else {
			t.Logf("deflate %v: the server wrote %d bytes before it stalled", deflate, n)
		}
		h.do(func() {
			if s.taken != 0 {
				t.Errorf("deflate %v: a paused stream received %d bytes", deflate, s.taken)
			}
			for _, resume := range h.idle {
				resume()
			}
		})
		select {
		case got := <-s.ended:
			same(t, "what came, and the end", got, fmt.Sprintf("binary %d %.8x, ws: closed by the peer: 4002: \"that was it\"", flood, sha256.Sum256([]byte(data))))
		case <-time.After(patience):
			t.Errorf("deflate %v: the stream did not end", deflate)
		}
		h.rest(t)
		h.bounded(t)
		h.sound(t)
	}
}

// residentMost is the allowed growth of the server's memory since its start.
const residentMost = 16 << 20

// `millrace serve` as an echo: the echoes are correct, memory stays bounded, and nothing is left at the end.
func TestWebSocketServeEcho(t *testing.T) {
	t.Parallel()
	keys := newWSTLS(t)
	for _, secure := range []bool{false, true} {
		doc := securely(t, keys.ca, keys.leaf, `{"ws": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h1", "ws_subprotocol": "chat"}},
			{"ws_tls": {SERVER, "protocol": "ws"}}`)
		p, at := serve(t, doc, streamOf("ws", secure), "--echo", "-v")
		before := resident(t, p)
		g := newWSGo(t, keys, gorilla{})
		ended := 0
		for _, c := range wsConversations() {
			if c.byServer || c.ping != "" || c.refuse != 0 || c.served != "" || c.offered != "" || c.times != 0 {
				continue
			}
			c.secure = secure
			s := g.play(c.url(at, "echo"), &c)
			if got, want := fmt.Sprint(s.Heard), fmt.Sprint(c.messages()); s.Error != "" || got != want {
				t.Errorf("%s: received %s, want %s; error %q", c.name, got, want, s.Error)
			}
			if want := max(c.code, 1000); s.Code != want {
				t.Errorf("%s: closed with %d, got %d in answer", c.name, want, s.Code)
			}
			ended++
		}
		poll(t, "the server to have nothing but its listener", func() bool {
			p.cmd.Process.Signal(syscall.SIGUSR1)
			return strings.Contains(p.err.String(), "1 streams, 0 connections")
		})
		if n := strings.Count(p.err.String(), "cause=\"ws: closed by the peer: "); n != ended {
			t.Errorf("the server's log has %d connections that ended with a Close frame, want %d\n%s", n, ended, &p.err)
		}
		after := resident(t, p)
		t.Logf("TLS %v: resident %d KiB at the start, %d KiB at most", secure, before>>10, after>>10)
		if after-before > residentMost {
			t.Errorf("the server needs up to %d bytes for messages of 16 MiB, want %d at most", after-before, residentMost)
		}
	}
}

// resident returns the peak resident memory of a process, in bytes.
func resident(t *testing.T, p *process) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Skip("this system does not tell: " + err.Error())
	}
	m := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(b)
	if m == nil {
		t.Fatalf("no VmHWM in %s", b)
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n << 10
}
