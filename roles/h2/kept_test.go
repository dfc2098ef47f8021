package h2

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// reading is a pipe whose Rx gives its bytes to rx.
type reading struct {
	*pipe
	rx func(b []byte)
}

func (r *reading) Rx(now time.Duration, b []byte) int {
	r.rx(b)
	return len(b)
}

// upgraded returns a server whose client sends text on an extended CONNECT before the response; the stream is given
// to u then. The next call delivers the kept text.
func upgraded(t *testing.T, sh *Shared, text string, u *reading) *served {
	t.Helper()
	v := readyOn(t, sh)
	v.setup = func(_ int, r *recorder) {
		r.head.Status = 0
		r.onHead = func(x http.Exchange, _ *http.Message) { x.Pause() }
	}
	v.feed(t, hdrs(1, 0, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "a.example", ":path", "/"), data(1, 0, text))
	v.upgrade(t, u, &u.low, nil)
	return v
}

// upgrade sends 200 on the first stream and gives it to u: low is set to its Lower before, and after is called in the same
// Writable.
func (v *served) upgrade(t *testing.T, u roles.Upper, low *roles.Lower, after func()) {
	t.Helper()
	x := v.made[0].x
	x.SetHandler(handOver{v.made[0], func(x http.Exchange) {
		if err := x.SendHead(&http.Message{Status: 200, Length: http.UnknownLength}, false); err != nil {
			t.Fatal(err)
		}
		*low = v.s.Stream(x)
		if err := v.s.Upgrade(x, u); err != nil {
			t.Fatal(err)
		}
		if after != nil {
			after()
		}
	}})
	x.WantWrite()
	v.l.Service()
}

// handOver is a handler with another Writable.
type handOver struct {
	*recorder
	writable func(x http.Exchange)
}

func (h handOver) Writable(x http.Exchange) { h.writable(x) }

// TestUpgradeKeepsEarlierBytes: what arrived on a stream before Upgrade belongs to the owner alone.
func TestUpgradeKeepsEarlierBytes(t *testing.T) {
	sh := NewShared(DefaultConfig())
	const text = "what the first has sent"
	got := ""
	v := upgraded(t, sh, text, &reading{&pipe{}, func(b []byte) { got += string(b) }})
	other := readyOn(t, sh)
	other.setup = func(_ int, r *recorder) {
		r.head.Status = 0
		r.onHead = func(x http.Exchange, _ *http.Message) { x.Pause() }
	}
	other.feed(t, postReq(1), data(1, 0, strings.Repeat("?", len(text))))
	v.l.Sleep(0)
	if got != text {
		t.Errorf("over the upgraded stream: got %q, want %q", got, text)
	}
	if n := v.l.All(); n != 0 {
		t.Errorf("charged after all was read: got %d bytes, want none", n)
	}
	other.over(t)
}

// The bytes given to Rx stay unchanged until Rx returns, even if the stream ends during the call and others keep
// bytes.
func TestTunnelReadsWhatItWasGivenAfterItsEnd(t *testing.T) {
	for _, mode := range []roles.CloseMode{roles.Graceful, roles.Immediate, roles.Reset} {
		const text = "the last words of a stream"
		u := &reading{pipe: &pipe{}}
		got := ""
		var c *conn
		u.rx = func(b []byte) {
			u.low.Close(mode, nil)
			other := c.store(roles.HoldTunnel, nil, []byte(strings.Repeat("?", len(text))))
			got = string(b)
			c.drop(roles.HoldTunnel, other)
		}
		v := upgraded(t, NewShared(DefaultConfig()), text, u)
		c = &v.s.conn
		v.l.Sleep(0)
		if got != text {
			t.Errorf("closed with mode %d: read %q, want %q", mode, got, text)
		}
		if n := v.l.All(); n != 0 {
			t.Errorf("closed with mode %d: got %d bytes charged, want none", mode, n)
		}
	}
}

