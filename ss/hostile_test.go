package ss_test

import (
	"bytes"
	stdtls "crypto/tls"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/sstest"
)

// hostileDoc has servers and their honest clients, and clients that connect to a hostile machine.
const hostileDoc = `{"retry":[{"r":{"backoff":[50,200,1000],"conceal":4,"jitterpc":30}},{"few":{"backoff":[100],"conceal":1}}],"s":[
	{"raw srv":{"server":true,"port":80,"protocol":"raw"}},
	{"h1 srv":{"server":true,"port":81,"protocol":"h1","ws_subprotocol":"x","ws_deflate":true,"http_multipart_ss_in":true,"metadata":[{"path":""},{"method":""}]}},
	{"h2 srv":{"server":true,"port":82,"protocol":"h2","ws_subprotocol":"x","ws_deflate":true,"metadata":[{"path":""},{"method":""}]}},
	{"ws srv":{"server":true,"port":83,"protocol":"ws"}},
	{"raw":{"endpoint":"10.0.0.2","port":80,"protocol":"raw","opportunistic":true,"retry":"r"}},
	{"get":{"endpoint":"10.0.0.2","port":81,"protocol":"h1","http_url":"/${n}","opportunistic":true,"retry":"r","metadata":[{"n":""}]}},
	{"post":{"endpoint":"10.0.0.2","port":81,"protocol":"h1","http_method":"POST","http_url":"/","opportunistic":true,"retry":"r","metadata":[{"n":""}]}},
	{"get2":{"endpoint":"10.0.0.2","port":82,"protocol":"h2","http_url":"/${n}","opportunistic":true,"retry":"r","metadata":[{"n":""}]}},
	{"post2":{"endpoint":"10.0.0.2","port":82,"protocol":"h2","http_method":"POST","http_url":"/","opportunistic":true,"retry":"r","metadata":[{"n":""}]}},
	{"ws":{"endpoint":"10.0.0.2","port":83,"protocol":"ws","opportunistic":true,"retry":"r"}},
	{"ws2":{"endpoint":"10.0.0.2","port":82,"protocol":"ws","ws_over_h2":true,"ws_deflate":true,"opportunistic":true,"retry":"r"}},
	{"v raw":{"endpoint":"10.0.0.3","port":80,"protocol":"raw","retry":"r"}},
	{"v h1":{"endpoint":"10.0.0.3","port":81,"protocol":"h1","http_url":"/","allow_redirects":true,"retry":"few","timeout_ms":3000}},
	{"v post":{"endpoint":"10.0.0.3","port":81,"protocol":"h1","http_method":"POST","http_url":"/","retry":"few","opportunistic":true}},
	{"v parts":{"endpoint":"10.0.0.3","port":81,"protocol":"h1","http_url":"/","http_multipart_ss_in":true,"http_cookies":true,"retry":"few","opportunistic":true}},
	{"v h2":{"endpoint":"10.0.0.3","port":82,"protocol":"h2","http_url":"/","retry":"few","timeout_ms":3000}},
	{"v post2":{"endpoint":"10.0.0.3","port":82,"protocol":"h2","http_method":"PUT","http_url":"/","retry":"few","opportunistic":true}},
	{"v ws":{"endpoint":"10.0.0.3","port":83,"protocol":"ws","ws_deflate":true,"retry":"few"}},
	{"v ws2":{"endpoint":"10.0.0.3","port":82,"protocol":"ws","ws_over_h2":true,"retry":"few"}}]}`

