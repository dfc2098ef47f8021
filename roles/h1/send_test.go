package h1

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// TestIllegalHeadsAreNotSent: SendHead refuses a head that a peer could not read or could read in two ways. Nothing is
// sent, and the handler can send another head.
func TestIllegalHeadsAreNotSent(t *testing.T) {
	field := func(name, value string) []http.Field {
		return []http.Field{{Name: []byte(name), Value: []byte(value)}}
	}
	both := []struct {
		name string
		m    http.Message
		err  error
	}{
		{"field name with space", http.Message{Fields: field("A b", "c")}, errHeadName},
		{"empty field name", http.Message{Fields: field("", "c")}, errHeadName},
		{"field value with CRLF", http.Message{Fields: field("A", "b\r\nC: d")}, errHeadValue},
		{"field value with LF", http.Message{Fields: field("A", "b\nC: d")}, errHeadValue},
		{"field value with NUL", http.Message{Fields: field("A", "b\x00")}, errHeadValue},
		{"field value with space in front", http.Message{Fields: field("A", " b")}, errHeadValue},
		{"Content-Length", http.Message{Fields: field("content-length", "5")}, errHeadFrame},
		{"Transfer-Encoding", http.Message{Fields: field("TRANSFER-ENCODING", "chunked")}, errHeadFrame},
		{"Connection", http.Message{Fields: field("Connection", "close")}, errHeadFrame},
		{"Host", http.Message{Fields: field("Host", "y")}, errHeadFrame},
		{"upgrade with CRLF", http.Message{Upgrade: []byte("a\r\nB: c")}, errHeadValue},
		{"longer than a room", http.Message{Fields: field("A", strings.Repeat("b", roles.MaxRoom))}, errHeadSize},
		{"end and a length", http.Message{Length: 5}, errHeadEnd},
	}
	t.Run("server", func(t *testing.T) {
		cases := append(both[:len(both):len(both)], []struct {
			name string
			m    http.Message
			err  error
		}{
			{"status 99", http.Message{Status: 99}, errHeadStatus},
			{"status 1000", http.Message{Status: 1000}, errHeadStatus},
			{"status 101", http.Message{Status: 101}, errHeadUp},
			{"Date", http.Message{Fields: field("Date", "today")}, errHeadFrame},
		}...)
		for _, c := range cases {
			m := c.m
			if m.Status == 0 {
				m.Status = 200
			}
			h := (&recorder{}).answer(200, "")
			good := h.writable
			h.writable = func(x http.Exchange) {
				if err := x.SendHead(&m, true); err != c.err || !errors.Is(err, http.ErrMisuse) {
					t.Errorf("%s: got %v, want %v", c.name, err, c.err)
				}
				good(x)
			}
			_, l := serve(NewShared(DefaultConfig()), h)
			l.Feed([]byte(getHead))
			wantOut(t, l, okEmpty)
		}
	})
	t.Run("client", func(t *testing.T) {
		cases := append(both[:len(both):len(both)], []struct {
			name string
			m    http.Message
			err  error
		}{
			{"method with space", http.Message{Method: []byte("G T")}, errHeadMethod},
			{"CONNECT", http.Message{Method: []byte("CONNECT")}, errHeadMethod},
			{"path with space", http.Message{Path: []byte("/a b")}, errHeadTarget},
			{"path with CRLF", http.Message{Path: []byte("/a\r\nB: c")}, errHeadTarget},
			{"path with query", http.Message{Path: []byte("/a?b")}, errHeadTarget},
			{"query with fragment", http.Message{Path: []byte("/a"), Query: []byte("b#c")}, errHeadTarget},
			{"target with space", http.Message{Target: []byte("/ HTTP/1.1")}, errHeadTarget},
			{"authority with CRLF", http.Message{Authority: []byte("x\r\nA: b")}, errHeadHost},
			{"authority with userinfo", http.Message{Authority: []byte("u@x")}, errHeadHost},
		}...)
		for _, c := range cases {
			m := c.m
			if m.Method == nil {
				m.Method = []byte("GET")
			}
			k, l := dial(NewShared(DefaultConfig()))
			h := &recorder{}
			h.writable = func(x http.Exchange) {
				if err := x.SendHead(&m, true); err != c.err || !errors.Is(err, http.ErrMisuse) {
					t.Errorf("%s: got %v, want %v", c.name, err, c.err)
				}
			}
			if _, err := k.Do(h); err != nil {
				t.Fatal(err)
			}
			l.Service()
			wantOut(t, l, "")
		}
	})
	t.Run("chunked in 1.0", func(t *testing.T) {
		k, l := dial(NewShared(DefaultConfig()))
		h := &recorder{writable: func(x http.Exchange) {
			m := &http.Message{Method: []byte("POST"), Version: http.HTTP10, Length: http.UnknownLength}
			if err := x.SendHead(m, false); err != errHead10 {
				t.Errorf("got %v, want %v", err, errHead10)
			}
		}}
		if _, err := k.Do(h); err != nil {
			t.Fatal(err)
		}
		l.Service()
		wantOut(t, l, "")
	})
}

