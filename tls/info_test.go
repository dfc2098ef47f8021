package tls

import (
	stdtls "crypto/tls"
	"testing"

	"github.com/millrace/millrace/roles"
)

// TestWakeThroughTLS: Woken follows Opened if Wake was called before the end of the handshake, otherwise it is called
// in the next turn.
func TestWakeThroughTLS(t *testing.T) {
	r := server(t, newServer(t, newShared(t, nil), nil), &stdtls.Config{})
	r.s.Wake()
	r.low.Service()
	if len(r.p.log) != 0 {
		t.Fatalf("before the handshake: got calls %q, want none", r.p.log)
	}
	r.handshake()
	r.low.Sleep(0)
	if n := r.p.count("woken"); n != 1 || r.p.log[0] != "opened" {
		t.Errorf("after the handshake: got calls %q, want opened, and woken once", r.p.log)
	}
	r.s.Wake()
	r.s.Wake()
	r.low.Service()
	r.low.Service()
	if n := r.p.count("woken"); n != 2 {
		t.Errorf("two calls of Wake in one turn: got woken %d times more, want once; calls %q", n-1, r.p.log)
	}
	r.low.Wake() // the transport's own, which the session did not request
	r.low.Service()
	r.s.Wake()
	r.s.Close(roles.Immediate, nil)
	r.low.Service()
	if n := r.p.count("woken"); n != 2 {
		t.Errorf("without a request, and after Close: got woken %d times more, want none; calls %q", n-2, r.p.log)
	}
}

// TestInfoThroughTLS: a session adds itself to the connection's Info.
func TestInfoThroughTLS(t *testing.T) {
	r := server(t, newServer(t, newShared(t, nil), nil), &stdtls.Config{})
	i := r.s.Info()
	if i.Layer != roles.LayerTLS || i.Conn != roles.Conn(r.low) || i.TLS.State().Version != 0 {
		t.Errorf("before the handshake: got %+v, want TLS without a state over the transport", i)
	}
	r.handshake()
	if got := i.TLS.State(); got.Version != stdtls.VersionTLS13 || !got.TakenOver {
		t.Errorf("state: got %+v, want TLS 1.3, taken over", got)
	}
	if r.s.Now() != r.low.Clock {
		t.Errorf("now: got %v, want the transport's %v", r.s.Now(), r.low.Clock)
	}
	var st roles.TLSState
	if n := testing.AllocsPerRun(100, func() { i = r.s.Info(); st = i.TLS.State() }); n != 0 || st.Version == 0 {
		t.Errorf("Info and State: %v allocations, want none", n)
	}
}

// count returns how many recorded calls equal call.
func (p *protocol) count(call string) (n int) {
	for _, c := range p.log {
		if c == call {
			n++
		}
	}
	return n
}

// TestCommitNeedsTheRoom: a session that commits into the space of another one panics.
func TestCommitNeedsTheRoom(t *testing.T) {
	v := newServer(t, newShared(t, nil), nil)
	a, b := server(t, v, &stdtls.Config{}), server(t, v, &stdtls.Config{})
	a.handshake()
	b.handshake()
	if len(a.s.Room(1)) == 0 {
		t.Fatal("no room")
	}
	defer func() {
		want := "tls: commit: 1 bytes without room: it belongs to another connection, or to none"
		if got := recover(); got != want {
			t.Errorf("got panic %v, want %q", got, want)
		}
	}()
	b.s.Commit(1)
}
