package ws

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// recorder is a Handler that records its calls, one line each, with the pieces of a message joined. The functions, if set,
// run after the call was recorded.
type recorder struct {
	lines    []string
	open     bool // the last line is a message that has not ended
	onOpen   func(c *Conn)
	onRx     func(c *Conn, b []byte, f Flags)
	writable func(c *Conn)
	onClose  func(c *Conn, code Code)
	cause    error
	closed   int
}

func (r *recorder) note(format string, a ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, a...))
	r.open = false
}

func (r *recorder) Opened(c *Conn) {
	if r.onOpen != nil {
		r.onOpen(c)
	}
}

func (r *recorder) Rx(c *Conn, b []byte, f Flags) {
	if f&First != 0 {
		kind := "text"
		if f&Binary != 0 {
			kind = "binary"
		}
		r.note("%s [", kind)
	} else if !r.open {
		r.note("[")
	}
	line := &r.lines[len(r.lines)-1]
	*line += string(b)
	r.open = true
	if f&Last != 0 {
		*line += "]"
		r.open = false
	}
	if r.onRx != nil {
		r.onRx(c, b, f)
	}
}

func (r *recorder) Writable(c *Conn) {
	if r.writable != nil {
		r.writable(c)
	}
}

func (r *recorder) Pong(_ *Conn, b []byte) { r.note("pong %s", b) }

func (r *recorder) Closing(c *Conn, code Code, reason []byte) {
	r.note("closing %v %s", code, reason)
	if r.onClose != nil {
		r.onClose(c, code)
	}
}

func (r *recorder) Closed(_ *Conn, cause error) {
	r.closed++
	r.cause = cause
	if cause != nil {
		r.note("closed: %v", cause)
		return
	}
	r.note("closed")
}

func (r *recorder) String() string { return strings.Join(r.lines, "\n") }

// echo makes r send each piece back, and queue pieces until there is room.
func (r *recorder) echo() *recorder {
	type kept struct {
		b []byte
		f Flags
	}
	var queue []kept
	r.onRx = func(c *Conn, b []byte, f Flags) {
		queue = append(queue, kept{bytes.Clone(b), f})
		c.WantWrite()
	}
	r.writable = func(c *Conn) {
		for len(queue) > 0 {
			k := queue[0]
			if len(k.b) == 0 {
				if err := c.Commit(0, k.f); err != nil {
					c.WantWrite()
					return
				}
				queue = queue[1:]
				continue
			}
			n, err := c.Send(k.b, k.f)
			if err != nil {
				panic(err)
			}
			if n < len(k.b) {
				if n > 0 {
					k.f &^= First
				}
				queue[0] = kept{k.b[n:], k.f}
				c.WantWrite()
				return
			}
			queue = queue[1:]
		}
	}
	return r
}

// testRand is a Config.Rand with a fixed result.
func testRand(p []byte) {
	for i := range p {
		p[i] = byte(i*7 + 1)
	}
}

func newConfig() Config {
	c := DefaultConfig()
	c.Rand = testRand
	return c
}

func newShared() *Shared { return NewShared(newConfig()) }

// open opens a connection over a new Lower.
func open(sh *Shared, client bool, a Agreed, h Handler) (*Conn, *rolestest.Lower) {
	c, l := new(Conn), rolestest.New()
	if a := accounts[sh]; a != nil {
		l.OnHold = a.hold
	}
	c.Init(sh, l, client, a, h)
	l.Open(c)
	return c, l
}

// feeder returns a function that feeds l and runs the later turns of the loop that this needs.
func feeder(l *rolestest.Lower) func(b []byte) {
	return func(b []byte) {
		l.Feed(b)
		l.Sleep(0)
	}
}

func serve(h Handler) (*Conn, *rolestest.Lower) { return open(newShared(), false, Agreed{}, h) }
func dial(h Handler) (*Conn, *rolestest.Lower)  { return open(newShared(), true, Agreed{}, h) }

