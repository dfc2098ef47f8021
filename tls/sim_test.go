package tls_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// node is a loop with connections and TLS.
type node struct {
	loop  *loop.Loop
	net   *wsi.Net
	sh    *tls.Shared
	turn  loop.Task
	quiet loop.Timer
}

func newNode(sys loop.System, limit uint64, c tls.Config) *node {
	n := &node{loop: loop.New(sys, loop.Config{Handshakes: 2})}
	n.net = wsi.New(n.loop, wsi.Config{})
	c.Wall = func() time.Time { return tls.Today }
	c.Now = n.loop.Now
	c.TakeStep = n.loop.TakeHandshake
	c.Kick = func() { n.loop.Defer(&n.turn, n) }
	c.Arm = func(at time.Duration) { n.loop.Arm(&n.quiet, at, n) }
	n.sh = tls.New(c)
	n.sh.SetRecordLimit(limit)
	return n
}

func (n *node) RunTask(time.Duration) { n.sh.Turn() }

func (n *node) Expired(now time.Duration) { n.sh.Timeout(now) }
func (n *node) Label() string             { return "TLS" }

// chat is a protocol that sends its text in pieces, compares its input with the other end's text, and closes when
// both are complete.
type chat struct {
	t        *testing.T
	rnd      *rand.Rand
	w        wsi.Wsi
	s        tls.Session
	say      []byte
	want     []byte
	received int
	ended    bool
	closed   bool
	shut     bool
	cause    error
	paused   bool
	resumer  time.Duration
}

func (c *chat) Opened(time.Duration) { c.w.Established(); c.s.WantWrite() }

func (c *chat) Rx(now time.Duration, b []byte) int {
	n := c.rnd.IntN(len(b)) + 1
	if c.rnd.IntN(20) == 0 {
		n = 0
	}
	if c.received+n > len(c.want) || !bytes.Equal(b[:n], c.want[c.received:c.received+n]) {
		c.t.Errorf("received %d wrong bytes at offset %d", n, c.received)
	}
	c.received += n
	clear(b[:n])
	if n == 0 || c.rnd.IntN(10) == 0 {
		c.s.Pause()
		c.paused, c.resumer = true, now+time.Millisecond
	}
	return n
}

func (c *chat) RxEnd(_ time.Duration, unused int) {
	c.ended = true
	if c.received+unused != len(c.want) {
		c.t.Errorf("the end came after %d bytes and %d unused, want %d", c.received, unused, len(c.want))
	}
	c.finish()
}

func (c *chat) finish() {
	if c.ended && c.shut {
		c.s.Close(roles.Graceful, nil)
	}
}

func (c *chat) Writable(time.Duration) {
	for len(c.say) > 0 {
		r := c.s.Room(1)
		if r == nil {
			c.s.WantWrite()
			return
		}
		k := copy(r[:min(len(r), 1+c.rnd.IntN(20_000))], c.say)
		c.s.Commit(k)
		c.say = c.say[k:]
		if c.rnd.IntN(4) == 0 && len(c.say) > 0 {
			c.s.WantWrite()
			return
		}
	}
	if !c.shut {
		c.shut = true
		c.s.CloseWrite()
		c.finish()
	}
}

func (c *chat) Deadline() time.Duration {
	if c.paused {
		return c.resumer
	}
	return 0
}

func (c *chat) Timeout(time.Duration) {
	c.paused = false
	c.s.Resume()
}

func (c *chat) Woken(time.Duration) {}

func (c *chat) Closed(cause error) {
	if c.closed {
		c.t.Error("closed twice")
	}
	c.closed, c.cause = true, cause
}

// listener accepts chats.
type listener struct {
	srv  *tls.Server
	make func() *chat
}

func (l *listener) Accept(*wsi.Listener) (*wsi.Wsi, roles.Upper) {
	c := l.make()
	c.s.InitServer(l.srv, &c.w)
	c.s.SetUpper(c)
	return &c.w, &c.s
}

