package ss_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// warmDoc has three stream types: two with one endpoint, and one with another port.
const warmDoc = `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}}],"s":[
	{"a":{"endpoint":"10.0.0.2","port":80,"protocol":"h1","http_url":"/a","retry":"none"}},
	{"b":{"endpoint":"http://10.0.0.2","protocol":"h1","http_url":"/b","retry":"none"}},
	{"post":{"endpoint":"10.0.0.2","port":80,"protocol":"h1","http_method":"POST","retry":"none"}},
	{"put":{"endpoint":"10.0.0.2","port":80,"protocol":"h1","http_method":"PUT","retry":"none"}},
	{"other":{"endpoint":"10.0.0.2","port":81,"protocol":"h1","retry":"none"}},
	{"srv":{"server":true,"port":80,"protocol":"h1"}},
	{"srv81":{"server":true,"port":81,"protocol":"h1"}},
	{"raw":{"server":true,"port":80,"protocol":"raw"}}]}`

const oneGET = "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED"

// get runs one transaction of a new stream and returns its states.
func (w *world) get(streamType string) *script {
	w.t.Helper()
	s := newScript()
	w.Create(streamType, s).Connect()
	w.Run("the end of a transaction", func() bool { return s.Told(ss.Disconnected)+s.Told(ss.AllRetriesFailed) > 0 })
	return s
}

// TestWarmConnection: a connection serves the next stream with the same endpoint, of any stream type,
// and no other. Its previous stream still received DISCONNECTED.
func TestWarmConnection(t *testing.T) {
	w := newWorld(t, warmDoc, plan{})
	w.Serve("srv", answer(0, ""))
	w.Serve("srv81", answer(0, ""))
	for i, step := range []struct {
		streamType  string
		connections int
		warm        uint64
	}{{"a", 1, 0}, {"b", 1, 1}, {"other", 2, 1}, {"a", 2, 2}, {"other", 2, 3}} {
		w.WantLife(step.streamType, w.get(step.streamType), oneGET)
		if got := w.Client.Runtime.Counters.Warm; got != step.warm || len(w.Accepted) != step.connections {
			t.Errorf("after step %d, %s: got %d connections and %d reused, want %d and %d",
				i, step.streamType, len(w.Accepted), got, step.connections, step.warm)
		}
	}
	if got, want := w.Accepted[0].Life(), "CREATING CONNECTING CONNECTED SERVER_TXN SERVER_TXN SERVER_TXN"; got != want {
		t.Errorf("the server's stream: got %s, want %s", got, want)
	}
}

// TestBusyConnection: a connection in use is not shared.
func TestBusyConnection(t *testing.T) {
	w := newWorld(t, warmDoc, plan{Net: sim.Options{Link: sim.Link{Latency: time.Millisecond}}})
	w.Serve("srv", answer(0, "x"))
	a, b := newScript(), newScript()
	w.Create("a", a).Connect()
	w.Create("b", b).Connect()
	w.Advance(time.Second)
	w.WantLife("one", a, oneGET)
	w.WantLife("the other", b, oneGET)
	if len(w.Accepted) != 2 {
		t.Errorf("connections: got %d, want 2", len(w.Accepted))
	}
}

// TestKeepWarm: warm connections are closed after KeepWarm, also at the server.
func TestKeepWarm(t *testing.T) {
	for _, c := range []struct {
		keep, wait time.Duration
		warm       bool
	}{
		{0, 4900 * time.Millisecond, true},
		{0, 5100 * time.Millisecond, false},
		{time.Second, 900 * time.Millisecond, true},
		{time.Second, 1100 * time.Millisecond, false},
		{-1, 0, false},
	} {
		t.Run(fmt.Sprintf("%v after %v", c.keep, c.wait), func(t *testing.T) {
			w := newWorld(t, warmDoc, plan{Client: func(k *ss.Config) { k.KeepWarm = c.keep }})
			w.Serve("srv", answer(0, ""))
			w.get("a")
			w.Advance(c.wait)
			if open := w.Client.Runtime.Net().Open() == 1; open != c.warm {
				t.Errorf("the connection is open: got %v, want %v", open, c.warm)
			}
			w.get("a")
			if reused := w.Client.Runtime.Counters.Warm == 1; reused != c.warm {
				t.Errorf("the connection was reused: got %v, want %v", reused, c.warm)
			}
		})
	}
}

// TestWarmMax: at the limit the oldest warm connection is closed.
func TestWarmMax(t *testing.T) {
	for _, c := range []struct{ most, want int }{{2, 2}, {1, 1}, {-1, 0}, {0, 3}} {
		w := newWorld(t, warmDoc, plan{Net: sim.Options{Link: sim.Link{Latency: time.Millisecond}},
			Client: func(k *ss.Config) { k.WarmMax = c.most }})
		w.Serve("srv", answer(0, ""))
		var all []*script
		for range 3 {
			s := newScript()
			all = append(all, s)
			w.Create("a", s).Connect()
		}
		w.Advance(time.Second)
		for _, s := range all {
			w.WantLife("a stream", s, oneGET)
		}
		if got := w.Client.Runtime.Net().Open(); got != c.want {
			t.Errorf("WarmMax %d: connections kept of 3: got %d, want %d", c.most, got, c.want)
		}
	}
}

