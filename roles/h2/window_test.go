package h2

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/http"
)

// sum adds up the DATA of a stream in out, a text.
func sum(out string, id int) (all int) {
	for line := range strings.Lines(out) {
		var k, n int
		if c, _ := fmt.Sscanf(line, "data %d %d", &k, &n); c == 2 && k == id {
			all += n
		}
	}
	return all
}

// TestSendingWithinWindows sends a response within both windows: each step is input of the client and the body that
// it causes (RFC 9113 s.6.9).
func TestSendingWithinWindows(t *testing.T) {
	v := serve(DefaultConfig())
	v.setup = func(_ int, r *recorder) { r.body = strings.Repeat("x", 70000) }
	v.feed(t, preface+setting(settingWindow, 10)+setack)
	got := 0
	for i, c := range []struct {
		in   string
		want int
	}{
		{getReq(1), 10},
		{win(1, 1), 1},
		{setting(settingWindow, 15), 5},
		{setting(settingWindow, 5), 0}, // the window is -10
		{win(1, 9), 0},                 // -1
		{win(1, 1), 0},                 // 0
		{win(1, 1), 1},                 // 1
		{setting(settingWindow, 0), 0}, // -5
		{setting(settingWindow, 6), 1}, // 1
		{win(0, 5), 0},                 // the connection has enough
		{win(1, 65521), 65521},         // 65539 are sent, the connection has 1 left
		{win(1, 100), 1},               // which is sent
		{win(1, 100), 0},               // the stream has 199 left, the connection none
		{win(0, 1), 1},                 // and so on
		{win(0, 100), 100},             // the stream has 98 left
		{win(0, 1<<20), 98},            // the stream's window ends first
		{setting(settingWindow, 7), 1}, // more for all streams
		{win(1, 1<<20), 4260},          // to the end
		{win(1, 1) + win(1, 1<<30), 0}, // a closed stream
		{fr(framePing, 0, 0, "12345678"), 0},
	} {
		n := sum(v.feed(t, c.in), 1)
		if got += n; n != c.want {
			t.Fatalf("step %d: got %d octets of body, want %d", i, n, c.want)
		}
	}
	if got != 70000 {
		t.Errorf("got %d octets in all, want 70000", got)
	}
	v.over(t)
}

// TestReceivingWithinWindows: a peer uses its windows to the last octet, and then sends one more.
func TestReceivingWithinWindows(t *testing.T) {
	small := func() Config {
		cfg := DefaultConfig()
		cfg.Limits.Window, cfg.Limits.ConnWindow = 100, 1000
		return cfg
	}
	paused := func(_ int, r *recorder) {
		r.head.Status = 0
		r.onHead = func(x http.Exchange, _ *http.Message) { x.Pause() }
	}
	t.Run("stream", func(t *testing.T) {
		v := ready(t, small())
		v.setup = paused
		in := postReq(1) + data(1, 0, strings.Repeat("x", 90)) + data(1, flagPadded, "\x05abcd\x00\x00\x00\x00\x00")
		if got := verdict(v.feed(t, in)); got != "" {
			t.Errorf("answer to the whole window: got %s, want none", got)
		}
		if got := verdict(v.feed(t, data(1, 0, "x"))); got != "reset 1 FLOW_CONTROL_ERROR" {
			t.Errorf("answer to one octet more: got %q", got)
		}
		v.over(t)
	})
	t.Run("connection", func(t *testing.T) {
		cfg := small()
		cfg.Limits.Kept, cfg.Limits.Window = 0, 1<<20
		v := ready(t, cfg)
		v.setup = paused
		v.feed(t, postReq(1))
		for range 65535 / 5 {
			if got := v.feed(t, data(1, 0, "abcde")); got != "" {
				t.Fatalf("answer within the window: got %s", got)
			}
		}
		if got := verdict(v.feed(t, data(1, 0, "x"))); got != "goaway 1 FLOW_CONTROL_ERROR" {
			t.Errorf("answer to one octet more: got %q", got)
		}
		v.over(t)
	})
	t.Run("grows again", func(t *testing.T) {
		v := ready(t, small())
		v.setup = func(_ int, r *recorder) { r.head.Status = 0; r.quiet = true }
		v.feed(t, postReq(1))
		granted, sent := 100, 0
		for range 1000 {
			out := v.feed(t, data(1, 0, strings.Repeat("x", granted)))
			sent, granted = sent+granted, 0
			for line := range strings.Lines(out) {
				var id, n int
				if fmt.Sscanf(line, "window %d %d", &id, &n); id == 1 {
					granted += n
				}
			}
			if granted == 0 {
				t.Fatalf("no window after %d octets: %s", sent, out)
			}
		}
		v.over(t)
	})
}

