package ss_test

import (
	"bytes"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// instant is a System whose peers answer at once and without a kernel, so that a benchmark measures
// Millrace alone: what is read is always feed, what is written is counted and, on a connection that
// was dialled, brings the next read.
type instant struct {
	now     time.Duration
	feed    []byte
	accept  int // connections still to be accepted
	fds     loop.FD
	token   map[loop.FD]loop.Token
	ready   []loop.Event
	fresh   []loop.Event
	dialled bool
	left    map[loop.FD]int
	written int
	joined  []byte                      // scratch of Writev
	reply   func(feed, p []byte) []byte // what comes for p, appended to feed; nil: always feed
}

func newInstant(feed string) *instant {
	return &instant{now: 1, feed: []byte(feed), fds: 3, token: map[loop.FD]loop.Token{}, left: map[loop.FD]int{}}
}

func (s *instant) Now() time.Duration { s.now += time.Microsecond; return s.now }
func (s *instant) Wall() time.Time    { return time.Unix(1_800_000_000, 0) }
func (s *instant) Rand(p []byte)      { clear(p) }
func (s *instant) Add(fd loop.FD, t loop.Token) error {
	s.token[fd] = t
	s.fresh = append(s.fresh, loop.Event{Token: t, Ready: loop.Writable | loop.Readable})
	return nil
}
func (s *instant) Remove(fd loop.FD) {}
func (s *instant) Wait(ev []loop.Event, _ time.Duration) (int, error) {
	n := copy(ev, s.fresh)
	s.fresh = s.fresh[:0]
	k := copy(ev[n:], s.ready)
	s.ready = s.ready[:0]
	return n + k, nil
}
func (s *instant) Wake()           {}
func (s *instant) PollFD() loop.FD { return loop.NoFD }
func (s *instant) open() loop.FD   { s.fds++; return s.fds }
func (s *instant) Listen(a loop.Addr, _ loop.ListenOptions) (loop.FD, loop.Addr, error) {
	return s.open(), loop.Addr{IP: netip.MustParseAddrPort("127.0.0.1:80")}, nil
}
func (s *instant) Accept(loop.FD) (loop.FD, syscall.Errno) {
	if s.accept == 0 {
		return loop.NoFD, syscall.EAGAIN
	}
	s.accept--
	return s.open(), 0
}
func (s *instant) Connect(loop.Addr, loop.SocketOptions) (loop.FD, syscall.Errno) {
	s.dialled = true
	return s.open(), syscall.EINPROGRESS
}
func (s *instant) SocketError(loop.FD) syscall.Errno               { return 0 }
func (s *instant) SetOptions(loop.FD, loop.SocketOptions) error    { return nil }
func (s *instant) CloseWrite(loop.FD) syscall.Errno                { return 0 }
func (s *instant) Close(loop.FD)                                   {}
func (s *instant) Abort(loop.FD)                                   {}
func (s *instant) LocalAddr(loop.FD) (loop.Addr, bool)             { return loop.Addr{}, false }
func (s *instant) PeerAddr(loop.FD) (loop.Addr, bool)              { return loop.Addr{}, false }
func (s *instant) InterfaceAddrs(string) ([]netip.Addr, error)     { return nil, nil }
func (s *instant) Offload(func() error, func(error), func(func())) {}
func (s *instant) ReadFile(string) ([]byte, error)                 { return nil, fs.ErrNotExist }
func (s *instant) ReplaceFile(string, []byte) error                { return fs.ErrPermission }
func (s *instant) Shutdown() error                                 { return nil }
func (s *instant) Read(fd loop.FD, p []byte) (int, syscall.Errno) {
	if s.left[fd] == 0 {
		return 0, syscall.EAGAIN
	}
	s.left[fd]--
	return copy(p, s.feed), 0
}
func (s *instant) Write(fd loop.FD, p []byte) (int, syscall.Errno) {
	s.written++
	if s.reply != nil {
		s.feed = s.reply(s.feed[:0], p)
	}
	if s.dialled && len(s.feed) > 0 {
		s.arrive(fd)
	}
	return len(p), 0
}

func (s *instant) Writev(fd loop.FD, p [][]byte) (int, syscall.Errno) {
	s.joined = s.joined[:0]
	for _, b := range p {
		s.joined = append(s.joined, b...)
	}
	return s.Write(fd, s.joined)
}

// arrive has one feed come in on fd.
func (s *instant) arrive(fd loop.FD) {
	s.left[fd] = 1
	s.ready = append(s.ready, loop.Event{Token: s.token[fd], Ready: loop.Readable})
}

func benchRuntime(b testing.TB, sys *instant, doc string, change ...func(*ss.Config)) (*loop.Loop, *ss.Runtime) {
	p, err := policy.Parse([]byte(doc))
	if err != nil {
		b.Fatal(err)
	}
	l := loop.New(sys, loop.Config{})
	c := ss.Config{Loop: l, Policy: p, PanicOnIllegal: true}
	for _, f := range change {
		f(&c)
	}
	rt, err := ss.New(c)
	if err != nil {
		b.Fatal(err)
	}
	return l, rt
}

func turn(b testing.TB, l *loop.Loop) {
	if err := l.Service(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkServerGET is one request on each turn: an event, a read, a transaction, a write.
func BenchmarkServerGET(b *testing.B) { benchServer(b, 1) }

// BenchmarkServerGETPipelined is sixteen requests in each read. ns/op is for one of them.
func BenchmarkServerGETPipelined(b *testing.B) { benchServer(b, 16) }

// benchAccept serves the stream type srv of doc to one connection, on which step has the system's feed arrive.
func benchAccept(t testing.TB, sys *instant, doc string, s func() ss.Stream) (rt *ss.Runtime, step func()) {
	return benchAcceptNew(t, sys, doc, func(*ss.Handle) ss.Stream { return s() })
}

// benchAcceptNew is benchAccept for programs that look at the handle.
func benchAcceptNew(t testing.TB, sys *instant, doc string, s func(h *ss.Handle) ss.Stream) (rt *ss.Runtime, step func()) {
	l, rt := benchRuntime(t, sys, doc)
	if _, err := rt.Create(ss.Info{StreamType: "srv", New: s}); err != nil {
		t.Fatal(err)
	}
	sys.accept = 1
	for range 4 {
		turn(t, l)
	}
	fd := sys.fds
	return rt, func() {
		sys.arrive(fd)
		turn(t, l)
	}
}

func benchServer(b *testing.B, deep int) {
	sys := newInstant(strings.Repeat("GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n", deep))
	rt, step := benchAccept(b, sys, `{"s":[{"srv":{"server":true,"port":80,"protocol":"h1","metadata":[{"mime":"content-type:"}]}}]}`,
		func() ss.Stream { return hello{} })
	step()
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*deep), "ns/request")
	if want := uint64((b.N + 1) * deep); rt.Counters.Transactions < want {
		b.Fatalf("%d transactions, want %d", rt.Counters.Transactions, want)
	}
}

type again struct{ n int }

func (c *again) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	if s == ss.Disconnected {
		c.n++
		return h.Connect()
	}
	return ss.OK
}
func (c *again) Rx(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.OK }
func (c *again) Tx(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) {
	return 0, 0, ss.TxDontSend
}

