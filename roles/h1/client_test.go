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

// owner is an Owner that counts its calls.
type owner struct {
	idle, closed int
	cause        error
}

func (o *owner) Idle(*Client)                  { o.idle++ }
func (o *owner) Closed(_ *Client, cause error) { o.closed++; o.cause = cause }

func start(t *testing.T, k *Client, l *rolestest.Lower, m *http.Message, body string) *recorder {
	t.Helper()
	if m.Authority == nil {
		m.Authority = []byte("x")
	}
	h := (&recorder{}).request(m, body)
	if _, err := k.Do(h); err != nil {
		t.Fatal(err)
	}
	l.Service()
	return h
}

func method(s string) *http.Message { return &http.Message{Method: []byte(s)} }

func TestRequestsSent(t *testing.T) {
	for _, c := range []struct {
		name string
		m    http.Message
		body string
		out  string
	}{
		{"GET", http.Message{Method: []byte("GET"), Path: []byte("/a"), Query: []byte("b=c")}, "",
			"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"no path", http.Message{Method: []byte("GET")}, "", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"a target as it is", http.Message{Method: []byte("OPTIONS"), Target: []byte("*")}, "", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"fields", http.Message{Method: []byte("GET"), Fields: []http.Field{{Name: []byte("A"), Value: []byte("b")}}}, "",
			"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n"},
		{"1.0", http.Message{Method: []byte("GET"), Version: http.HTTP10}, "", "GET / HTTP/1.0\r\nHost: x\r\n\r\n"},
		{"close", http.Message{Method: []byte("GET"), Close: true}, "", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"},
		{"POST without body", http.Message{Method: []byte("POST")}, "", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"},
		{"DELETE without body", http.Message{Method: []byte("DELETE")}, "", "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"counted", http.Message{Method: []byte("POST"), Length: 2}, "hi", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"},
		{"chunked", http.Message{Method: []byte("POST"), Length: -1}, "hi",
			"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0002\r\nhi\r\n0\r\n\r\n"},
		{"upgrade", http.Message{Method: []byte("GET"), Upgrade: []byte("websocket")}, "",
			"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"},
		{"no authority", http.Message{Method: []byte("GET"), Authority: []byte{}}, "", "GET / HTTP/1.1\r\nHost: \r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, l := dial(NewShared(DefaultConfig()))
			start(t, k, l, &c.m, c.body)
			wantOut(t, l, c.out)
		})
	}
}

func TestRequestBeforeTheConnectionIsOpen(t *testing.T) {
	k, l := new(Client), rolestest.New()
	k.Init(NewShared(DefaultConfig()), l)
	h := (&recorder{}).request(&http.Message{Method: []byte("GET"), Authority: []byte("x")}, "")
	if _, err := k.Do(h); err != nil {
		t.Fatal(err)
	}
	if l.Wants() || k.Reusable() {
		t.Error("WantWrite before Opened")
	}
	l.Open(k)
	wantOut(t, l, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
}

func TestClientReuse(t *testing.T) {
	sh := NewShared(DefaultConfig())
	k, l := dial(sh)
	o := &owner{}
	k.Owner = o
	for range 3 {
		h := start(t, k, l, method("GET"), "")
		if _, err := k.Do(h); err != ErrBusy {
			t.Errorf("Do while busy: %v, want ErrBusy", err)
		}
		l.Feed([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
		if h.dones != 1 || h.cause != nil || !k.Reusable() {
			t.Fatalf("Done called %d times with %v, reusable %v; want once, nil, true", h.dones, h.cause, k.Reusable())
		}
	}
	if o.idle != 3 || !k.Reused() || sh.Counters.Requests != 3 || sh.Counters.Reused != 2 {
		t.Errorf("idle %d, reused %v, %d requests, %d on a warm connection; want 3, true, 3, 2", o.idle, k.Reused(), sh.Counters.Requests, sh.Counters.Reused)
	}
	l.Sleep(sh.cfg.Timeouts.Idle)
	wantClosed(t, l, roles.Graceful, "")
	if o.closed != 1 || o.cause != nil {
		t.Errorf("Owner.Closed called %d times with %v; want once with nil", o.closed, o.cause)
	}
	if _, err := k.Do(&recorder{}); !errors.Is(err, http.ErrNotProcessed) {
		t.Errorf("Do on a closed connection: %v, want it to be ErrNotProcessed", err)
	}
}

// TestNextExchangeInsideDone: Do may be called from inside Done, as a queue of requests does.
func TestNextExchangeInsideDone(t *testing.T) {
	k, l := dial(NewShared(DefaultConfig()))
	o := &owner{}
	k.Owner = o
	second := (&recorder{}).request(&http.Message{Method: []byte("PUT"), Authority: []byte("x")}, "")
	first := &starter{k: k, next: second}
	first.request(&http.Message{Method: []byte("GET"), Authority: []byte("x")}, "")
	if _, err := k.Do(first); err != nil {
		t.Fatal(err)
	}
	l.Service()
	l.Feed([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
	wantOut(t, l, "GET / HTTP/1.1\r\nHost: x\r\n\r\nPUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	if o.idle != 0 {
		t.Errorf("Owner.Idle called %d times during an exchange, want never", o.idle)
	}
}

type starter struct {
	recorder
	k    *Client
	next *recorder
}

func (s *starter) Done(x http.Exchange, cause error) {
	if _, err := s.k.Do(s.next); err != nil {
		panic(err)
	}
}

func TestBytesOnAnIdleConnectionCloseIt(t *testing.T) {
	sh := NewShared(DefaultConfig())
	k, l := dial(sh)
	o := &owner{}
	k.Owner = o
	l.Feed([]byte("HTTP/1.1 408 Request Timeout\r\n\r\n"))
	wantClosed(t, l, roles.Immediate, "bytes without a request")
	if o.closed != 1 || sh.Counters.Malformed != 1 {
		t.Errorf("Owner.Closed called %d times, %d malformed counted; want 1, 1", o.closed, sh.Counters.Malformed)
	}
}

// TestOutcome: for each way in which a connection ends, Done reports whether the request is not processed, has an unknown
// outcome, has one on a stale connection, or is answered. A request of which a byte was sent is never "not processed".
func TestOutcome(t *testing.T) {
	lost := errors.New("cable pulled")
	const answered, not, unknown, stale = "answered", "not processed", "unknown", "unknown, stale"
	for _, c := range []struct {
		name   string
		reused bool
		end    func(l *rolestest.Lower)
		want   string
		cause  string
	}{
		{"fresh, peer closes", false, func(l *rolestest.Lower) { l.End() }, unknown, "missing when the connection ended"},
		{"fresh, breaks", false, func(l *rolestest.Lower) { l.Break(lost) }, unknown, "cable pulled"},
		{"reused, peer closes", true, func(l *rolestest.Lower) { l.End() }, stale, "reused connection"},
		{"reused, breaks", true, func(l *rolestest.Lower) { l.Break(lost) }, stale, "cable pulled"},
		{"reused, a byte came", true, func(l *rolestest.Lower) { l.Feed([]byte("H")); l.Break(lost) }, unknown, "cable pulled"},
		{"reused, a head was cut", true, func(l *rolestest.Lower) { l.Feed([]byte("HTTP/1.1 2")); l.End() }, unknown, "incomplete when the connection ended"},
		{"reused, an interim head came", true, func(l *rolestest.Lower) { l.Feed([]byte("HTTP/1.1 103 X\r\n\r\n")); l.End() }, unknown, "missing when the connection ended"},
		{"reused, malformed", true, func(l *rolestest.Lower) { l.Feed([]byte("junk\r\n")) }, unknown, "status line"},
		{"reused, silent", true, func(l *rolestest.Lower) { l.Sleep(time.Second) }, unknown, "in time"},
		{"answered, the body is cut", true, func(l *rolestest.Lower) { l.Feed([]byte("HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nhalf")); l.End() }, answered, "incomplete when the connection ended"},
		{"answered, then it breaks", false, func(l *rolestest.Lower) {
			l.Feed([]byte("HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nhalf"))
			l.Break(lost)
		}, answered, "cable pulled"},
	} {
		for _, m := range []string{"GET", "POST"} {
			t.Run(c.name+" "+m, func(t *testing.T) {
				sh := sharedWith(func(c *Config) { c.Timeouts.Response = time.Second })
				k, l := dial(sh)
				if c.reused {
					start(t, k, l, method("GET"), "")
					l.Feed([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
				}
				h := start(t, k, l, method(m), "")
				c.end(l)
				if got := outcomeOf(h.cause); h.dones != 1 || got != c.want || !strings.Contains(errText(h.cause), c.cause) {
					t.Errorf("Done called %d times with %v (%s); want once, %s, %q", h.dones, h.cause, got, c.want, c.cause)
				}
			})
		}
	}
	t.Run("never opened", func(t *testing.T) {
		k, l := new(Client), rolestest.New()
		k.Init(NewShared(DefaultConfig()), l)
		h := &recorder{}
		if _, err := k.Do(h); err != nil {
			t.Fatal(err)
		}
		k.Closed(lost)
		if !errors.Is(h.cause, http.ErrNotProcessed) || !errors.Is(h.cause, lost) {
			t.Errorf("Done with %v; want ErrNotProcessed and the transport's cause", h.cause)
		}
	})
	t.Run("bytes before the request", func(t *testing.T) {
		k, l := dial(NewShared(DefaultConfig()))
		l.Refuse = true
		h := start(t, k, l, method("GET"), "")
		l.Feed([]byte("HTTP/1.1 408 X\r\n\r\n"))
		if !errors.Is(h.cause, http.ErrNotProcessed) || !strings.Contains(h.cause.Error(), "without a request") {
			t.Errorf("Done with %v; want ErrNotProcessed for bytes without a request", h.cause)
		}
	})
}

// outcomeOf returns what a cause reports about the request.
func outcomeOf(cause error) string {
	switch not, unknown := errors.Is(cause, http.ErrNotProcessed), errors.Is(cause, http.ErrOutcomeUnknown); {
	case not && unknown:
		return "both"
	case not:
		return "not processed"
	case errors.Is(cause, ErrStale):
		return "unknown, stale"
	case unknown:
		return "unknown"
	}
	return "answered"
}

func TestClientContinue(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
	post := func() *http.Message {
		return &http.Message{Method: []byte("POST"), Length: 2, Continue: true}
	}
	t.Run("100", func(t *testing.T) {
		k, l := dial(NewShared(DefaultConfig()))
		h := start(t, k, l, post(), "hi")
		wantOut(t, l, head)
		l.Feed([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
		wantOut(t, l, "hi")
		l.Feed([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
		wantCalls(t, h, "head 100 Continue HTTP/1.1 length=0", "head 204 No Content HTTP/1.1 length=0", "end", "done")
	})
	t.Run("100, chunked", func(t *testing.T) {
		k, l := dial(NewShared(DefaultConfig()))
		m := post()
		m.Length = http.UnknownLength
		h := start(t, k, l, m, "hi")
		wantOut(t, l, strings.Replace(head, "Content-Length: 2", "Transfer-Encoding: chunked", 1))
		l.Feed([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
		wantOut(t, l, "0002\r\nhi\r\n0\r\n\r\n")
		l.Feed([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
		wantCalls(t, h, "head 100 Continue HTTP/1.1 length=0", "head 204 No Content HTTP/1.1 length=0", "end", "done")
	})
	t.Run("silence", func(t *testing.T) {
		k, l := dial(NewShared(DefaultConfig()))
		start(t, k, l, post(), "hi")
		l.Sleep(999 * time.Millisecond)
		wantOut(t, l, head)
		l.Sleep(time.Millisecond)
		wantOut(t, l, "hi")
	})
	t.Run("refusal", func(t *testing.T) {
		k, l := dial(NewShared(DefaultConfig()))
		h := start(t, k, l, post(), "hi")
		l.Feed([]byte("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno"))
		wantOut(t, l, head)
		wantCalls(t, h, "head 417 Expectation Failed HTTP/1.1 length=2", "body no", "end", "done")
		wantClosed(t, l, roles.Graceful, "")
	})
	t.Run("a final success instead", func(t *testing.T) {
		k, l := dial(NewShared(DefaultConfig()))
		h := start(t, k, l, post(), "hi")
		l.Feed([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
		wantOut(t, l, head+"hi")
		if h.dones != 1 || h.cause != nil || !k.Reusable() {
			t.Errorf("Done called %d times with %v, reusable %v; want once, nil, true", h.dones, h.cause, k.Reusable())
		}
	})
}

func TestResponseDuringTheRequest(t *testing.T) {
	for _, c := range []struct {
		name, in string
		goes     bool // the sending goes on
	}{
		{"success", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
		{"refusal", "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n", false},
		{"close", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, l := dial(NewShared(DefaultConfig()))
			l.Allow = 1
			h := start(t, k, l, &http.Message{Method: []byte("POST"), Length: -1}, "hi")
			l.Feed([]byte(c.in))
			l.Allow = 0
			l.Service()
			if sent := strings.Contains(string(l.Out), "\r\nhi\r\n"); sent != c.goes {
				t.Errorf("body sent %v, want %v: %q", sent, c.goes, l.Out)
			}
			if h.dones != 1 || h.cause != nil || k.Reusable() != c.goes {
				t.Errorf("Done called %d times with %v, reusable %v; want once, nil, %v", h.dones, h.cause, k.Reusable(), c.goes)
			}
		})
	}
}

// TestSendingGoesOnDuringAResponseThatCloses: a response with status 200 and close may depend on the rest of the request,
// as an echo does, so the client sends until the response is complete.
func TestSendingGoesOnDuringAResponseThatCloses(t *testing.T) {
	k, l := dial(NewShared(DefaultConfig()))
	l.Allow = 1
	h := start(t, k, l, &http.Message{Method: []byte("POST"), Length: 2}, "hi")
	l.Feed([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"))
	l.Allow = 0
	l.Service()
	if !strings.HasSuffix(string(l.Out), "\r\n\r\nhi") {
		t.Errorf("after the head of the response: got output %q, want the body too", l.Out)
	}
	l.Feed([]byte("hi"))
	wantCalls(t, h, "head 200 OK HTTP/1.1 length=2 close", "body hi", "end", "done")
	wantClosed(t, l, roles.Graceful, "")
}

func TestClientTimeouts(t *testing.T) {
	for _, c := range []struct {
		name, in string
		after    time.Duration
		cause    string
	}{
		{"no answer", "", 20 * time.Second, "response: response: nothing came"},
		{"no final response after an interim one", "HTTP/1.1 103 X\r\n\r\n", 20 * time.Second, "response: response: nothing came"},
		{"head", "HTTP/1.1 200", 10 * time.Second, "head: not complete"},
		{"body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 30 * time.Second, "body: nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sh := sharedWith(func(c *Config) { c.Timeouts.Response = 20 * time.Second })
			k, l := dial(sh)
			h := start(t, k, l, method("GET"), "")
			l.Feed([]byte(c.in))
			l.Sleep(c.after - 1)
			if l.Closing {
				t.Fatalf("closed before the timeout: %v", l.Cause)
			}
			l.Sleep(1)
			wantClosed(t, l, roles.Immediate, c.cause)
			if !errors.Is(h.cause, http.ErrTimeout) || errors.Is(h.cause, http.ErrNotProcessed) {
				t.Errorf("Done with %v, want ErrTimeout and not ErrNotProcessed", h.cause)
			}
		})
	}
}

func TestClientPause(t *testing.T) {
	k, l := dial(NewShared(DefaultConfig()))
	h := start(t, k, l, method("GET"), "")
	h.onBody = func(x http.Exchange, _ []byte) { x.Pause() }
	l.Feed([]byte("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc"))
	l.Feed([]byte("def"))
	wantCalls(t, h, "head 200 OK HTTP/1.1 length=6", "body abc")
	l.Sleep(time.Hour)
	if l.Closing {
		t.Fatal("timed out while the handler has paused")
	}
	h.x.Resume()
	l.Service()
	wantCalls(t, h, "body def", "end", "done")
}

// TestClientNoDeadline: with NoDeadline a client waits for the response and for each piece of its body without a deadline,
// but a head that has begun keeps its deadline.
func TestClientNoDeadline(t *testing.T) {
	sh := sharedWith(func(c *Config) { c.Timeouts.Response = 20 * time.Second })
	k, l := dial(sh)
	if k.Free() != 1 {
		t.Errorf("free on an idle connection: got %d, want 1", k.Free())
	}
	h := start(t, k, l, method("GET"), "")
	if k.Free() != 0 {
		t.Errorf("free during an exchange: got %d, want 0", k.Free())
	}
	k.x.NoDeadline()
	for _, piece := range []string{"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", "abc", "def"} {
		l.Sleep(time.Hour)
		if l.Closing {
			t.Fatalf("closed with cause %v, want no deadline", l.Cause)
		}
		l.Feed([]byte(piece))
	}
	wantCalls(t, h, "head 200 OK HTTP/1.1 length=6", "body abcdef", "end", "done")
	start(t, k, l, method("GET"), "")
	k.x.NoDeadline()
	l.Feed([]byte("HTTP/1.1 200"))
	l.Sleep(10 * time.Second)
	wantClosed(t, l, roles.Immediate, "head: not complete")
}

func TestClientReset(t *testing.T) {
	k, l := dial(NewShared(DefaultConfig()))
	h := start(t, k, l, method("GET"), "")
	h.onHead = func(x http.Exchange, _ *http.Message) { x.Reset(errors.New("enough")) }
	l.Feed([]byte("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef"))
	wantCalls(t, h, "head 200 OK HTTP/1.1 length=6", "done: enough")
	wantClosed(t, l, roles.Reset, "enough")
}

func TestClientUpgrade(t *testing.T) {
	rolestest.Splits(t, []byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfor the next"), 4, func(how string, feed func(func([]byte))) {
		sh := NewShared(DefaultConfig())
		k, l := dial(sh)
		u := &taker{}
		h := start(t, k, l, &http.Message{Method: []byte("GET"), Upgrade: []byte("echo")}, "")
		h.onHead = func(x http.Exchange, m *http.Message) {
			if err := k.Upgrade(x, u); err != nil {
				t.Fatal(err)
			}
		}
		feed(l.Feed)
		if string(u.got) != "for the next" || h.dones != 1 || h.cause != nil || sh.Counters.Upgraded != 1 {
			t.Errorf("%s: the protocol after the upgrade got %q, Done called %d times with %v; want %q, once, nil", how, u.got, h.dones, h.cause, "for the next")
		}
	})
}

func TestClientUpgradeNotAccepted(t *testing.T) {
	k, l := dial(NewShared(DefaultConfig()))
	h := start(t, k, l, &http.Message{Method: []byte("GET"), Upgrade: []byte("echo")}, "")
	l.Feed([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"))
	wantClosed(t, l, roles.Immediate, "101 without")
	if h.dones != 1 || h.cause == nil {
		t.Errorf("Done called %d times with %v, want once with a cause", h.dones, h.cause)
	}
}

func TestClientClose(t *testing.T) {
	k, l := dial(NewShared(DefaultConfig()))
	h := start(t, k, l, method("GET"), "")
	k.Close()
	l.Service()
	wantClosed(t, l, roles.Graceful, "")
	if h.dones != 1 || h.cause == nil {
		t.Errorf("Done called %d times with %v, want once with a cause", h.dones, h.cause)
	}
}

// TestClientConnectionLost: the end of the transport ends the exchange, if there is one, and the Owner learns of it.
func TestClientConnectionLost(t *testing.T) {
	lost := errors.New("connection reset by peer")
	for _, c := range []struct {
		name  string
		do    bool   // there is an exchange, whose request stays incomplete
		in    string // what the server sends
		state clientState
		told  string
	}{
		{"idle", false, "", awaitDo, ""},
		{"no response", true, "", expectResponse, "unknown"},
		{"part of a head", true, "HTTP/1.1 200", expectResponseHead, "unknown"},
		{"content", true, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx", expectContent, "answered"},
		{"request", true, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nxx", awaitSent, "answered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, l := dial(NewShared(DefaultConfig()))
			o := &owner{}
			k.Owner = o
			h := &recorder{}
			if c.do {
				l.Allow = 1
				h = start(t, k, l, &http.Message{Method: []byte("POST"), Length: 2}, "hi")
			}
			l.Feed([]byte(c.in))
			if k.state != c.state {
				t.Fatalf("state before the loss: got %s, want %s", clientTable.States[k.state].Name, clientTable.States[c.state].Name)
			}
			l.Break(lost)
			if o.closed != 1 {
				t.Errorf("Owner.Closed called %d times, want once", o.closed)
			}
			if !c.do {
				return
			}
			if h.dones != 1 || !errors.Is(h.cause, lost) || outcomeOf(h.cause) != c.told {
				t.Errorf("Done %d times with %v (%s), want once with %v (%s)", h.dones, h.cause, outcomeOf(h.cause), lost, c.told)
			}
		})
	}
}

// TestCloseBeforeOpened: a client that is closed while its transport connects closes the transport.
func TestCloseBeforeOpened(t *testing.T) {
	k, l := new(Client), rolestest.New()
	k.Init(NewShared(DefaultConfig()), l)
	k.Close()
	if !l.Closing || l.Mode != roles.Graceful || l.Cause != nil {
		t.Errorf("transport closing %v, mode %v, cause %v; want true, Graceful, nil", l.Closing, l.Mode, l.Cause)
	}
}