// TestPausedStreamsDoNotBlockOthers: paused handlers fill all that is kept for them, and other streams continue.
func TestPausedStreamsDoNotBlockOthers(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Limits.ConnWindow = 65535
	v := ready(t, cfg)
	v.setup = func(n int, r *recorder) {
		r.head.Status, r.quiet = 0, true
		if n <= 3 {
			r.onHead = func(x http.Exchange, _ *http.Message) { x.Pause() }
		}
	}
	win := 65535
	send := func(id uint32, n int) {
		for n > 0 {
			k := min(n, 16384)
			if win < k {
				t.Fatalf("stream %d has a window of %d left", id, win)
			}
			win -= k
			for line := range strings.Lines(v.feed(t, data(id, 0, strings.Repeat("x", k)))) {
				var id, n int
				if c, _ := fmt.Sscanf(line, "window %d %d", &id, &n); c == 2 && id == 0 {
					win += n
				}
			}
			n -= k
		}
	}
	for id := uint32(1); id <= 7; id += 2 {
		v.feed(t, postReq(id))
	}
	for id := uint32(1); id <= 5; id += 2 {
		send(id, 256<<10)
	}
	send(7, 100000)
	if v.made[3].got != 100000 {
		t.Errorf("the fourth stream got %d octets, want 100000", v.made[3].got)
	}
	if v.kept < 3*256<<10 {
		t.Errorf("charged for three full windows: got %d", v.kept)
	}
	for _, r := range v.made[:3] {
		r.x.Resume()
	}
	v.l.Sleep(0)
	for i, r := range v.made[:3] {
		if r.got != 256<<10 {
			t.Errorf("paused stream %d got %d octets after Resume", i, r.got)
		}
	}
	if win += sum0(v.out(t)); win < 65535/2 {
		t.Errorf("the connection's window after all was read: got %d", win)
	}
	v.over(t)
}

// sum0 adds up the windows of the connection in out.
func sum0(out string) (all int) {
	for line := range strings.Lines(out) {
		var id, n int
		if c, _ := fmt.Sscanf(line, "window %d %d", &id, &n); c == 2 && id == 0 {
			all += n
		}
	}
	return all
}

// TestManualCredit: the window follows Credit alone, before the request is sent and after it.
func TestManualCredit(t *testing.T) {
	cfg := DefaultConfig()
	v := dial(t, cfg)
	v.c.SetWindow(0)
	r := &recorder{name: "1:", log: &v.log, head: get("/"), end: true}
	v.made = append(v.made, r)
	x, err := v.c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	x.(http.FlowControlled).ManualCredit()
	x.Credit(7)
	v.l.Service()
	if got, want := v.out(t), "window 1 7\n"; !strings.HasSuffix(got, want) {
		t.Errorf("sent\n%s, want the credit after the request", got)
	}
	v.feed(t, hdrs(1, 0, ":status", "200"))
	if got := v.feed(t, data(1, 0, "1234567")); got != "" {
		t.Errorf("answer to the granted bytes: got %s", got)
	}
	if n := x.(http.FlowControlled).PeerWindow(); n != 0 {
		t.Errorf("window: got %d, want 0", n)
	}
	x.Credit(3)
	if got := v.out(t); got != "window 1 3\n" {
		t.Errorf("answer to a credit of 3: got %s", got)
	}
	if got := verdict(v.feed(t, data(1, 0, "1234"))); got != "reset 1 FLOW_CONTROL_ERROR" {
		t.Errorf("answer to more than the window: got %q", got)
	}
	v.over(t)
}

// TestTolerance: a peer raises windows above 2^31-1, which ends the connection unless Tolerate was called.
func TestTolerance(t *testing.T) {
	for _, in := range []string{win(0, maxWindow), win(1, maxWindow), win(1, maxWindow-65535) + setting(settingWindow, 70000)} {
		for _, tolerant := range []bool{false, true} {
			v := dial(t, DefaultConfig())
			if tolerant {
				v.c.Tolerate()
			}
			v.ask(t, post("/", http.UnknownLength), "abc", func(r *recorder) { r.stuck = true })
			v.out(t)
			if got := verdict(v.feed(t, in)); (got == "") != tolerant || !tolerant && !strings.Contains(got, "FLOW_CONTROL_ERROR") {
				t.Errorf("tolerant %t: %q", tolerant, got)
			}
			v.over(t)
		}
	}
}

