package h1

import (
	"bytes"
	"testing"
	"time"
	"unsafe"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// wire is a Lower for benchmarks: it follows the contract and costs almost nothing, so that a benchmark measures the role.
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
	for {
		n := w.up.Rx(time.Second, b)
		b = b[n:]
		if w.want {
			w.want = false
			w.up.Writable(time.Second)
			n++
		}
		if n == 0 || len(b) == 0 && !w.want {
			return
		}
	}
}

// fast answers each request with its message and body, without allocation.
type fast struct {
	m    http.Message
	body []byte
	got  int
}

func (h *fast) Head(http.Exchange, *http.Message)   {}
func (h *fast) Body(_ http.Exchange, b []byte)      { h.got += len(b) }
func (h *fast) End(x http.Exchange, _ []http.Field) { x.WantWrite() }
func (h *fast) Done(_ http.Exchange, cause error)   {}
func (h *fast) Writable(x http.Exchange) {
	if err := x.SendHead(&h.m, false); err != nil {
		panic(err)
	}
	x.Commit(copy(x.Room(), h.body), true)
}

// asker makes requests without allocation.
type asker struct {
	m     http.Message
	got   int
	cause error
}

func (h *asker) Head(http.Exchange, *http.Message) {}
func (h *asker) Body(_ http.Exchange, b []byte)    { h.got += len(b) }
func (h *asker) End(http.Exchange, []http.Field)   {}
func (h *asker) Done(_ http.Exchange, cause error) { h.cause = cause }
func (h *asker) Writable(x http.Exchange) {
	if err := x.SendHead(&h.m, true); err != nil {
		panic(err)
	}
}

func newWireServer(c *Shared) *wire {
	w := &wire{out: make([]byte, 2*roles.MaxRoom)}
	s := new(Server)
	s.Init(c, w, &fast{m: http.Message{Status: 200, Length: 5}, body: []byte("hello")})
	w.up = s
	s.Opened(time.Second)
	return w
}

func newWireClient(c *Shared) (*wire, *Client) {
	w := &wire{out: make([]byte, 2*roles.MaxRoom)}
	k := new(Client)
	k.Init(c, w)
	w.up = k
	k.Opened(time.Second)
	return w, k
}

var (
	get      = []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	browser  = []byte("GET /static/app.js?v=8 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nReferer: https://www.example.com/index.html\r\nConnection: keep-alive\r\nCookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\nSec-Fetch-Dest: script\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Site: same-origin\r\n\r\n")
	answered = []byte("HTTP/1.1 200 OK\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Length: 5\r\n\r\nhello")
)

func post(n int) []byte {
	return append([]byte("POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 16384\r\n\r\n"), bytes.Repeat([]byte("x"), n)...)
}

func chunkedPost(chunks, size int) []byte {
	b := []byte("POST /up HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	for range chunks {
		b = append(b, hexDigits[size>>12], hexDigits[size>>8&15], hexDigits[size>>4&15], hexDigits[size&15], '\r', '\n')
		b = append(b, bytes.Repeat([]byte("x"), size)...)
		b = append(b, "\r\n"...)
	}
	return append(b, "0\r\n\r\n"...)
}

// TestNoAllocations: a request allocates nothing at either end in steady state.
func TestNoAllocations(t *testing.T) {
	date := []byte("Mon, 02 Jan 2006 15:04:05 GMT")
	sh := sharedWith(func(c *Config) { c.Date, c.ServerName = func() []byte { return date }, "millrace" })
	w := newWireServer(sh)
	for _, r := range []struct {
		name string
		in   []byte
	}{{"GET", get}, {"GET of a browser", browser}, {"POST", post(16384)}, {"chunked POST", chunkedPost(4, 4096)}} {
		if n := testing.AllocsPerRun(100, func() { w.feed(r.in) }); n != 0 {
			t.Errorf("server, %s: got %v allocations per request, want 0", r.name, n)
		}
	}
	wc, k := newWireClient(NewShared(DefaultConfig()))
	h := &asker{m: http.Message{Method: []byte("GET"), Path: []byte("/x"), Authority: []byte("example.com")}}
	n := testing.AllocsPerRun(100, func() {
		if _, err := k.Do(h); err != nil {
			t.Fatal(err)
		}
		wc.feed(nil)
		wc.feed(answered)
		if !k.Reusable() || h.cause != nil {
			t.Fatalf("the exchange did not end: %v", h.cause)
		}
	})
	if n != 0 {
		t.Errorf("client: got %v allocations per request, want 0", n)
	}
}

// TestIdleSize bounds the memory of an idle connection.
func TestIdleSize(t *testing.T) {
	if n := unsafe.Sizeof(Server{}); n > 80 {
		t.Errorf("size of a Server: got %d bytes, want at most 80", n)
	}
	if n := unsafe.Sizeof(Client{}); n > 96 {
		t.Errorf("size of a Client: got %d bytes, want at most 96", n)
	}
}

func benchServer(b *testing.B, in []byte, requests int) {
	w := newWireServer(NewShared(DefaultConfig()))
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		w.feed(in)
	}
	if requests > 1 {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*requests), "ns/request")
	}
}

func BenchmarkServerGET(b *testing.B)          { benchServer(b, get, 1) }
func BenchmarkServerGETBrowser(b *testing.B)   { benchServer(b, browser, 1) }
func BenchmarkServerGETPipelined(b *testing.B) { benchServer(b, bytes.Repeat(get, 16), 16) }
func BenchmarkServerPOST16K(b *testing.B)      { benchServer(b, post(16384), 1) }
func BenchmarkServerChunked(b *testing.B)      { benchServer(b, chunkedPost(16, 1024), 1) }

// BenchmarkParse parses and checks a head.
func BenchmarkParse(b *testing.B) {
	for _, r := range []struct {
		name string
		in   []byte
	}{{"small", get}, {"browser", browser}} {
		b.Run(r.name, func(b *testing.B) {
			sh := NewShared(DefaultConfig())
			var p scan
			b.SetBytes(int64(len(r.in)))
			b.ReportAllocs()
			for b.Loop() {
				if n, f := p.section(sh, requestHead, &sh.msg, r.in); n != len(r.in) || f != nil {
					b.Fatal(n, f)
				}
				if f := request(sh, &sh.msg, false); f != nil {
					b.Fatal(f)
				}
			}
		})
	}
}

func BenchmarkClientGET(b *testing.B) {
	w, k := newWireClient(NewShared(DefaultConfig()))
	h := &asker{m: http.Message{Method: []byte("GET"), Path: []byte("/x"), Authority: []byte("example.com")}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Do(h); err != nil {
			b.Fatal(err)
		}
		w.feed(nil)
		w.feed(answered)
	}
}

// BenchmarkSendChunked sends a response of 1 MiB in chunks.
func BenchmarkSendChunked(b *testing.B) {
	w := newWireServer(NewShared(DefaultConfig()))
	s := w.up.(*Server)
	body := make([]byte, http.MinRoom)
	s.h = &streamer{head: http.Message{Status: 200, Length: http.UnknownLength}, body: body}
	b.SetBytes(64 * int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		w.feed(get)
	}
}

type streamer struct {
	fast
	head http.Message
	body []byte
}

func (h *streamer) Writable(x http.Exchange) {
	if err := x.SendHead(&h.head, false); err != nil {
		panic(err)
	}
	for i := range 64 {
		x.Commit(copy(x.Room(), h.body), i == 63)
	}
}
