package ss_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/sstest"
)

// file is a file of a test: it notes whether it was closed, and may fail from a byte on.
type file struct {
	*bytes.Reader
	closed int
	fails  int64 // 0: never
}

func newFile(size int) *file {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return &file{Reader: bytes.NewReader([]byte(b.String()[:size]))}
}

var errDisk = errors.New("a bad sector")

func (f *file) ReadAt(b []byte, off int64) (int, error) {
	if f.closed > 0 {
		return 0, errors.New("read of a closed file")
	}
	if f.fails > 0 && off+int64(len(b)) > f.fails {
		return 0, errDisk
	}
	return f.Reader.ReadAt(b, off)
}

func (f *file) Close() error { f.closed++; return nil }

func (f *file) all() []byte {
	b := make([]byte, f.Size())
	io.ReadFull(io.NewSectionReader(f.Reader, 0, f.Size()), b)
	return b
}

// TestSendFile: a file of any size arrives whole, from an offset on, on each protocol and side, and is closed; nothing
// of it is held then.
func TestSendFile(t *testing.T) {
	for _, c := range sendCases {
		if c.tls {
			continue // above Send there is no difference
		}
		t.Run(c.name, func(t *testing.T) {
			for seed, size := range []int{0, 1, 127 << 10, 128 << 10, 700_000} {
				doc := `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}}],"s":[
					{"srv":{"server":true,"port":80,` + c.server + `}},
					{"c":{"endpoint":"10.0.0.2","port":80,"opportunistic":true,"retry":"none",` + c.client + `}}]}`
				p := plan{Seed: uint64(seed), Net: sim.Options{Link: sim.Link{Latency: time.Millisecond}, OffloadMax: 3 * time.Millisecond}}
				w := newWorld(t, doc, p)
				const off = 11
				f := newFile(size + off)
				isHTTP := strings.Contains(c.client, `"h1"`) || strings.Contains(c.client, `"h2"`)
				raw := strings.Contains(c.client, "raw")
				txs := 0
				give := func(h *ss.Handle) ss.Ret {
					if err := h.SendFile(f, off, int64(size), ss.SOM|ss.EOM|ss.Binary); err != nil {
						t.Errorf("SendFile: %v", err)
					}
					if err := h.SendFile(f, off, 1, ss.EOM); !errors.Is(err, ss.ErrBlocked) {
						t.Errorf("a second SendFile: got %v, want ErrBlocked", err)
					}
					return ss.OK
				}
				var got []byte
				ended := false
				take := func(_ *ss.Handle, b []byte, fl ss.Flags) ss.Ret {
					got = append(got, b...)
					ended = ended || fl&ss.EOM != 0
					return ss.OK
				}
				play := func(s *script) {
					s.Stays = true
					s.OnTx = func(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) { txs++; return 0, 0, ss.TxDontSend }
				}
				w.Serve("srv", func(s *script) {
					s.Stays = true
					switch {
					case !c.fromServer:
						s.OnRx = func(h *ss.Handle, b []byte, fl ss.Flags) ss.Ret {
							if take(h, b, fl); isHTTP && fl&ss.EOM != 0 {
								h.ServerAck(0)
								return h.RequestTxLen(0)
							}
							return ss.OK
						}
					case isHTTP:
						play(s)
						s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret { h.ServerAck(0); return give(h) })
					case raw:
						play(s)
						s.When(ss.Connected, give)
					default:
						play(s)
						s.When(ss.ServerUpgrade, give)
					}
				})
				s := newScript()
				s.Stays, s.OnRx = true, take
				if !c.fromServer {
					play(s)
					if isHTTP {
						s.When(ss.Connecting, give)
					} else {
						s.When(ss.Connected, give)
					}
				}
				h := w.Create("c", s)
				h.Connect()
				w.Run("the file", func() bool {
					return len(got) >= size && (raw || ended || isHTTP && s.Told(ss.Disconnected) > 0) && f.closed > 0
				})
				w.Settle()
				if !bytes.Equal(got, f.all()[off:]) || f.closed != 1 {
					t.Errorf("%d bytes: %d arrived, the same ones: %v; closed %d times, want once", size, len(got), bytes.Equal(got, f.all()[off:]), f.closed)
				}
				if !isHTTP && txs == 0 {
					t.Errorf("%d bytes: Tx was not called when the file was sent", size)
				}
				for _, m := range []*sstest.Machine{w.Client, w.Server} {
					if n := m.Loop.Account().UsedBy(uint8(roles.HoldProgram)); n != 0 {
						t.Errorf("%d bytes: %d are charged when the file is sent, want 0", size, n)
					}
				}
				h.Destroy()
				w.End()
			}
		})
	}
}