// TestEveryLength transfers 1 MiB, and some octets more or less than multiples of the windows, in both directions.
func TestEveryLength(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: moves gigabytes")
	}
	body := strings.Repeat("0123456789abcdef", (5<<20)/16)
	for _, window := range []int32{65535, 100000, 256 << 10} {
		for k := range 4 {
			for d := -2; d <= 2; d++ {
				n := 1<<20 + k*int(window) + d
				for _, up := range []bool{false, true} {
					cc, sc := DefaultConfig(), DefaultConfig()
					cc.Limits.Window, sc.Limits.Window = window, window
					cc.Limits.ConnWindow, sc.Limits.ConnWindow = 65535+int32(k), 65535
					s := &recorder{name: "s", quiet: true, head: http.Message{Status: 200, Length: http.UnknownLength}}
					c := &recorder{name: "c", quiet: true, head: post("/", int64(n)), body: body[:n]}
					if !up {
						c.head, c.body, c.end = get("/"), "", true
						s.body = body[:n]
						if d%2 == 0 {
							s.head.Length = int64(n)
						}
					}
					p := newPair(cc, sc, func(*Server) http.Handler { return s })
					p.open()
					if _, err := p.c.Do(c); err != nil {
						t.Fatal(err)
					}
					p.pump()
					if got := s.got + c.got; got != n || !c.done || !s.done || c.cause != nil || s.cause != nil {
						t.Fatalf("window %d, length %d, upwards %t: got %d octets, client %v %v, server %v %v", window, n, up, got, c.done, c.cause, s.done, s.cause)
					}
					p.check(t)
				}
			}
		}
	}
}

// TestFairness: 100 responses share one connection, whose peer opens small windows: after the first round no stream
// has less than half its share, whichever window is short.
func TestFairness(t *testing.T) {
	for _, c := range []struct {
		name  string
		grant uint32 // of the connection's window, at a time
		unit  int    // what a stream sends at a time
	}{
		{"the connection's window, a frame at a time", 16384, 16384},
		{"the connection's window, by crumbs", 700, 700},
		{"the transport", 1 << 20, 16384},
	} {
		t.Run(c.name, func(t *testing.T) {
			const streams = 100
			v := serve(DefaultConfig())
			v.l.Allow = 200 << 10 // the transport takes this much between two reads
			v.setup = func(_ int, r *recorder) { r.body = strings.Repeat("x", 4<<20) }
			v.feed(t, preface+setting(settingWindow, 1<<30)+setack)
			var got [streams]int
			all := 0
			note := func(out string) {
				for line := range strings.Lines(out) {
					var id, n int
					if c, _ := fmt.Sscanf(line, "data %d %d", &id, &n); c == 2 {
						got[id/2] += n
						all += n
					}
				}
			}
			for i := range uint32(streams) {
				v.feed(t, getReq(2*i+1)) // the first window goes to the first streams
			}
			for i := range 1000 {
				note(v.feed(t, win(0, c.grant)))
				if all < 2*streams*c.unit {
					continue
				}
				for s, n := range got {
					if n < all/streams/2 {
						t.Fatalf("step %d: of %d octets stream %d has %d of %v", i, all, 2*s+1, n, got)
					}
				}
			}
			if all < 700*1000-streams*c.unit {
				t.Errorf("got only %d octets", all)
			}
			v.over(t)
		})
	}
}

// TestUrgency: the more urgent of two responses is sent first, as its request or a PRIORITY_UPDATE demands.
func TestUrgency(t *testing.T) {
	for _, late := range []bool{false, true} {
		v := serve(DefaultConfig())
		v.setup = func(_ int, r *recorder) { r.body = strings.Repeat("x", 100000) }
		v.feed(t, preface+setting(settingWindow, 1<<20)+setack)
		v.l.Refuse = true
		if late {
			v.feed(t, getReq(1)+getReq(3)+getReq(5)+fr(framePriorityUpdate, 0, 0, u32(5)+"u=0"))
		} else {
			v.feed(t, getReq(1)+getReq(3)+hdrs(5, endS, with(ask, "priority", "i, u=0")...))
		}
		v.l.Refuse = false
		out := v.feed(t, win(0, 10))
		if n := sum(out, 5); n < 65000 || sum(out, 1)+sum(out, 3) > 700 {
			t.Errorf("late %t: the urgent one got %d of the window, the others %d and %d", late, n, sum(out, 1), sum(out, 3))
		}
		v.over(t)
	}
}

