package main

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func TestDemo(t *testing.T) {
	began := time.Now()
	r := run("demo")
	r.expect(t, exitOK, "ALL_RETRIES_FAILED", "h1, warm", "h2, warm", "raw server", "2 connections, 8 requests",
		"h1, TLS 1.3, warm", "h2, TLS 1.3", "raw, TLS 1.3, resumed", "h2 server, TLS", "2 connections, 3 requests")
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if got, want := lines[len(lines)-1], "demo: 25 streams ok, 0 failed"; got != want {
		t.Errorf("the last line is %q, want %q", got, want)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the demo took %v, want less than 10 s", took)
	}
	for line := range strings.Lines(r.err) {
		// A slow callback is not a fault of the demo: the machine may have other load.
		if !strings.Contains(line, "slow callback") {
			t.Errorf("unexpected line on standard error: %s", line)
		}
	}
}

func TestDemoInterrupted(t *testing.T) {
	var errs text
	signals := make(chan os.Signal, 1)
	signals <- os.Interrupt
	a := &app{in: strings.NewReader(""), out: io.Discard, err: &errs, signals: signals}
	if status := a.run([]string{"demo"}); status != exitLocal || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("status %d, want %d and \"interrupted\"\n%s", status, exitLocal, &errs)
	}
}

func TestDemoVerbose(t *testing.T) {
	run("demo", "-v").expect(t, exitOK, "msg=LWSSSCS_SERVER_TXN stream=web ordinal=0 peer=127.0.0.1:",
		"msg=LWSSSCS_UNREACHABLE stream=get ordinal=0 cause=", "connection refused",
		"judged by trust store elsewhere", "msg=tls version=")
}
