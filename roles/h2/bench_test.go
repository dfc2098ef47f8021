package h2

import (
	"encoding/binary"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// wire is a cheap Lower, so that only the role is measured.
type wire struct {
	rolestest.Null
	up   roles.Upper
	out  []byte
	want bool
	n    int
}

func (w *wire) Room(int) []byte { return w.out }
func (w *wire) Commit(n int)    { w.n += n }
func (w *wire) WantWrite()      { w.want = true }

func (w *wire) feed(b []byte) {
	for len(b) > 0 || w.want {
		b = b[w.up.Rx(time.Second, b):]
		if w.want {
			w.want = false
			w.up.Writable(time.Second)
		}
	}
}

// fast answers every request with its message and body, and allocates nothing.
type fast struct {
	m    http.Message
	body []byte
	got  int
	done int
}

func (h *fast) Head(http.Exchange, *http.Message)   {}
func (h *fast) Body(_ http.Exchange, b []byte)      { h.got += len(b) }
func (h *fast) End(x http.Exchange, _ []http.Field) { x.WantWrite() }
func (h *fast) Done(_ http.Exchange, cause error)   { h.done++ }
func (h *fast) Writable(x http.Exchange) {
	if err := x.SendHead(&h.m, false); err != nil {
		panic(err)
	}
	x.Commit(copy(x.Room(), h.body), true)
}

// requests makes equal requests of a client, as h2load does, from stream id on.
type requests struct {
	block []byte
	last  []byte // a whole frame
	enc   *hpack.Encoder
}

func (r *requests) Write(p []byte) (int, error) { r.block = append(r.block, p...); return len(p), nil }

func (r *requests) add(b []byte, id uint32) []byte {
	if r.enc == nil {
		r.enc = hpack.NewEncoder(r)
	}
	if id > 5 {
		// Everything is in the table now, and the block is the same each time.
		n := len(b)
		b = append(b, r.last...)
		binary.BigEndian.PutUint32(b[n+5:], id)
		return b
	}
	r.block = r.block[:0]
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":path", Value: "/"}, {Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: "127.0.0.1:7700"}, {Name: "user-agent", Value: "h2load nghttp2/1.52.0"},
	} {
		r.enc.WriteField(f)
	}
	var h [headerLen]byte
	frame{length: uint32(len(r.block)), typ: frameHeaders, flags: flagEndHeaders | flagEndStream, stream: id}.put(h[:])
	r.last = append(append(r.last[:0], h[:]...), r.block...)
	return append(b, r.last...)
}

func BenchmarkServer(b *testing.B) {
	sh := NewShared(DefaultConfig())
	w := &wire{out: make([]byte, 1<<16)}
	h := &fast{m: http.Message{Status: 200, Length: 6, Fields: []http.Field{field("content-type", "text/plain")}}, body: []byte("hello\n")}
	var s Server
	var r requests
	const batch = 32 // requests that come in one read
	buf := make([]byte, 0, 1<<14)
	id := uint32(0)
	start := func() {
		s.Init(sh, w, acceptFunc(func(*Server) http.Handler { return h }))
		w.up = &s
		s.Opened(time.Second)
		w.feed([]byte(preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
		r, id = requests{}, 1
	}
	start()
	b.ReportAllocs()
	for i := 0; i < b.N; i += batch {
		if id > maxWindow-2*batch {
			start()
		}
		buf = append(buf[:0], 0, 0, 4, byte(frameWindow), 0, 0, 0, 0, 0, 0, 0, byte(batch*len(h.body)>>8), byte(batch*len(h.body)))
		for range batch {
			buf = r.add(buf, id)
			id += 2
		}
		w.feed(buf)
	}
	if sh.Counters.ResetsOut > 0 {
		b.Fatalf("%+v", sh.Counters)
	}
	if h.done < b.N {
		b.Fatalf("%d of %d requests are done", h.done, b.N)
	}
}
