package ss_test

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// bare is a socket of a machine without a reactor, connected to the server machine.
type bare struct {
	w    *world
	host *sim.Host
	fd   loop.FD
}

func (w *world) bare(text string) *bare {
	w.t.Helper()
	b := &bare{w: w, host: w.wsHost()}
	var e syscall.Errno
	if b.fd, e = b.host.Connect(loop.Addr{IP: netip.AddrPortFrom(serverIP, 80)}, loop.SocketOptions{}); e != syscall.EINPROGRESS {
		w.t.Fatalf("connect: %v", e)
	}
	w.Settle()
	b.write(text)
	return b
}

func (b *bare) write(text string) {
	b.w.t.Helper()
	if n, e := b.host.Write(b.fd, []byte(text)); n != len(text) {
		b.w.t.Fatalf("write: got %d of %d, %v", n, len(text), e)
	}
	b.w.Settle()
}

func (b *bare) halfClose() {
	b.host.CloseWrite(b.fd)
	b.w.Settle()
}

func (b *bare) abort() {
	b.host.Abort(b.fd)
	b.w.Settle()
}

// read reads what is available, and reports how the connection ends.
func (b *bare) read() (string, syscall.Errno) {
	var all []byte
	buf := make([]byte, 4096)
	for {
		n, e := b.host.Read(b.fd, buf)
		if n == 0 || e != 0 {
			return string(all), e
		}
		all = append(all, buf[:n]...)
	}
}

const halfDoc = `{"s":[{"srv":{"server":true,"port":80,"protocol":"h1"}}]}`

var ended = fmt.Sprintf(" USER(%d)", ss.PeerEnded)

// halfClosedBefore are the ways in which a client ends its direction before its request is answered.
var halfClosedBefore = []struct {
	name string
	more string // behind the request
	body bool   // the request has a body that has not come, and the stream has paused
}{
	{name: "after the request"},
	{name: "after a piece of the next", more: "GET /b HT"},
	{name: "after the next request", more: "GET /b HTTP/1.1\r\nHost: x\r\n\r\n"},
	{name: "inside a body that is not taken", body: true},
}

// halfClosed connects a client that ends its direction in one of these ways to a stream that does not answer by itself.
func halfClosed(t *testing.T, way int, p plan) (*world, *bare, *script) {
	t.Helper()
	c := halfClosedBefore[way]
	w := newWorld(t, halfDoc, p)
	w.Serve("srv", func(s *script) {
		s.Say, s.NoEOM = []byte("late, but complete"), true
		if c.body {
			s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret { h.Pause(); return ss.OK })
		}
	})
	text := "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
	if c.body {
		text = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n123"
	}
	b := w.bare(text)
	w.Settle()
	if c.more != "" {
		b.write(c.more)
	}
	s := w.Accepted[0]
	const before = "CREATING CONNECTING CONNECTED SERVER_TXN"
	w.WantLine("before the half-close", s, before)
	b.halfClose()
	w.WantLine("after the half-close", s, before+ended)
	return w, b, s
}

// TestHalfClosedRawPeerMayReadSlowly: a raw peer that has ended its direction receives all output of the stream, also
// when it does not read for longer than Config.HalfClosed. The stream is not silent: the socket buffer is full.
func TestHalfClosedRawPeerMayReadSlowly(t *testing.T) {
	w := newWorld(t, `{"s":[{"srv":{"server":true,"port":80,"protocol":"raw"}}]}`, plan{})
	const size = 1 << 20
	w.Serve("srv", func(s *script) {
		s.Say, s.QuietTx, s.Stays = make([]byte, size), true, true
		s.OnRx = func(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
			if f&ss.EOM != 0 {
				s.Ended = true // Disconnect with the last byte
				return h.RequestTx()
			}
			return ss.OK
		}
	})
	b := w.bare("all, please")
	b.halfClose()
	got := 0
	for i := range 200 {
		w.Advance(time.Second)
		if i > 0 && i < 25 {
			continue
		}
		text, e := b.read()
		if got += len(text); e == 0 || e != syscall.EAGAIN {
			break
		}
	}
	if got != size || w.Accepted[0].Told(ss.Disconnected) != 1 {
		t.Errorf("the peer got %d bytes of %d; the stream received %s, %v", got, size, w.Accepted[0].Life(), w.Accepted[0].Causes)
	}
}

