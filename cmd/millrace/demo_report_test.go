package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/tls"
)

// A step is judged by states, payload and connection, each by itself.
func TestStepJudge(t *testing.T) {
	passed := []ss.State{ss.Creating, ss.Connecting, ss.Connected, ss.Disconnected, ss.Destroying}
	good := func() *step {
		return &step{passes: passed, trace: &trace{states: slices.Clone(passed)}, sends: []byte("ab"), sent: 2,
			receives: []byte("abc"), got: 3, ended: true}
	}
	for _, c := range []struct {
		name  string
		spoil func(s *step)
		late  bool
		says  string // "" for no fault
	}{
		{"as it should be", func(*step) {}, false, ""},
		{"late, but over", func(*step) {}, true, ""},
		{"a state too many", func(s *step) { s.trace.states = append(s.trace.states, ss.Destroying) }, false, "states: got CREATING > "},
		{"less sent", func(s *step) { s.sent = 1 }, false, "sent 1 and received 3 bytes, want 2 and 3"},
		{"less received", func(s *step) { s.got = 2 }, false, "received 2 bytes"},
		{"other payload", func(s *step) { s.got = 0; s.compare([]byte("x")) }, false, "payload differs"},
		{"no warm connection", func(s *step) { s.warm = true }, false, "used a warm connection: false, want true"},
		{"no TLS", func(s *step) { s.tls = true }, false, "stood on TLS: false, want true"},
		{"TLS unasked", func(s *step) { s.secure = &tls.State{} }, false, "stood on TLS: true, want false"},
		{"not resumed", func(s *step) { s.tls, s.resumed, s.secure = true, true, &tls.State{} }, false, "resumed a session: false, want true"},
		{"another protocol", func(s *step) { s.tls, s.alpn, s.secure = true, "h2", &tls.State{ALPN: "http/1.1"} }, false,
			`the handshake agreed on "http/1.1", want "h2"`},
		{"not over", func(s *step) { s.ended = false }, true, "did not end within 8s"},
		{"not begun", func(s *step) { s.ended, s.trace = false, nil }, false, "was not begun"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := good()
			c.spoil(s)
			got := strings.Join(s.judge(c.late), "; ")
			if (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
				t.Errorf("judge says %q, want %q", got, c.says)
			}
		})
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[int]string{0: "-", 28: "28 B", 10 << 10: "10 KiB", 4 << 20: "4 MiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
	if got, want := latency(1500*time.Microsecond), "1.50 ms"; got != want {
		t.Errorf("latency(1.5 ms) = %q, want %q", got, want)
	}
}
