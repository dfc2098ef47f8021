package h2

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// pipe is the owner of a tunnel: it sends out, and records what arrives.
type pipe struct {
	low   roles.Lower
	room  int    // asked of Room
	out   []byte // to send
	echo  bool   // what arrives is sent back
	fin   bool   // our direction ends after out
	least int    // nothing is used below it
	bite  int    // the most that is used at a time, 0 for all
	rest  []byte // the rest of the last piece
	moved int    // bytes whose place changed between two calls
	in    []byte
	log   []string
	due   time.Duration
	on    func(call string)
}

func (p *pipe) say(call string) {
	p.log = append(p.log, call)
	if p.on != nil {
		p.on(call)
	}
}

func (p *pipe) Opened(time.Duration) {
	if len(p.out) > 0 || p.fin {
		p.low.WantWrite()
	}
	p.say("opened")
}

func (p *pipe) Rx(_ time.Duration, b []byte) int {
	if len(b) < p.least {
		return 0
	}
	if len(p.rest) > 0 && &b[0] != &p.rest[0] {
		p.moved += len(p.rest)
	}
	if p.rest = nil; p.bite > 0 && len(b) > p.bite {
		b, p.rest = b[:p.bite], b[p.bite:]
	}
	p.in = append(p.in, b...)
	if p.echo {
		p.out = append(p.out, b...)
		p.low.WantWrite()
	}
	if p.on != nil {
		p.on("rx")
	}
	return len(b)
}

func (p *pipe) RxEnd(_ time.Duration, unused int) { p.say(fmt.Sprint("end ", unused)) }

func (p *pipe) Writable(time.Duration) {
	if p.on != nil {
		p.on("writable")
	}
	for len(p.out) > 0 {
		r := p.low.Room(max(p.room, 1))
		if r == nil {
			p.low.WantWrite()
			return
		}
		if len(r) < p.room {
			panic("less room than was asked for")
		}
		n := copy(r[:max(p.room, 1)], p.out)
		p.low.Commit(n)
		p.out = p.out[n:]
	}
	if p.fin {
		p.fin = false
		p.low.CloseWrite()
	}
}

func (p *pipe) Deadline() time.Duration { return p.due }
func (p *pipe) Timeout(time.Duration)   { p.due = 0; p.say("timeout") }
func (p *pipe) Woken(time.Duration)     { p.say("woken") }
func (p *pipe) Closed(cause error)      { p.say(fmt.Sprint("closed ", cause)) }

// calls returns the pipe's calls without Rx and Writable.
func (p *pipe) calls() string { return strings.Join(p.log, ", ") }

// closed returns the number of Closed calls.
func (p *pipe) closed() (n int) {
	for _, c := range p.log {
		if strings.HasPrefix(c, "closed ") {
			n++
		}
	}
	return n
}

// tunnelPair is a client's pipe and a server's, connected by a stream.
type tunnelPair struct {
	*pair
	near, far *pipe
	c, s      *recorder
	kept      [2]int
}

func newTunnel(t testing.TB, cc, sc Config, near, far *pipe) *tunnelPair {
	t.Helper()
	p := &tunnelPair{near: near, far: far}
	p.s = &recorder{name: "s"}
	p.pair = newPair(cc, sc, func(*Server) http.Handler { return upgrader{p.s, &p.pair.s, far} })
	for i, l := range []*rolestest.Lower{p.cl, p.sl} {
		l.OnHold = func(_ roles.Kind, n int) { p.kept[i] += n }
	}
	p.open()
	m := get("/chat")
	m.Method, m.Protocol = []byte("CONNECT"), []byte("websocket")
	p.c = &recorder{name: "c", head: m, stuck: true}
	p.c.onHead = func(x http.Exchange, m *http.Message) {
		near.low = p.pair.c.Stream(x)
		if err := p.pair.c.Upgrade(x, near); err != nil {
			t.Errorf("client: %v", err)
		}
	}
	if _, err := p.pair.c.Do(p.c); err != nil {
		t.Fatal(err)
	}
	p.pump()
	return p
}

// upgrader responds to a CONNECT, and gives its stream to u.
type upgrader struct {
	*recorder
	s *Server
	u *pipe
}

func (h upgrader) Head(x http.Exchange, _ *http.Message) { x.WantWrite() }

func (h upgrader) Writable(x http.Exchange) {
	if err := x.SendHead(&http.Message{Status: 200, Length: http.UnknownLength}, false); err != nil {
		x.WantWrite()
		return
	}
	h.u.low = h.s.Stream(x)
	if err := h.s.Upgrade(x, h.u); err != nil {
		panic(err)
	}
}

