package ws

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

func TestCloseByUs(t *testing.T) {
	sides(func(side string, client bool) {
		t.Run(side, func(t *testing.T) {
			h := &recorder{}
			sh := newShared()
			c, l := open(sh, client, Agreed{}, h)
			if err := c.Close(GoingAway, "bye"); err != nil {
				t.Fatal(err)
			}
			wantSent(t, l, client, "close 1001 bye")
			// What the peer sent before it saw that is still news.
			l.Feed(bytesOf(client, []part{text1("late"), closeF(closeBody(1001, ""))}))
			if client {
				if l.Closing {
					t.Error("a client ends the connection, want it left to the server")
				}
				l.End()
			}
			wantClosed(t, l, roles.Graceful, "")
			wantCalls(t, h, "text [late]", "closing 1001 going away ", "closed")
			wantSent(t, l, client)
		})
	})
}

func TestCloseIsNotAnswered(t *testing.T) {
	h := &recorder{}
	sh := newShared()
	c, l := open(sh, false, Agreed{}, h)
	c.Close(Normal, "")
	l.Sleep(4999 * time.Millisecond)
	if l.Closing {
		t.Fatal("closed too early")
	}
	l.Sleep(time.Millisecond)
	wantClosed(t, l, roles.Immediate, "no Close frame from the peer in time")
	if !errors.Is(h.cause, http.ErrTimeout) || sh.Counters.Timeouts != 1 {
		t.Errorf("cause %v, %d timeouts counted", h.cause, sh.Counters.Timeouts)
	}
}

// TestCloseAfterQuiet checks that the peer has the whole of Timeouts.Close after a Close from outside of the transport's
// calls, as by a timer, long after the last one.
func TestCloseAfterQuiet(t *testing.T) {
	c, l := serve(&recorder{})
	c.SetValidity(&Validity{})
	l.Sleep(time.Hour)
	c.Close(Normal, "")
	l.Sleep(4999 * time.Millisecond)
	if l.Closing {
		t.Fatalf("closed too early: %v", l.Cause)
	}
	l.Sleep(time.Millisecond)
	wantClosed(t, l, roles.Immediate, "no Close frame from the peer in time")
}

func TestServerDoesNotEndTheConnection(t *testing.T) {
	h := &recorder{}
	_, l := dial(h)
	l.Feed(frame(false, bitFin|opClose, closeBody(1000, "")))
	wantSent(t, l, true, "close 1000")
	l.Sleep(5 * time.Second)
	wantClosed(t, l, roles.Graceful, "")
	wantCalls(t, h, "closing 1000 normal closure ", "closed")
}

func TestCloseWithoutRoom(t *testing.T) {
	t.Run("ours", func(t *testing.T) {
		h := &recorder{}
		c, l := serve(h)
		l.Refuse = true
		c.Close(Normal, "later")
		if c.Room(1) != nil || c.Ping(nil) != ErrClosing {
			t.Error("a message can be sent before the queued Close frame")
		}
		l.Refuse = false
		l.Service()
		wantSent(t, l, false, "close 1000 later")
	})
	t.Run("the answer", func(t *testing.T) {
		h := &recorder{}
		_, l := serve(h)
		l.Refuse = true
		l.Feed(frame(true, bitFin|opClose, closeBody(4000, "")))
		l.End()
		l.Refuse = false
		l.Service()
		wantSent(t, l, false, "close 4000")
		wantClosed(t, l, roles.Graceful, "")
	})
	t.Run("a client's answer after the end of stream", func(t *testing.T) {
		_, l := dial(&recorder{})
		l.Refuse = true
		l.Feed(frame(false, bitFin|opClose, closeBody(4000, "")))
		l.End()
		l.Refuse = false
		l.Service()
		wantSent(t, l, true, "close 4000")
		wantClosed(t, l, roles.Graceful, "")
	})
	t.Run("after a fault", func(t *testing.T) {
		h := &recorder{}
		_, l := serve(h)
		l.Refuse = true
		l.Feed([]byte("\xff what follows is dropped"))
		l.Feed(frame(true, bitFin|opText, "and so is this"))
		if len(l.Unused()) > 0 {
			t.Errorf("%d octets held, want none", len(l.Unused()))
		}
		l.Refuse = false
		l.Service()
		wantSent(t, l, false, "close 1002")
		wantClosed(t, l, roles.Graceful, "reserved bit")
	})
	t.Run("never", func(t *testing.T) {
		for _, r := range []struct {
			f    func(c *Conn, feed func([]byte))
			want string
		}{
			{func(c *Conn, _ func([]byte)) { c.Close(Normal, "") }, "no room for our Close frame in time"},
			{func(_ *Conn, feed func([]byte)) { feed([]byte("\xff")) }, "reserved bit"},
		} {
			h := &recorder{}
			c, l := serve(h)
			l.Refuse = true
			r.f(c, l.Feed)
			l.Sleep(5 * time.Second)
			wantClosed(t, l, roles.Immediate, r.want)
		}
	})
}