// hostileTLS has more of them, over TLS; wire is a peer that completes the handshake and then sends what a hostile peer sends.
const hostileTLS = `,{"tls srv":{"server":true,"port":84,"protocol":"h2","tls":true,"server_cert":"leaf","server_key":"leaf_key","metadata":[{"path":""},{"method":""}]}},
	{"tls wire srv":{"server":true,"port":85,"protocol":"raw","tls":true,"server_cert":"leaf","server_key":"leaf_key"}},
	{"tls get":{"endpoint":"10.0.0.2","port":84,"protocol":"h2","tls":true,"tls_trust_store":"lab","http_url":"/${n}","opportunistic":true,"retry":"r","metadata":[{"n":""}]}},
	{"tls wire":{"endpoint":"10.0.0.2","port":84,"protocol":"raw","tls":true,"tls_trust_store":"lab","retry":"few"}},
	{"v tls":{"endpoint":"10.0.0.2","port":85,"protocol":"h1","tls":true,"tls_trust_store":"lab","http_url":"/","retry":"few"}},
	{"v tls ws":{"endpoint":"10.0.0.2","port":85,"protocol":"ws","ws_over_h2":true,"tls":true,"tls_trust_store":"lab","retry":"few"}},
	{"v tls bare":{"endpoint":"10.0.0.3","port":84,"protocol":"h2","tls":true,"tls_trust_store":"lab","http_url":"/","retry":"few"}}]}`

// hostile is a world in which honest streams run beside hostile peers.
type hostile struct {
	*world
	seed   uint64
	r      *rand.Rand
	evil   *sim.Host
	peers  []*hostilePeer
	honest []*honest
	hello  []byte
	scarce bool // memory is short: honest streams may fail
	frozen bool // nothing comes from the hostile machine any more, and nothing is read there
	ending bool
	buf    [64 << 10]byte
}

// honest is a client stream with a few transactions. All must succeed.
type honest struct {
	c    *hostile
	kind string
	left int
	size int // of what is sent, or asked for
	sent int
	got  int
	bad  string
	tell []string
	dead bool
}

func (s *honest) next(h *ss.Handle) ss.Ret {
	if s.left == 0 {
		h.Destroy()
		return ss.OK
	}
	s.left--
	s.size, s.sent, s.got = 1+s.c.r.IntN(1<<(4+s.c.r.IntN(12))), 0, 0
	switch s.kind {
	case "get":
		h.SetMetadataString("n", strconv.Itoa(s.size))
		h.Connect()
		return ss.OK
	case "post":
		return h.RequestTxLen(int64(s.size))
	}
	return h.RequestTx()
}

func (s *honest) State(h *ss.Handle, st ss.State, n ss.Notice) ss.Ret {
	s.tell = append(s.tell, short(st))
	if n.Cause != nil {
		s.tell = append(s.tell, "("+n.Cause.Error()+")")
	}
	switch st {
	case ss.Creating:
		return s.next(h)
	case ss.Destroying:
		s.dead = true
	case ss.QOSAckRemote:
		want := s.size
		if s.kind == "post" {
			want = len(strconv.Itoa(s.size))
		}
		if s.got != want && s.bad == "" {
			s.bad = fmt.Sprintf("got %d bytes, want %d", s.got, want)
		}
		s.c.Net.At(time.Duration(s.c.r.IntN(500))*time.Millisecond, func() { s.next(h) })
	case ss.QOSNackRemote, ss.Unreachable, ss.AllRetriesFailed:
		s.bad = "received " + short(st)
	case ss.Disconnected:
		if s.left > 0 && (s.kind == "raw" || s.kind == "ws") {
			s.bad = "received DISCONNECTED before it had done"
		}
	}
	return ss.OK
}

// octet is the octet at position i of every payload.
func octet(i int) byte { return byte(i*7 + i>>8) }

func (s *honest) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	for i, x := range b {
		if s.kind == "post" {
			break
		}
		if x != octet(s.got+i) && s.bad == "" {
			s.bad = fmt.Sprintf("octet %d is %#x, want %#x", s.got+i, x, octet(s.got+i))
		}
	}
	s.got += len(b)
	if (s.kind == "raw" || s.kind == "ws") && s.got == s.size {
		return s.next(h)
	}
	return ss.OK
}