// TestTunnelAnswersBeforeItReads: an owner's answer to some bytes goes out before its next bytes are delivered,
// whether they are in the same frame or in the next.
func TestTunnelAnswersBeforeItReads(t *testing.T) {
	for _, c := range []struct{ room, bite int }{{1, 0}, {3, 1}} {
		near, far := &pipe{}, &pipe{bite: c.bite}
		p := newTunnel(t, DefaultConfig(), DefaultConfig(), near, far)
		order := ""
		far.on = func(call string) {
			if order += call + " "; call == "rx" {
				far.out = append(far.out, '.')
				far.low.WantWrite()
			}
		}
		near.room, near.out = c.room, []byte("abc")
		near.low.WantWrite()
		p.pump()
		if order != "rx writable rx writable rx writable " || string(far.in) != "abc" || string(near.in) != "..." {
			t.Errorf("%+v: %s; received %q, got the answer %q", c, order, far.in, near.in)
		}
		p.end(t)
	}
}

// end ends both connections, and checks the invariants.
func (p *tunnelPair) end(t testing.TB) {
	t.Helper()
	p.cl.Break(nil)
	p.sl.Break(nil)
	for _, u := range []*pipe{p.near, p.far} {
		if u.closed() != 1 || !strings.HasPrefix(u.log[len(u.log)-1], "closed ") {
			t.Errorf("Closed is not the last call, or not one: %s", u.calls())
		}
	}
	if p.c.done || p.s.done {
		t.Error("a handler got Done for a stream after Upgrade")
	}
	if p.kept != [2]int{} {
		t.Errorf("bytes still charged: %v", p.kept)
	}
	p.check(t)
}

func windows(stream, conn int32) Config {
	k := DefaultConfig()
	k.Limits.Window, k.Limits.ConnWindow = stream, conn
	return k
}

func text(n int) []byte { return []byte(strings.Repeat("0123456789abcdef", n/16+1)[:n]) }

// TestTunnelCarriesBothWays sends more than the windows hold, in rooms that are larger than the windows, and back.
func TestTunnelCarriesBothWays(t *testing.T) {
	for _, window := range []int32{1, 100, 5000, 65535, 1 << 20} {
		for _, room := range []int{1, 3000, roles.MaxRoom} {
			n := min(200000, int(window)*2000)
			near := &pipe{room: room, out: text(n), fin: true}
			far := &pipe{room: room, echo: true}
			far.on = func(call string) {
				if strings.HasPrefix(call, "end") {
					far.fin = true
					far.low.WantWrite()
				}
			}
			p := newTunnel(t, windows(window, 65535), windows(window, 65535), near, far)
			if got := len(near.in); got != n || string(near.in) != string(text(n)) {
				t.Errorf("window %d, room %d: got %d of %d octets back", window, room, got, n)
			}
			if near.calls() != "opened, end 0" || far.calls() != "opened, end 0" {
				t.Errorf("window %d, room %d: calls %q and %q", window, room, near.calls(), far.calls())
			}
			near.low.Close(roles.Graceful, nil)
			far.low.Close(roles.Graceful, nil)
			p.pump()
			if p.pair.c.Active() != 0 || p.pair.s.Active() != 0 || near.calls() != "opened, end 0, closed <nil>" {
				t.Errorf("window %d, room %d: open streams: %d and %d; calls %q", window, room, p.pair.c.Active(), p.pair.s.Active(), near.calls())
			}
			if p.sl.Closing || p.cl.Closing {
				t.Error("the connection closed with the tunnel")
			}
			p.end(t)
		}
	}
}

// TestTunnelNeedsMoreThanItsWindow: an owner uses nothing before it has more than a window of bytes.
func TestTunnelNeedsMoreThanItsWindow(t *testing.T) {
	far := &pipe{least: 10000}
	p := newTunnel(t, DefaultConfig(), windows(100, 65535), &pipe{out: text(10000)}, far)
	if len(far.in) != 10000 {
		t.Errorf("%d octets were used, want 10000", len(far.in))
	}
	p.end(t)
}

