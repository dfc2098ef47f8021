package ws

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/rolestest"
)

// wire is a Lower for benchmarks: it obeys the contract and costs almost nothing, so that the role is measured.
type wire struct {
	rolestest.Null
	up   roles.Upper
	out  []byte
	want bool
	n    int
	now  time.Duration
}

func (w *wire) Room(int) []byte { return w.out }
func (w *wire) Commit(n int)    { w.n += n }
func (w *wire) WantWrite()      { w.want = true }

func (w *wire) feed(b []byte) {
	w.now += time.Millisecond
	for len(b) > 0 || w.want {
		n := w.up.Rx(w.now, b)
		b = b[n:]
		if w.want {
			w.want = false
			w.up.Writable(w.now)
		}
		if n == 0 && len(b) > 0 {
			panic("stuck")
		}
	}
}

// mirror sends each message back in one piece and allocates nothing.
type mirror struct {
	msg  []byte
	kind Flags
}

func (h *mirror) Opened(*Conn)                {}
func (h *mirror) Pong(*Conn, []byte)          {}
func (h *mirror) Closing(*Conn, Code, []byte) {}
func (h *mirror) Closed(*Conn, error)         {}
func (h *mirror) Rx(c *Conn, b []byte, f Flags) {
	if f&First != 0 {
		h.msg = h.msg[:0]
	}
	if h.msg, h.kind = append(h.msg, b...), f&Binary; f&Last != 0 {
		c.WantWrite()
	}
}
func (h *mirror) Writable(c *Conn) {
	n, err := c.Send(h.msg, First|Last|h.kind)
	if n < len(h.msg) || err != nil {
		panic(err)
	}
}

func newWire(client bool, a Agreed) *wire {
	w := &wire{out: make([]byte, 4*roles.MaxRoom)}
	c := new(Conn)
	cfg := newConfig()
	cfg.Limits.Control = 0 // a benchmark's second is long
	sh := NewShared(cfg)
	c.Init(sh, w, client, a, &mirror{msg: make([]byte, 0, 64<<10)})
	w.up = c
	c.Opened(time.Second)
	return w
}

var traffic = []struct {
	name string
	in   []part
}{
	{"binary 64", []part{bin1(prose(64))}},
	{"text 64", []part{text1(prose(64))}},
	{"binary 1K", []part{bin1(prose(1 << 10))}},
	{"binary 16K", []part{bin1(prose(16000))}},
	{"text 16K", []part{text1(prose(16000))}},
	{"16 of 64", []part{bin1(prose(64)), bin1(prose(64)), bin1(prose(64)), bin1(prose(64)), bin1(prose(64)), bin1(prose(64)), bin1(prose(64)), bin1(prose(64)), bin1(prose(64)), bin1(prose(64)), bin1(prose(64)), bin1(prose(64)), bin1(prose(64)), bin1(prose(64)), bin1(prose(64)), bin1(prose(64))}},
	{"fragments", []part{textA(prose(100)), pingF("p"), more(prose(1000)), fin("")}},
	{"ping", []part{pingF("are you there")}},
}

// refill copies the input, which is unmasked in place.
func refill(dst, b []byte) []byte { return append(dst[:0], b...) }

// TestNoAllocations checks that the steady state allocates nothing per message, on either side.
func TestNoAllocations(t *testing.T) {
	sides(func(side string, client bool) {
		for _, a := range []Agreed{{}, packed()} {
			w := newWire(client, a)
			for _, r := range traffic {
				b := bytesOf(client, r.in)
				buf := make([]byte, 0, len(b))
				if n := testing.AllocsPerRun(100, func() { w.feed(refill(buf, b)) }); n != 0 && !a.Deflate {
					t.Errorf("%s, %s: %v allocations, want 0", side, r.name, n)
				} else if n > 0.5 && !poolsLeak {
					t.Errorf("%s, %s, compressed answers: %v allocations, want none without context", side, r.name, n)
				}
			}
		}
		w := newWire(client, packed())
		b := bytesOf(client, []part{{rsvText, deflated(prose(3000), "")}})
		buf := make([]byte, 0, len(b))
		if n := testing.AllocsPerRun(100, func() { w.feed(refill(buf, b)) }); n > 0.5 && !poolsLeak {
			t.Errorf("%s, compressed both ways: %v allocations, want none without context", side, n)
		}
	})
}

// BenchmarkEcho measures a message in and the same message out, with the copy of the input that the kernel makes in a
// program.
func BenchmarkEcho(b *testing.B) {
	sides(func(side string, client bool) {
		for _, r := range traffic {
			b.Run(fmt.Sprintf("%s/%s", side, r.name), func(b *testing.B) {
				w := newWire(client, Agreed{})
				in := bytesOf(client, r.in)
				buf := make([]byte, 0, len(in))
				b.SetBytes(int64(len(in)))
				b.ReportAllocs()
				for b.Loop() {
					w.feed(refill(buf, in))
				}
			})
		}
	})
}

// BenchmarkDeflate is BenchmarkEcho with compression in both directions.
func BenchmarkDeflate(b *testing.B) {
	for _, fresh := range []bool{true, false} {
		for _, n := range []int{64, 500, 4000, 16000} {
			name := "alone"
			if !fresh {
				name = "context"
			}
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				a := Agreed{Deflate: true, Params: Params{ServerFresh: fresh, ClientFresh: fresh, ServerBits: 15, ClientBits: 15}}
				w := newWire(false, a)
				in := bytesOf(false, []part{{rsvText, deflated(prose(n), "")}})
				buf := make([]byte, 0, len(in))
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					w.feed(refill(buf, in))
				}
			})
		}
	}
}

// BenchmarkContext measures the cost of context takeover when sending: the stateless writer, which reads the last 8 KiB
// again for each message, against a writer per connection.
func BenchmarkContext(b *testing.B) {
	msg := []byte(prose(500))
	b.Run("shown again", func(b *testing.B) {
		a := packed()
		a.Params.ServerFresh = false
		w := newWire(false, a)
		c := w.up.(*Conn)
		b.ReportAllocs()
		for b.Loop() {
			c.Send(msg, First|Last)
		}
	})
	for _, level := range []int{1, 5} {
		b.Run(fmt.Sprintf("writer kept/level %d", level), func(b *testing.B) {
			var out bytes.Buffer
			w := newWriter(&out, level)
			b.ReportAllocs()
			for b.Loop() {
				out.Reset()
				w.Write(msg)
				w.Flush()
			}
		})
		b.Run(fmt.Sprintf("writer made/level %d", level), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := newWriter(new(bytes.Buffer), level)
				w.Write(msg)
				w.Flush()
			}
		})
	}
}
