package ss_test

import (
	"encoding/binary"
	"testing"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/ss"
)

// h2feed makes the input of an HTTP/2 client, read by read, for an instant server that answers six bytes.
type h2feed struct {
	sys  *instant
	next uint32 // stream
	deep int
	post bool
}

// frame appends one.
func frame(b []byte, typ, flags byte, stream uint32, p ...byte) []byte {
	b = append(b, byte(len(p)>>16), byte(len(p)>>8), byte(len(p)), typ, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, p...)
}

// first is the preface, settings, their acknowledgement, and a request that has hpack remember an authority.
func (f *h2feed) first() {
	b := append(f.sys.feed[:0], "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"...)
	b = frame(b, 4, 0, 0)
	b = frame(b, 4, 1, 0)
	// GET, http, /, and :authority as a literal with indexing (RFC 7541 s.6.2.1).
	b = frame(b, 1, 5, 1, 0x82, 0x86, 0x84, 0x41, 4, 'h', 'o', 's', 't')
	f.sys.feed, f.next = b, 3
}

// step makes the next read: deep requests, and a window for their answers.
func (f *h2feed) step() {
	b := f.sys.feed[:0]
	for range f.deep {
		if f.post {
			b = frame(b, 1, 4, f.next, 0x83, 0x86, 0x84, 0xbe)
			b = frame(b, 0, 1, f.next, 'h', 'e', 'l', 'l', 'o')
		} else {
			b = frame(b, 1, 5, f.next, 0x82, 0x86, 0x84, 0xbe)
		}
		f.next += 2
	}
	f.sys.feed = frame(b, 8, 0, 0, 0, 0, 0, byte(6*f.deep))
}

// newH2Feed opens a server with one connection of HTTP/2, whose first request is answered.
func newH2Feed(t testing.TB, deep int, st func() ss.Stream) (f *h2feed, l *loop.Loop, rt *ss.Runtime, step func()) {
	f = &h2feed{sys: newInstant(""), deep: deep}
	f.sys.feed = make([]byte, 0, 8<<10)
	l, rt = benchRuntime(t, f.sys, `{"s":[{"srv":{"server":true,"port":80,"protocol":"h2","timeout_ms":1000,
		"metadata":[{"mime":"content-type:"},{"path":""},{"method":""},{"q":""}]}}]}`)
	if _, err := rt.Create(ss.Info{StreamType: "srv", New: func(*ss.Handle) ss.Stream { return st() }}); err != nil {
		t.Fatal(err)
	}
	f.first()
	f.sys.accept = 1
	for range 4 {
		turn(t, l)
	}
	fd := f.sys.fds
	f.sys.arrive(fd)
	turn(t, l)
	if rt.Counters.Transactions != 1 {
		t.Fatal("the first request was not answered")
	}
	return f, l, rt, func() {
		was := rt.Counters.Transactions
		f.step()
		f.sys.arrive(fd)
		turn(t, l)
		if rt.Counters.Transactions != was+uint64(deep) {
			t.Fatalf("transactions: got %d, want %d more", rt.Counters.Transactions-was, deep)
		}
	}
}

// BenchmarkServerH2 is one request on each turn.
func BenchmarkServerH2(b *testing.B) { benchServerH2(b, 1) }

// BenchmarkServerH2Deep is sixteen requests in each read. ns/op is for one of them.
func BenchmarkServerH2Deep(b *testing.B) { benchServerH2(b, 16) }

func benchServerH2(b *testing.B, deep int) {
	_, _, _, step := newH2Feed(b, deep, func() ss.Stream { return hello{} })
	step()
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*deep), "ns/request")
}