// reply2 answers the frames of an HTTP/2 client: each request without a body gets 200 and one line.
func reply2(feed, p []byte) []byte {
	const magic = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	if bytes.HasPrefix(p, []byte(magic)) {
		p = p[len(magic):]
		feed = append(feed, 0, 0, 0, fSettings, 0, 0, 0, 0, 0)
		feed = append(feed, 0, 0, 0, fSettings, 1, 0, 0, 0, 0)
	}
	for len(p) >= 9 {
		n := 9 + int(p[0])<<16 + int(p[1])<<8 + int(p[2])
		if p[3] == fHeaders {
			feed = append(feed, 0, 0, 1, fHeaders, 4)
			feed = append(append(feed, p[5:9]...), 0x88) // :status 200
			feed = append(feed, 0, 0, 6, fData, 1)
			feed = append(append(feed, p[5:9]...), "hello\n"...)
		}
		p = p[n:]
	}
	return feed
}

// benchClient2 makes n streams of protocol h2 that ask again and again over one connection.
func benchClient2(b testing.TB, n int, keys string) (l *loop.Loop, rt *ss.Runtime, all []*again) {
	sys := newInstant("")
	sys.reply = reply2
	l, rt = benchRuntime(b, sys, `{"s":[{"cli":{"endpoint":"127.0.0.1","port":80,"protocol":"h2",`+keys+`}}]}`)
	for range n {
		c := new(again)
		all = append(all, c)
		h, err := rt.Create(ss.Info{StreamType: "cli", New: func(*ss.Handle) ss.Stream { return c }})
		if err != nil {
			b.Fatal(err)
		}
		if h.Policy().MetadataIndex("m") >= 0 {
			h.SetMetadataString("m", "value")
		}
		h.Connect()
	}
	for range 32 {
		turn(b, l)
	}
	if all[n-1].n == 0 {
		b.Fatal("no transaction came about")
	}
	return l, rt, all
}

// BenchmarkClientGET2 is one transaction of a client stream on a warm connection of HTTP/2, alone and with 63
// others.
func BenchmarkClientGET2(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			l, _, all := benchClient2(b, n, `"http_url":"/x"`)
			b.ReportAllocs()
			for b.Loop() {
				for was := all[0].n; all[0].n == was; {
					turn(b, l)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/request")
		})
	}
}

// BenchmarkClientGET is one transaction of a client stream on a warm connection.
func BenchmarkClientGET(b *testing.B) {
	sys := newInstant("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n")
	l, rt := benchRuntime(b, sys, `{"s":[{"cli":{"endpoint":"127.0.0.1","port":80,"protocol":"h1","http_url":"/x"}}]}`)
	c := new(again)
	h, err := rt.Create(ss.Info{StreamType: "cli", New: func(*ss.Handle) ss.Stream { return c }})
	if err != nil {
		b.Fatal(err)
	}
	h.Connect()
	for range 32 {
		turn(b, l)
	}
	if c.n == 0 {
		b.Fatal("no transaction came about")
	}
	b.ReportAllocs()
	for b.Loop() {
		for was := c.n; c.n == was; {
			turn(b, l)
		}
	}
}

type echo struct{ held []byte }

func (e *echo) State(*ss.Handle, ss.State, ss.Notice) ss.Ret { return ss.OK }
func (e *echo) Rx(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
	e.held = append(e.held[:0], b...)
	return h.RequestTx()
}
func (e *echo) Tx(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	return copy(buf, e.held), 0, ss.OK
}

// BenchmarkRawEcho is one message of 64 bytes back and forth on a raw server stream.
func BenchmarkRawEcho(b *testing.B) { benchRaw(b, 64) }

// BenchmarkRawEchoBulk is a full receive buffer instead.
func BenchmarkRawEchoBulk(b *testing.B) { benchRaw(b, 64<<10) }

const rawDoc = `{"s":[{"srv":{"server":true,"port":80,"protocol":"raw"}}]}`

func benchRaw(b *testing.B, size int) {
	sys := newInstant(strings.Repeat("x", size))
	b.SetBytes(int64(size))
	_, step := benchAccept(b, sys, rawDoc, func() ss.Stream { return new(echo) })
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
}
