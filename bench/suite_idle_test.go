package main

import (
	"testing"

	"github.com/millrace/millrace/bench/internal/procfs"
)

func TestIdleClients(t *testing.T) {
	l := newLab(t)
	p, err := l.start(contender{name: nameNetHTTP, peer: "nethttp"}, kindH1)
	if err != nil {
		t.Fatal(err)
	}
	before, err := p.stats()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.startClients(p, 200); err != nil {
		t.Fatal(err)
	}
	after, err := p.stats()
	if err != nil || after.Goroutines-before.Goroutines < 190 {
		t.Errorf("got %d goroutines before and %d after, %v; want one more for each of 200, less those of the probe",
			before.Goroutines, after.Goroutines, err)
	}
}

// Idle WebSockets in clear.
func TestIdleWebSockets(t *testing.T) {
	for _, c := range wsIdleContenders {
		l := newLab(t)
		p, err := l.start(c, kindWS)
		if err != nil {
			t.Fatal(err)
		}
		before, err := procfs.Descriptors(p.cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.startClients(p, 200); err != nil {
			t.Fatal(err)
		}
		if after, err := procfs.Descriptors(p.cmd.Process.Pid); err != nil || after-before < 195 {
			t.Errorf("%s: got %d descriptors before and %d after, %v; want 200 more, less those of the probe", c.name, before, after, err)
		}
	}
}

func TestSlope(t *testing.T) {
	if got := (counts{100, 300}).slope(10<<20, 10<<20+600*200); got != 600 {
		t.Errorf("got %v bytes per connection, want 600", got)
	}
}
