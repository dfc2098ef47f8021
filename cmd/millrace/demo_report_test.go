package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/tls"
)

// TestStepVerify checks each condition of a step alone: states, payload, connection.
func TestStepVerify(t *testing.T) {
	passed := []ss.State{ss.Creating, ss.Connecting, ss.Connected, ss.Disconnected, ss.Destroying}
	good := func() *step {
		return &step{passes: passed, trace: &trace{states: slices.Clone(passed)}, sends: []byte("ab"), sent: 2,
			receives: []byte("abc"), got: 3, ended: true}
	}
	for _, c := range []struct {
		name  string
		spoil func(s *step)
		late  bool
		want  string // "" for no fault
	}{
		{"no fault", func(*step) {}, false, ""},
		{"late, but ended", func(*step) {}, true, ""},
		{"an extra state", func(s *step) { s.trace.states = append(s.trace.states, ss.Destroying) }, false, "states: got CREATING > "},
		{"less sent", func(s *step) { s.sent = 1 }, false, "sent 1 and received 3 bytes, want 2 and 3"},
		{"less received", func(s *step) { s.got = 2 }, false, "received 2 bytes"},
		{"other payload", func(s *step) { s.got = 0; s.compare([]byte("x")) }, false, "payload differs"},
		{"no warm connection", func(s *step) { s.warm = true }, false, "used a warm connection: false, want true"},
		{"no TLS", func(s *step) { s.tls = true }, false, "used TLS: false, want true"},
		{"unexpected TLS", func(s *step) { s.secure = &tls.State{} }, false, "used TLS: true, want false"},
		{"not resumed", func(s *step) { s.tls, s.resumed, s.secure = true, true, &tls.State{} }, false, "resumed a session: false, want true"},
		{"another protocol", func(s *step) { s.tls, s.alpn, s.secure = true, "h2", &tls.State{ALPN: "http/1.1"} }, false,
			`ALPN: got "http/1.1", want "h2"`},
		{"not ended", func(s *step) { s.ended = false }, true, "did not end within 8s"},
		{"not started", func(s *step) { s.ended, s.trace = false, nil }, false, "was not started"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := good()
			c.spoil(s)
			got := strings.Join(s.verify(c.late), "; ")
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("verify: got %q, want %q", got, c.want)
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
