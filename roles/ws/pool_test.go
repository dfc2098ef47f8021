package ws

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/rolestest"
)

// begun returns the beginning of a compressed message and the rest of it.
func begun() (begun, ended []byte) {
	m := frame(true, rsvText, deflated(prose(5000), ""))
	return m[:100], m[100:]
}

// TestInflaterOfAStalledMessageIsGivenToAnother checks that a new compressed message gets the inflater of the one that has
// stalled for longest, and fails while none has stalled for long enough.
func TestInflaterOfAStalledMessageIsGivenToAnother(t *testing.T) {
	cfg := newConfig()
	cfg.Deflate.Inflaters = 2
	sh := NewShared(cfg)
	begin, end := begun()
	var ls []*rolestest.Lower
	var hs []*recorder
	add := func(at time.Duration) *rolestest.Lower {
		h := &recorder{}
		_, l := open(sh, false, packed(), h)
		l.Clock = at
		l.Feed(begin)
		ls, hs = append(ls, l), append(hs, h)
		return l
	}
	wantCode := func(what string, l *rolestest.Lower, code string, held int) {
		t.Helper()
		wantSent(t, l, false, code)
		if n := l.All(); n != held {
			t.Errorf("%s: got %d octets held, want %d", what, n, held)
		}
	}
	add(10 * time.Second)
	add(11 * time.Second)
	ls[0].Clock = 11 * time.Second
	ls[0].Feed(end[:10]) // now the second has had no input for longest
	late := add(11*time.Second + evictAfter - 1)
	wantCode("the third, before any has stalled", late, "close 1013", 0)
	ls[0].Clock = 11*time.Second + evictAfter
	ls[0].Feed(end[10:20])
	next := add(11*time.Second + evictAfter)
	if next.All() != inflaterSize || len(next.Out) != 0 {
		t.Errorf("the fourth, when one has stalled: got %d octets held, %q sent; want an inflater", next.All(), next.Out)
	}
	ls[1].Service()
	wantCode("the one that has stalled", ls[1], "close 1013", 0)
	ls[0].Feed(end[20:])
	next.Feed(end)
	for _, i := range []int{0, 3} {
		if len(hs[i].lines) != 1 || hs[i].open || ls[i].All() != 0 {
			t.Errorf("message %d: got %.40q, %d octets held; want it whole", i, hs[i].lines, ls[i].All())
		}
	}
	ls[1].Break(nil)
	if !errors.Is(hs[1].cause, errEvicted) {
		t.Errorf("cause: got %v, want %v", hs[1].cause, errEvicted)
	}
	if n := sh.Counters; n.Evicted != 1 || n.Over != 2 || sh.pool.busy.Len() != 0 {
		t.Errorf("in the end: got %+v, %d in use; want one evicted and one refused", n, sh.pool.busy.Len())
	}
}

// TestInflatersHaveTheirShareOfMemory checks that the transport's memory limits the number of inflaters.
func TestInflatersHaveTheirShareOfMemory(t *testing.T) {
	cfg := newConfig()
	cfg.Deflate.Inflaters = 0
	sh := NewShared(cfg)
	begin, end := begun()
	h := &recorder{}
	_, l := open(sh, false, packed(), h)
	if !sh.MayDeflate(l.Clock, l, 0) {
		t.Error("a handshake with memory: got no, want compression")
	}
	l.Short = true
	l.Feed(begin)
	wantSent(t, l, false, "close 1013")
	if sh.MayDeflate(l.Clock, l, 0) || sh.Counters.Declined != 1 {
		t.Errorf("a handshake without memory: got compression, %d declined; want none, and 1", sh.Counters.Declined)
	}
	_, l = open(sh, false, packed(), h)
	l.Feed(begin)
	l.Short = true
	if l.Feed(end); l.Closing || l.All() != 0 {
		t.Errorf("a message that has begun, when memory becomes short: closing %v, %d octets held; want it completed", l.Closing, l.All())
	}
}