func (s *honest) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	if s.sent == s.size {
		return 0, 0, ss.TxDontSend
	}
	n, f := min(len(buf), s.size-s.sent), ss.Flags(0)
	if s.sent == 0 {
		f = ss.SOM
	}
	for i := range n {
		buf[i] = octet(s.sent + i)
	}
	if s.sent += n; s.sent == s.size {
		f |= ss.EOM
	} else {
		h.RequestTx()
	}
	return n, f | ss.Binary, ss.OK
}

// hostileServant is the server's side of all clients: it answers GET with the number of octets in the path, other
// methods with the length of the body, and echoes messages and raw bytes.
type hostileServant struct {
	c      *hostile
	echo   bool
	out    []byte // what is to be sent back
	from   int    // of a GET: how much is sent
	size   int
	body   int
	flags  ss.Flags
	parts  bool
	answer bool
	evil   bool // who has come is on the hostile machine
	silent bool // it has said everything
}

// whim is a random call of a program on a stream from the hostile machine.
func (s *hostileServant) whim(h *ss.Handle) ss.Ret {
	r := s.c.r
	if !s.evil {
		return ss.OK
	}
	switch r.IntN(150) {
	case 0:
		return ss.DisconnectMe
	case 1:
		return ss.DestroyMe
	case 2, 3:
		h.Pause()
		s.c.Net.At(time.Duration(r.IntN(3000))*time.Millisecond, h.Resume)
	case 4:
		h.Finish(1000, "")
		h.Resume() // Tx, which would do it, is not asked any more
		s.silent = true
	case 5:
		h.DisconnectWith(4000, "enough")
	}
	return ss.OK
}

func (s *hostileServant) State(h *ss.Handle, st ss.State, _ ss.Notice) ss.Ret {
	switch st {
	case ss.Connected:
		s.look(h)
		s.echo = h.Policy().Protocol.String() == "raw"
	case ss.ServerUpgrade:
		s.echo, s.out = true, s.out[:0]
		if s.look(h); s.evil && s.c.r.IntN(10) == 0 {
			h.ServerAck(403)
		}
	case ss.ServerTxn:
		s.from, s.size, s.body, s.out, s.answer, s.echo = 0, 0, 0, s.out[:0], false, false
		s.parts = false
		s.look(h)
		h.ServerAck(0)
		if h.RequestBody() {
			return ss.OK
		}
		path, _ := h.Metadata("path")
		s.size, _ = strconv.Atoi(strings.TrimPrefix(string(path), "/"))
		s.size, s.answer = min(max(s.size, 0), 1<<18), true
		return h.RequestTxLen(int64(s.size))
	}
	return ss.OK
}

func (s *hostileServant) look(h *ss.Handle) {
	a, _ := h.Peer()
	s.evil = a.IP.Addr() == peerIP
}

func (s *hostileServant) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if r := s.whim(h); r != ss.OK {
		return r
	}
	if s.silent {
		return ss.OK
	}
	if s.echo {
		if len(s.out) == 0 && s.c.r.IntN(2) == 0 && h.Policy().Protocol.String() == "raw" {
			n, _ := h.Send(b, f)
			b = b[n:]
		}
		s.out = append(s.out, b...)
		s.flags |= f & (ss.SOM | ss.EOM)
		if len(s.out) > 64<<10 {
			h.Pause()
		}
		return h.RequestTx()
	}
	s.body += len(b)
	s.parts = s.parts || f&ss.RelatedStart != 0
	if !s.answer && (f&ss.RelatedEnd != 0 || f&ss.EOM != 0 && !s.parts) {
		s.answer = true
		s.out = strconv.AppendInt(s.out[:0], int64(s.body), 10)
		s.size = -1
		return h.RequestTxLen(int64(len(s.out)))
	}
	return ss.OK
}

