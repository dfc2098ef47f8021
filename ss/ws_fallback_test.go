package ss_test

import (
	"bufio"
	"crypto/sha1"
	stdtls "crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/millrace/millrace/loop"
	mhttp "github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/ss"
)

// fallbackServer is a TLS server whose HTTP/2 accepts GET and no WebSocket, by hand: its settings do not announce it,
// or it answers HTTP_1_1_REQUIRED. Over HTTP/1.1 it accepts them.
type fallbackServer struct {
	t       *testing.T
	port    int
	alpn    []string
	says    bool   // its settings say that it takes extended CONNECT
	refuse  bool   // HTTP/1.1: the handshake is answered with 403
	deflate string // the answer to an offer of compression
	mu      sync.Mutex
	offered []string // what each connection's client offered in ALPN
	offers  []string // of compression, by each handshake
	release chan struct{}
}

func newFallbackServer(t *testing.T, p pki, alpn ...string) *fallbackServer {
	s := &fallbackServer{t: t, alpn: alpn, release: make(chan struct{})}
	cfg := &stdtls.Config{Certificates: []stdtls.Certificate{p.pair}, NextProtos: alpn}
	cfg.GetConfigForClient = func(c *stdtls.ClientHelloInfo) (*stdtls.Config, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.offered = append(s.offered, strings.Join(c.SupportedProtos, ","))
		return nil, nil
	}
	l, err := stdtls.Listen("tcp", "127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s.port = l.Addr().(*net.TCPAddr).Port
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c.(*stdtls.Conn))
		}
	}()
	return s
}

// set changes what s does with connections to come.
func (s *fallbackServer) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// seen is what the clients of the connections so far have offered in ALPN.
func (s *fallbackServer) seen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.offered, " ")
}

func (s *fallbackServer) serve(c *stdtls.Conn) {
	defer c.Close()
	if c.Handshake() != nil {
		return
	}
	if c.ConnectionState().NegotiatedProtocol == "h2" {
		s.serve2(c)
		return
	}
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	s.mu.Lock()
	s.offers = append(s.offers, r.Header.Get("Sec-WebSocket-Extensions"))
	refuse, deflate := s.refuse, s.deflate
	s.mu.Unlock()
	if refuse {
		io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
		return
	}
	if r.Header.Get("Sec-WebSocket-Extensions") == "" {
		deflate = ""
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n%sSec-WebSocket-Accept: %s\r\n\r\n\x81\x05hello\x88\x02\x03\xe8",
		deflate, base64.StdEncoding.EncodeToString(sum[:]))
	io.ReadFull(c, make([]byte, 2+4+2)) // the client's Close frame
}

// serve2 answers a GET of /slow when it is released.
func (s *fallbackServer) serve2(c net.Conn) {
	var mu sync.Mutex
	write := func(b []byte) {
		mu.Lock()
		defer mu.Unlock()
		c.Write(b)
	}
	s.mu.Lock()
	says := s.says
	s.mu.Unlock()
	if says {
		write(frame(nil, fSettings, 0, 0, 0, 8, 0, 0, 0, 1))
	} else {
		write(frame(nil, fSettings, 0, 0))
	}
	in := bufio.NewReader(c)
	if _, err := io.ReadFull(in, make([]byte, len(h2Magic))); err != nil {
		return
	}
	dec := hpack.NewDecoder(4096, nil)
	for {
		var h [9]byte
		if _, err := io.ReadFull(in, h[:]); err != nil {
			return
		}
		b := make([]byte, int(h[0])<<16|int(h[1])<<8|int(h[2]))
		if _, err := io.ReadFull(in, b); err != nil {
			return
		}
		id := binary.BigEndian.Uint32(h[5:])
		switch {
		case h[3] == fSettings && h[4]&1 == 0:
			write(frame(nil, fSettings, 1, 0))
		case h[3] == fPing && h[4]&1 == 0:
			write(frame(nil, fPing, 1, 0, b...))
		case h[3] == fHeaders:
			fields, _ := dec.DecodeFull(b)
			if fields[0].Value == "CONNECT" {
				write(frame(nil, fReset, 0, id, 0, 0, 0, 0xd))
				continue
			}
			go func() {
				write(frame(nil, fHeaders, 4, id, 0x88))
				<-s.release
				write(frame(nil, fData, 1, id, []byte("slow")...))
			}()
		}
	}
}

