package h1

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

func TestSetHandler(t *testing.T) {
	second := (&recorder{}).answer(200, "")
	first := &recorder{onHead: func(x http.Exchange, _ *http.Message) { x.SetHandler(second) }}
	_, l := serve(NewShared(DefaultConfig()), first)
	l.Feed([]byte(postHead + "0123456789"))
	wantCalls(t, first, "head POST / for=x HTTP/1.1 length=10")
	wantCalls(t, second, "body 0123456789", "end", "done")
	l.Feed([]byte(getHead))
	wantCalls(t, first, "head GET / for=x HTTP/1.1 length=0")
}

// TestBodyWaitsFor100: before 100 (Continue) there is no room for the body, and Commit is misuse.
func TestBodyWaitsFor100(t *testing.T) {
	k, l := dial(NewShared(DefaultConfig()))
	h := &recorder{}
	h.writable = func(x http.Exchange) {
		if err := x.SendHead(&http.Message{Method: []byte("POST"), Authority: []byte("x"), Length: -1, Continue: true}, false); err != nil {
			t.Fatal(err)
		}
		if r := x.Room(); r != nil {
			t.Errorf("Room before 100 (Continue): got %d bytes, want nil", len(r))
		}
		if err := x.SendTrailers(nil); err != http.ErrNoRoom {
			t.Errorf("SendTrailers before 100 (Continue): got %v, want ErrNoRoom", err)
		}
		x.Credit(5)
		x.Commit(0, true)
	}
	if _, err := k.Do(h); err != nil {
		t.Fatal(err)
	}
	l.Service()
	if !errors.Is(h.cause, errCommitHeld) || l.Mode != roles.Reset {
		t.Errorf("Done with %v, mode %v; want %v, Reset", h.cause, l.Mode, errCommitHeld)
	}
}

// TestServerEndsDuringTheRequest: the server responds and ends its direction while the client still sends the body.
func TestServerEndsDuringTheRequest(t *testing.T) {
	k, l := dial(NewShared(DefaultConfig()))
	l.Allow = 1
	h := start(t, k, l, &http.Message{Method: []byte("POST"), Length: -1}, "hi")
	l.Feed([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	if h.dones != 0 {
		t.Fatal("Done called before the request is complete")
	}
	l.End()
	if h.dones != 1 || h.cause != nil || !l.Over || strings.Contains(string(l.Out), "hi") {
		t.Errorf("Done called %d times with %v, closed %v, out %q; want once, nil, true, no body", h.dones, h.cause, l.Over, l.Out)
	}
}

// TestInterimWaitsForRoom: without room, a 1xx head and Upgrade return ErrNoRoom.
func TestInterimWaitsForRoom(t *testing.T) {
	var s *Server
	h := &recorder{}
	s, l := serve(NewShared(DefaultConfig()), h)
	h.onHead = func(x http.Exchange, _ *http.Message) {
		l.Refuse = true
		if err := x.SendHead(&http.Message{Status: 103}, false); err != http.ErrNoRoom {
			t.Errorf("SendHead of 103: got %v, want ErrNoRoom", err)
		}
		if err := x.SendHead(&http.Message{Status: 200}, true); err != http.ErrNoRoom {
			t.Errorf("SendHead of 200: got %v, want ErrNoRoom", err)
		}
		if err := s.Upgrade(x, &http.Message{Upgrade: []byte("echo")}, sink{}); err != http.ErrNoRoom {
			t.Errorf("Upgrade: got %v, want ErrNoRoom", err)
		}
	}
	l.Feed([]byte(getHead))
	wantOut(t, l, "")
}

// TestReusedExchangeIsCleared: nothing of an exchange remains when the pool hands it out again.
func TestReusedExchangeIsCleared(t *testing.T) {
	dirty := func(x *exchange) {
		x.in = body{framing: bodyChunked, chunk: expectTrailers, rules: ofResponse | lenient, left: 9, total: 1 << 62, extra: 1 << 20,
			scan: scan{line: 3, seen: 4, fields: 5}}
		x.pace.Start(1, &http.PaceLimits{Rate: 1 << 40, Grace: 1, Total: 1})
		x.paced, x.progress, x.received, x.paused = true, true, 77, true
	}
	for _, in := range []string{string(get), string(post(16 << 10)), string(chunkedPost(2, 100))} {
		sh := NewShared(DefaultConfig())
		x := new(exchange)
		dirty(x)
		sh.freeExchange(x)
		w := newWireServer(sh)
		h := w.up.(*Server).h.(*fast)
		head := strings.Index(in, "\r\n\r\n") + 4
		w.feed([]byte(in[:head])) // alone, so that a body is timed
		w.feed([]byte(in[head:]))
		want := map[byte]int{'G': 0, 'P': 200}[in[0]]
		if len(in) > 1<<14 {
			want = 16 << 10
		}
		if h.got != want || sh.Counters.Responses != 1 || sh.Counters.Malformed+sh.Counters.Timeouts != 0 {
			t.Errorf("%.40q on an exchange that was in use: %d octets of body, %d responses, counters %+v; want %d and 1",
				in, h.got, sh.Counters.Responses, sh.Counters, want)
		}
	}
}
