package ss_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/ss"
)

// TestUnixHostOnUnixSocketsOnly: clients of libwebsockets name the socket in Host, "+@name". A server accepts that from
// a Unix socket, on HTTP/1.1 and HTTP/2, and refuses it on TCP, also with a cached head.
func TestUnixHostOnUnixSocketsOnly(t *testing.T) {
	const h1Head = "GET /u HTTP/1.1\r\nHost: %s\r\n\r\n"
	overH2 := func(host string) string {
		b := frame([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 4, 0, 0)
		b = frame(b, 4, 1, 0)
		return string(frame(b, 1, 5, 1, append([]byte{0x82, 0x86, 0x84, 0x41, byte(len(host))}, host...)...))
	}
	for _, proto := range []string{"h1", "h2"} {
		for _, host := range []string{"+@name", "+/run/x.sock", "+@a/b"} {
			w := newWorld(t, fmt.Sprintf(`{"s":[
				{"wire":{"endpoint":"+@name","protocol":"raw"}},{"wiretcp":{"endpoint":"10.0.0.2","port":80,"protocol":"raw"}},
				{"srv":{"server":true,"endpoint":"+@name","protocol":%[1]q,"metadata":[{"authority":""}]}},
				{"tcp":{"server":true,"port":80,"protocol":%[1]q,"metadata":[{"authority":""}]}}]}`, proto), plan{Single: true})
			var names []string
			each := func(s *script) {
				s.Say = []byte("hi")
				s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
					v, _ := h.Metadata("authority")
					names = append(names, string(v))
					h.ServerAck(0)
					return h.RequestTxLen(0)
				})
			}
			w.Serve("srv", each)
			w.Serve("tcp", each)
			ask := func(streamType, text string) string {
				s := newScript()
				s.Say, s.NoEOM = []byte(text), true
				s.When(ss.Connected, (*ss.Handle).RequestTx)
				w.Create(streamType, s).Connect()
				w.Settle()
				return string(s.Got)
			}
			text, asked := overH2(host), 1
			if proto == "h1" {
				asked = 40 // so often that the server remembers what it may
				text = strings.Repeat(fmt.Sprintf(h1Head, host), asked)
			}
			got := ask("wire", text)
			if len(names) != asked || names[0] != host {
				t.Errorf("%s, host %s on a Unix socket: requests served for %q, want %d for that host; answer %q", proto, host, names, asked, got)
			}
			if proto == "h1" {
				text = fmt.Sprintf(h1Head, host)
			}
			if got = ask("wiretcp", text); len(names) != asked {
				t.Errorf("%s, host %s on TCP: served, want it refused; answer %q", proto, host, got)
			}
			if proto == "h1" && !strings.HasPrefix(got, "HTTP/1.1 400 ") {
				t.Errorf("h1, host %s on TCP: answer %q, want 400", host, got)
			}
		}
	}
}
