package ss_test

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
)

// TestSavedHeaders: the fields of a response can be read by name until it is over, and are then freed.
func TestSavedHeaders(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"h1","direct_proto_str":true,"metadata":[{"a":"x-a:"}]`, rawServer), plan{})
	wire := ""
	w.Serve("srv", tap(&wire, speak("\r\n\r\n", "HTTP/1.1 200 OK\r\nServer: them\r\nX-Twice: 1\r\nX-Twice: 2\r\nX-Both: theirs\r\nX-Empty:\r\n"+
		"X-Long: "+strings.Repeat("x", 6000)+"\r\nContent-Length: 5\r\n\r\nhello", false)))
	s := newScript()
	names := []string{"server", "SERVER:", "x-twice", "X-Both:", "x-empty", "content-length", "x-mine", "x-no", "a"}
	look := func(want ...string) func(h *ss.Handle) ss.Ret {
		return func(h *ss.Handle) ss.Ret {
			for i, n := range names {
				got := "-"
				if v, ok := h.Metadata(n); ok {
					got = string(v)
				}
				if got != want[i] {
					t.Errorf("%s: Metadata(%q): got %q, want %q", s.Line(), n, got, want[i])
				}
			}
			return ss.OK
		}
	}
	during := look("them", "them", "1", "ours", "", "5", "mine", "-", "one")
	outside := look("-", "-", "-", "ours", "-", "-", "mine", "-", "one")
	s.When(ss.Connecting, outside).When(ss.Connected, during).When(ss.QOSAckRemote, during).When(ss.Disconnected, outside)
	s.OnRx = func(h *ss.Handle, _ []byte, _ ss.Flags) ss.Ret {
		if w.Client.Loop.Account().Used() < 6000 {
			t.Error("the account knows nothing of the fields that are held")
		}
		return during(h)
	}
	h := w.Create("c", s)
	h.SetMetadataString("a", "one")
	for _, f := range [][2]string{{"x-both", "ours"}, {"X-Mine:", "not this"}, {"x-gone", "x"}, {"x-mine", "mine"}} {
		if err := h.SetMetadataString(f[0], f[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.SetMetadata("X-Gone:", nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		wire = ""
		h.Connect()
		w.Advance(time.Second)
		if got, want := strings.ReplaceAll(wire, "\r\n", "|"), "GET / HTTP/1.1|Host: 10.0.0.2|x-a: one|x-both: ours|x-mine: mine||"; got != want {
			t.Errorf("on the wire: got %q, want %q", got, want)
		}
		if n := w.Client.Loop.Account().Used(); n != 0 {
			t.Errorf("on the account afterwards: %d bytes, want 0", n)
		}
	}
	if s.Told(ss.QOSAckRemote) != 2 || h.HTTPStatus() != 200 {
		t.Errorf("told %s, status %d; want two transactions and 200", s.Life(), h.HTTPStatus())
	}
}

// TestSavedHeadersOfAbortedStreams: the saved fields are freed for every kind of end of a response.
func TestSavedHeadersOfAbortedStreams(t *testing.T) {
	for _, c := range []struct {
		name, said string
		at         ss.State
		ret        ss.Ret
	}{
		{"destroyed in CONNECTED", okHello, ss.Connected, ss.DestroyMe},
		{"disconnected in CONNECTED", okHello, ss.Connected, ss.DisconnectMe},
		{"a body that breaks off", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nhalf", ss.Poll, ss.OK},
		{"a refusal", "HTTP/1.1 503 Busy\r\nX-Why: tired\r\nContent-Length: 0\r\n\r\n", ss.Poll, ss.OK},
	} {
		w := newWorld(t, clientDoc(`"protocol":"h1","direct_proto_str":true,"retry":"none","opportunistic":true`, twoServers), plan{})
		w.Serve("srv", (&routes{answer: map[string]string{"80 GET /": c.said}}).play("80"))
		s := newScript()
		s.When(c.at, func(*ss.Handle) ss.Ret { return c.ret })
		why := ""
		s.On[ss.Unreachable] = func(h *ss.Handle, _ ss.Notice) ss.Ret {
			v, _ := h.Metadata("x-why")
			why = string(v)
			return ss.OK
		}
		h := w.Create("c", s)
		h.Connect()
		w.Advance(time.Second)
		if n := w.Client.Loop.Account().Used(); n != 0 {
			t.Errorf("%s: %d bytes on the account, want 0; told %s", c.name, n, s.Life())
		}
		if strings.Contains(c.said, "X-Why") && (why != "tired" || h.HTTPStatus() != 503) {
			t.Errorf("%s: read %q and status %d in UNREACHABLE, want the response's", c.name, why, h.HTTPStatus())
		}
	}
}
