package h2

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/millrace/millrace/roles/http"
)

// SETTINGS, and windows that are large enough for a benchmark.
var (
	warmHello  = preface + warmSettings
	warmWindow = win(0, 1<<24)
)

const warmSettings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x00\x04\x01\x00\x00\x00\x00"

// asking is a handler that makes one request and counts what it receives.
type asking struct {
	m    http.Message
	left int // of the body, still to be sent
	x    http.Exchange
	got  int
	done int
}

func (h *asking) Head(http.Exchange, *http.Message) {}
func (h *asking) Body(_ http.Exchange, b []byte)    { h.got += len(b) }
func (h *asking) End(http.Exchange, []http.Field)   {}
func (h *asking) Done(_ http.Exchange, cause error) {
	if cause != nil {
		panic(cause)
	}
	h.x = nil
	h.done++
}
func (h *asking) Writable(x http.Exchange) {
	if h.x != x {
		if err := x.SendHead(&h.m, h.left == 0); err != nil {
			panic(err)
		}
		h.x = x
	}
	for h.left > 0 {
		r := x.Room()
		if r == nil {
			x.WantWrite()
			return
		}
		n := min(len(r), h.left)
		h.left -= n
		x.Commit(n, h.left == 0)
	}
}

// responses makes the frames of equal responses, whose fields are all in the table.
type responses struct {
	frames []byte
	enc    *hpack.Encoder
	block  strings.Builder
}

func (r *responses) make(id uint32, fields []hpack.HeaderField, body string) []byte {
	if r.enc == nil {
		r.enc = hpack.NewEncoder(&r.block)
	}
	r.block.Reset()
	for _, f := range fields {
		r.enc.WriteField(f)
	}
	return append(append(r.frames[:0], fr(frameHeaders, endH, id, r.block.String())...), data(id, endS, body)...)
}

// warmClient returns a client after some exchanges, with the frames of a response.
func warmClient(h *asking, fields []hpack.HeaderField) (c *Client, do func()) {
	cfg := DefaultConfig()
	cfg.Limits.Frames = 1 << 30
	w := &wire{out: make([]byte, 1<<16)}
	c = new(Client)
	c.Init(NewShared(cfg), w)
	w.up = c
	c.Opened(time.Second)
	w.feed([]byte(warmSettings))
	var r responses
	var frames []byte
	n := 0
	do = func() {
		if _, err := c.Do(h); err != nil {
			panic(err)
		}
		w.feed(nil)
		id := c.nextOut - 2
		if n++; n <= 3 {
			frames = r.make(id, fields, "hello\n")
		}
		// The response is the same on another stream.
		binary.BigEndian.PutUint32(frames[5:], id)
		binary.BigEndian.PutUint32(frames[len(frames)-6-4:], id)
		w.feed(frames)
	}
	for range 100 {
		do()
	}
	return c, do
}

var plainResponse = []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "content-type", Value: "text/plain"}, {Name: "server", Value: "x"}}

// warmServer returns a server after some requests; do makes the next request with block.
func warmServer(first, block string) (sh *Shared, h *fast, do func()) {
	cfg := DefaultConfig()
	cfg.Limits.Frames = 1 << 30
	sh = NewShared(cfg)
	w := &wire{out: make([]byte, 1<<16)}
	h = &fast{m: http.Message{Status: 200, Length: 6, Fields: []http.Field{field("content-type", "text/plain")}}, body: []byte("hello\n")}
	s := new(Server)
	s.Init(sh, w, acceptFunc(func(*Server) http.Handler { return h }))
	w.up = s
	s.Opened(time.Second)
	w.feed([]byte(warmHello))
	w.feed([]byte(warmWindow))
	w.feed([]byte(fr(frameHeaders, endH|endS, 1, first)))
	id := uint32(1)
	frame := []byte(fr(frameHeaders, endH|endS, id, block))
	do = func() {
		id += 2
		binary.BigEndian.PutUint32(frame[5:], id)
		w.feed(frame)
	}
	for range 100 {
		do()
	}
	return sh, h, do
}