// TestStaleConnection: the server closes a warm connection. If the client knows, it makes a new one; if the end
// crosses its request, an idempotent request is repeated, unseen by the stream, and any other is a failed attempt.
func TestStaleConnection(t *testing.T) {
	for _, c := range []struct {
		streamType, want string
	}{
		{"a", oneGET},
		{"post", "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED"},
	} {
		t.Run(c.streamType, func(t *testing.T) {
			w := newWorld(t, warmDoc, plan{Net: sim.Options{Link: sim.Link{Latency: 10 * time.Millisecond}}})
			w.Serve("srv", func(s *script) {
				answer(0, "")(s)
				s.OnRx = func(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.OK }
			})
			w.get("a")
			w.Accepted[0].Handle.Destroy()
			w.Advance(time.Millisecond) // the server's FIN is on its way
			s := w.get(c.streamType)
			if c.streamType == "post" && s.Told(ss.QOSAckRemote) == 1 {
				t.Fatal("a POST was repeated")
			}
			w.WantLife("the stream on a stale connection", s, c.want)
			if a := w.Client.Runtime.Counters; a.Warm != 1 {
				t.Errorf("warm connections taken: got %d, want 1", a.Warm)
			}
		})
	}
	t.Run("put, with bytes given", func(t *testing.T) {
		// The output of Tx is lost with the connection, so Tx is called for it again.
		w := newWorld(t, warmDoc, plan{Net: sim.Options{Link: sim.Link{Latency: 10 * time.Millisecond}}})
		w.Serve("srv", answer(0, ""))
		w.get("a")
		w.Accepted[0].Handle.Destroy()
		w.Advance(time.Millisecond)
		s := newScript()
		s.Say = []byte("x")
		w.Create("put", s).RequestTxLen(1)
		w.Advance(time.Second)
		w.WantLine("the stream", s, `CREATING POLL CONNECTING tx("x"|SOM|EOM) CONNECTING tx("x"|SOM|EOM) CONNECTED QOS_ACK_REMOTE DISCONNECTED`)
	})
	t.Run("known", func(t *testing.T) {
		w := newWorld(t, warmDoc, plan{})
		w.Serve("srv", answer(0, ""))
		w.get("a")
		w.Accepted[0].Handle.Destroy()
		w.Settle()
		w.WantLife("the stream", w.get("a"), oneGET)
		if got := w.Client.Runtime.Counters.Warm; got != 0 {
			t.Errorf("warm connections taken: got %d, want 0", got)
		}
	})
	t.Run("no listener at the replay", func(t *testing.T) {
		w := newWorld(t, warmDoc, plan{Net: sim.Options{Link: sim.Link{Latency: 10 * time.Millisecond}}})
		h, _ := w.Serve("srv", answer(0, ""))
		w.get("a")
		h.Destroy()
		w.Advance(time.Millisecond)
		w.WantLife("the stream", w.get("a"), "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
	})
}

// TestNotReusable: a response with close, or with a body that ends with the connection, closes it.
func TestNotReusable(t *testing.T) {
	for _, head := range []string{
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
	} {
		w := newWorld(t, warmDoc, plan{})
		w.Serve("raw", speak("\r\n\r\n", head, false))
		w.WantLife("the first", w.get("a"), oneGET)
		w.WantLife("the second", w.get("a"), oneGET)
		if len(w.Accepted) != 2 {
			t.Errorf("connections after %q: got %d, want 2", head, len(w.Accepted))
		}
	}
}

// TestUnsolicited: bytes on a warm connection are not delivered to a stream.
func TestUnsolicited(t *testing.T) {
	w := newWorld(t, warmDoc, plan{})
	w.Serve("raw", speak("\r\n\r\n", okEmpty, false))
	w.get("a")
	w.Accepted[0].Say, w.Accepted[0].Said = []byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale"), 0
	w.Accepted[0].Handle.RequestTx()
	w.Settle()
	w.WantLife("the next", w.get("a"), oneGET)
	if len(w.Accepted) != 2 {
		t.Errorf("connections: got %d, want 2", len(w.Accepted))
	}
}

// TestDumpTellsWarm: Dump counts the warm connections.
func TestDumpTellsWarm(t *testing.T) {
	w := newWorld(t, warmDoc, plan{})
	w.Serve("srv", answer(0, ""))
	s := w.get("a")
	s.Handle.Pause()
	var b strings.Builder
	w.Client.Runtime.Dump(&b)
	for _, want := range []string{"1 streams, 1 connections, 1 warm, 0 bytes held", "a ", "LWSSSCS_DISCONNECTED", "no connection", "paused"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("dump: got %q, want %q in it", b.String(), want)
		}
	}
}
