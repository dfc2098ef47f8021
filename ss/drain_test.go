package ss_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// TestDrain: the listener and idle connections are closed, a started transaction is completed with "Connection:
// close", and done is called once when the last connection is gone.
func TestDrain(t *testing.T) {
	w := newWorld(t, wireDoc, plan{Net: sim.Options{Link: sim.Link{Latency: 5 * time.Millisecond}}})
	_, listener := w.Serve("srv", func(s *script) {
		s.Say = []byte("slow")
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
			h.ServerAck(0)
			s.World.Net.At(time.Second, func() { h.RequestTxLen(4) })
			return ss.OK
		})
	})
	idle := w.say("")
	busy := w.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	w.Advance(100 * time.Millisecond)
	told := 0
	w.Server.Runtime.Drain(func() {
		told++
		if n := w.Server.Runtime.Net().Open() + w.Server.Runtime.Len(); n != 0 {
			t.Errorf("done was called with %d streams and connections left", n)
		}
	})
	w.Server.Runtime.Drain(func() { t.Error("done of a second Drain was called") })
	if _, err := w.Server.Runtime.Create(ss.Info{StreamType: "srv"}); !errors.Is(err, ss.ErrClosed) {
		t.Errorf("create while draining: got %v, want ErrClosed", err)
	}
	w.Advance(100 * time.Millisecond)
	w.WantLife("the idle client", idle, "CREATING CONNECTING CONNECTED DISCONNECTED")
	w.WantLife("the busy client, while its answer is made", busy, "CREATING CONNECTING CONNECTED")
	late := w.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	w.Advance(100 * time.Millisecond)
	w.WantLife("a client that comes late", late, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
	if told != 0 {
		t.Error("done was called while a transaction was under way")
	}
	w.Advance(2 * time.Second)
	w.WantLife("the listener", listener, "CREATING DESTROYING")
	if !strings.Contains(string(busy.Got), "Connection: close\r\n") || !strings.HasSuffix(string(busy.Got), "slow") {
		t.Errorf("the answer under way: got %q, want it whole, with Connection: close", busy.Got)
	}
	w.WantLife("the busy client", busy, "CREATING CONNECTING CONNECTED DISCONNECTED")
	if told != 1 {
		t.Errorf("done: told %d times, want once", told)
	}
}

// TestDrainClient: clients are destroyed, what they committed is sent, warm connections are closed.
func TestDrainClient(t *testing.T) {
	w := newWorld(t, warmDoc, plan{Net: sim.Options{Link: sim.Link{Latency: 5 * time.Millisecond}}})
	w.Serve("srv", answer(0, ""))
	w.get("a")
	waiting := newScript()
	w.Create("other", waiting).Connect()
	done := false
	w.Client.Runtime.Drain(func() { done = true })
	w.Advance(100 * time.Millisecond)
	if !done {
		t.Error("done was not told within 100 ms")
	}
	w.WantLife("the other", waiting, "CREATING DESTROYING")
	if n := w.Client.Runtime.Net().Open(); n != 0 {
		t.Errorf("connections: got %d, want none", n)
	}
}

// TestDrainOfNothing: a Drain without streams is complete at once.
func TestDrainOfNothing(t *testing.T) {
	w := newWorld(t, warmDoc, plan{})
	done := false
	w.Client.Runtime.Drain(func() { done = true })
	w.Settle()
	if !done {
		t.Error("done was not told")
	}
}

// TestDrainAndClose: Close ends what a Drain waits for; done is still called.
func TestDrainAndClose(t *testing.T) {
	w := newWorld(t, wireDoc, plan{})
	w.Serve("srv", nil)
	s := w.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	w.Settle()
	done := false
	w.Server.Runtime.Drain(func() { done = true })
	w.Advance(time.Minute)
	if done {
		t.Fatal("done was called while a transaction was under way")
	}
	w.Server.Runtime.Close()
	w.Advance(10 * time.Second)
	if !done {
		t.Error("done was not told after Close")
	}
	w.WantLife("the client", s, "CREATING CONNECTING CONNECTED DISCONNECTED")
}