func (s *hostileServant) Tx(h *ss.Handle, ordinal uint32, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	if r := s.whim(h); r != ss.OK {
		return 0, 0, r
	}
	switch {
	case s.echo:
		if len(s.out) == 0 {
			return 0, 0, ss.TxDontSend
		}
		n = copy(buf, s.out)
		s.out = s.out[:copy(s.out, s.out[n:])]
		if len(s.out) < 32<<10 {
			h.Resume()
		}
		if len(s.out) > 0 {
			h.RequestTx()
		}
		return n, ss.SOM | ss.EOM | ss.Binary, ss.OK // each piece a message of its own
	case s.size < 0:
		n = copy(buf, s.out)
		return n, ss.SOM | ss.EOM, ss.OK
	}
	n = min(len(buf), s.size-s.from)
	for i := range n {
		buf[i] = octet(s.from + i)
	}
	if s.from == 0 {
		f = ss.SOM
	}
	if s.from += n; s.from == s.size {
		f |= ss.EOM
	} else {
		h.RequestTx()
	}
	return n, f, ss.OK
}

// hostileHello is a TLS ClientHello.
func hostileHello(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	c := stdtls.Client(helloConn{w: &b}, &stdtls.Config{ServerName: "10.0.0.2", NextProtos: []string{"h2", "http/1.1"}})
	if err := c.Handshake(); err == nil || b.Len() == 0 {
		t.Fatal("no ClientHello")
	}
	return b.Bytes()
}

// helloConn records what is written, and has nothing to read.
type helloConn struct {
	net.Conn
	w *bytes.Buffer
}

func (c helloConn) Write(b []byte) (int, error)      { return c.w.Write(b) }
func (helloConn) Read([]byte) (int, error)           { return 0, errors.New("no answer") }
func (helloConn) Close() error                       { return nil }
func (helloConn) SetDeadline(time.Time) error        { return nil }
func (helloConn) SetReadDeadline(t time.Time) error  { return nil }
func (helloConn) SetWriteDeadline(t time.Time) error { return nil }