func TestHandlerAnswersClose(t *testing.T) {
	h := &recorder{}
	h.onClose = func(c *Conn, _ Code) { c.Close(Restart, "come back") }
	_, l := serve(h)
	l.Feed(frame(true, bitFin|opClose, closeBody(1001, "")))
	wantSent(t, l, false, "close 1012 come back")
	wantClosed(t, l, roles.Graceful, "")
}

func TestMisuse(t *testing.T) {
	c, l := serve(&recorder{})
	for _, r := range []struct {
		name string
		err  error
	}{
		{"ping of 126", c.Ping(make([]byte, 126))},
		{"close with 1005 and a reason", c.Close(NoCode, "x")},
		{"close with 1006", c.Close(Abnormal, "")},
		{"close with 999", c.Close(999, "")},
		{"close with a long reason", c.Close(Normal, strings.Repeat("x", 124))},
		{"close with a reason that is not UTF-8", c.Close(Normal, "\xff")},
	} {
		if !errors.Is(r.err, ErrMisuse) {
			t.Errorf("%s: %v, want ErrMisuse", r.name, r.err)
		}
	}
	wantSent(t, l, false)
	if err := c.Close(NoCode, ""); err != nil {
		t.Error(err)
	}
	wantSent(t, l, false, "close")
}

func TestPing(t *testing.T) {
	sides(func(side string, client bool) {
		h := &recorder{}
		c, l := open(newShared(), client, Agreed{}, h)
		if err := c.Ping([]byte("are you there")); err != nil {
			t.Fatal(err)
		}
		wantSent(t, l, client, "ping [are you there]")
		l.Feed(frame(!client, bitFin|opPong, "are you there"))
		wantCalls(t, h, "pong are you there")
		l.Refuse = true
		if err := c.Ping(nil); err != ErrNoRoom {
			t.Errorf("%s: %v, want ErrNoRoom", side, err)
		}
	})
}

