package ws

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

func TestLimits(t *testing.T) {
	for _, r := range []struct {
		name   string
		limits Limits
		in     []part
		want   string
		code   Code
	}{
		{"a frame at the limit", Limits{Frame: 5}, []part{text1("12345")}, "", 0},
		{"a frame over it", Limits{Frame: 5}, []part{text1("123456")}, "frame: payload longer", TooBig},
		{"a message at the limit", Limits{Message: 5}, []part{textA("123"), fin("45")}, "", 0},
		{"a message over it", Limits{Message: 5}, []part{textA("123"), fin("456")}, "message: longer", TooBig},
		{"a second message starts at 0", Limits{Message: 5}, []part{text1("12345"), text1("12345")}, "", 0},
		{"fragments at the limit", Limits{Fragments: 2}, []part{textA(""), fin("")}, "", 0},
		{"fragments over it", Limits{Fragments: 2}, []part{textA(""), more(""), fin("")}, "fragments", Policy},
		{"control frames at the limit", Limits{Control: 2}, []part{pingF(""), pongF("")}, "", 0},
		{"control frames over it", Limits{Control: 2}, []part{pingF(""), pongF(""), pingF("")}, "too many per second", Policy},
	} {
		cfg := newConfig()
		cfg.Limits = r.limits
		sh := NewShared(cfg)
		h := &recorder{}
		_, l := open(sh, false, Agreed{}, h)
		l.Feed(bytesOf(false, r.in))
		if r.code == 0 {
			if l.Closing {
				t.Errorf("%s: closed: %v", r.name, l.Cause)
			}
			continue
		}
		if codeOf(h.cause) != r.code || !strings.Contains(errText(h.cause), r.want) {
			t.Errorf("%s: closed with %v, want %s and %v", r.name, h.cause, r.want, r.code)
		}
		if sh.Counters.Over != 1 {
			t.Errorf("%s: counted %d, want 1", r.name, sh.Counters.Over)
		}
	}
	t.Run("control frames of the next second", func(t *testing.T) {
		cfg := newConfig()
		cfg.Limits.Control = 1
		sh := NewShared(cfg)
		_, l := open(sh, false, Agreed{}, &recorder{})
		for range 5 {
			l.Feed(frame(true, bitFin|opPing, ""))
			l.Sleep(time.Second)
		}
		if l.Closing {
			t.Errorf("closed: %v", l.Cause)
		}
	})
}

func TestValidity(t *testing.T) {
	check := func(name string, f func(t *testing.T)) { t.Run(name, f) }
	check("a silent peer gets a Ping, then the connection ends", func(t *testing.T) {
		h := &recorder{}
		sh := newShared()
		_, l := open(sh, false, Agreed{}, h)
		l.Sleep(39 * time.Second)
		wantSent(t, l, false)
		l.Sleep(time.Second)
		wantSent(t, l, false, "ping []")
		l.Sleep(9 * time.Second)
		if l.Closing {
			t.Fatal("closed too early")
		}
		l.Sleep(time.Second)
		wantClosed(t, l, roles.Immediate, "no data from the peer in time")
		if !errors.Is(h.cause, http.ErrTimeout) || sh.Counters.Silent != 1 || sh.Counters.Probes != 1 {
			t.Errorf("cause %v, counters %+v", h.cause, sh.Counters)
		}
	})
	check("a peer that answers stays connected", func(t *testing.T) {
		h := &recorder{}
		_, l := dial(h)
		for range 5 {
			l.Sleep(40 * time.Second)
			wantSent(t, l, true, "ping []")
			l.Feed(frame(false, bitFin|opPong, ""))
		}
		wantCalls(t, h, "pong ", "pong ", "pong ", "pong ", "pong ")
	})
	check("any octet resets the checks", func(t *testing.T) {
		_, l := serve(&recorder{})
		m := frame(true, bitFin|opText, "slow")
		for i := range m {
			l.Sleep(30 * time.Second)
			l.Feed(m[i : i+1])
		}
		wantSent(t, l, false)
	})
	check("SetValidity", func(t *testing.T) {
		c, l := serve(&recorder{})
		c.SetValidity(&Validity{Hangup: 3 * time.Second})
		l.Sleep(3 * time.Second)
		wantSent(t, l, false)
		wantClosed(t, l, roles.Immediate, "no data from the peer in time")
	})
	check("Pings without Hangup repeat", func(t *testing.T) {
		c, l := serve(&recorder{})
		c.SetValidity(&Validity{Ping: 10 * time.Second})
		l.Sleep(35 * time.Second)
		wantSent(t, l, false, "ping []", "ping []", "ping []")
	})
	check("off", func(t *testing.T) {
		c, l := serve(&recorder{})
		c.SetValidity(&Validity{})
		if d := c.Deadline(); d != 0 {
			t.Errorf("deadline %v, want none", d)
		}
		l.Sleep(time.Hour)
	})
	check("a peer is not silent while the Handler has paused", func(t *testing.T) {
		c, l := serve(&recorder{})
		c.Pause()
		l.Sleep(time.Hour)
		c.Resume()
		l.Sleep(39 * time.Second)
		wantSent(t, l, false)
		l.Sleep(time.Second)
		wantSent(t, l, false, "ping []")
		if l.Closing {
			t.Errorf("closed: %v", l.Cause)
		}
	})
	check("nor after Resume inside a callback", func(t *testing.T) {
		h := &recorder{writable: func(c *Conn) { c.Resume() }}
		c, l := serve(h)
		c.Pause()
		l.Sleep(time.Hour)
		c.WantWrite()
		l.Service()
		if d := c.Deadline(); d != l.Clock+40*time.Second {
			t.Errorf("deadline %v at %v, want it 40 s later", d, l.Clock)
		}
	})
	check("a Ping without room is sent when there is room", func(t *testing.T) {
		_, l := serve(&recorder{})
		l.Refuse = true
		l.Sleep(40 * time.Second)
		wantSent(t, l, false)
		l.Refuse = false
		l.Service()
		wantSent(t, l, false, "ping []")
	})
}