// TestNoMessageIsEvictedIfThatMakesNoRoom checks that no message fails for one that could not get its inflater.
func TestNoMessageIsEvictedIfThatMakesNoRoom(t *testing.T) {
	sh := newShared()
	begin, end := begun()
	h := &recorder{}
	_, l := open(sh, false, packed(), h)
	l.Clock = 10 * time.Second
	l.Feed(begin)
	_, late := open(sh, false, packed(), &recorder{})
	late.Clock, late.Short = time.Minute, true
	late.Feed(begin)
	wantSent(t, late, false, "close 1013")
	l.Feed(end)
	if l.Closing || len(h.lines) != 1 || h.open || sh.Counters.Evicted != 0 {
		t.Errorf("the message that had stalled: got %.40q, closing %v, %d evicted; want it whole", h.lines, l.Closing, sh.Counters.Evicted)
	}
}

// TestCloseInsideOfAMessageGivesTheInflaterBack checks that a Close frame inside a compressed message releases its inflater.
func TestCloseInsideOfAMessageGivesTheInflaterBack(t *testing.T) {
	for _, full := range []bool{false, true} {
		sh := newShared()
		_, l := open(sh, false, packed(), &recorder{})
		l.Feed(frame(true, bitRSV1|opText, deflated(prose(5000), "")[:100]))
		if l.Held[roles.HoldInflater] != inflaterSize {
			t.Fatalf("in the middle of a message: got %d octets held, want an inflater", l.All())
		}
		l.Refuse = full
		l.Feed(frame(true, bitFin|opClose, closeBody(1000, "")))
		if l.All() != 0 || sh.pool.busy.Len() != 0 {
			t.Errorf("after a Close frame, room for the answer %v: got %d octets held, %d inflaters; want none", !full, l.All(), sh.pool.busy.Len())
		}
		l.Break(nil)
	}
}

// TestCompressedMessageHasADeadline checks Timeouts.Message, with a second more per KiB and without the time in which the
// Handler has paused.
func TestCompressedMessageHasADeadline(t *testing.T) {
	const most = 30 * time.Second
	begin, end := begun()
	big := frame(true, rsvBinary, deflated(noise(400<<10), ""))
	trickle := func(piece int) func(c *Conn, l *rolestest.Lower) time.Duration {
		return func(c *Conn, l *rolestest.Lower) time.Duration {
			for in := big; len(in) > 0; in = in[min(len(in), piece):] {
				if l.Feed(in[:min(len(in), piece)]); l.Closing || len(l.Out) > 0 {
					return l.Clock
				}
				l.Sleep(time.Second)
			}
			return l.Clock
		}
	}
	for _, c := range []struct {
		name string
		run  func(c *Conn, l *rolestest.Lower) time.Duration // returns when it is to have ended
		ends bool
	}{
		{"nothing more comes", func(c *Conn, l *rolestest.Lower) time.Duration {
			l.Feed(begin)
			l.Sleep(most - time.Millisecond)
			if len(l.Out) > 0 {
				t.Errorf("before its time: got %q, want nothing", l.Out)
			}
			l.Sleep(time.Second) // and a little for what has come
			return 0
		}, true},
		{"an octet each second", trickle(1), true},
		{"half of the least rate", trickle(leastRate / 2), true},
		{"the least rate", trickle(leastRate), false},
		{"paused meanwhile", func(c *Conn, l *rolestest.Lower) time.Duration {
			l.Feed(begin)
			l.Sleep(20 * time.Second)
			c.Pause()
			l.Sleep(time.Hour)
			c.Resume()
			l.Sleep(9 * time.Second)
			l.Feed(end)
			return 0
		}, false},
		{"paused meanwhile, and late", func(c *Conn, l *rolestest.Lower) time.Duration {
			l.Feed(begin)
			l.Sleep(20 * time.Second)
			c.Pause()
			l.Sleep(time.Hour)
			c.Resume()
			l.Sleep(11 * time.Second)
			return 0
		}, true},
		{"after our own Finish", func(c *Conn, l *rolestest.Lower) time.Duration {
			l.Feed(begin)
			c.Finish(Normal, "")
			l.Service()
			l.Out = l.Out[:0]
			l.Sleep(most + time.Second)
			if l.Closing {
				l.Out = append(l.Out, frame(false, bitFin|opClose, closeBody(1008, ""))...) // since no second Close frame can be sent
			}
			return 0
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := newConfig()
			cfg.Timeouts.Message, cfg.Timeouts.Validity, cfg.Timeouts.Finish = most, Validity{}, time.Hour
			cfg.Deflate.Ratio = 0
			sh := NewShared(cfg)
			h := &recorder{}
			conn, l := open(sh, false, packed(), h)
			at := c.run(conn, l)
			if !c.ends {
				if l.Closing || len(l.Out) > 0 || l.All() != 0 || len(h.lines) != 1 || h.open {
					t.Errorf("got %q sent, %d octets held; want the message complete", l.Out, l.All())
				}
				return
			}
			if at > 100*time.Second {
				t.Errorf("it ended after %v, want at most twice the time", at)
			}
			if !strings.Contains(strings.Join(frames(t, false, l.Out), " "), "close 1008") || l.All() != 0 || sh.Counters.Slow != 1 {
				t.Errorf("got %q sent, %d octets held, %d counted; want close 1008", l.Out, l.All(), sh.Counters.Slow)
			}
		})
	}
}