// TestTunnelPause: a paused owner stops the peer at the window, loses nothing, and gets the end after the kept bytes.
func TestTunnelPause(t *testing.T) {
	far := &pipe{}
	far.on = func(call string) {
		if call == "opened" {
			far.low.Pause()
		}
	}
	near := &pipe{out: text(5000), fin: true}
	p := newTunnel(t, DefaultConfig(), windows(1000, 65535), near, far)
	if len(far.in) != 0 || p.kept[1] < 1000 || p.kept[1] > 4000 || far.calls() != "opened" {
		t.Errorf("paused: got %d octets, %d are charged, calls %q", len(far.in), p.kept[1], far.calls())
	}
	far.low.Resume()
	if len(far.in) != 0 {
		t.Error("Resume called Rx")
	}
	p.pump()
	if string(far.in) != string(text(5000)) || far.calls() != "opened, end 0" || p.kept[1] != 0 {
		t.Errorf("resumed: got %d octets, %d are charged, calls %q", len(far.in), p.kept[1], far.calls())
	}
	p.end(t)
}

// TestTunnelOwnerReadsLittleAtATime: an owner that uses few bytes at a time gets all of them, and its kept bytes are not moved each
// time.
func TestTunnelOwnerReadsLittleAtATime(t *testing.T) {
	for _, sip := range []int{500, 777, 9999} {
		far := &pipe{bite: sip}
		p := newTunnel(t, DefaultConfig(), windows(20_000, 65535), &pipe{out: text(60_000), room: 10_000, fin: true}, far)
		p.pump()
		if string(far.in) != string(text(60_000)) || far.calls() != "opened, end 0" || p.kept[1] != 0 {
			t.Errorf("sips of %d: got %d octets, %d are charged, calls %q", sip, len(far.in), p.kept[1], far.calls())
		}
		if far.moved > 2*len(far.in) { // once when they are kept, and once within the buffer
			t.Errorf("sips of %d: %d octets were moved for %d that were used", sip, far.moved, len(far.in))
		}
		p.end(t)
	}
}

// TestTunnelCloses closes one end in every way, and checks the calls of both owners.
func TestTunnelCloses(t *testing.T) {
	why := errors.New("had enough")
	for _, c := range []struct {
		mode      roles.CloseMode
		cause     error
		out       int // octets that are committed, more than the window
		near, far string
		in        int
	}{
		{roles.Graceful, nil, 0, "opened, closed <nil>", "opened, end 0", 0},
		{roles.Graceful, why, 5000, "opened, closed had enough", "opened, end 0", 5000},
		{roles.Immediate, why, 5000, "opened, closed had enough", "opened, closed h2: stream: reset by the peer: CANCEL", 0},
		{roles.Reset, why, 0, "opened, closed had enough", "opened, closed h2: stream: reset by the peer: CANCEL", 0},
	} {
		for _, side := range []string{"client", "server"} {
			near, far := &pipe{}, &pipe{}
			p := newTunnel(t, windows(1000, 65535), windows(1000, 65535), near, far)
			if side == "server" {
				near, far = far, near
			}
			if c.out > 0 {
				near.low.Commit(copy(near.low.Room(c.out), text(c.out)))
			}
			near.low.Close(c.mode, c.cause)
			if near.calls() != "opened" {
				t.Errorf("Close called back: %s", near.calls())
			}
			near.low.Close(roles.Graceful, nil) // is ignored
			p.pump()
			if near.calls() != c.near || far.calls() != c.far || len(far.in) != c.in {
				t.Errorf("%s, mode %d: calls %q and %q, %d octets", side, c.mode, near.calls(), far.calls(), len(far.in))
			}
			if c.mode == roles.Graceful {
				far.low.Close(roles.Graceful, nil)
				p.pump()
			}
			if p.pair.c.Active() != 0 || p.pair.s.Active() != 0 {
				t.Errorf("%s, mode %d: open streams: %d and %d", side, c.mode, p.pair.c.Active(), p.pair.s.Active())
			}
			p.end(t)
		}
	}
}

// TestTunnelLingers: what a peer sends after a graceful close is limited in size and time.
func TestTunnelLingers(t *testing.T) {
	k := DefaultConfig()
	k.Limits.Drain = 10000
	near, far := &pipe{}, &pipe{}
	p := newTunnel(t, DefaultConfig(), k, near, far)
	far.low.Close(roles.Graceful, nil)
	p.pump()
	near.out = text(9000)
	near.low.WantWrite()
	p.pump()
	if p.pair.s.Active() != 1 || near.calls() != "opened, end 0" {
		t.Errorf("within the limit: %d streams, %s", p.pair.s.Active(), near.calls())
	}
	near.out = text(2000)
	near.low.WantWrite()
	p.pump()
	if p.pair.s.Active() != 0 || p.kept[1] != 0 {
		t.Errorf("beyond the limit %d streams are open, %d octets are charged", p.pair.s.Active(), p.kept[1])
	}
	p.end(t)

	near, far = &pipe{}, &pipe{}
	p = newTunnel(t, DefaultConfig(), DefaultConfig(), near, far)
	far.low.Close(roles.Graceful, nil)
	p.pump()
	p.sl.Sleep(DefaultTimeouts().Body)
	if p.pair.s.Active() != 0 {
		t.Error("a peer that does not end its direction keeps the stream")
	}
	p.end(t)
}