// Trailers stay unchanged during End, even if the stream ends during the call and others keep bytes.
func TestTrailersStayDuringEnd(t *testing.T) {
	v := ready(t, DefaultConfig())
	value := strings.Repeat("v", minBuffer-1) // with its name of one octet, as long as a pooled buffer
	got := ""
	v.setup = func(_ int, r *recorder) {
		r.head.Status = 0
		r.onHead = func(x http.Exchange, _ *http.Message) { x.Pause() }
	}
	v.feed(t, postReq(1), data(1, 0, "x"), hdrs(1, endS, "t", value))
	x := v.made[0].x
	x.SetHandler(&trailed{v.made[0], func(t []http.Field) {
		x.Reset(nil)
		other := v.s.store(roles.HoldBody, nil, []byte(strings.Repeat("?", minBuffer)))
		got = string(t[0].Value)
		v.s.drop(roles.HoldBody, other)
	}})
	x.Resume()
	v.l.Sleep(0)
	if got != value {
		t.Errorf("trailer after a reset: got %.20q, want %.20q", got, value)
	}
	v.over(t)
}

// trailed is a handler with another End.
type trailed struct {
	*recorder
	end func(t []http.Field)
}

func (h *trailed) End(_ http.Exchange, t []http.Field) { h.end(t) }

// A request that was complete before its handler read it is not late: the handler may answer at any time.
func TestRequestThatCameWholeHasNoDeadline(t *testing.T) {
	v := ready(t, DefaultConfig())
	v.setup = func(_ int, r *recorder) {
		r.head.Status = 0
		r.onHead = func(x http.Exchange, _ *http.Message) { x.Pause() }
	}
	v.feed(t, postReq(1), data(1, endS, "all of it"))
	v.made[0].x.Resume()
	v.l.Sleep(0)
	if r := v.made[0]; r.got != len("all of it") {
		t.Fatalf("resumed: got %d bytes of the request, want all", r.got)
	}
	v.l.Sleep(time.Hour)
	if r := v.made[0]; r.done {
		t.Errorf("an hour later: got the end with %v, want the exchange to wait for its answer", r.cause)
	}
	v.over(t)
}

// A stream whose bytes found Limits.Kept used up gets its window after others have read theirs: paused streams do not
// stop the others.
func TestWindowBeyondParkedIsGivenBackLater(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Limits.Window, cfg.Limits.ConnWindow, cfg.Limits.Kept = 64<<10, 128<<10, 128<<10
	for _, first := range []int{0, 2} { // the streams that resume: the first or the last
		v := ready(t, cfg)
		v.setup = func(_ int, r *recorder) {
			r.head.Status, r.quiet = 0, true
			r.onHead = func(x http.Exchange, _ *http.Message) { x.Pause() }
		}
		for i := range 4 {
			v.feed(t, postReq(id(i)))
			for range 4 {
				v.feed(t, data(id(i), 0, strings.Repeat("x", 16384)))
			}
		}
		if v.s.recvWin+v.s.credit != 0 {
			t.Fatalf("256 KiB are kept: got a window of %d and a credit of %d, want none", v.s.recvWin, v.s.credit)
		}
		for i := first; i < first+2; i++ {
			v.made[i].x.Resume()
		}
		v.l.Sleep(0)
		if got := v.s.recvWin + v.s.credit; got != 128<<10 {
			t.Errorf("streams %d and %d have read theirs, and 128 KiB are kept: got a window of %d, want all 131072", id(first), id(first+1), got)
		}
		for i := range 4 {
			v.made[i].x.Resume()
		}
		v.l.Sleep(0)
		if got := v.s.recvWin + v.s.credit; got != 128<<10 || v.s.creditedConn != 0 || v.l.All() != 0 {
			t.Errorf("all is read: got a window of %d, %d credited ahead, %d bytes charged; want 131072 and none", got, v.s.creditedConn, v.l.All())
		}
		v.over(t)
	}
}