// TestLoweredLimit: a server lowers its limit below the number of streams that a client has begun: those that are not
// sent yet wait.
func TestLoweredLimit(t *testing.T) {
	v := dial(t, DefaultConfig(), setting(settingStreams, 5), setack)
	v.l.Refuse = true
	for range 5 {
		v.ask(t, get("/"), "")
	}
	if _, err := v.c.Do(&recorder{}); !errors.Is(err, ErrBusy) {
		t.Errorf("Do of a sixth: got %v, want %v", err, ErrBusy)
	}
	v.feed(t, setting(settingStreams, 2))
	v.l.Refuse = false
	v.l.Service()
	if out := v.out(t); strings.Count(out, "headers") != 2 {
		t.Errorf("with a limit of 2: sent\n%s", out)
	}
	if out := v.feed(t, hdrs(1, endS, ":status", "200")); out != "headers 5 end :method=GET :scheme=https :authority=a.example :path=/\n" {
		t.Errorf("after the end of one: sent\n%s", out)
	}
	if out := v.feed(t, setting(settingStreams, 4)); strings.Count(out, "headers") != 2 {
		t.Errorf("with a limit of 4: sent\n%s", out)
	}
	v.over(t)
}

// TestHeadsNeedNoWindow: a peer whose first SETTINGS have a window of 0, like those of libwebsockets, gets every
// request's head at once, and an extended CONNECT as soon as its SETTINGS allow it; bodies wait.
func TestHeadsNeedNoWindow(t *testing.T) {
	none := setting(settingWindow, 0, settingConnect, 1)
	connect := get("/chat")
	connect.Method, connect.Protocol = []byte("CONNECT"), []byte("websocket")
	const to = ":scheme=https :authority=a.example :path="
	for _, c := range []struct {
		name    string
		m       http.Message
		body    string
		stuck   bool
		head    string
		waits   bool   // the head waits for SETTINGS
		granted string // what a window lets the client send
	}{
		{"GET", get("/"), "", false, "headers 1 end :method=GET " + to + "/\n", false, ""},
		{"POST", post("/", 3), "abc", false, "headers 1 :method=POST " + to + "/ content-length=3\n", false, "data 1 3 \"abc\" end\n"},
		{"POST of unknown length", post("/", http.UnknownLength), "abc", false, "headers 1 :method=POST " + to + "/\n", false, "data 1 3 \"abc\" end\n"},
		{"POST without body", post("/", 0), "", false, "headers 1 end :method=POST " + to + "/ content-length=0\n", false, ""},
		{"CONNECT", connect, "", true, "headers 1 :method=CONNECT " + to + "/chat :protocol=websocket\n", true, ""},
	} {
		for _, asked := range []string{"before SETTINGS", "in time for SETTINGS", "after SETTINGS"} {
			v := dial(t, DefaultConfig(), "")
			late := asked == "after SETTINGS"
			if late {
				v.feed(t, none, setack)
			}
			v.l.Refuse = asked == "in time for SETTINGS"
			v.ask(t, c.m, c.body, func(r *recorder) { r.stuck = c.stuck })
			early := v.out(t)
			if c.waits && !late && early != "" {
				t.Errorf("%s %s: sent %q, want nothing before SETTINGS", c.name, asked, early)
			}
			var out string
			if !late {
				out = v.feed(t, none, setack)
			}
			v.l.Refuse = false
			v.l.Service()
			out = strings.ReplaceAll(early+out+v.out(t), "settings ack\n", "")
			want := c.head
			if asked == "before SETTINGS" {
				want += c.granted // by the initial window
			}
			if out = strings.ReplaceAll(out, "settings\n", ""); out != want {
				t.Errorf("%s %s: sent\n%s\nwant\n%s", c.name, asked, out, want)
			}
			if out = v.feed(t, win(1, 100)); asked != "before SETTINGS" && out != c.granted {
				t.Errorf("%s %s: after a window: sent\n%s\nwant\n%s", c.name, asked, out, c.granted)
			}
			v.over(t)
		}
	}
}