func TestPauseStopsMessages(t *testing.T) {
	sides(func(side string, client bool) {
		h := &recorder{}
		h.onRx = func(c *Conn, _ []byte, _ Flags) { c.Pause() }
		c, l := open(newShared(), client, Agreed{}, h)
		l.Feed(bytesOf(client, []part{text1("one"), text1("two"), pingF("")}))
		wantCalls(t, h, "text [one]")
		if !l.Paused {
			t.Errorf("%s: the transport still offers octets after Pause", side)
		}
		c.Resume()
		l.Service()
		wantCalls(t, h, "text [two]")
		c.Resume()
		l.Service()
		wantSent(t, l, client, "pong []")
		if l.Pauses != 2 || l.Resumes != 2 {
			t.Errorf("%s: %d pauses, %d resumes; want 2 and 2", side, l.Pauses, l.Resumes)
		}
	})
}

// TestAnswersGoOutFirst checks that the answer to a message is sent before a later fault ends the connection.
func TestAnswersGoOutFirst(t *testing.T) {
	h := (&recorder{}).echo()
	_, l := serve(h)
	l.Feed(bytesOf(false, []part{text1("one"), text1("two"), {bitFin | 3, ""}}))
	wantSent(t, l, false, "text [one]", "text [two]", "close 1002")
}

// TestPingsWithoutRoom checks that a peer that sends Pings and does not read the Pongs stops itself, and nothing is stored.
func TestPingsWithoutRoom(t *testing.T) {
	h := &recorder{}
	_, l := serve(h)
	l.Refuse = true
	l.Feed(bytesOf(false, []part{pingF("1"), pingF("2"), text1("later")}))
	if !l.Paused || len(l.Unused()) == 0 {
		t.Errorf("paused %v, %d octets held; want the pings to wait", l.Paused, len(l.Unused()))
	}
	wantCalls(t, h)
	l.Refuse = false
	l.Service()
	wantSent(t, l, false, "pong [1]", "pong [2]")
	wantCalls(t, h, "text [later]")
	if l.Paused {
		t.Error("the transport is still paused after there was room")
	}
}

func TestLostConnections(t *testing.T) {
	for _, r := range []struct {
		name string
		f    func(c *Conn, end, broken func())
		want string
	}{
		{"end of stream without a Close frame", func(_ *Conn, end, _ func()) { end() }, "no closing handshake"},
		{"end of stream after our Close frame", func(c *Conn, end, _ func()) { c.Close(Normal, ""); end() }, "no closing handshake"},
		{"transport failed", func(_ *Conn, _, broken func()) { broken() }, "lost"},
	} {
		sides(func(side string, client bool) {
			h := &recorder{}
			c, l := open(newShared(), client, Agreed{}, h)
			r.f(c, l.End, func() { l.Break(errors.New("lost")) })
			if h.closed != 1 || !strings.Contains(errText(h.cause), r.want) {
				t.Errorf("%s, %s: closed %d times with %v, want %s", r.name, side, h.closed, h.cause, r.want)
			}
			if c.Room(1) != nil || c.Commit(0, First|Last) != ErrClosing || c.Ping(nil) != ErrClosing || c.Close(Normal, "") != nil {
				t.Errorf("%s, %s: a message can still be sent after the end", r.name, side)
			}
		})
	}
}

func TestNeverOpened(t *testing.T) {
	h := &recorder{}
	c := new(Conn)
	c.Init(newShared(), nil, false, Agreed{}, h)
	c.Closed(errors.New("no route"))
	wantCalls(t, h, "closed: no route")
}

func TestClientNeedsRand(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Init of a client without Config.Rand: got no panic")
		}
	}()
	new(Conn).Init(NewShared(DefaultConfig()), nil, true, Agreed{}, &recorder{})
}

// TestIdleSize checks the size of an idle connection.
func TestIdleSize(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n > 128 {
		t.Errorf("a Conn has %d bytes, want at most 128", n)
	}
}

// TestCommitNeedsTheRoom: a connection that commits into the room of another one gets an error, and nothing is sent.
func TestCommitNeedsTheRoom(t *testing.T) {
	sh := newShared()
	a, _ := open(sh, false, Agreed{}, &recorder{})
	b, l := open(sh, false, Agreed{}, &recorder{})
	if a.Room(1) == nil {
		t.Fatal("no room")
	}
	sent := len(l.Out)
	if err := b.Commit(1, First|Last); !errors.Is(err, ErrMisuse) || len(l.Out) != sent {
		t.Errorf("got %v and %d bytes sent, want ErrMisuse and none", err, len(l.Out)-sent)
	}
}