// TestContextsLast checks that the contexts are charged as memory that lasts.
func TestContextsLast(t *testing.T) {
	sh := newShared()
	_, l := open(sh, false, Agreed{Deflate: true, Params: Params{ServerBits: 15, ClientBits: 15}}, &recorder{})
	l.Feed(frame(true, rsvText, deflated(prose(5000), "")))
	if n := l.Held[roles.HoldSession]; n == 0 || n != l.All() {
		t.Errorf("between messages: got %d of %d octets that last, want all", n, l.All())
	}
	l.Break(nil)
}

// noInflaters is a transport that has memory for everything except further inflaters.
type noInflaters struct{ *rolestest.Lower }

func (noInflaters) MayHold(k roles.Kind, n int) bool { return k != roles.HoldInflater || n == 0 }

// TestStalledMessagesDoNotDeclineCompression checks that a handshake agrees on compression if a stalled message would lose its
// inflater.
func TestStalledMessagesDoNotDeclineCompression(t *testing.T) {
	sh := newShared()
	begin, _ := begun()
	_, l := open(sh, false, packed(), &recorder{})
	l.Clock = 10 * time.Second
	l.Feed(begin)
	for _, c := range []struct {
		now  time.Duration
		want bool
	}{{10*time.Second + evictAfter - 1, false}, {10*time.Second + evictAfter, true}} {
		if got := sh.MayDeflate(c.now, noInflaters{l}, 0); got != c.want {
			t.Errorf("a handshake %v after the only inflater's message had input: got compression %v, want %v", c.now-10*time.Second, got, c.want)
		}
	}
}

// TestCompressionPerConnection checks Deflate.PerConnection: an HTTP/2 connection with as many compressed WebSockets gets
// no further one, and 0 means no limit.
func TestCompressionPerConnection(t *testing.T) {
	for _, c := range []struct {
		limit, compressed int
		want              bool
	}{{2, 0, true}, {2, 1, true}, {2, 2, false}, {0, 1000, true}} {
		cfg := newConfig()
		cfg.Deflate.PerConnection = c.limit
		sh := NewShared(cfg)
		if got := sh.MayDeflate(time.Second, rolestest.New(), c.compressed); got != c.want || (sh.Counters.Declined == 1) == c.want {
			t.Errorf("limit %d, %d compressed: got compression %v, %d declined; want %v", c.limit, c.compressed, got, sh.Counters.Declined, c.want)
		}
	}
}
