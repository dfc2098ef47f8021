package ss_test

import (
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/ss"
)

// plainPeer is a socket without a reactor.
type plainPeer struct {
	w    *world
	fd   loop.FD
	got  []byte
	over bool
}

func (w *world) plainPeer(port uint16) *plainPeer {
	w.t.Helper()
	fd, e := w.wsHost().Connect(loop.Addr{IP: netip.AddrPortFrom(serverIP, port)}, loop.SocketOptions{})
	if e != syscall.EINPROGRESS {
		w.t.Fatalf("connect: %v", e)
	}
	w.Settle()
	return &plainPeer{w: w, fd: fd}
}

func (b *plainPeer) write(s string) {
	b.w.t.Helper()
	if n, e := b.w.third.Write(b.fd, []byte(s)); e != 0 || n != len(s) {
		b.w.t.Fatalf("write: %d of %d bytes, %v", n, len(s), e)
	}
	b.w.Settle()
}

// read returns all input so far.
func (b *plainPeer) read() string {
	p := make([]byte, 64<<10)
	for {
		n, e := b.w.third.Read(b.fd, p)
		if n == 0 || e != 0 {
			b.over = b.over || e != syscall.EAGAIN
			return string(b.got)
		}
		b.got = append(b.got, p[:n]...)
	}
}