// TestHalfClosedClientIsAnswered: a client that has ended its direction receives the response, however long that
// takes, while something is sent now and then. The stream receives PeerEnded once.
func TestHalfClosedClientIsAnswered(t *testing.T) {
	for way, c := range halfClosedBefore {
		t.Run(c.name, func(t *testing.T) {
			w, b, s := halfClosed(t, way, plan{})
			if c.body {
				return // it has no whole request to answer
			}
			s.Piece = 1
			s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
				n := copy(buf[:1], s.Say[s.Said:])
				if s.Said += n; s.Said < len(s.Say) {
					w.Net.At(50*time.Second, func() { h.RequestTx() })
				}
				return n, 0, ss.OK
			}
			w.Advance(59 * time.Second)
			s.Handle.ServerAck(0)
			s.Handle.RequestTxLen(int64(len(s.Say)))
			w.Advance(20 * time.Minute)
			if got, _ := b.read(); !strings.HasSuffix(got, string(s.Say)) && !strings.Contains(got, string(s.Say)+"HTTP/1.1") {
				t.Errorf("the answer: got %q, want it to end with %q", got, s.Say)
			}
			if n := strings.Count(s.Line(), strings.TrimSpace(ended)); n != 1 {
				t.Errorf("told %d times of the end: %s", n, s.Line())
			}
			w.Advance(2 * time.Minute)
			if !strings.HasSuffix(s.Line(), "DISCONNECTED DESTROYING") {
				t.Errorf("no stream stays: told %s", s.Line())
			}
			b.host.Close(b.fd)
		})
	}
}

// TestHalfClosedClientIsNotAnswered: a stream that sends nothing to such a client ends after Timeouts.HalfClosed.
func TestHalfClosedClientIsNotAnswered(t *testing.T) {
	for way, c := range halfClosedBefore {
		t.Run(c.name, func(t *testing.T) {
			w, b, s := halfClosed(t, way, plan{})
			s.OnTx = func(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) { return 0, 0, ss.TxDontSend }
			s.Handle.RequestTx() // the head leaves, and nothing more however often that is asked for
			for range 59 {
				w.Advance(time.Second)
				s.Handle.RequestTx()
			}
			w.Advance(900 * time.Millisecond)
			if s.Told(ss.Disconnected) > 0 {
				t.Fatalf("too early: %s", s.Line())
			}
			w.Advance(200 * time.Millisecond)
			if !strings.HasSuffix(s.Line(), ended+" DISCONNECTED DESTROYING") {
				t.Errorf("told %s, want the end", s.Line())
			}
			w.WantCause(s, http.ErrTimeout)
			b.host.Close(b.fd)
		})
	}
}

// TestHalfClosedClientIsGone: 500 clients half-close and then reset; all are detected, in time if
// some of their output was never read.
func TestHalfClosedClientIsGone(t *testing.T) {
	for _, c := range halfClosedBefore {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, halfDoc, plan{})
			w.Serve("srv", func(s *script) {
				if c.body {
					s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret { h.Pause(); return ss.OK })
				}
			})
			text := "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
			if c.body {
				text = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n123"
			}
			var all []*bare
			for range 500 {
				b := w.bare(text + c.more)
				b.halfClose()
				all = append(all, b)
			}
			for _, b := range all {
				b.abort()
			}
			w.Advance(5 * time.Second)
			if n := w.Server.Runtime.Net().Open(); n != 0 {
				t.Errorf("connections left: %d of 500", n)
			}
			for _, s := range w.Accepted {
				if !strings.HasSuffix(s.Line(), "DISCONNECTED DESTROYING") || !strings.Contains(s.Causes[0].Error(), peerIP.String()) {
					t.Fatalf("told %s, causes %v; want the end, and the peer's address", s.Line(), s.Causes)
				}
			}
		})
	}
}