// fallbackWorld is a client of the server: "ws" and "packed" ask for WebSockets over HTTP/2, "h1ws" over HTTP/1.1, and
// "get" has a request on the shared connection.
func fallbackWorld(t *testing.T, p pki, port int) (*loop.Loop, *ss.Runtime) {
	t.Helper()
	return secureClient(t, p, port, strings.ReplaceAll(`"protocol":"ws","ws_over_h2":true}},
		{"packed":{@,"protocol":"ws","ws_over_h2":true,"ws_deflate":true}},{"h1ws":{@,"protocol":"ws"}},
		{"get":{@,"protocol":"h2","http_url":"/slow"`, "@",
		fmt.Sprintf(`"endpoint":"127.0.0.1","port":%d,"tls":true,"tls_trust_store":"lab","retry":"once","opportunistic":true`, port)))
}

func startTold(t *testing.T, rt *ss.Runtime, streamType string) *told {
	t.Helper()
	c := &told{Builder: new(strings.Builder)}
	h, err := rt.Create(ss.Info{StreamType: streamType, New: func(*ss.Handle) ss.Stream { return c }})
	if err != nil {
		t.Fatal(err)
	}
	h.Connect()
	return c
}

const toldHello = "CREATING CONNECTING CONNECTED helloDISCONNECTED "

// TestWebSocketFallsBack: if a server accepts no WebSocket over HTTP/2 the client tries HTTP/1.1 in the same
// attempt, on a connection whose ALPN offers nothing else; other streams on the shared connection are not disturbed, the
// next stream uses HTTP/1.1 directly, and a failure there makes it try HTTP/2 again.
func TestWebSocketFallsBack(t *testing.T) {
	const both, one = "h2,http/1.1", "http/1.1"
	for _, c := range []struct {
		name  string
		alpn  []string
		says  bool
		first string // what the connections of the first WebSocket and of the GET offer
	}{
		{"settings without ENABLE_CONNECT_PROTOCOL", []string{"h2", "http/1.1"}, false, both + " " + one},
		{"reset with HTTP_1_1_REQUIRED", []string{"h2", "http/1.1"}, true, both + " " + one},
		{"no h2 in ALPN", []string{"http/1.1"}, false, both},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPKI(t, "127.0.0.1")
			s := newFallbackServer(t, p, c.alpn...)
			s.set(func() { s.says = c.says })
			l, cli := fallbackWorld(t, p, s.port)
			var get *told
			if len(c.alpn) == 2 {
				get = startTold(t, cli, "get")
				serviceUntil(t, l, func() bool { return strings.Contains(get.String(), "CONNECTED") })
			}
			for i := range 3 {
				ws := startTold(t, cli, "cli")
				serviceUntil(t, l, func() bool { return ws.end })
				if ws.String() != toldHello || !strings.Contains(ws.tls, " http/1.1 ") {
					t.Errorf("WebSocket %d: told %q over %q, want %q over http/1.1; cause %v", i, ws, ws.tls, toldHello, ws.cause)
				}
			}
			if got, want := s.seen(), c.first+" "+one+" "+one; got != want {
				t.Errorf("ALPN offers: got %q, want %q", got, want)
			}
			if n := cli.Counters; n.FellBack != 3 || n.Failed != 0 {
				t.Errorf("counters %+v, want 3 that fell back, none that failed", n)
			}
			if get != nil {
				close(s.release)
				serviceUntil(t, l, func() bool { return get.end })
				if want := "CREATING CONNECTING CONNECTED slowQOS_ACK_REMOTE DISCONNECTED "; get.String() != want {
					t.Errorf("the other stream on the h2 connection received %q, want %q; cause %v", get, want, get.cause)
				}
			}
			// A failure drops the quirk.
			s.mu.Lock()
			s.refuse, s.offered = true, nil
			s.mu.Unlock()
			for range 2 {
				ws := startTold(t, cli, "cli")
				serviceUntil(t, l, func() bool { return strings.Contains(ws.String(), "UNREACHABLE") })
			}
			want := one + " " + both // the shared connection is still there: no other is made
			if get != nil {
				want = one + " " + one
			}
			if got := s.seen(); got != want {
				t.Errorf("ALPN offers after a failure: got %q, want %q", got, want)
			}
		})
	}
}