// Bytes that are kept in pieces are not copied for each piece, however many there are.
func TestKeptBytesAreCopiedFewTimes(t *testing.T) {
	v := ready(t, DefaultConfig())
	piece := make([]byte, 16<<10)
	var b []byte
	copied := 0
	for range 1 << 10 {
		old := cap(b)
		if b = v.s.store(roles.HoldBody, b, piece); cap(b) != old {
			copied += len(b)
		}
	}
	if copied > 8*len(b) {
		t.Errorf("%d bytes in %d pieces: got %d bytes copied, want at most 8 times as many", len(b), 1<<10, copied)
	}
	if n := v.l.Held[roles.HoldBody]; n != cap(b) {
		t.Errorf("got %d bytes charged, want %d", n, cap(b))
	}
	v.s.drop(roles.HoldBody, b)
	v.over(t)
}

// A tunnel that its owner has closed has a deadline, even if the exchange it began with had none.
func TestClosedTunnelOfAnExchangeWithoutDeadlineEnds(t *testing.T) {
	p := newTunnel(t, DefaultConfig(), DefaultConfig(), &pipe{}, &pipe{})
	p.c.x.(http.NoDeadline).NoDeadline()
	p.near.low.Close(roles.Graceful, nil)
	p.pump()
	p.cl.Sleep(time.Minute)
	if n := p.pair.c.Active(); n != 0 {
		t.Errorf("a minute after its Close, with a peer that does not end it: got %d streams, want none; calls %s", n, fmt.Sprint(p.near.log))
	}
	p.end(t)
}

// A response that is kept for a paused handler when the server ends its direction is still delivered, and ends the
// exchange: no window can open for the rest of the request.
func TestResponseThatWaitedEndsTheExchange(t *testing.T) {
	v := dial(t, DefaultConfig(), setting(settingWindow, 10), setack)
	r := v.ask(t, post("/", http.UnknownLength), strings.Repeat("x", 100), func(r *recorder) {
		r.onHead = func(x http.Exchange, _ *http.Message) { x.Pause() }
	})
	v.feed(t, hdrs(1, 0, ":status", "200"), data(1, endS, "all of it"))
	v.l.End()
	r.x.Resume()
	v.l.Sleep(0)
	if r.got != len("all of it") || !r.done || r.cause != nil {
		t.Errorf("resumed: got %d bytes, done %v with %v; want all of the response, and done", r.got, r.done, r.cause)
	}
	v.l.Service()
	if !v.l.Over {
		t.Error("the connection is open, want its end")
	}
	v.over(t)
}

// A response that is endless by its type is not limited in length; a request is.
func TestEndlessResponsesHaveNoLength(t *testing.T) {
	send := func(feed func(*testing.T, ...string) string) (out string) {
		for range 6 {
			out += feed(t, data(1, 0, "0123456789"))
		}
		return verdict(out)
	}
	for _, c := range []struct {
		fields []string
		want   string
	}{
		{[]string{"content-type", "multipart/x-mixed-replace; boundary=b"}, ""},
		{[]string{"content-type", "text/event-stream"}, ""},
		{[]string{"content-type", "text/event-stream", "content-length", "60"}, "reset 1 CANCEL"},
		{[]string{"content-type", "text/plain"}, "reset 1 CANCEL"},
		{nil, "reset 1 CANCEL"},
	} {
		cfg := DefaultConfig()
		cfg.Limits.Body = 50
		v := dial(t, cfg)
		v.ask(t, get("/"), "")
		v.out(t)
		v.feed(t, hdrs(1, 0, with([]string{":status", "200"}, c.fields...)...))
		if got := send(func(t *testing.T, f ...string) string { return v.feed(t, f...) }); got != c.want {
			t.Errorf("%q: 60 bytes with a limit of 50: got %q, want %q", c.fields, got, c.want)
		}
		v.over(t)
	}
	cfg := DefaultConfig()
	cfg.Limits.Body = 50
	v := ready(t, cfg)
	v.setup = func(_ int, r *recorder) { r.head.Status = 0 }
	v.feed(t, hdrs(1, 0, with(ps, "content-type", "text/event-stream")...))
	if got := send(func(t *testing.T, f ...string) string { return v.feed(t, f...) }); got != "reset 1 CANCEL" {
		t.Errorf("a request: got %q, want reset 1 CANCEL", got)
	}
	v.over(t)
}