// TestTunnelReplace: a new owner replaces the first, and gets the octets that it left.
func TestTunnelReplace(t *testing.T) {
	first, second := &pipe{least: 4}, &pipe{}
	first.on = func(call string) {
		if call == "rx" {
			second.low = first.low
			first.low.Replace(second)
		}
	}
	near := &pipe{out: []byte("abcdefgh"), fin: true, room: 4}
	p := newTunnel(t, DefaultConfig(), DefaultConfig(), near, first)
	if string(first.in) != "abcd" && string(first.in) != "abcdefgh" || string(first.in)+string(second.in) != "abcdefgh" {
		t.Errorf("got %q and %q", first.in, second.in)
	}
	if first.calls() != "opened" || second.calls() != "opened, end 0" {
		t.Errorf("calls %q and %q", first.calls(), second.calls())
	}
	p.far = second
	p.end(t)
}

// TestTunnelClosesInsideOfCalls: an owner closes its stream inside each of its calls.
func TestTunnelClosesInsideOfCalls(t *testing.T) {
	for _, mode := range []roles.CloseMode{roles.Graceful, roles.Immediate, roles.Reset} {
		for _, where := range []string{"opened", "rx", "writable", "end 0", "timeout"} {
			far := &pipe{out: text(10)}
			far.on = func(call string) {
				if call == where {
					far.low.Close(mode, nil)
				}
			}
			near := &pipe{out: text(5000), fin: true}
			k := windows(1000, 65535)
			p := newTunnel(t, DefaultConfig(), k, near, far)
			if where == "timeout" {
				far.due = p.sl.Clock + second
				far.low.Rearm()
				p.sl.Sleep(2 * second)
			}
			p.pump()
			if n := far.closed(); n != 1 {
				t.Errorf("mode %d in %s: got Closed %d times: %s", mode, where, n, far.calls())
			}
			// The connection's window is returned.
			if out := p.pair.c.sendWin + p.pair.s.credit; out < 65535 {
				t.Errorf("mode %d in %s: %d octets of the connection's window are lost", mode, where, 65535-out)
			}
			p.end(t)
		}
	}
}

// TestTunnelDeadline: the deadline of the owner is kept, also one that changes between calls.
func TestTunnelDeadline(t *testing.T) {
	far := &pipe{}
	p := newTunnel(t, DefaultConfig(), DefaultConfig(), &pipe{}, far)
	far.due = p.sl.Clock + 3*second
	far.low.Rearm()
	p.sl.Sleep(2 * second)
	if far.calls() != "opened" {
		t.Errorf("before the deadline: calls %s", far.calls())
	}
	p.sl.Sleep(second)
	if far.calls() != "opened, timeout" {
		t.Errorf("calls %q, want the timeout", far.calls())
	}
	p.end(t)
}

// TestTunnelEndsWithItsHead: a 2xx with END_STREAM makes a tunnel without input.
func TestTunnelEndsWithItsHead(t *testing.T) {
	v := dial(t, DefaultConfig(), setting(settingConnect, 1), setack)
	u := &pipe{}
	m := get("/")
	m.Method, m.Protocol = []byte("CONNECT"), []byte("websocket")
	r := v.ask(t, m, "", func(r *recorder) {
		r.stuck = true
		r.onHead = func(x http.Exchange, _ *http.Message) {
			u.low = v.c.Stream(x)
			if err := v.c.Upgrade(x, u); err != nil {
				t.Error(err)
			}
		}
	})
	v.feed(t, hdrs(1, endS, ":status", "200"))
	v.l.Sleep(0)
	if u.calls() != "opened, end 0" || strings.Contains(v.log.String(), "end") {
		t.Errorf("calls %q, handler %q", u.calls(), v.log.String())
	}
	u.low.Close(roles.Graceful, nil)
	v.l.Sleep(0)
	v.l.Service()
	if got := v.out(t); !strings.HasSuffix(got, "data 1 0 \"\" end\n") {
		t.Errorf("sent\n%s", got)
	}
	if u.calls() != "opened, end 0, closed <nil>" || v.c.Active() != 0 {
		t.Errorf("calls %q, %d streams", u.calls(), v.c.Active())
	}
	r.done = true // it gave its stream away
	v.over(t)
}

