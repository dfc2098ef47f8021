package sstest_test

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/sstest"
)

// TestPeers: what each of the ready-made server streams answers to what a client says.
func TestPeers(t *testing.T) {
	upper := sstest.Lines(func(line string) string {
		if line == "" {
			return ""
		}
		return strings.ToUpper(line) + "\n"
	})
	for _, c := range []struct {
		name        string
		server, typ string
		each        func(*sstest.Script)
		say         string
		want        string // payload received
		life        string // after CREATING CONNECTING CONNECTED
	}{
		{"Answer", "web", "get", sstest.Answer(200, "hello"), "", "hello", "QOS_ACK_REMOTE DISCONNECTED"},
		{"Answer, not found", "web", "get", sstest.Answer(404, "none"), "", "none", "QOS_NACK_REMOTE DISCONNECTED"},
		{"Speak", "wire", "raw", sstest.Speak("?", "answer", false), "question?", "answer", ""},
		{"Speak, and hang up", "wire", "raw", sstest.Speak("?", "answer", true), "question?", "answer", "DISCONNECTED"},
		{"Lines", "wire", "raw", upper, "one\r\n\ntwo\nthr", "ONE\nTWO\n", ""},
		{"Echo of bytes", "wire", "raw", sstest.Echo, strings.Repeat("x", 100_000), strings.Repeat("x", 100_000), ""},
		{"Echo of messages", "sock", "ws", sstest.Echo, strings.Repeat("y", 100_000), strings.Repeat("y", 100_000), ""},
	} {
		w := sstest.New(t, clientDoc, sstest.Options{ServerPolicy: serverDoc})
		w.Serve(c.server, c.each)
		s := sstest.NewScript()
		s.Say = []byte(c.say)
		s.NoEOM = c.typ == "raw"
		s.When(ss.Connected, func(h *ss.Handle) ss.Ret {
			if c.say != "" {
				return h.RequestTx()
			}
			return ss.OK
		})
		w.Create(c.typ, s).Connect()
		w.Settle()
		if string(s.Got) != c.want {
			t.Errorf("%s: got %.60q (%d bytes), want %.60q (%d bytes)", c.name, s.Got, len(s.Got), c.want, len(c.want))
		}
		life := strings.TrimSuffix("CREATING CONNECTING CONNECTED "+c.life, " ")
		if got := s.Life(); !strings.HasPrefix(got, life) || c.life == "" && got != life {
			t.Errorf("%s: received %s, want %s", c.name, got, life)
		}
	}
}

// TestScript: a script records calls, payload, causes and times.
func TestScript(t *testing.T) {
	w := sstest.New(t, clientDoc, sstest.Options{ServerPolicy: serverDoc})
	w.Serve("wire", sstest.Echo)
	s := sstest.NewScript()
	s.Say, s.Piece, s.NoEOM = []byte("hello"), 3, true
	s.When(ss.Connected, (*ss.Handle).RequestTx)
	h := w.Create("raw", s)
	h.Connect()
	w.Settle()
	h.Destroy()
	w.Settle()
	w.WantLine("the client", s, `CREATING CONNECTING CONNECTED tx("hel"|SOM) tx("lo") rx("hello") DISCONNECTED DESTROYING`)
	if len(s.At) != len(s.States) || !s.Dead || s.Handle != h || s.World != w || s.Told(ss.Connected) != 1 {
		t.Errorf("the script: %d times for %d states, dead %v", len(s.At), len(s.States), s.Dead)
	}
	r := new(report)
	w.T = r
	w.WantLine("it", s, "CREATING")
	w.WantLife("it", s, "CREATING")
	w.WantCause(s, ss.ErrEndpoint)
	s.State(h, ss.Connecting, ss.Notice{})
	if w.T = t; len(r.lines) != 4 || !strings.Contains(r.lines[3], "CONNECTING after DESTROYING") {
		t.Errorf("four wrong expectations: got %d reports: %q", len(r.lines), r.lines)
	}
}
