package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	stdtls "crypto/tls"

	"github.com/millrace/millrace/ss"
)

// line is one stream in the report.
type line struct {
	name, protocol, sent, received, took, shows string
	states                                      []ss.State
	faults                                      []string
}

// report prints the table and returns the exit status.
func (d *demo) report(a *app) int {
	lines := d.lines()
	var b strings.Builder
	fmt.Fprintf(&b, "%-20s%-23s%10s  %10s  %10s  %s\n", "STREAM", "OVER", "SENT", "RECEIVED", "TOOK", "SHOWS")
	failed := 0
	for _, l := range lines {
		fmt.Fprintf(&b, "%-20s%-23s%10s  %10s  %10s  %s\n", l.name, l.protocol, l.sent, l.received, l.took, l.shows)
		fmt.Fprintf(&b, "    %s\n", stateNames(l.states))
		for _, f := range l.faults {
			fmt.Fprintf(&b, "    FAILED: %s\n", f)
		}
		if len(l.faults) > 0 {
			failed++
		}
	}
	fmt.Fprintf(&b, "\ndemo: %d streams ok, %d failed\n", len(lines)-failed, failed)
	if _, err := io.WriteString(a.out, b.String()); err != nil {
		return a.fail(exitLocal, "demo: %v", err)
	}
	switch {
	case d.runner.interrupted:
		return a.fail(exitLocal, "demo: interrupted")
	case failed > 0:
		return exitRefused
	}
	return exitOK
}

func (d *demo) lines() []line {
	var lines []line
	for _, s := range d.steps {
		l := line{name: s.name, protocol: "-", shows: s.shows, sent: size(s.sent), received: size(s.got), took: latency(s.took)}
		if s.trace != nil {
			l.states = s.trace.states
			l.protocol = s.trace.of.Policy().Protocol.String()
		}
		if s.secure != nil {
			l.protocol += ", " + stdtls.VersionName(s.secure.Version)
			if s.secure.Resumed && !s.reused {
				l.protocol += ", resumed"
			}
		}
		if s.reused {
			l.protocol += ", warm"
		}
		l.faults = s.verify(d.late)
		lines = append(lines, l)
	}
	for _, s := range []*demoServer{d.web, d.pipe, d.talk, d.tlsWeb, d.tlsPipe, d.tlsTalk} {
		saw, faults := s.verify(d, d.dueTo(s))
		shows := fmt.Sprintf("%s: %s", s.shows, plural(fmt.Sprint(saw.connections), "connection"))
		if saw.requests > 0 {
			shows += ", " + plural(fmt.Sprint(saw.requests), "request")
		}
		protocol := s.handle.Policy().Protocol.String() + " server"
		if s.handle.Policy().TLS {
			protocol += ", TLS"
		}
		lines = append(lines, line{name: s.name, protocol: protocol, sent: "-", received: "-", took: "-", shows: shows,
			states: s.trace.states, faults: faults})
	}
	return lines
}

// dueTo returns the connections and requests that the completed steps should have made to a server.
func (d *demo) dueTo(to *demoServer) (w visits) {
	for _, s := range d.steps {
		if s.on != to || s.trace == nil || !slices.Contains(s.trace.states, ss.Connected) {
			continue
		}
		if !s.reused {
			w.connections++
		}
		if transactional(s.trace.of.Policy()) {
			w.requests++
		}
	}
	return w
}

// verify returns the differences between what the stream did and what was expected.
func (s *step) verify(late bool) []string {
	faults := s.faults
	if !s.ended {
		why := "was not started"
		if s.trace != nil {
			why = "did not end"
		}
		if late {
			why += fmt.Sprintf(" within %v", demoLimit)
		}
		faults = append(faults, why)
	}
	var passed []ss.State
	if s.trace != nil {
		passed = s.trace.states
	}
	if err := differ(passed, s.passes); err != "" {
		faults = append(faults, err)
	}
	if s.sent != len(s.sends) || s.got != len(s.receives) {
		faults = append(faults, fmt.Sprintf("sent %d and received %d bytes, want %d and %d", s.sent, s.got, len(s.sends), len(s.receives)))
	}
	if got := s.secure != nil; got != s.tls {
		faults = append(faults, fmt.Sprintf("used TLS: %v, want %v", got, s.tls))
	} else if got && s.secure.Resumed != s.resumed {
		faults = append(faults, fmt.Sprintf("resumed a session: %v, want %v", s.secure.Resumed, s.resumed))
	}
	if s.alpn != "" && s.secure != nil && s.secure.ALPN != s.alpn {
		faults = append(faults, fmt.Sprintf("ALPN: got %q, want %q", s.secure.ALPN, s.alpn))
	}
	if s.reused != s.warm {
		faults = append(faults, fmt.Sprintf("used a warm connection: %v, want %v", s.reused, s.warm))
	}
	return faults
}

// differ returns "" if got equals want, otherwise a text with both.
func differ(got, want []ss.State) string {
	if slices.Equal(got, want) {
		return ""
	}
	return "states: got " + stateNames(got) + "; want " + stateNames(want)
}

// stateNames returns the names of states in order, without their common prefix.
func stateNames(states []ss.State) string {
	if len(states) == 0 {
		return "(none)"
	}
	var b strings.Builder
	for i, s := range states {
		if i > 0 {
			b.WriteString(" > ")
		}
		b.WriteString(strings.TrimPrefix(s.String(), "LWSSSCS_"))
	}
	return b.String()
}

// size formats a number of payload bytes.
func size(n int) string {
	switch {
	case n == 0:
		return "-"
	case n < 10<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// latency formats a duration in milliseconds.
func latency(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}