// TestWebSocketALPN: stream types with different ALPN offers share a trust store and a name, and not an offer.
func TestWebSocketALPN(t *testing.T) {
	for _, order := range [][]string{{"h1ws", "cli"}, {"cli", "h1ws"}} {
		p := newPKI(t, "127.0.0.1")
		s := newFallbackServer(t, p, "http/1.1")
		l, cli := fallbackWorld(t, p, s.port)
		for _, typ := range order {
			c := startTold(t, cli, typ)
			serviceUntil(t, l, func() bool { return c.end })
		}
		want := map[string]string{"h1ws": "http/1.1", "cli": "h2,http/1.1"}
		if got := s.seen(); got != want[order[0]]+" "+want[order[1]] {
			t.Errorf("%v: ALPN offers: got %q", order, got)
		}
	}
}

// TestWebSocketNoFallback: with prior knowledge and without TLS there is no fallback. The error names the peer, and
// is not a misuse by the program.
func TestWebSocketNoFallback(t *testing.T) {
	w := newWorld(t, `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}}],"s":[{"raw":{"server":true,"port":80,"protocol":"raw"}},
		{"cli":{"endpoint":"10.0.0.2","port":80,"protocol":"ws","ws_over_h2":true,"opportunistic":true,"retry":"none"}}]}`, plan{})
	w.Serve("raw", speak("SM\r\n\r\n", string(frame(nil, fSettings, 0, 0)), false))
	s := newScript()
	w.Create("cli", s).Connect()
	w.Run("the failure", func() bool { return s.Told(ss.AllRetriesFailed) > 0 })
	if err := s.Causes[0]; errors.Is(err, mhttp.ErrMisuse) || !strings.Contains(err.Error(), "10.0.0.2:80") || !strings.Contains(err.Error(), "extended CONNECT") {
		t.Errorf("cause %q (misuse %v), want one that names the peer and extended CONNECT", err, errors.Is(err, mhttp.ErrMisuse))
	}
	if n := w.Client.Runtime.Counters.Misuse; n != 0 {
		t.Errorf("misuse counted: %d, want none", n)
	}
}

// TestWebSocketMalformedExtensions: an answer to the offer of compression that is cut short, has a NUL or does not answer
// the offer fails the attempt; the next one offers none. That is remembered until an attempt fails.
func TestWebSocketMalformedExtensions(t *testing.T) {
	p := newPKI(t, "127.0.0.1")
	for _, answer := range []string{
		"permessage-deflate; server_no_context_takeover; client_no_conte\x00",
		"permessage-deflate; server_no_context_takeover; client_no_conte",
		"permessage-deflate",
	} {
		s := newFallbackServer(t, p, "http/1.1")
		s.set(func() { s.deflate = "Sec-WebSocket-Extensions: " + answer + "\r\n" })
		l, cli := fallbackWorld(t, p, s.port)
		try := func() *told {
			c := startTold(t, cli, "packed")
			serviceUntil(t, l, func() bool { return c.end })
			return c
		}
		if c := try(); !strings.Contains(c.String(), "UNREACHABLE") {
			t.Errorf("%q: told %q, want a failed attempt", answer, c)
		}
		for range 2 {
			if c := try(); c.String() != toldHello {
				t.Errorf("%q: the next attempt: told %q, want %q; cause %v", answer, c, toldHello, c.cause)
			}
		}
		if n := cli.Counters.Uncompressed; n != 2 {
			t.Errorf("%q: attempts without compression: got %d counted, want 2", answer, n)
		}
		s.mu.Lock()
		s.refuse = true
		s.mu.Unlock()
		try()
		try()
		s.mu.Lock()
		var offers []string
		for _, o := range s.offers {
			offers = append(offers, fmt.Sprint(o != ""))
		}
		if got, want := strings.Join(offers, " "), "true false false false true"; got != want {
			t.Errorf("%q: attempts that offered compression: got %s, want %s", answer, got, want)
		}
		s.mu.Unlock()
	}
}