// packed returns an agreement on compression without context takeover.
func packed() Agreed {
	return Agreed{Deflate: true, Params: Params{ServerFresh: true, ClientFresh: true, ServerBits: 15, ClientBits: 15}}
}

// frame returns an encoded frame, masked with a fixed key if masked is set.
func frame(masked bool, bits byte, payload string) []byte {
	b := []byte{bits}
	m := byte(0)
	if masked {
		m = bitMask
	}
	switch n := len(payload); {
	case n <= maxControl:
		b = append(b, m|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, m|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, m|127), uint64(n))
	}
	if masked {
		b = append(b, 0xa1, 0x42, 0x93, 0x04)
	}
	at := len(b)
	b = append(b, payload...)
	if masked {
		maskPlain(b[at:], [4]byte{0xa1, 0x42, 0x93, 0x04}, 0)
	}
	return b
}

// frames decodes frames, one line each.
func frames(t testing.TB, masked bool, b []byte) (lines []string) {
	t.Helper()
	for len(b) > 0 {
		var h header
		f := h.first(b[0], true)
		n := 0
		if f == nil {
			n, f = h.rest(b, masked)
		}
		if f != nil || n == 0 || uint64(len(b)-n) < h.length {
			t.Fatalf("sent: got no valid frame: %v, %q", f, b)
		}
		p := bytes.Clone(b[n : n+int(h.length)])
		b = b[n+int(h.length):]
		if masked {
			mask(p, h.key)
		}
		s := map[byte]string{0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}[h.op()]
		if h.bits&bitRSV1 != 0 {
			s += " packed"
		}
		if h.op() == opClose {
			s += closeText(p)
		} else {
			s += fmt.Sprintf(" [%s", p)
			if h.fin() {
				s += "]"
			}
		}
		lines = append(lines, s)
	}
	return lines
}

func closeText(p []byte) string {
	if len(p) < 2 {
		return ""
	}
	s := fmt.Sprintf(" %d", binary.BigEndian.Uint16(p))
	if len(p) > 2 {
		s += " " + string(p[2:])
	}
	return s
}

// closeBody is a Close frame's payload.
func closeBody(code int, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

// wantSent compares the frames that were sent, and discards them.
func wantSent(t *testing.T, l *rolestest.Lower, masked bool, want ...string) {
	t.Helper()
	if got := strings.Join(frames(t, masked, l.Out), "\n"); got != strings.Join(want, "\n") {
		t.Errorf("sent: got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	l.Out = l.Out[:0]
	if l.Misuse != "" {
		t.Errorf("misuse: %s", l.Misuse)
	}
}

func wantCalls(t *testing.T, h *recorder, want ...string) {
	t.Helper()
	if got := h.String(); got != strings.Join(want, "\n") {
		t.Errorf("calls: got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	h.lines, h.open = nil, false
}

func wantClosed(t *testing.T, l *rolestest.Lower, mode roles.CloseMode, cause string) {
	t.Helper()
	if !l.Closing || l.Mode != mode || !strings.Contains(errText(l.Cause), cause) || (cause == "") != (l.Cause == nil) {
		t.Errorf("got closing %v, mode %v, cause %v; want true, mode %v, cause %q", l.Closing, l.Mode, l.Cause, mode, cause)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// codeOf returns the close code of err, 0 if it has none.
func codeOf(err error) Code {
	var f *http.ProtocolError
	if errors.As(err, &f) {
		return Code(f.Status)
	}
	return 0
}

// deflated compresses a message as in RFC 7692 s.7.2.1 with compress/flate; it may refer to hist.
func deflated(s, hist string) string {
	var b bytes.Buffer
	w, err := flate.NewWriterDict(&b, 6, []byte(hist))
	if err != nil {
		panic(err)
	}
	w.Write([]byte(s))
	w.Flush()
	return strings.TrimSuffix(b.String(), string(tail))
}