// TestFinish checks that messages still come in after Finish, and when the wait for the peer ends.
func TestFinish(t *testing.T) {
	sides(func(side string, client bool) {
		begin := func(t *testing.T) (*recorder, *Shared, *Conn, *rolestest.Lower) {
			h := &recorder{}
			sh := newShared()
			c, l := open(sh, client, Agreed{}, h)
			c.SetValidity(&Validity{})
			l.Sleep(time.Hour) // nobody has told c the time since
			if err := c.Finish(Normal, "done"); err != nil {
				t.Fatal(err)
			}
			wantSent(t, l, client, "close 1000 done")
			return h, sh, c, l
		}
		t.Run(side+", answered late", func(t *testing.T) {
			h, _, _, l := begin(t)
			for range 3 {
				l.Sleep(59 * time.Second)
				l.Feed(bytesOf(client, []part{text1("more")}))
			}
			l.Sleep(59 * time.Second)
			l.Feed(bytesOf(client, []part{closeF(closeBody(1000, ""))}))
			if client {
				l.Sleep(5 * time.Second) // the server's time to end the connection
			}
			wantClosed(t, l, roles.Graceful, "")
			wantCalls(t, h, "text [more]", "text [more]", "text [more]", "closing 1000 normal closure ", "closed")
		})
		t.Run(side+", not answered", func(t *testing.T) {
			h, sh, _, l := begin(t)
			l.Sleep(time.Minute - time.Millisecond)
			if l.Closing {
				t.Fatalf("closed too early: %v", l.Cause)
			}
			l.Sleep(time.Millisecond)
			wantClosed(t, l, roles.Immediate, "no Close frame from the peer in time")
			if !errors.Is(h.cause, http.ErrTimeout) || sh.Counters.Timeouts != 1 {
				t.Errorf("cause %v, %d timeouts counted", h.cause, sh.Counters.Timeouts)
			}
		})
		t.Run(side+", paused", func(t *testing.T) {
			_, _, c, l := begin(t)
			c.Pause()
			l.Sleep(time.Hour)
			if l.Closing {
				t.Fatalf("closed while the Handler has paused: %v", l.Cause)
			}
			c.Resume()
			l.Sleep(time.Minute - time.Millisecond)
			if l.Closing {
				t.Fatalf("closed too early: %v", l.Cause)
			}
			l.Sleep(time.Millisecond)
			wantClosed(t, l, roles.Immediate, "no Close frame from the peer in time")
		})
		t.Run(side+", then closed", func(t *testing.T) {
			_, _, c, l := begin(t)
			l.Sleep(30 * time.Second)
			if err := c.Close(GoingAway, "now"); err != nil {
				t.Fatal(err)
			}
			wantSent(t, l, client)
			for range 4 {
				l.Sleep(time.Second)
				l.Feed(bytesOf(client, []part{text1("still here")}))
			}
			l.Sleep(time.Second)
			wantClosed(t, l, roles.Immediate, "no Close frame from the peer in time")
		})
		t.Run(side+", the peer breaks the rules", func(t *testing.T) {
			_, _, _, l := begin(t)
			l.Feed([]byte("\xff"))
			wantClosed(t, l, roles.Graceful, "reserved bit")
		})
		t.Run(side+", without room", func(t *testing.T) {
			h := &recorder{}
			c, l := open(newShared(), client, Agreed{}, h)
			l.Refuse = true
			c.Finish(Normal, "")
			l.Sleep(30 * time.Second)
			l.Refuse = false
			l.Service()
			wantSent(t, l, client, "close 1000")
			l.Sleep(59 * time.Second)
			if l.Closing {
				t.Fatalf("closed too early: %v", l.Cause)
			}
			l.Sleep(time.Second)
			wantClosed(t, l, roles.Immediate, "no Close frame from the peer in time")
		})
	})
}

// TestFloodAfterTheEnd checks that a peer that sends more than a limit after its Close frame, or after a fault while our
// Close frame has no room, loses the connection, and that a single frame is tolerated.
func TestFloodAfterTheEnd(t *testing.T) {
	junk := make([]byte, 64<<10)
	for _, c := range []struct {
		name   string
		client bool
		refuse bool
		in     []part
		most   int
		mode   roles.CloseMode
	}{
		{"server's Close frame is answered", true, false, []part{closeF("")}, maxAfterClose, roles.Graceful},
		{"server's Close frame has no answer", true, true, []part{closeF("")}, maxAfterClose, roles.Immediate},
		{"client's Close frame has no answer", false, true, []part{closeF("")}, maxAfterClose, roles.Immediate},
		{"server's fault", true, true, []part{fin("")}, maxAfterFault, roles.Immediate},
		{"client's fault", false, true, []part{fin("")}, maxAfterFault, roles.Immediate},
	} {
		h, sh := &recorder{}, newShared()
		_, l := open(sh, c.client, Agreed{}, h)
		l.Refuse = c.refuse
		l.Feed(bytesOf(c.client, c.in))
		for left := c.most; left > 0; {
			n := min(left, len(junk))
			l.Feed(junk[:n])
			left -= n
		}
		if l.Closing || sh.Counters.Flooded != 0 {
			t.Errorf("%s: ended after %d octets, want as many accepted", c.name, c.most)
			continue
		}
		l.Feed(junk[:1])
		if !l.Closing || l.Mode != c.mode || sh.Counters.Flooded != 1 || h.closed != 1 {
			t.Errorf("%s: closing %v, mode %v, %d counted, closed %d times, want true, %v, 1, 1", c.name, l.Closing, l.Mode, sh.Counters.Flooded, h.closed, c.mode)
		}
	}
}