const rawHalfDoc = `{"s":[{"srv":{"server":true,"port":80,"protocol":"raw"}},
	{"c":{"endpoint":"10.0.0.3","port":80,"protocol":"raw","opportunistic":true}}]}`

// TestRawHalfClose: the peer's end is an empty Rx with EOM, once; the stream may continue to write, and ends when it
// requests that, on both sides.
func TestRawHalfClose(t *testing.T) {
	for _, server := range []bool{true, false} {
		t.Run(fmt.Sprintf("server=%v", server), func(t *testing.T) {
			w, b, s := rawHalfClosed(t, server, plan{})
			s.Say, s.NoEOM = []byte("one"), true
			for range 3 { // each pause is shorter than the limit
				w.Advance(9 * time.Second)
				s.Said = 0
				s.Handle.RequestTx()
			}
			w.Settle()
			if got, e := b.read(); got != "oneoneone" || e != syscall.EAGAIN {
				t.Errorf("written after the peer's end: got %q, %v, want three times", got, e)
			}
			s.Handle.Disconnect()
			w.Settle()
			if got, e := b.read(); got != "" || e != 0 {
				t.Errorf("after Disconnect: got %q, %v, want an end in order", got, e)
			}
			if n := strings.Count(s.Line(), `rx(""|EOM)`); n != 1 {
				t.Errorf("the end was delivered %d times: %s", n, s.Line())
			}
			if s.Told(ss.Disconnected) != 1 || len(s.Causes) != 0 {
				t.Errorf("told %s, causes %v; want one DISCONNECTED without", s.Line(), s.Causes)
			}
			b.host.Close(b.fd)
		})
	}
}

// TestRawHalfCloseIdle: a stream that neither writes nor ends is closed; a write detects a peer that is gone.
func TestRawHalfCloseIdle(t *testing.T) {
	for _, server := range []bool{true, false} {
		w, b, s := rawHalfClosed(t, server, plan{})
		w.Advance(9 * time.Second)
		if s.Told(ss.Disconnected) > 0 {
			t.Fatalf("server=%v: too early: %s", server, s.Line())
		}
		w.Advance(2 * time.Second)
		if s.Told(ss.Disconnected) != 1 {
			t.Errorf("server=%v: told %s, want DISCONNECTED", server, s.Line())
		}
		b.host.Close(b.fd)

		never := func(c *ss.Config) { c.HalfClosed = -1 }
		w, b, s = rawHalfClosed(t, server, plan{Client: never, Server: never})
		w.Advance(time.Hour)
		if s.Told(ss.Disconnected) > 0 {
			t.Errorf("server=%v, without the timeout: told %s", server, s.Line())
		}
		b.host.Close(b.fd)
		s.Say = []byte("anybody?")
		s.Handle.RequestTx()
		w.Advance(time.Second)
		if s.Told(ss.Disconnected) != 1 {
			t.Errorf("server=%v, after a write to a peer that is gone: told %s, want DISCONNECTED", server, s.Line())
		}
	}
}

// rawHalfClosed is a raw stream whose peer has ended its direction.
func rawHalfClosed(t *testing.T, server bool, p plan) (*world, *bare, *script) {
	t.Helper()
	w := newWorld(t, rawHalfDoc, p)
	b, s := &bare{w: w, host: w.wsHost()}, newScript()
	s.Stays = true
	if server {
		w.Serve("srv", func(s *script) { s.Stays = true })
		b = w.bare("hello")
		s = w.Accepted[0]
	} else {
		l, _, err := b.host.Listen(loop.Addr{IP: netip.AddrPortFrom(peerIP, 80)}, loop.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		w.Create("c", s).Connect()
		w.Settle()
		var e syscall.Errno
		if b.fd, e = b.host.Accept(l); e != 0 {
			t.Fatal(e)
		}
		b.write("hello")
		b.host.Close(l)
	}
	b.halfClose()
	if !strings.HasSuffix(s.Line(), `CONNECTED rx("hello") rx(""|EOM)`) {
		t.Fatalf("told %s, want the bytes and their end", s.Line())
	}
	return w, b, s
}
