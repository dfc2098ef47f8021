package ss_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// TestNewNeeds: New requires Config.Loop and Config.Policy.
func TestNewNeeds(t *testing.T) {
	l := loop.New(sim.New(0, sim.Options{}).Host("h"), loop.Config{})
	for _, c := range []ss.Config{{}, {Loop: l}, {Policy: &policy.Policy{}}} {
		if rt, err := ss.New(c); rt != nil || err == nil || !strings.Contains(err.Error(), "ss: new runtime") {
			t.Errorf("New(%+v): got %v, %v; want an error", c, rt, err)
		}
	}
}

// TestCreateErrors: each error has the stream type, the reason, and a hint.
func TestCreateErrors(t *testing.T) {
	doc := `{"s":[{"plain":{"endpoint":"x","port":1}},
		{"mqtt":{"endpoint":"x","port":1,"protocol":"mqtt"}},{"tls":{"endpoint":"x","port":443,"tls":true,"client_cert":0}},
		{"sink":{"endpoint":"x","port":1,"local_sink":true}}]}`
	w := newWorld(t, doc, plan{})
	for _, c := range []struct {
		name string
		is   error
		want string
	}{
		{"plane", ss.ErrNoSuchStreamType, `"plain"`},
		{"nothing like it", ss.ErrNoSuchStreamType, `"s"`},
		{"", ss.ErrNoSuchStreamType, ""},
		{"mqtt", ss.ErrUnsupported, `"mqtt"`},
		{"tls", ss.ErrNoClientCert, "client_cert 0"},
		{"sink", ss.ErrUnsupported, "local_sink"},
	} {
		h, err := w.Client.Runtime.Create(ss.Info{StreamType: c.name})
		var ce *ss.CreateError
		if h != nil || !errors.Is(err, c.is) || !errors.As(err, &ce) || ce.StreamType != c.name || !strings.Contains(err.Error(), c.want) {
			t.Errorf("create %q: got %v, %v; want %q with %s in it", c.name, h, err, c.is, c.want)
		}
	}
	if n := w.Client.Runtime.Len(); n != 0 {
		t.Errorf("streams: got %d, want none", n)
	}
	w.Client.Runtime.Close()
	if _, err := w.Client.Runtime.Create(ss.Info{StreamType: "plain"}); !errors.Is(err, ss.ErrClosed) {
		t.Errorf("create on a closed runtime: got %v, want ErrClosed", err)
	}
}

// TestNoStream: if New returns no Stream, one that does nothing is used.
func TestNoStream(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw","opportunistic":true`, rawServer), plan{})
	w.Serve("srv", answer(0, ""))
	for _, i := range []ss.Info{{StreamType: "c"}, {StreamType: "c", New: func(*ss.Handle) ss.Stream { return nil }}} {
		h, err := w.Client.Runtime.Create(i)
		if err != nil {
			t.Fatal(err)
		}
		h.RequestTx()
		w.Settle()
		if h.Life() != ss.Connected {
			t.Errorf("life: got %v, want %v", h.Life(), ss.Connected)
		}
	}
}

// TestEach: a stream may destroy others during Each.
func TestEach(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw"`, ""), plan{})
	for range 1200 { // more than two pages
		w.Create("c", newScript())
	}
	n := 0
	w.Client.Runtime.Each(func(h *ss.Handle) {
		if n++; n%2 == 0 {
			h.Destroy()
		}
	})
	w.Settle()
	if got := w.Client.Runtime.Len(); n != 1200 || got != 600 {
		t.Errorf("walked over %d and left %d, want 1200 and 600", n, got)
	}
	for range 700 {
		w.Create("c", newScript())
	}
	n = 0
	w.Client.Runtime.Each(func(*ss.Handle) { n++ })
	if n != 1300 {
		t.Errorf("walked over %d, want 1300: freed slots serve again", n)
	}
}

// TestCloseTwice: Close, also during connections and transactions.
func TestCloseTwice(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"h1"`, h1Server), plan{Net: sim.Options{Link: sim.Link{Latency: time.Millisecond}}})
	w.Serve("srv", answer(0, strings.Repeat("x", 1<<20)))
	s := newScript()
	w.Create("c", s).Connect()
	w.Advance(6 * time.Millisecond)
	w.Client.Runtime.Close()
	w.Client.Runtime.Close()
	w.Settle()
	if !s.Dead || w.Client.Runtime.Len() != 0 {
		t.Errorf("after Close: %s, and %d streams live", s.Line(), w.Client.Runtime.Len())
	}
}