// TestMisuseOfABody: a body that does not agree with its head resets the connection.
func TestMisuseOfABody(t *testing.T) {
	for _, c := range []struct {
		name   string
		length int64
		do     func(x http.Exchange)
		want   error
	}{
		{"shorter than announced", 5, func(x http.Exchange) { x.Commit(copy(x.Room(), "abc"), true) }, errCommitLess},
		{"more than the room", 5, func(x http.Exchange) { x.Room(); x.Commit(6, true) }, errCommitOver},
		{"without a room", 5, func(x http.Exchange) { x.Commit(5, true) }, errCommitOver},
		{"negative", 5, func(x http.Exchange) { x.Room(); x.Commit(-1, true) }, errCommitOver},
		{"more than the room of a chunk", -1, func(x http.Exchange) { x.Commit(len(x.Room())+1, true) }, errCommitOver},
	} {
		h := &recorder{onEnd: func(x http.Exchange) { x.WantWrite() }}
		h.writable = func(x http.Exchange) {
			if err := x.SendHead(&http.Message{Status: 200, Length: c.length}, false); err != nil {
				t.Fatal(err)
			}
			c.do(x)
		}
		_, l := serve(NewShared(DefaultConfig()), h)
		l.Feed([]byte(getHead))
		if h.cause != c.want || l.Mode != roles.Reset || !l.Over {
			t.Errorf("%s: Done with %v, mode %v; want %v, Reset", c.name, h.cause, l.Mode, c.want)
		}
	}
	h := &recorder{onEnd: func(x http.Exchange) { x.WantWrite() }, writable: func(x http.Exchange) { x.Commit(0, true) }}
	_, l := serve(NewShared(DefaultConfig()), h)
	if l.Feed([]byte(getHead)); h.cause != errCommitHead {
		t.Errorf("a body without a head: Done with %v, want %v", h.cause, errCommitHead)
	}
}

// TestRoomIsAtLeastMinRoom: with each framing, Room returns at least MinRoom bytes, or what remains of the body.
func TestRoomIsAtLeastMinRoom(t *testing.T) {
	for _, c := range []struct {
		length int64
		want   int
	}{{5, 5}, {http.UnknownLength, http.MinRoom}, {1 << 40, http.MinRoom}} {
		h := &recorder{onEnd: func(x http.Exchange) { x.WantWrite() }}
		h.writable = func(x http.Exchange) {
			if err := x.SendHead(&http.Message{Status: 200, Length: c.length}, false); err != nil {
				t.Fatal(err)
			}
			r := x.Room()
			if len(r) < c.want || c.length > 0 && int64(len(r)) > c.length || len(r) != cap(r) {
				t.Errorf("length %d: Room has %d of %d bytes, want at least %d and at most what remains", c.length, len(r), cap(r), c.want)
			}
		}
		_, l := serve(NewShared(DefaultConfig()), h)
		l.Feed([]byte(getHead))
	}
}

// TestLargeBodies sends more than the transport takes at once, with each framing, and parses it again.
func TestLargeBodies(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 16384)
	for _, length := range []int64{int64(len(body)), http.UnknownLength} {
		k, l := dial(NewShared(DefaultConfig()))
		start(t, k, l, &http.Message{Method: []byte("POST"), Length: length}, body)
		for limit := 1000; l.Wants() || limit == 1000; limit += 50000 {
			l.Allow = limit
			l.Service()
		}
		h := (&recorder{}).answer(200, "")
		_, s := serve(NewShared(DefaultConfig()), h)
		s.Feed(bytes.Clone(l.Out))
		if s.Cause != nil || len(h.lines) != 4 || h.lines[1] != "body "+body {
			t.Errorf("length %d: the server got %d calls, refused for %v; want 4, the body among them", length, len(h.lines), s.Cause)
		}
	}
}

// TestLastChunkWaitsForRoom: a body that ends without room gets its last chunk in a later Writable.
func TestLastChunkWaitsForRoom(t *testing.T) {
	h := &recorder{onEnd: func(x http.Exchange) { x.WantWrite() }}
	_, l := serve(NewShared(DefaultConfig()), h)
	h.writable = func(x http.Exchange) {
		if err := x.SendHead(&http.Message{Status: 200, Length: http.UnknownLength}, false); err != nil {
			t.Fatal(err)
		}
		x.Commit(copy(x.Room(), "a"), false)
		l.Refuse = true
		if r := x.Room(); r != nil {
			t.Errorf("Room: got %d bytes, want nil", len(r))
		}
		if err := x.SendTrailers([]http.Field{{Name: []byte("A"), Value: []byte("b")}}); err != http.ErrNoRoom {
			t.Errorf("SendTrailers: got %v, want ErrNoRoom", err)
		}
		x.Commit(0, true)
	}
	l.Feed([]byte(getHead))
	if h.dones != 0 {
		t.Fatal("Done called before the last chunk is sent")
	}
	l.Refuse = false
	l.Service()
	wantOut(t, l, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0001\r\na\r\n0\r\n\r\n")
	if h.dones != 1 || h.cause != nil {
		t.Errorf("Done called %d times with %v, want once with nil", h.dones, h.cause)
	}
}

func TestBadTrailersAreNotSent(t *testing.T) {
	h := &recorder{onEnd: func(x http.Exchange) { x.WantWrite() }}
	h.writable = func(x http.Exchange) {
		if err := x.SendHead(&http.Message{Status: 200, Length: http.UnknownLength}, false); err != nil {
			t.Fatal(err)
		}
		for value, want := range map[string]error{"b\r\nC: d": errHeadValue, strings.Repeat("b", roles.MaxRoom): errHeadSize} {
			if err := x.SendTrailers([]http.Field{{Name: []byte("A"), Value: []byte(value)}}); err != want {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		if err := x.SendTrailers([]http.Field{{Name: []byte("Content-Length"), Value: []byte("5")}}); err != errHeadFrame {
			t.Errorf("got %v, want %v", err, errHeadFrame)
		}
		x.Commit(0, true)
	}
	_, l := serve(NewShared(DefaultConfig()), h)
	l.Feed([]byte(getHead))
	wantOut(t, l, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
}