// TestOverrunIsToleratedOnUnpausedStreams: a peer may send up to one window more than it has if the stream is not
// paused, and it is counted; not beyond that, not on a paused stream, and not while memory is short.
func TestOverrunIsToleratedOnUnpausedStreams(t *testing.T) {
	const streamOver, connOver = "reset 1 FLOW_CONTROL_ERROR", "goaway 1 FLOW_CONTROL_ERROR"
	for _, c := range []struct {
		name         string
		window, conn int32
		manual       bool
		paused       bool
		short        bool
		frames       []int
		want         string
		counted      uint64
	}{
		{"within", 100, 1 << 20, false, false, false, []int{100, 100}, "", 0},
		{"a little over", 100, 1 << 20, false, false, false, []int{101}, "", 1},
		{"a whole window over", 100, 1 << 20, false, false, false, []int{200}, "", 1},
		{"again and again", 100, 1 << 20, false, false, false, []int{150, 150, 150, 150}, "", 4},
		{"more than a window over", 100, 1 << 20, false, false, false, []int{201}, streamOver, 0},
		{"credit by hand", 100, 1 << 20, true, false, false, []int{100, 60, 40}, "", 2},
		{"credit by hand, more than a window over", 100, 1 << 20, true, false, false, []int{100, 60, 41}, streamOver, 1},
		{"paused", 100, 1 << 20, false, true, false, []int{100, 1}, streamOver, 0},
		{"paused, one frame", 100, 1 << 20, false, true, false, []int{101}, streamOver, 0},
		{"memory is short", 100, 1 << 20, false, false, true, []int{101}, streamOver, 0},
		{"memory is short, within", 100, 1 << 20, false, false, true, []int{100, 100}, "", 0},
	} {
		cfg := DefaultConfig()
		cfg.Limits.Window, cfg.Limits.ConnWindow = c.window, c.conn
		v := ready(t, cfg)
		v.l.Short = c.short
		v.setup = func(_ int, r *recorder) {
			r.head.Status, r.quiet = 0, true
			r.onHead = func(x http.Exchange, _ *http.Message) {
				if c.manual {
					x.(http.FlowControlled).ManualCredit()
				}
				if c.paused {
					x.Pause()
				}
			}
		}
		out, sent := v.feed(t, postReq(1)), 0
		for _, n := range c.frames {
			sent += n
			out += v.feed(t, data(1, 0, strings.Repeat("x", n)))
		}
		if got := verdict(out); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if got := v.sh.Counters.Overrun; got != c.counted {
			t.Errorf("%s: counted %d, want %d", c.name, got, c.counted)
		}
		if r := v.made[0]; c.want == "" && !c.paused && r.got != sent {
			t.Errorf("%s: the handler got %d octets, want all %d", c.name, r.got, sent)
		}
		v.over(t)
	}
	// The connection's window, which the credit of no stream returns.
	for _, c := range []struct {
		name          string
		paused, short bool
		frames        int // of 1,000 octets, after the window is used up
		want          string
	}{
		{"a little over", false, false, 1, ""},
		{"a window over", false, false, 65, ""},
		{"more", false, false, 66, connOver},
		{"paused", true, false, 1, connOver},
		{"memory is short", false, true, 1, connOver},
	} {
		cfg := DefaultConfig()
		cfg.Limits.Window, cfg.Limits.ConnWindow, cfg.Limits.Kept = 1<<20, 65535, 0
		v := ready(t, cfg)
		v.l.Short = c.short
		v.setup = func(n int, r *recorder) {
			r.head.Status, r.quiet = 0, true
			r.onHead = func(x http.Exchange, _ *http.Message) {
				if n == 1 || c.paused {
					x.Pause()
				}
			}
		}
		// The first stream, which is paused, uses up the window with kept bytes.
		v.feed(t, postReq(1)+postReq(3))
		for range 4 {
			v.feed(t, data(1, 0, strings.Repeat("x", 16383)))
		}
		v.feed(t, data(1, 0, "xxx"))
		v.s.recvWin = 0
		out := ""
		for range c.frames {
			v.s.credit = 0 // nothing is returned
			out += v.feed(t, data(3, 0, strings.Repeat("x", 1000)))
		}
		if got := strings.Replace(verdict(out), "goaway 3", "goaway 1", 1); got != c.want {
			t.Errorf("connection, %s: got %q, want %q", c.name, got, c.want)
		}
		v.over(t)
	}
}