// siege is the run of one seed.
func siege(t testing.TB, seed uint64, doc string, secure bool) (digest uint64) {
	r := rand.New(rand.NewPCG(seed, 4))
	p := plan{Seed: seed}
	if seed%2 == 1 {
		p.Net = badLink(r)
	}
	if r.IntN(3) == 0 {
		p.Loop = loop.Config{Bytes: 1 << (12 + r.IntN(7)), Accepts: 1 + r.IntN(16), Events: 1 + r.IntN(64)}
	}
	scarce := r.IntN(10) == 0
	if scarce {
		p.Loop.Memory = int64(32<<10 + r.IntN(256<<10))
	}
	change := func(c *ss.Config) { c.TLS.Floor = time.Now() }
	p.Client, p.Server = change, change
	c := &hostile{world: newWorld(t, doc, p), seed: seed, r: r, scarce: scarce}
	c.evil = c.wsHost()
	// A closing handshake, the end of an HTTP/2 connection, a peer that takes nothing and the end of a socket may each have
	// to be waited for.
	c.Patience = 3 * time.Minute
	if secure {
		c.hello = hostileHello(t)
	}
	servers := []string{"raw srv", "h1 srv", "h2 srv", "ws srv"}
	if secure {
		servers = append(servers, "tls srv")
	}
	for _, typ := range servers {
		if _, err := c.Server.Runtime.Create(ss.Info{StreamType: typ, New: func(*ss.Handle) ss.Stream { return &hostileServant{c: c} }}); err != nil {
			t.Fatal(err)
		}
	}
	soon := func(f func()) { c.Net.At(time.Duration(r.IntN(2000))*time.Millisecond, f) }
	create := func(typ string, s ss.Stream, connect bool) {
		soon(func() {
			h, err := c.Client.Runtime.Create(ss.Info{StreamType: typ, New: func(*ss.Handle) ss.Stream { return s }})
			if err != nil {
				t.Errorf("create %s: %v", typ, err)
			} else if connect {
				h.Connect()
			}
		})
	}
	kinds := []string{"raw", "get", "post", "get2", "post2", "ws", "ws2"}
	if secure {
		kinds = append(kinds, "tls get")
	}
	for i := range 3 {
		typ := kinds[(int(seed)+i*r.IntN(len(kinds)))%len(kinds)]
		s := &honest{c: c, kind: strings.TrimPrefix(strings.TrimSuffix(typ, "2"), "tls "), left: 2 + r.IntN(2)}
		c.honest = append(c.honest, s)
		create(typ, s, false)
	}
	victims := []string{"v raw", "v h1", "v post", "v parts", "v h2", "v post2", "v ws", "v ws2"}
	ports := []uint16{80, 81, 82, 83}
	protos := []string{"raw", "h1", "h2", "ws"}
	if secure {
		victims = append(victims, "v tls", "v tls ws", "v tls bare")
		ports, protos = append(ports, 84), append(protos, "tls")
		wire := func(server bool) *victim {
			return &victim{c: c, wire: newHostileScript(rand.New(rand.NewPCG(seed, r.Uint64())), "h1", server)}
		}
		if _, err := c.Server.Runtime.Create(ss.Info{StreamType: "tls wire srv", New: func(*ss.Handle) ss.Stream { return wire(true) }}); err != nil {
			t.Fatal(err)
		}
		create("tls wire", wire(false), true)
	}
	for i, port := range ports {
		c.lure(port, protos[i])
	}
	for range 2 + r.IntN(3) {
		create(victims[r.IntN(len(victims))], &victim{c: c}, true)
	}
	for range 2 + r.IntN(5) {
		i := r.IntN(len(ports))
		proto := protos[i]
		switch r.IntN(6) {
		case 0:
			proto = protos[r.IntN(len(protos))] // at the wrong door
		case 1:
			if i == 2 {
				proto = "h1" // the port takes both
			}
		}
		soon(func() { c.attack(ports[i], proto, 1+r.IntN(3)) })
	}
	c.play()
	return c.Net.Digest()
}

// play runs the seed, and checks the result.
func (c *hostile) play() {
	over := false
	c.Net.At(2*time.Minute, func() { over = true })
	c.Run("the honest streams", func() bool {
		for _, s := range c.honest {
			if !s.dead && !over {
				return false
			}
		}
		return true
	})
	for _, s := range c.honest {
		if !c.scarce && (!s.dead || s.bad != "") {
			c.t.Errorf("honest %s stream (%d transactions left, %d of %d octets sent, %d got): %s\ntold: %s\n%s", s.kind, s.left, s.sent, s.size, s.got, s.bad,
				strings.Join(s.tell, " "), c.Dump())
		}
	}
	c.Advance(5 * time.Second) // those that came late do what they do
	if c.seed%4 == 3 {
		// The hostile machine still exists but does nothing. end checks what is left.
		c.ending, c.frozen = true, true
		o := c.Net.Options()
		o.WriteMax, o.ShortWrite = 0, 0 // else each try to send what is left moves a little, and is progress
		c.Net.SetOptions(o)
		c.Server.Runtime.Drain(func() {})
		c.Advance(20 * time.Second)
		return
	}
	// When the hostile machine is gone, only the servers are left.
	c.ending = true
	for _, p := range c.peers {
		if !p.over {
			c.Net.At(time.Duration(c.r.IntN(1000))*time.Millisecond, func() { p.close(p.r.IntN(3) == 0) })
		}
	}
	c.Client.Runtime.Each((*ss.Handle).Destroy)
	left := func() string {
		var list []string
		for _, m := range []*sstest.Machine{c.Server, c.Client} {
			n := 0
			m.Runtime.Each(func(h *ss.Handle) {
				if h.Server() != nil || !h.Policy().Server {
					n++
				}
			})
			if open, used := m.Runtime.Net().Open(), m.Loop.Account().Used(); n+open != 0 || used != 0 {
				list = append(list, fmt.Sprintf("%s: %d streams, %d connections, %d bytes on the account", m.Host.Name(), n, open, used))
			}
		}
		return strings.Join(list, "; ")
	}
	over = false
	c.Net.At(2*time.Minute, func() { over = true })
	c.Run("the end of all connections", func() bool { return over || left() == "" })
	if s := left(); s != "" {
		c.t.Errorf("two minutes after the hostile machine has gone: %s\n%s", s, c.Dump())
	}
	for _, m := range []*sstest.Machine{c.Client, c.Server} {
		st := m.Loop.Stats()
		if n := m.Runtime.Net().Counters; n.Accepted+n.Dialled > n.Closed || n.Closed > n.Accepted+n.Dialled+n.ConnectFailed {
			c.t.Errorf("%s: %d connections accepted and %d dialled, %d closed, %d open: want as many closed as opened or tried", m.Host.Name(), n.Accepted, n.Dialled, n.Closed, m.Runtime.Net().Open())
		}
		if st.Turns > 200_000 {
			c.t.Errorf("%s: %d turns: it spins", m.Host.Name(), st.Turns)
		}
		if m.Runtime.Counters.Misuse != 0 {
			c.t.Errorf("%s: %d times misuse by callbacks, want none", m.Host.Name(), m.Runtime.Counters.Misuse)
		}
	}
}

