package raw

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/rolestest"
)

// echo sends its input back, pauses while it has output, and records its calls.
type echo struct {
	lines []string
	held  []byte
}

func (e *echo) note(format string, a ...any) { e.lines = append(e.lines, fmt.Sprintf(format, a...)) }

func (e *echo) Opened(c *Conn) { e.note("opened") }

func (e *echo) Rx(c *Conn, b []byte) {
	e.held = append(e.held, b...)
	c.Pause()
	c.WantWrite()
}

func (e *echo) RxEnd(c *Conn) {
	e.note("end")
	c.Close(roles.Graceful, nil)
}

func (e *echo) Writable(c *Conn) {
	e.held = e.held[:copy(e.held, e.held[c.Send(e.held):])]
	if len(e.held) > 0 {
		c.WantWrite()
		return
	}
	c.Resume()
}

func (e *echo) Closed(c *Conn, cause error) { e.note("closed: %v", cause) }

func open() (*echo, *rolestest.Lower) {
	h, l, c := new(echo), rolestest.New(), new(Conn)
	c.Init(l, h)
	l.Open(c)
	return h, l
}

func TestBytesPassThrough(t *testing.T) {
	in := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	rolestest.Splits(t, in, 5, func(how string, feed func(func([]byte))) {
		h, l := open()
		feed(l.Feed)
		l.End()
		if !bytes.Equal(l.Out, in) {
			t.Errorf("%s: got %d bytes of output, want the %d bytes of input", how, len(l.Out), len(in))
		}
		if got, want := strings.Join(h.lines, ", "), "opened, end, closed: <nil>"; got != want {
			t.Errorf("%s: got the calls %q, want %q", how, got, want)
		}
		if l.Misuse != "" {
			t.Errorf("%s: %s", how, l.Misuse)
		}
	})
}

func TestBackpressure(t *testing.T) {
	h, l := open()
	l.Allow = 8
	l.Feed([]byte("first"))
	l.Feed([]byte("second"))
	l.Feed([]byte("third"))
	if !l.Paused || string(l.Out) != "firstsecond" {
		t.Errorf("with a full transport: got paused %v, output %q; want true, %q", l.Paused, l.Out, "firstsecond")
	}
	l.Allow = 0
	l.Service()
	if got, want := string(l.Out), "firstsecondthird"; got != want {
		t.Errorf("output once the transport takes more: got %q, want %q", got, want)
	}
	lost := errors.New("cable pulled")
	l.Break(lost)
	if got := h.lines[len(h.lines)-1]; got != "closed: cable pulled" {
		t.Errorf("last call after a loss: got %q, want %q", got, "closed: cable pulled")
	}
}

func TestSetHandler(t *testing.T) {
	_, l := open()
	c, second := l.Upper().(*Conn), new(echo)
	c.SetHandler(second)
	l.Feed([]byte("x"))
	l.End()
	if got, want := strings.Join(second.lines, ", "), "end, closed: <nil>"; got != want || string(l.Out) != "x" {
		t.Errorf("second handler: got the calls %q, output %q; want %q, %q", got, l.Out, want, "x")
	}
	if l.Upper().Deadline() != 0 {
		t.Errorf("Deadline: got %v, want 0", l.Upper().Deadline())
	}
}

func TestSize(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n > 32 {
		t.Errorf("size of a Conn: got %d bytes, want at most 32", n)
	}
}

// counter sends as many bytes as it receives, without a copy.
type counter struct {
	echo
	n int
}

func (k *counter) Rx(c *Conn, b []byte) {
	k.n += len(b)
	c.WantWrite()
}

func (k *counter) Writable(c *Conn) {
	c.Commit(min(k.n, len(c.Room(1))))
	k.n = 0
}

func TestNoAllocations(t *testing.T) {
	l, c := rolestest.New(), new(Conn)
	c.Init(l, new(counter))
	l.Open(c)
	msg := make([]byte, 1024)
	n := testing.AllocsPerRun(100, func() {
		l.Out = l.Out[:0]
		l.Feed(msg)
	})
	if n != 0 {
		t.Errorf("got %v allocations per message, want 0", n)
	}
}

func BenchmarkMessage(b *testing.B) {
	l, c := rolestest.New(), new(Conn)
	c.Init(l, new(counter))
	l.Open(c)
	msg := make([]byte, 1024)
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		l.Out = l.Out[:0]
		l.Feed(msg)
	}
}

// Send works without Writable, copies what is short and lends what is long, and takes what the transport takes.
func TestSend(t *testing.T) {
	long := bytes.Repeat([]byte("long"), roles.LendMin)
	for _, c := range []struct {
		name                      string
		b                         []byte
		refuse                    bool
		lendMost, takeMost, allow int
		want, lent                int
	}{
		{name: "short", b: []byte("short"), lendMost: 1 << 16, want: 5},
		{name: "long", b: long, lendMost: 1 << 16, want: len(long), lent: len(long)},
		{name: "long, by copying", b: long, want: len(long)},
		{name: "more than is held", b: long, lendMost: 1, takeMost: 1000, want: 1000, lent: 1000},
		{name: "of which nothing is taken", b: long, lendMost: 1},
		{name: "refused", b: long, refuse: true, lendMost: 1 << 16},
		{name: "refused within", b: long, allow: 1, want: len(long)},
	} {
		_, l := open()
		l.Refuse, l.LendMost, l.TakeMost, l.Allow = c.refuse, c.lendMost, c.takeMost, c.allow
		n := l.Upper().(*Conn).Send(c.b)
		if n != c.want || l.Lent != c.lent || string(l.Out) != string(c.b[:n]) || l.Misuse != "" {
			t.Errorf("%s: took %d, lent %d, sent %d bytes (%s), want %d, %d and the same", c.name, n, l.Lent, len(l.Out), l.Misuse, c.want, c.lent)
		}
	}
}

func TestSendAllocatesNothing(t *testing.T) {
	_, l := open()
	c := l.Upper().(*Conn)
	l.LendMost = 1 << 16
	b := make([]byte, 8<<10)
	if n := testing.AllocsPerRun(100, func() { l.Out = l.Out[:0]; c.Send(b); c.Send(b[:100]) }); n != 0 {
		t.Errorf("%v allocations for a Send, want 0", n)
	}
}
