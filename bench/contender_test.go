package main

import (
	"testing"

	"github.com/millrace/millrace/bench/internal/gen"
)

// Every server of the HTTP suites starts, answers, returns its counts and stops.
func TestEveryHTTPServer(t *testing.T) {
	for _, c := range httpContenders {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			p, err := l.start(c, kindH1) // probes its response
			if a, ok := isAbsent(err); ok {
				lacking(t, a.why)
			}
			if err != nil {
				t.Fatal(err)
			}
			r := &report{}
			tab := r.table(&table{})
			for _, depth := range []int{1, 16} {
				if err := l.request(tab, 0, seat{c, p}, 4, depth); err != nil {
					t.Fatal(err)
				}
			}
			if v := tab.values(c.name, keyRate); len(v) != 2 || v[0] < 10 || v[1] < 10 {
				t.Errorf("got requests/s %v, want some in both shapes", v)
			}
			if cpu := tab.values(c.name, keyCPU); cpu[0] <= 0 {
				t.Errorf("got CPU per request %v", cpu)
			}
			if m, err := p.memory(); err != nil || m.RSS < 1<<20 {
				t.Errorf("memory: got %+v, %v", m, err)
			}
			if p.obeys {
				if err := p.free(); err != nil {
					t.Error(err)
				}
				if s, err := p.stats(); err != nil || s.Goroutines == 0 {
					t.Errorf("stats: got %+v, %v", s, err)
				}
			}
			l.stopAll()
			if _, err := p.cpu(); err == nil {
				t.Errorf("process %d lives after stopAll", p.cmd.Process.Pid)
			}
		})
	}
}

func TestEveryEcho(t *testing.T) {
	for _, c := range rawContenders {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			p, err := l.start(c, kindRaw)
			if a, ok := isAbsent(err); ok {
				lacking(t, a.why)
			}
			if err != nil {
				t.Fatal(err)
			}
			// Far more bytes in flight than socket buffers hold, so that servers meet EAGAIN.
			for _, ahead := range []int{1000, rawAhead, 16 << 20} {
				m, err := gen.Stream(gen.Flow{Addr: p.addr, Conns: 4, Ahead: ahead}, l.window(p))
				if err != nil || m.Done == 0 {
					t.Fatalf("%d bytes ahead: got %d echoed, %v", ahead, m.Done, err)
				}
			}
		})
	}
}

// Every WebSocket server starts, passes the probe, and echoes both messages of the suite.
func TestEveryWebSocketServer(t *testing.T) {
	for _, c := range wsContenders {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			p, err := l.start(c, kindWS)
			if err != nil {
				t.Fatal(err)
			}
			tab := new(report).table(&table{})
			for _, shape := range wsShapes {
				if err := l.echo(tab, 0, seat{c, p}, 4, shape.size); err != nil {
					t.Fatal(err)
				}
			}
			if v := tab.values(c.name, keyMessages); len(v) != 2 || v[0] < 10 || v[1] < 10 {
				t.Errorf("got messages/s %v, want some of both sizes", v)
			}
			if cpu := tab.values(c.name, keyCPUMessage); cpu[0] <= 0 || cpu[1] <= 0 {
				t.Errorf("got CPU per message %v", cpu)
			}
		})
	}
}

// Every WebSocket server delivers each published message to every subscriber.
func TestEveryBroadcast(t *testing.T) {
	for _, c := range wsContenders {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			p, err := l.start(c, kindFan)
			if err != nil {
				t.Fatal(err)
			}
			tab := new(report).table(&table{})
			for round := range 2 { // in the second round the subscribers of the first have disconnected
				if err := l.spread(tab, round, seat{c, p}, 50); err != nil {
					t.Fatal(err)
				}
			}
			if v := tab.values(c.name, keyMessages); len(v) != 2 || v[0] < 50 || v[1] < 50 {
				t.Errorf("got messages/s %v, want some both times", v)
			}
		})
	}
}

func TestRotate(t *testing.T) {
	seats := []seat{{contender: contender{name: "a"}}, {contender: contender{name: "b"}}, {contender: contender{name: "c"}}}
	for round, want := range []string{"abc", "bca", "cab", "abc"} {
		got := ""
		for _, s := range rotate(seats, round) {
			got += s.name
		}
		if got != want {
			t.Errorf("round %d: got %s, want %s", round, got, want)
		}
	}
	if got := rotate(nil, 3); len(got) != 0 {
		t.Errorf("rotate of no seats: got %v, want none", got)
	}
}