var seedsFlag = flag.Uint64("seeds", 0, "run the tests with hostile peers with so many seeds, from -seed on")

// besiege runs seeds, each in a test of its own.
func besiege(t *testing.T, n uint64, run func(t *testing.T, seed uint64)) {
	first := *seedFlag
	switch {
	case *seedsFlag != 0:
		n = *seedsFlag
	case first != 0:
		n = 1
	case testing.Short():
		n /= 10
	}
	for seed := first; seed < first+n; seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("replay: go test ./ss -run '%s$' -seed=%d", strings.Split(t.Name(), "/")[0], seed)
				}
			})
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("panic: %v\n%s", p, debug.Stack())
				}
			}()
			run(t, seed)
		})
	}
}

// TestHostilePeers: many peers at a time connect, send valid and invalid data, half-close, stall, stop reading and
// reset at any point, as clients of our servers and as servers of our clients, on HTTP/1.1, HTTP/2, WebSocket and
// raw. The honest streams beside them all succeed; when the hostile peers are gone nothing is left of them.
func TestHostilePeers(t *testing.T) {
	besiege(t, 1000, func(t *testing.T, seed uint64) { siege(t, seed, hostileDoc, false) })
}

// TestHostilePeersTLS is the same with TLS underneath some of them.
func TestHostilePeersTLS(t *testing.T) {
	p := newPKI(t, "10.0.0.2")
	doc := fmt.Sprintf(`{"certs":[{"ca":%q},{"leaf":%q},{"leaf_key":%q}],"trust_stores":[{"name":"lab","stack":["ca"]}],%s%s`,
		p.ca, p.leaf, p.key, strings.TrimSuffix(hostileDoc[1:], "]}"), hostileTLS)
	besiege(t, 50, func(t *testing.T, seed uint64) {
		cryptotest.SetGlobalRandom(t, seed)
		siege(t, seed, doc, true)
	})
}

// TestHostilePeersReplay: the same seed gives the same run.
func TestHostilePeersReplay(t *testing.T) {
	for _, seed := range []uint64{2, 5, 77} {
		var digest [2]uint64
		for i := range digest {
			t.Run(fmt.Sprintf("%d, run %d", seed, i), func(t *testing.T) { digest[i] = siege(t, seed, hostileDoc, false) })
		}
		if digest[0] != digest[1] {
			t.Errorf("seed %d: digests of two runs: got %x and %x, want the same", seed, digest[0], digest[1])
		}
	}
}