// TestSendFileCutShort: a file that cannot be read to its end, and a connection that ends before it, leave nothing behind, and
// the peer sees no whole message.
func TestSendFileCutShort(t *testing.T) {
	for _, c := range []struct {
		name string
		file func() *file
		end  func(w *world, s *script, h *ss.Handle)
	}{
		{"a read that fails", func() *file { f := newFile(400_000); f.fails = 300_000; return f }, nil},
		{"a file that is too short", func() *file { return newFile(390_000) }, nil},
		{"the client goes", func() *file { return newFile(400_000) }, func(_ *world, _ *script, h *ss.Handle) { h.Destroy() }},
		{"the server's stream goes", func() *file { return newFile(400_000) }, func(w *world, _ *script, _ *ss.Handle) { w.Accepted[0].Handle.Destroy() }},
	} {
		overEach(t, func(t *testing.T, proto string) {
			w := newWorld(t, clientDoc(fmt.Sprintf(`"protocol":%q,"retry":"none","opportunistic":true`, proto),
				`,{"srv":{"server":true,"port":80,"protocol":"h2"}}`), plan{Net: sim.Options{Link: sim.Link{Latency: 5 * time.Millisecond}}})
			f := c.file()
			w.Serve("srv", func(s *script) {
				s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
					h.ServerAck(0)
					if err := h.SendFile(f, 0, 400_000, ss.EOM); err != nil {
						t.Errorf("SendFile: %v", err)
					}
					return ss.OK
				})
			})
			s := newScript()
			h := w.Create("c", s)
			h.Connect()
			if c.end != nil {
				w.Run("some of the file", func() bool { return len(s.Got) > 0 })
				c.end(w, s, h)
			} else {
				w.Run("the end", func() bool { return s.Told(ss.Disconnected)+s.Told(ss.Unreachable) > 0 })
				if s.Told(ss.QOSAckRemote) > 0 {
					t.Errorf("%s: the client took %d bytes for the whole", c.name, len(s.Got))
				}
			}
			w.Run("the file closed", func() bool { return f.closed == 1 })
			h.Destroy()
			w.End()
		})
	}
}

// TestSendFileHead: the head announces the file's length, and a response to HEAD has it alone.
func TestSendFileHead(t *testing.T) {
	for _, c := range []struct {
		method string
		body   int
	}{{"GET", 300_000}, {"HEAD", 0}} {
		w := newWorld(t, `{"s":[{"srv":{"server":true,"port":80,"protocol":"h1"}}]}`, plan{})
		f := newFile(300_000)
		w.Serve("srv", func(s *script) {
			s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
				h.ServerAck(0)
				if err := h.SendFile(f, 0, f.Size(), ss.EOM); err != nil {
					t.Errorf("SendFile: %v", err)
				}
				return ss.OK
			})
		})
		b := w.bare(c.method + " / HTTP/1.1\r\nHost: x\r\n\r\n")
		var all string
		for range 50 {
			w.Advance(10 * time.Millisecond)
			text, _ := b.read()
			all += text
		}
		head, body, _ := strings.Cut(all, "\r\n\r\n")
		if !strings.HasPrefix(head, "HTTP/1.1 200 ") || !strings.Contains(head, "\r\nContent-Length: 300000") || len(body) != c.body {
			t.Errorf("%s: the head is %q and the body has %d bytes, want 200, Content-Length 300000 and %d", c.method, head, len(body), c.body)
		}
		if f.closed != 1 {
			t.Errorf("%s: the file was closed %d times, want once", c.method, f.closed)
		}
		b.abort()
		w.End()
	}
}