// TestRuntimesShareAnAccount: when memory is free again, two runtimes on one loop both resume the connections
// that they had stopped reading; also after one runtime is closed.
func TestRuntimesShareAnAccount(t *testing.T) {
	w := memoryWorld(t, 4<<20, true)
	pol, err := policy.Parse([]byte(`{"s":[{"web":{"server":true,"port":90,"protocol":"h2","metadata":[{"path":""}]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	second, err := ss.New(ss.Config{Loop: w.Server.Loop, Policy: pol, PanicOnIllegal: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Create(ss.Info{StreamType: "web", New: func(*ss.Handle) ss.Stream { return &noTaker{takes: true} }}); err != nil {
		t.Fatal(err)
	}
	a := w.Server.Loop.Account()
	ask := func(port uint16) {
		t.Helper()
		p := w.plainPeer(port)
		p.write("GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 6000)) // more than a thousandth of the ceiling
		a.Charge(2 << 20)
		p.write("\r\n\r\n")
		w.Advance(time.Second)
		if got := p.read(); got != "" {
			t.Fatalf("port %d, while memory is short: got %q, want nothing", port, got)
		}
		a.Release(2 << 20)
		w.Advance(time.Second)
		if got := p.read(); !strings.HasSuffix(got, "hello") {
			t.Errorf("port %d, when there is memory again: got %q, want an answer", port, got)
		}
		w.third.Close(p.fd)
		w.Settle()
	}
	ask(80)
	ask(90)
	ask(80)
	second.Close()
	w.Advance(10 * time.Second)
	ask(80)
	if second.Len()+second.Net().Open() != 0 {
		t.Errorf("of the closed runtime: got %d streams and %d connections, want none", second.Len(), second.Net().Open())
	}
}

// TestWindowsComeBackWithMemory: unread bodies get no window while memory is short, and the peer continues when
// memory is free again.
func TestWindowsComeBackWithMemory(t *testing.T) {
	w := newWorld(t, webDoc, plan{})
	w.Serve("web", func(s *script) {
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret { h.Pause(); return ss.OK })
		s.OnRx = func(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
			if f&ss.EOM == 0 {
				return ss.OK
			}
			h.ServerAck(0)
			return h.RequestTxLen(0)
		}
	})
	p := w.peer("h2")
	a := w.Server.Loop.Account()
	a.Charge(32 << 20)
	body := strings.Repeat("x", 1<<20)
	calls := []*call{p.ask("POST", "/", body), p.ask("POST", "/", body)}
	w.Advance(time.Second)
	// 64 KiB may be buffered while memory is short, plus one read.
	if n := w.Server.Runtime.Net().Held() + int(a.UsedBy(uint8(roles.HoldBody))); n > 256<<10 {
		t.Errorf("held while memory is short: got %d bytes, want at most 256 KiB", n)
	}
	a.Release(32 << 20)
	w.Advance(time.Second)
	if n := a.UsedBy(uint8(roles.HoldBody)); n < 512<<10 {
		t.Errorf("held for two paused streams when there is memory: got %d bytes, want both windows full", n)
	}
	for _, s := range w.Accepted {
		s.Handle.Resume()
	}
	w.until(10*time.Second, calls...)
	for _, q := range calls {
		q.want("a request that waited for memory", "200 content-length=0")
	}
}

// hoarder keeps its input, reports that with Memory, and answers on request.
type hoarder struct {
	mem  ss.Memory
	kept []byte
}

func (s *hoarder) State(h *ss.Handle, st ss.State, _ ss.Notice) ss.Ret {
	if st == ss.Destroying {
		s.mem.Set(h, 0)
	}
	return ss.OK
}

func (s *hoarder) Rx(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
	s.kept = append(s.kept, b...)
	s.mem.Set(h, cap(s.kept))
	return ss.OK
}

func (s *hoarder) Tx(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) { return 0, 0, ss.TxDontSend }

// TestProgramsMemoryIsCounted: the memory of a program for its streams is on the account, by connection: the peer with the
// most for longest is disconnected when memory is short, and others are not.
func TestProgramsMemoryIsCounted(t *testing.T) {
	for _, over := range []string{"raw", "h2"} {
		doc := strings.ReplaceAll(`{"s":[{"srv":{"server":true,"port":80,"protocol":"PROTO"}}]}`, "PROTO", over)
		w := newWorld(t, doc, plan{Loop: loop.Config{Memory: 1 << 20}})
		if _, err := w.Server.Runtime.Create(ss.Info{StreamType: "srv", New: func(*ss.Handle) ss.Stream { return new(hoarder) }}); err != nil {
			t.Fatal(err)
		}
		head := "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n"
		if over == "raw" {
			head = ""
		}
		honest := w.plainPeer(80)
		honest.write(head + "hello")
		w.Advance(time.Second)
		var all []*plainPeer
		for range 30 {
			p := w.plainPeer(80)
			p.write(head + strings.Repeat("x", 40_000))
			all = append(all, p)
		}
		a := w.Server.Loop.Account()
		if n := a.Peak(); n > 1<<20+overshoot || a.UsedBy(uint8(roles.HoldProgram)) == 0 {
			t.Errorf("%s: account: got up to %d bytes, %d of programs; want at most %d", over, n, a.UsedBy(uint8(roles.HoldProgram)), 1<<20+overshoot)
		}
		gone := 0
		for _, p := range all {
			if p.read(); p.over {
				gone++
			}
		}
		if honest.read(); honest.over || gone == 0 || gone == len(all) {
			t.Errorf("%s: closed: got %d of %d, the honest one %v; want some, and not the honest one", over, gone, len(all), honest.over)
		}
		for _, p := range append(all, honest) {
			w.third.Close(p.fd)
		}
		w.Advance(time.Minute)
		if n := a.Used(); n != 0 {
			t.Errorf("%s: account at the end: got %d bytes, want 0", over, n)
		}
	}
}

// TestMemoryFollowsItsStream: the memory of a stream is charged to the runtime while it has no connection.
func TestMemoryFollowsItsStream(t *testing.T) {
	for _, c := range [][2]string{{"raw", rawServer}, {"h1", h1Server}} {
		w := newWorld(t, clientDoc(`"protocol":"`+c[0]+`","opportunistic":true,"retry":"none"`, c[1]), plan{})
		w.Serve("srv", nil)
		s := newScript()
		h := w.Create("c", s)
		var m ss.Memory
		want := func(when string, n int64) {
			t.Helper()
			if got := w.Client.Loop.Account().UsedBy(uint8(roles.HoldProgram)); got != n {
				t.Errorf("%s, %s: got %d bytes, want %d", c[0], when, got, n)
			}
		}
		m.Set(h, 100)
		want("before it connects", 100)
		h.Connect()
		m.Set(h, 200)
		want("while it connects", 200)
		w.Advance(time.Second)
		m.Set(h, 300)
		m.Set(h, 300)
		want("connected", 300)
		h.Disconnect()
		m.Set(h, 310)
		w.Advance(time.Second)
		m.Set(h, 50)
		want("disconnected", 50)
		h.Destroy()
		w.Advance(time.Minute)
		want("destroyed", 50)
		m.Set(h, 0)
		want("in the end", 0)
	}
}

// TestSavedHeadersHaveTheirShare: the saved fields of responses are limited to a share of the
// account. Beyond it the attempt fails.
func TestSavedHeadersHaveTheirShare(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"h1","direct_proto_str":true,"opportunistic":true,"retry":"none"`, rawServer), plan{Loop: loop.Config{Memory: 256 << 10}})
	w.Serve("srv", (&routes{answer: map[string]string{"80 GET /": "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 6000) + "\r\nContent-Length: 100\r\n\r\nstalls"}}).play("80"))
	var all []*script
	for range 40 {
		s := newScript()
		w.Create("c", s).Connect()
		all = append(all, s)
	}
	w.Advance(time.Second)
	kept, refused := 0, 0
	for _, s := range all {
		if s.Told(ss.Connected) > 0 && s.Told(ss.Disconnected) == 0 {
			kept++
		}
		if s.Told(ss.Unreachable) > 0 {
			refused++
		}
	}
	a := w.Client.Loop.Account()
	if kept < 8 || refused < 20 || kept+refused != len(all) || a.UsedBy(uint8(roles.HoldHead)) > 64<<10 || w.Client.Runtime.Counters.MemoryRefused != uint64(refused) {
		t.Errorf("got %d kept, %d refused (%d counted), %d bytes; want about ten, the rest, and a quarter of 256 KiB", kept, refused,
			w.Client.Runtime.Counters.MemoryRefused, a.UsedBy(uint8(roles.HoldHead)))
	}
}
