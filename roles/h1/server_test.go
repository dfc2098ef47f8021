package h1

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

const (
	getHead  = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	postHead = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
	okEmpty  = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
)

func wantOut(t *testing.T, l *rolestest.Lower, want string) {
	t.Helper()
	if got := string(l.Out); got != want {
		t.Errorf("got the output\n%q\nwant\n%q", got, want)
	}
	l.Out = l.Out[:0]
	if l.Misuse != "" {
		t.Errorf("violation of roles.Lower: %s", l.Misuse)
	}
}

func wantCalls(t *testing.T, h *recorder, want ...string) {
	t.Helper()
	if got := h.String(); got != strings.Join(want, "\n") {
		t.Errorf("got the calls\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	h.lines, h.body = nil, false
}

func wantClosed(t *testing.T, l *rolestest.Lower, mode roles.CloseMode, cause string) {
	t.Helper()
	if !l.Closing || l.Mode != mode || !strings.Contains(errText(l.Cause), cause) || (cause == "") != (l.Cause == nil) {
		t.Errorf("got closing %v, mode %v, cause %v; want true, mode %v, cause %q", l.Closing, l.Mode, l.Cause, mode, cause)
	}
}

func TestPipelinedResponsesNeedNoPause(t *testing.T) {
	h := (&recorder{}).answer(200, "")
	_, l := serve(NewShared(DefaultConfig()), h)
	l.Feed([]byte(strings.Repeat(getHead, 16)))
	wantOut(t, l, strings.Repeat(okEmpty, 16))
	if l.Pauses != 0 || l.Resumes != 0 {
		t.Errorf("got %d pauses and %d resumes of the transport, want none: each response is sent in the same turn", l.Pauses, l.Resumes)
	}
}

func TestLateResponseDelaysTheNextRequest(t *testing.T) {
	h := (&recorder{}).answer(200, "")
	h.onEnd = nil
	_, l := serve(NewShared(DefaultConfig()), h)
	l.Feed([]byte(getHead + getHead))
	wantCalls(t, h, "head GET / for=x HTTP/1.1 length=0", "end")
	if !l.Paused {
		t.Fatal("the transport is not paused, want it paused until the first response is sent")
	}
	h.x.WantWrite()
	l.Service()
	wantOut(t, l, okEmpty)
	wantCalls(t, h, "done", "head GET / for=x HTTP/1.1 length=0", "end")
	if l.Paused {
		t.Error("the transport is paused after all responses, want it resumed")
	}
	if l.Feed([]byte("G")); !l.Paused {
		t.Error("the transport is not paused, want it paused: a third request has begun")
	}
}

func TestResponseBeforeTheEndOfTheBody(t *testing.T) {
	early := func(status int) *recorder {
		h := (&recorder{}).answer(status, "")
		h.onHead, h.onEnd = func(x http.Exchange, _ *http.Message) { x.WantWrite() }, nil
		return h
	}
	t.Run("a rest within Limits.Drain is read", func(t *testing.T) {
		h := early(200)
		_, l := serve(NewShared(DefaultConfig()), h)
		l.Feed([]byte(postHead + "01234"))
		wantOut(t, l, okEmpty)
		l.Feed([]byte("56789" + getHead))
		wantOut(t, l, okEmpty)
		wantCalls(t, h, "head POST / for=x HTTP/1.1 length=10", "body 0123456789", "end", "done",
			"head GET / for=x HTTP/1.1 length=0", "end", "done")
	})
	t.Run("a longer rest closes the connection", func(t *testing.T) {
		sh := sharedWith(func(c *Config) { c.Limits.Drain = 9 })
		h := early(200)
		_, l := serve(sh, h)
		l.Feed([]byte(postHead))
		wantOut(t, l, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		wantClosed(t, l, roles.Graceful, "request body not read")
	})
	t.Run("a chunked rest closes the connection at Limits.Drain", func(t *testing.T) {
		sh := sharedWith(func(c *Config) { c.Limits.Drain = 15 })
		h := early(200)
		_, l := serve(sh, h)
		l.Feed([]byte(chunkedHead + "5\r\n01234\r\n"))
		if l.Closing {
			t.Fatal("closed for the bytes that came with the head, want 15 more bytes read")
		}
		l.Feed([]byte("5\r\n01234\r\n5\r\n01234\r\n"))
		wantClosed(t, l, roles.Graceful, "request body not read")
		if !errors.Is(h.cause, http.ErrUnread) {
			t.Errorf("Done with %v, want ErrUnread", h.cause)
		}
	})
	t.Run("a paused handler does not get the rest", func(t *testing.T) {
		h := early(200)
		h.onBody = func(x http.Exchange, _ []byte) { x.Pause() }
		h.onHead = nil
		_, l := serve(NewShared(DefaultConfig()), h)
		l.Feed([]byte(postHead + "012"))
		l.Feed([]byte("3456789" + getHead))
		wantCalls(t, h, "head POST / for=x HTTP/1.1 length=10", "body 012")
		h.onEnd = nil
		h.x.WantWrite()
		l.Service()
		wantOut(t, l, okEmpty)
		wantCalls(t, h, "end", "done", "head GET / for=x HTTP/1.1 length=0", "end")
	})
	t.Run("a handler that pauses during the rest gets no more of it", func(t *testing.T) {
		h := early(200)
		_, l := serve(NewShared(DefaultConfig()), h)
		l.Feed([]byte(postHead + "012"))
		wantCalls(t, h, "head POST / for=x HTTP/1.1 length=10", "body 012")
		h.x.Pause()
		l.Feed([]byte("345"))
		if l.Paused {
			t.Error("the transport is paused for a body that is dropped, want it to go on")
		}
		h.x.Pause()
		l.Feed([]byte("6789" + getHead))
		wantCalls(t, h, "end", "done", "head GET / for=x HTTP/1.1 length=0", "end", "done")
	})
	t.Run("a malformed rest", func(t *testing.T) {
		h := early(200)
		_, l := serve(NewShared(DefaultConfig()), h)
		l.Feed([]byte(chunkedHead + "zz\r\n"))
		wantClosed(t, l, roles.Graceful, "chunk")
	})
}

func TestFaultInsideAResponseResets(t *testing.T) {
	h := &recorder{onHead: func(x http.Exchange, _ *http.Message) { x.WantWrite() }}
	h.writable = func(x http.Exchange) {
		if err := x.SendHead(&http.Message{Status: 200, Length: http.UnknownLength}, false); err != nil {
			t.Fatal(err)
		}
	}
	_, l := serve(NewShared(DefaultConfig()), h)
	l.Feed([]byte(chunkedHead))
	l.Feed([]byte("zz\r\n"))
	wantOut(t, l, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	wantClosed(t, l, roles.Reset, "chunk: size")
}

func TestPauseStopsTheBody(t *testing.T) {
	h := (&recorder{}).answer(200, "")
	h.onBody = func(x http.Exchange, b []byte) { x.Pause() }
	_, l := serve(NewShared(DefaultConfig()), h)
	l.Feed([]byte(postHead + "01234"))
	l.Feed([]byte("56789"))
	wantCalls(t, h, "head POST / for=x HTTP/1.1 length=10", "body 01234")
	if d := l.Upper().Deadline(); d != 0 {
		t.Errorf("Deadline while the handler has paused: got %v, want 0", d)
	}
	h.x.Resume()
	l.Service()
	wantCalls(t, h, "body 56789", "end", "done")
	wantOut(t, l, okEmpty)
}

func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		name, in string
		after    time.Duration
		status   int // 0: closed without a word
		fault    string
	}{
		{name: "idle from the start", after: 60 * time.Second},
		{name: "idle after a request", in: getHead, after: 60 * time.Second},
		{name: "an empty line", in: "\r\n", after: 60 * time.Second},
		{name: "head", in: "GET /", after: 10 * time.Second, status: 408, fault: "head: not complete"},
		{name: "fields", in: "GET / HTTP/1.1\r\nHost: x\r\n", after: 10 * time.Second, status: 408, fault: "head: not complete"},
		{name: "second head", in: getHead + "GET /", after: 10 * time.Second, status: 408, fault: "head: not complete"},
		{name: "body", in: postHead, after: 30 * time.Second, status: 408, fault: "body: nothing"},
		{name: "rest of a body", in: postHead + "0123", after: 30 * time.Second, status: 408, fault: "body: nothing"},
		{name: "trailers", in: chunkedHead + "0\r\nA: b\r\n", after: 30 * time.Second, status: 408, fault: "body: nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sh := NewShared(DefaultConfig())
			h := (&recorder{}).answer(200, "")
			_, l := serve(sh, h)
			l.Feed([]byte(c.in))
			l.Sleep(c.after - 1)
			if l.Closing {
				t.Fatalf("closed before the timeout: %v", l.Cause)
			}
			l.Sleep(1)
			if c.status == 0 {
				wantClosed(t, l, roles.Graceful, "")
				return
			}
			wantRefusal(t, "late", sh, l, c.status, c.fault)
			if sh.Counters.Timeouts != 1 || !errors.Is(l.Cause, http.ErrTimeout) {
				t.Errorf("%d timeouts, cause %v; want 1, ErrTimeout", sh.Counters.Timeouts, l.Cause)
			}
		})
	}
	t.Run("a head that comes slowly gets no more time", func(t *testing.T) {
		_, l := serve(NewShared(DefaultConfig()), &recorder{})
		for range 10 {
			l.Feed([]byte("A"))
			l.Sleep(time.Second)
		}
		wantClosed(t, l, roles.Graceful, "head: not complete in time")
	})
	t.Run("each piece of a body renews its time", func(t *testing.T) {
		h := (&recorder{}).answer(200, "")
		sh := sharedWith(func(c *Config) { c.Limits.BodyRate = 0 })
		_, l := serve(sh, h)
		l.Feed([]byte(postHead))
		for range 10 {
			l.Sleep(29 * time.Second)
			l.Feed([]byte("."))
		}
		wantOut(t, l, okEmpty)
	})
	t.Run("a handler has no deadline", func(t *testing.T) {
		_, l := serve(NewShared(DefaultConfig()), &recorder{})
		l.Feed([]byte(getHead))
		l.Sleep(time.Hour)
		if l.Closing {
			t.Errorf("closed with cause %v before the response, want it open", l.Cause)
		}
	})
}

func TestClientEndsItsDirection(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		_, l := serve(NewShared(DefaultConfig()), &recorder{})
		l.End()
		wantClosed(t, l, roles.Graceful, "")
	})
	t.Run("inside a head", func(t *testing.T) {
		sh := NewShared(DefaultConfig())
		_, l := serve(sh, &recorder{})
		l.Feed([]byte("GET / HT"))
		l.End()
		wantRefusal(t, "cut", sh, l, 400, "head: incomplete")
	})
	t.Run("inside a body", func(t *testing.T) {
		sh := NewShared(DefaultConfig())
		h := &recorder{}
		_, l := serve(sh, h)
		l.Feed([]byte(postHead + "0"))
		l.End()
		wantRefusal(t, "cut", sh, l, 400, "body: incomplete")
		if h.dones != 1 || h.cause == nil {
			t.Errorf("Done called %d times with %v, want once with a cause", h.dones, h.cause)
		}
	})
	t.Run("after a request", func(t *testing.T) {
		h := (&recorder{}).answer(200, "")
		h.onEnd = nil
		_, l := serve(NewShared(DefaultConfig()), h)
		l.Feed([]byte(getHead))
		l.End()
		if l.Closing {
			t.Fatal("closed before the response")
		}
		h.x.WantWrite()
		l.Service()
		wantOut(t, l, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		wantClosed(t, l, roles.Graceful, "")
	})
	t.Run("after pipelined requests", func(t *testing.T) {
		h := (&recorder{}).answer(200, "")
		_, l := serve(NewShared(DefaultConfig()), h)
		l.Refuse = true
		l.Feed([]byte(getHead + getHead))
		l.End()
		l.Refuse = false
		l.Service()
		wantOut(t, l, okEmpty+"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		wantClosed(t, l, roles.Graceful, "")
	})
	t.Run("inside the last of pipelined requests", func(t *testing.T) {
		sh := NewShared(DefaultConfig())
		h := (&recorder{}).answer(200, "")
		_, l := serve(sh, h)
		l.Refuse = true
		l.Feed([]byte(getHead + postHead))
		l.End()
		l.Refuse = false
		l.Service()
		wantRefusal(t, "cut", sh, l, 400, "body: incomplete")
	})
}

func TestConnectionBreaks(t *testing.T) {
	h := &recorder{}
	s, l := serve(NewShared(DefaultConfig()), h)
	l.Feed([]byte(postHead + "01"))
	if !s.Busy() {
		t.Error("Busy inside a request: got false, want true")
	}
	l.Break(errors.New("cable pulled"))
	wantCalls(t, h, "head POST / for=x HTTP/1.1 length=10", "body 01", "done: cable pulled")
}

func TestResetByTheHandler(t *testing.T) {
	for name, when := range map[string]func(h *recorder){
		"in head":     func(h *recorder) { h.onHead = func(x http.Exchange, _ *http.Message) { x.Reset(nil) } },
		"in body":     func(h *recorder) { h.onBody = func(x http.Exchange, _ []byte) { x.Reset(nil) } },
		"in end":      func(h *recorder) { h.onEnd = func(x http.Exchange) { x.Reset(nil) } },
		"in writable": func(h *recorder) { h.writable = func(x http.Exchange) { x.Reset(nil) } },
	} {
		h := (&recorder{}).answer(200, "")
		when(h)
		_, l := serve(NewShared(DefaultConfig()), h)
		l.Feed([]byte(postHead + "0123456789" + getHead))
		if h.dones != 1 || h.cause == nil || l.Mode != roles.Reset || len(l.Out) != 0 {
			t.Errorf("%s: Done called %d times with %v, mode %v, out %q; want once, a cause, Reset, nothing", name, h.dones, h.cause, l.Mode, l.Out)
		}
	}
}

func TestDrainClosesAfterTheExchange(t *testing.T) {
	h := (&recorder{}).answer(200, "")
	s, l := serve(NewShared(DefaultConfig()), h)
	l.Feed([]byte(postHead))
	s.Drain()
	l.Feed([]byte("0123456789"))
	wantOut(t, l, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	wantClosed(t, l, roles.Graceful, "")
	s, l = serve(NewShared(DefaultConfig()), h)
	s.Drain()
	wantClosed(t, l, roles.Graceful, "")
}

// TestConnectionLost: the end of the transport ends the exchange, if there is one, with the transport's cause.
func TestConnectionLost(t *testing.T) {
	lost := errors.New("connection reset by peer")
	for _, c := range []struct {
		name, in string
		early    bool // the answer is complete before the body
		pause    bool // then the handler pauses
		refuse   bool // the transport takes no output
		want     serverState
	}{
		{name: "idle", want: expectRequest},
		{name: "head", in: "GET / HT", want: expectRequestHead},
		{name: "100 owed", in: strings.Replace(postHead, "\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n", 1), refuse: true, want: owe100},
		{name: "body", in: postHead, want: expectBody},
		{name: "rest of the body", in: postHead, early: true, want: drainBody},
		{name: "dropped rest of the body", in: postHead, early: true, pause: true, want: discardBody},
		{name: "answer", in: getHead, want: awaitAnswer},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := (&recorder{}).answer(200, "")
			h.onEnd = nil
			if c.early {
				h.onHead = func(x http.Exchange, _ *http.Message) { x.WantWrite() }
			}
			s, l := serve(NewShared(DefaultConfig()), h)
			l.Refuse = c.refuse
			l.Feed([]byte(c.in))
			if c.pause {
				h.x.Pause()
			}
			if s.state != c.want {
				t.Fatalf("state before the loss: got %s, want %s", serverTable.States[s.state].Name, serverTable.States[c.want].Name)
			}
			l.Break(lost)
			if c.want <= expectRequestHead {
				if h.dones != 0 {
					t.Errorf("Done %d times without a request", h.dones)
				}
				return
			}
			if h.dones != 1 || h.cause != lost {
				t.Errorf("Done %d times with %v, want once with %v", h.dones, h.cause, lost)
			}
		})
	}
}