// Our client and our server exchange data over a network with delays and split segments. crypto/tls is the peer of
// our record layer in both directions, and its keys are replaced at random points.
func TestChatsOnASimulatedNetwork(t *testing.T) {
	seeds := 1000
	if testing.Short() {
		seeds = 5
	}
	goroutines := runtime.NumGoroutine()
	for seed := range seeds {
		cryptotest.SetGlobalRandom(t, uint64(seed))
		rnd := rand.New(rand.NewPCG(uint64(seed), 9))
		var o sim.Options
		o.Latency = time.Millisecond
		o.SndBuf, o.RcvBuf = 4096<<rnd.IntN(6), 4096<<rnd.IntN(6)
		o.ShortRead, o.ShortWrite = 0.2*rnd.Float64(), 0.2*rnd.Float64()
		o.SpuriousReady, o.LateReady = 0.1, 0.1
		o.ShuffleReady = true
		net := sim.New(uint64(seed), o)
		cip, sip := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
		limit := 1 + rnd.Uint64N(40)
		places := tls.Config{MaxHandshakes: 1 + rnd.IntN(4)}
		srv, cli := newNode(net.Host("server", sip), limit, places), newNode(net.Host("client", cip), limit, places)
		sc, cc := tls.ServerForTests(), tls.ClientForTests()
		server, err := tls.NewServer(srv.sh, sc)
		if err != nil {
			t.Fatal(err)
		}
		client, err := tls.NewClient(cli.sh, cc)
		if err != nil {
			t.Fatal(err)
		}
		question, answer := tls.Pattern(rnd.IntN(200_000)), tls.Pattern(rnd.IntN(200_000))
		var all []*chat
		l := &listener{server, func() *chat {
			c := &chat{t: t, rnd: rnd, say: answer, want: question}
			all = append(all, c)
			return c
		}}
		if _, err := srv.net.Listen(wsi.Bind{Port: 443}, loop.ListenOptions{}, nil, l); err != nil {
			t.Fatal(err)
		}
		const chats = 6
		for range chats {
			c := &chat{t: t, rnd: rnd, say: question, want: answer}
			all = append(all, c)
			c.s.InitClient(client, &c.w)
			c.s.SetUpper(c)
			cli.net.Dial(&c.w, wsi.Target{Host: sip.String(), Port: 443}, &c.s, wsi.DialOptions{})
		}
		done := func() bool {
			for _, c := range all {
				if !c.closed {
					return false
				}
			}
			return len(all) == 2*chats && srv.net.Open() == 0 && cli.net.Open() == 0
		}
		if err := net.Run(done, time.Minute, srv.loop, cli.loop); err != nil {
			for i, c := range all {
				t.Logf("chat %d: received %d of %d, %d unsent, ended %v, shut %v, closed %v (%v), %+v", i, c.received, len(c.want), len(c.say), c.ended, c.shut, c.closed, c.cause, c.s.State())
			}
			t.Fatalf("seed %d: %v; open %d and %d", seed, err, srv.net.Open(), cli.net.Open())
		}
		for i, c := range all {
			if c.cause != nil || c.received != len(c.want) {
				t.Errorf("seed %d: chat %d closed with %v after %d of %d bytes", seed, i, c.cause, c.received, len(c.want))
			}
		}
		for _, n := range []*node{srv, cli} {
			if n.sh.InFlight() != 0 || n.sh.Waiting() != 0 || n.loop.Account().Used() != 0 {
				t.Errorf("seed %d: at the end got %d handshakes in flight, %d waiting, %d bytes charged; want none", seed, n.sh.InFlight(), n.sh.Waiting(), n.loop.Account().Used())
			}
		}
		if srv.sh.Counters.TakenOver != chats {
			t.Errorf("seed %d: taken over: got %d, want %d", seed, srv.sh.Counters.TakenOver, chats)
		}
	}
	if now := runtime.NumGoroutine(); now > goroutines {
		t.Errorf("coroutines: got %d more than before, want none", now-goroutines)
	}
}

// The network fails during handshakes: every connection is closed with an error, and no coroutine leaks.
func TestNetworkFailsInHandshakes(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	for cut := range 40 {
		var o sim.Options
		o.Latency = time.Millisecond
		o.RcvBuf, o.SndBuf = 1024, 1024
		net := sim.New(uint64(cut), o)
		sip := netip.MustParseAddr("10.0.0.2")
		sh, ch := net.Host("server", sip), net.Host("client", netip.MustParseAddr("10.0.0.1"))
		srv, cli := newNode(sh, 1<<20, tls.Config{}), newNode(ch, 1<<20, tls.Config{})
		server, _ := tls.NewServer(srv.sh, tls.ServerForTests())
		client, _ := tls.NewClient(cli.sh, tls.ClientForTests())
		rnd := rand.New(rand.NewPCG(1, 1))
		var all []*chat
		l := &listener{server, func() *chat {
			c := &chat{t: t, rnd: rnd, want: []byte{}}
			all = append(all, c)
			return c
		}}
		if _, err := srv.net.Listen(wsi.Bind{Port: 443}, loop.ListenOptions{}, nil, l); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			c := &chat{t: t, rnd: rnd, want: []byte{}}
			all = append(all, c)
			c.s.InitClient(client, &c.w)
			c.s.SetUpper(c)
			cli.net.Dial(&c.w, wsi.Target{Host: sip.String(), Port: 443}, &c.s, wsi.DialOptions{})
		}
		err := net.Run(func() bool { return false }, time.Duration(cut)*500*time.Microsecond, srv.loop, cli.loop)
		if err != nil && !errors.Is(err, sim.ErrLimit) && !errors.Is(err, sim.ErrDeadlock) {
			t.Fatal(err)
		}
		net.Partition(sh, ch)
		told := func(c *chat) bool { return c.closed || c.s.State().Version != 0 }
		ended := func() bool { // a dial under way has no connection that is open
			return srv.net.Open()+cli.net.Open() == 0 && !slices.ContainsFunc(all, func(c *chat) bool { return !told(c) })
		}
		_ = net.Run(ended, time.Hour, srv.loop, cli.loop)
		for i, c := range all {
			if !told(c) {
				t.Errorf("cut after %d steps: connection %d was not closed", cut, i)
			}
		}
		if srv.sh.InFlight()+cli.sh.InFlight() != 0 {
			t.Errorf("cut after %d steps: got %d and %d handshakes in flight, want none", cut, srv.sh.InFlight(), cli.sh.InFlight())
		}
	}
	if now := runtime.NumGoroutine(); now > goroutines {
		t.Errorf("coroutines: got %d more than before, want none", now-goroutines)
	}
}