// TestNothingIsAllocated: a request on a warm connection allocates nothing at either end, except in hpack: it
// allocates a string for each name and each value that arrives as a literal, and for each value sent that differs
// from the request before.
func TestNothingIsAllocated(t *testing.T) {
	names := blk(ask...)
	static := "\x82\x87\x84" // GET, https, /
	for _, c := range []struct {
		name, first, block string
		want               float64
	}{
		// \x41 is :authority as a literal that enters the table, \xbe its newest entry.
		{"all from tables", static + "\x41\x09a.example", static + "\xbe", 0},
		{"a value as a literal", static + "\x41\x09a.example", static + "\xbe" + "\x0f\x2b\x02ab", 1},
		{"a name and a value as literals", static + "\x41\x09a.example", static + "\xbe" + "\x10\x03x-y\x02ab", 2},
		{"four of each, one of them of one octet, which costs nothing", names, names, 7},
	} {
		sh, h, do := warmServer(c.first, c.block)
		before := h.done
		if n := testing.AllocsPerRun(200, do); n != c.want {
			t.Errorf("server, %s: %v allocations, want %v", c.name, n, c.want)
		}
		if h.done-before != 201 || sh.Counters.ResetsOut+sh.Counters.Malformed > 0 {
			t.Errorf("server, %s: %d requests are done; counted %+v", c.name, h.done-before, sh.Counters)
		}
	}
	h := &asking{m: get("/")}
	h.m.Fields = []http.Field{field("user-agent", "millrace"), field("accept", "*/*")}
	_, do := warmClient(h, plainResponse)
	before := h.done
	if n := testing.AllocsPerRun(200, do); n != 0 {
		t.Errorf("client: %v allocations, want none", n)
	}
	if h.done-before != 201 {
		t.Errorf("client: %d requests are done", h.done-before)
	}
}

func BenchmarkClient(b *testing.B) {
	h := &asking{m: get("/")}
	h.m.Fields = []http.Field{field("user-agent", "millrace"), field("accept", "*/*")}
	c, do := warmClient(h, plainResponse)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if c.nextOut > maxWindow-2 {
			_, do = warmClient(h, plainResponse)
		}
		do()
	}
}

// benchWindow is the window that a benchmark's peer opens at a time.
const benchWindow = 1 << 20

// BenchmarkSendData is a response without end: a server sends frames of 16 KiB. The handler writes no octets, so only
// the framing is measured.
func BenchmarkSendData(b *testing.B) {
	cfg := DefaultConfig()
	cfg.Timeouts = Timeouts{}
	w := &wire{out: make([]byte, 1<<16)}
	h := &endless{}
	s := new(Server)
	s.Init(NewShared(cfg), w, acceptFunc(func(*Server) http.Handler { return h }))
	w.up = s
	s.Opened(time.Second)
	w.feed([]byte(warmHello + getReq(1)))
	grant := []byte(win(0, benchWindow) + win(1, benchWindow))
	b.SetBytes(benchWindow)
	b.ReportAllocs()
	b.ResetTimer()
	was := w.n
	for range b.N {
		w.feed(grant)
	}
	if sent := w.n - was; sent < b.N*(benchWindow-1) {
		b.Fatalf("%d octets were sent, want %d", sent, b.N*benchWindow)
	}
}

// endless is a handler that sends without end.
type endless struct{ begun bool }

func (h *endless) Head(http.Exchange, *http.Message)   {}
func (h *endless) Body(http.Exchange, []byte)          {}
func (h *endless) End(x http.Exchange, _ []http.Field) { x.WantWrite() }
func (h *endless) Done(http.Exchange, error)           {}
func (h *endless) Writable(x http.Exchange) {
	if !h.begun {
		h.begun = true
		if err := x.SendHead(&http.Message{Status: 200, Length: http.UnknownLength}, false); err != nil {
			panic(err)
		}
	}
	if r := x.Room(); r != nil {
		x.Commit(len(r), false)
	}
	x.WantWrite()
}

// BenchmarkReceiveData is a request without end: a server receives frames of 16 KiB in reads of 64 KiB.
func BenchmarkReceiveData(b *testing.B) {
	cfg := DefaultConfig()
	cfg.Limits.Body = 0
	w := &wire{out: make([]byte, 1<<16)}
	h := &fast{}
	s := new(Server)
	s.Init(NewShared(cfg), w, acceptFunc(func(*Server) http.Handler { return h }))
	w.up = s
	s.Opened(time.Second)
	w.feed([]byte(warmHello + postReq(1)))
	frames := []byte(strings.Repeat(data(1, 0, strings.Repeat("x", 16384)), 4))
	b.SetBytes(4 * 16384)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		w.feed(frames)
	}
	if h.got != b.N*4*16384 {
		b.Fatalf("got %d octets, want %d", h.got, b.N*4*16384)
	}
}
