package h2

import (
	"testing"

	"github.com/millrace/millrace/roles"
)

// connectReq returns an extended CONNECT.
func connectReq(id uint32, flags uint8) string {
	return hdrs(id, flags, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "a.example", ":path", "/")
}

// own returns a server whose request is given to u; after is called in the same Writable.
func own(t *testing.T, flags uint8, u *pipe, after func()) *served {
	t.Helper()
	v := ready(t, DefaultConfig())
	v.setup = func(_ int, r *recorder) { r.head.Status = 0 }
	v.feed(t, connectReq(1, flags))
	v.upgrade(t, u, &u.low, after)
	v.l.Sleep(0)
	v.made[0].done = true // it gave its stream away
	return v
}

// TestTunnelOfAnEndedRequest: if the peer has ended its direction before Upgrade, the owner gets Opened and then
// RxEnd.
func TestTunnelOfAnEndedRequest(t *testing.T) {
	u := &pipe{}
	v := own(t, endS, u, nil)
	if got := u.calls(); got != "opened, end 0" {
		t.Errorf("calls: got %q, want opened and RxEnd", got)
	}
	u.low.Close(roles.Graceful, nil)
	v.l.Service()
	v.l.Sleep(0)
	if got := u.calls(); got != "opened, end 0, closed <nil>" || v.s.Active() != 0 {
		t.Errorf("after Close: got %q with %d streams, want closed with none", got, v.s.Active())
	}
	v.l.Break(nil)
}

// TestTunnelClosedBeforeItIsOpened: an owner that closes before Opened gets Closed alone.
func TestTunnelClosedBeforeItIsOpened(t *testing.T) {
	u := &pipe{}
	v := own(t, 0, u, func() { u.low.Close(roles.Graceful, nil) })
	if got := u.calls(); got != "closed <nil>" {
		t.Errorf("calls: got %q, want Closed alone", got)
	}
	if got := v.feed(t, data(1, endS, "dropped")); v.s.Active() != 0 || v.kept != 0 {
		t.Errorf("after the peer's end: %d streams, %d bytes charged, sent %q; want none", v.s.Active(), v.kept, got)
	}
	v.l.Break(nil)
}

// TestTunnelReplacedAtItsEnd: an owner that comes after the peer's end gets Opened and RxEnd, as over any other
// transport.
func TestTunnelReplacedAtItsEnd(t *testing.T) {
	second := &pipe{}
	first := &pipe{}
	first.on = func(call string) {
		if call == "end 0" {
			second.low = first.low
			first.low.Replace(second)
		}
	}
	v := own(t, 0, first, nil)
	v.feed(t, data(1, endS, ""))
	v.l.Sleep(0)
	if first.calls() != "opened, end 0" || second.calls() != "opened, end 0" {
		t.Errorf("calls: got %q and %q, want opened and RxEnd for both", first.calls(), second.calls())
	}
	second.low.Close(roles.Graceful, nil)
	v.l.Service()
	v.l.Sleep(0)
	if second.closed() != 1 || first.closed() != 0 || v.s.Active() != 0 {
		t.Errorf("Closed: got %d and %d times, %d streams; want the second alone, and none", first.closed(), second.closed(), v.s.Active())
	}
	v.l.Break(nil)
}