// TestUpgradeRefused: Upgrade refuses other streams than those of extended CONNECT, and those without a 2xx.
func TestUpgradeRefused(t *testing.T) {
	v := dial(t, DefaultConfig())
	m := get("/")
	m.Method, m.Protocol = []byte("CONNECT"), []byte("websocket")
	v.ask(t, m, "")
	if got := v.log.String(); !strings.Contains(got, ErrNoExtendedConnect.Error()) {
		t.Errorf("a server without extended CONNECT: got %q", got)
	}
	r := v.ask(t, get("/"), "", func(r *recorder) {
		r.onHead = func(x http.Exchange, _ *http.Message) {
			if err := v.c.Upgrade(x, &pipe{}); err != errUpgrade {
				t.Errorf("Upgrade of a GET: %v", err)
			}
		}
	})
	if err := v.c.Upgrade(r.x, &pipe{}); err != errUpgrade {
		t.Errorf("Upgrade without a head: %v", err)
	}
	v.feed(t, hdrs(1, endS, ":status", "200"))
	if !r.done {
		t.Error("the handler did not get Done")
	}
	v.over(t)
}

// TestTunnelWake: an owner gets Woken once for each Wake, in a later call of the transport, and not after its end;
// other owners do not.
func TestTunnelWake(t *testing.T) {
	near, far := &pipe{}, &pipe{}
	p := newTunnel(t, DefaultConfig(), DefaultConfig(), near, far)
	wokenIn := func() int { return strings.Count(far.calls(), "woken") }
	far.low.Wake()
	far.low.Wake()
	p.sl.Service()
	p.sl.Service()
	if got := wokenIn(); got != 1 || strings.Contains(near.calls(), "woken") {
		t.Errorf("two Wakes in one turn: got woken %d times, want once; the other end: %s", got, near.calls())
	}
	far.low.Pause()
	far.on = func(call string) {
		if call == "woken" {
			far.on = nil
			far.low.Wake()
		}
	}
	far.low.Wake()
	p.sl.Service()
	if got := wokenIn(); got != 2 {
		t.Errorf("a Wake from inside Woken: got %d answers in this turn, want 1", got-1)
	}
	p.sl.Service()
	if got := wokenIn(); got != 3 {
		t.Errorf("a Wake from inside Woken: got %d answers in the next turn, want 1", got-2)
	}
	if i := far.low.Info(); i.Layer != roles.LayerH2Stream || i.Conn != roles.Conn(p.sl) || far.low.Now() != p.sl.Clock {
		t.Errorf("info: got %+v at %v, want an h2 stream over the transport at %v", i, far.low.Now(), p.sl.Clock)
	}
	far.low.Wake()
	far.low.Close(roles.Graceful, nil)
	p.sl.Service()
	if got := wokenIn(); got != 3 {
		t.Errorf("after Close: got %d answers, want none", got-3)
	}
	p.end(t)
}

// TestCommitNeedsTheRoom: what runs over a stream and commits into the room of another stream panics; an exchange, which
// is a program's, is reset for misuse.
func TestCommitNeedsTheRoom(t *testing.T) {
	near, far := &pipe{}, &pipe{}
	p := newTunnel(t, DefaultConfig(), DefaultConfig(), near, far)
	x := (*stream)(far.low.(*tunnel))
	other := new(stream)
	x.c.giveRoom(other, make([]byte, 100), false)
	func() {
		defer func() {
			want := "h2: tunnel: commit: 1 bytes without room: it belongs to another connection, or to none"
			if got := recover(); got != want {
				t.Errorf("got panic %v, want %q", got, want)
			}
		}()
		far.low.Commit(1)
	}()
	x.c.giveRoom(other, make([]byte, 100), false)
	x.Commit(1, false)
	if !x.over() || x.cause != errCommitOver {
		t.Errorf("an exchange that commits into another's room: got over %v, cause %v; want %v", x.over(), x.cause, errCommitOver)
	}
	x.c.sh.room.Drop(other)
	p.sl.Service()
	p.end(t)
}
