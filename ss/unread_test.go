package ss_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

var bulkBody = []byte(strings.Repeat("0123456789abcdef", 1<<16))

// bulk makes an accepted stream answer every request with a megabyte.
func bulk(s *script) {
	s.QuietTx = true
	s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
		s.Said, s.Say = 0, bulkBody
		h.ServerAck(0)
		return h.RequestTxLen(int64(len(bulkBody)))
	})
}

// h2Asks is the input of an HTTP/2 client with maximal windows and n requests.
func h2Asks(n int) string {
	frame := func(typ, flags byte, id uint32, payload string) string {
		return string([]byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), typ, flags,
			byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}) + payload
	}
	var b strings.Builder
	b.WriteString("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	b.WriteString(frame(4, 0, 0, "\x00\x04\x7f\xff\xff\xff")) // INITIAL_WINDOW_SIZE
	b.WriteString(frame(4, 1, 0, ""))
	b.WriteString(frame(8, 0, 0, "\x7f\xfe\x00\x00"))
	for i := range n {
		b.WriteString(frame(1, 5, uint32(2*i+1), "\x82\x86\x84\x41\x01x"))
	}
	return b.String()
}

// TestClientsThatDoNotRead: 320 clients that ask for large bodies and never read, on HTTP/1.1 by 64 KiB of pipelined
// requests, on HTTP/2 with the transport not read either. New clients are always served, and all 320 are gone
// after the deadline.
func TestClientsThatDoNotRead(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, c := range []struct{ name, asks string }{
		{"h1", strings.Repeat(get, 64<<10/len(get))},
		{"h2", h2Asks(20)},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, `{"s":[{"srv":{"server":true,"port":80,"protocol":"h2"}}]}`, plan{Net: sim.Options{SndBuf: 64 << 10, RcvBuf: 64 << 10}})
			w.Serve("srv", bulk)
			for range 320 {
				b := w.bare("")
				b.host.Write(b.fd, []byte(c.asks))
				w.Settle()
			}
			for second := range 70 {
				b := w.bare("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
				w.Advance(time.Second) // memory may have to be had from somebody first
				if got, e := b.read(); e != syscall.EAGAIN || !strings.HasPrefix(got, "HTTP/1.1 200") {
					t.Fatalf("a newcomer after %d s: got %q, %v, want an answer", second, got, e)
				}
				b.abort()
			}
			if n := w.Server.Runtime.Net().Open(); n != 0 {
				t.Errorf("connections after the deadline: got %d, want none", n)
			}
			n := w.Server.Runtime.Net().Counters
			if n.WriteTimedOut+n.MemoryClosed != 320 || n.WriteTimedOut == 0 {
				t.Errorf("ended: got %d by the deadline and %d for memory, want 320 in all", n.WriteTimedOut, n.MemoryClosed)
			}
		})
	}
}
